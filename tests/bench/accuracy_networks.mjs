// How far whole networks are from double precision, beside ONNX Runtime on the same weights and input.
//
//   node tests/bench/accuracy_networks.mjs build/compiler/driver/cnnc [NETWORK.ir ...] [--input IMAGE.npy] [options of cnnc]
//
// All seven of examples/nets unless some are named, on normal numbers unless there is an image. Prints a Markdown table:
// root mean square error, and the largest relative to the largest output, of cnnc as it compiles by default, of cnnc without
// Winograd's method (--max-error), and of ONNX Runtime.
//
// Exit codes: 0 all done, 1 without Winograd cnnc is off by more than 1.5 times what ONNX Runtime is, 77 there is no ONNX Runtime.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadRuntime, readNpy, run, writeNpy } from '../onnx/onnxruntime.mjs';
import { normalNumbers, randomNumbers } from '../onnx/random_numbers.mjs';
import { evaluate, parseModel, readWeights } from './double_network.mjs';

const bar = 1.5;
const networks = ['resnet18', 'resnet50', 'vgg16', 'mobilenet_v2', 'squeezenet', 'efficientnet_b0', 'mobilenet_v3_large'];

function errors(got, wanted) {
  let squares = 0, size = 0, error = 0, largest = 0;
  wanted.forEach((value, i) => {
    squares += (got[i] - value) ** 2;
    size += value ** 2;
    error = Math.max(error, Math.abs(got[i] - value));
    largest = Math.max(largest, Math.abs(value));
  });
  return { rms: Math.sqrt(squares / size), largest: error / largest };
}

async function measure(runtime, cnnc, options, file, image, folder) {
  const onnx = path.join(folder, 'network.onnx'), text = path.join(folder, 'network.ir');
  run(cnnc, file, '--emit=onnx', '-o', onnx);
  run(cnnc, onnx, '-o', text);
  const model = parseModel(fs.readFileSync(text, 'utf8'));
  const { name, shape } = model.inputs[0];
  const data = image ? readNpy(image).data : Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, normalNumbers(randomNumbers(7)));
  const input = path.join(folder, 'input.npy'), output = path.join(folder, 'output.npy');
  writeNpy(input, { type: 'float32', dims: shape, data });
  const ours = (...more) => {
    run(cnnc, onnx, '--run', input, '-o', output, ...options, ...more);
    return readNpy(output).data;
  };
  const wanted = evaluate(model, readWeights(path.join(folder, 'network.safetensors')), data);
  const session = await runtime.InferenceSession.create(onnx, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  const results = await session.run({ [name]: new runtime.Tensor('float32', data, shape) });
  const theirs = errors(results[session.outputNames[0]].data, wanted);
  await session.release();
  return [errors(ours(), wanted), errors(ours('--max-error', '1e-30'), wanted), theirs];
}

async function main() {
  const [cnnc, ...options] = process.argv.slice(2);
  if (!cnnc) {
    console.log('usage: accuracy_networks.mjs CNNC [NETWORK.ir ...] [--input IMAGE.npy] [options of cnnc]');
    process.exit(2);
  }
  const at = options.indexOf('--input');
  const image = at < 0 ? undefined : options.splice(at, 2)[1];
  const named = options.filter((option) => option.endsWith('.ir'));
  const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../examples/nets');
  const files = named.length ? named : networks.map((network) => path.join(root, `${network}.ir`));
  const runtime = loadRuntime();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cnnc-accuracy-'));
  const show = ({ rms, largest }) => `${rms.toExponential(1)} | ${largest.toExponential(1)}`;
  let worse = 0;
  console.log('| network | cnnc rms | largest | direct rms | largest | ONNX Runtime rms | largest | direct / ORT |\n|---|---|---|---|---|---|---|---|');
  try {
    for (const file of files) {
      const [chosen, direct, theirs] =
        await measure(runtime, path.resolve(cnnc), options.filter((option) => !named.includes(option)), path.resolve(file), image, folder);
      const quotient = direct.rms / theirs.rms;
      worse += quotient > bar;
      console.log(`| ${path.basename(file, '.ir')} | ${show(chosen)} | ${show(direct)} | ${show(theirs)} | ${quotient.toFixed(2)} |`);
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  process.exit(worse ? 1 : 0);
}

await main();
