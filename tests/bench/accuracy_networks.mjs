// How far whole networks are from double precision, beside ONNX Runtime on the same weights and input.
//
//   node tests/bench/accuracy_networks.mjs build/compiler/driver/cnnc [NETWORK.ir ...] [--inputs N | --input IMAGE.npy] [options of cnnc]
//
// ResNet, VGG, MobileNet, SqueezeNet and EfficientNet of examples/nets unless some are named, on five inputs of normal
// numbers, N, or the image. A single input tells little: deep networks magnify what their first layers round off, in the
// same direction for all outputs. Prints a Markdown table: root mean square error, and the largest relative to the largest
// output, of cnnc as it compiles by default, of cnnc without Winograd's method (--max-error), and of ONNX Runtime.
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

/// Errors of several outputs, taken together.
class Errors {
  squares = 0;
  size = 0;
  error = 0;
  largest = 0;

  add(got, wanted) {
    wanted.forEach((value, i) => {
      this.squares += (got[i] - value) ** 2;
      this.size += value ** 2;
      this.error = Math.max(this.error, Math.abs(got[i] - value));
      this.largest = Math.max(this.largest, Math.abs(value));
    });
  }
  get rms() { return Math.sqrt(this.squares / this.size); }
  get row() { return `${this.rms.toExponential(1)} | ${(this.error / this.largest).toExponential(1)}`; }
}

/// [cnnc, cnnc without Winograd, ONNX Runtime] for a network and inputs, of which each is made of a count.
async function measure(runtime, cnnc, options, file, inputs, folder) {
  const onnx = path.join(folder, 'network.onnx'), text = path.join(folder, 'network.ir');
  run(cnnc, file, '--emit=onnx', '-o', onnx);
  run(cnnc, onnx, '-o', text);
  const model = parseModel(fs.readFileSync(text, 'utf8'));
  const weights = readWeights(path.join(folder, 'network.safetensors'));
  const session = await runtime.InferenceSession.create(onnx, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  const { name, shape } = model.inputs[0];
  const input = path.join(folder, 'input.npy'), output = path.join(folder, 'output.npy');
  const ours = (...more) => {
    run(cnnc, onnx, '--run', input, '-o', output, ...options, ...more);
    return readNpy(output).data;
  };
  const [chosen, direct, theirs] = [new Errors(), new Errors(), new Errors()];
  for (const make of inputs) {
    const data = make(shape.reduce((a, b) => a * b, 1));
    writeNpy(input, { type: 'float32', dims: shape, data });
    const wanted = evaluate(model, weights, data);
    const results = await session.run({ [name]: new runtime.Tensor('float32', data, shape) });
    chosen.add(ours(), wanted);
    direct.add(ours('--max-error', '1e-30'), wanted);
    theirs.add(results[session.outputNames[0]].data, wanted);
  }
  await session.release();
  return [chosen, direct, theirs];
}

async function main() {
  const [cnnc, ...options] = process.argv.slice(2);
  if (!cnnc) {
    console.log('usage: accuracy_networks.mjs CNNC [NETWORK.ir ...] [--inputs N | --input IMAGE.npy] [options of cnnc]');
    process.exit(2);
  }
  const option = (word) => (options.includes(word) ? options.splice(options.indexOf(word), 2)[1] : undefined);
  const image = option('--input'), count = Number(option('--inputs') ?? 5);
  const inputs = image ? [() => readNpy(image).data]
    : Array.from({ length: count }, (_, i) => (size) => Float32Array.from({ length: size }, normalNumbers(randomNumbers(i + 7))));
  const named = options.filter((word) => word.endsWith('.ir'));
  const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../examples/nets');
  const files = named.length ? named : networks.map((network) => path.join(root, `${network}.ir`));
  const runtime = loadRuntime();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cnnc-accuracy-'));
  let worse = 0;
  console.log('| network | cnnc rms | largest | direct rms | largest | ONNX Runtime rms | largest | direct / ORT |\n|---|---|---|---|---|---|---|---|');
  try {
    for (const file of files) {
      const [chosen, direct, theirs] =
        await measure(runtime, path.resolve(cnnc), options.filter((word) => !named.includes(word)), path.resolve(file), inputs, folder);
      const quotient = direct.rms / theirs.rms;
      worse += quotient > bar;
      console.log(`| ${path.basename(file, '.ir')} | ${chosen.row} | ${direct.row} | ${theirs.row} | ${quotient.toFixed(2)} |`);
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  process.exit(worse ? 1 : 0);
}

await main();
