// Runs models as cnnc compiles them and as ONNX Runtime runs their export, and compares the numbers: a
// second oracle, which shares no code with ours.
//
//   node tests/onnx/compare_onnxruntime.mjs build/compiler/driver/cnnc [model.ir ...]
//   node tests/onnx/compare_onnxruntime.mjs build/compiler/driver/cnnc --random build/tests/onnx/random_models COUNT [SEED]
//
// Without models: every file of tests/ops and tests/onnx/Inputs and every network of examples. Files in
// parts, as the tests of ops are, give every part that is not a bad example. Inputs are random, a symbolic batch is 2. The npm
// package is installed once, without scripts, into ${XDG_CACHE_HOME:-~/.cache}/cnnc.
//
// Exit codes: 0 all agree, 1 some do not, 77 there is no ONNX Runtime and no way to get it.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  dtypes, loadRuntime, outputFiles, readNpy, run, runtimePackage, runtimeVersion, writeNpy,
} from './onnxruntime.mjs';
import { randomNumbers } from './random_numbers.mjs';

const tolerance = 2e-4; // of the largest value, or of 1
const mostOfOneStep = 0.01; // of the quantised numbers
const batch = 2;
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/// The parts of a file of tests/ops that are models, or the file itself.
function modelsOf(file, folder) {
  const text = fs.readFileSync(file, 'utf8');
  const name = path.basename(file, '.ir');
  if (!/^\/\/--- /m.test(text))
    return [{ name, file }];
  for (const [, weights, args] of text.matchAll(/RUN: %tensor %t\/(\S+\.safetensors) (.*)/g))
    execFileSync('python3', [path.join(root, 'tests/ops/write_tensor.py'),
      path.join(folder, `${name}.${weights}`), ...args.split(' ')]);
  const parts = text.split(/^\/\/--- (\S+)\n/m);
  const models = [];
  for (let i = 1; i < parts.length; i += 2)
    if (/^(shapes|numbers)/.test(parts[i])) {
      const partFile = path.join(folder, `${name}.${parts[i]}`);
      fs.writeFileSync(partFile, parts[i + 1]);
      models.push({ name: `${name} ${parts[i]}`, file: partFile });
    }
  return models;
}

/// What ONNX Runtime 1.30 does not have, or computes from elements that are none of the input's (transposed convolutions
/// whose output is padded by a stride or more).
const notThere = /\blrn\b.* size=\d*[02468]\b|exclude_outside=true|\bcast\b|\bgather\b|\boutput_padding=/;

/// COUNT random models, but those of one op that ONNX Runtime cannot be asked about.
function randomModels([program, ...countAndSeed], folder) {
  execFileSync(program, [folder, ...countAndSeed]);
  return fs.readdirSync(folder).map((file) => path.join(folder, file))
    .filter((file) => !notThere.test(fs.readFileSync(file, 'utf8')));
}

/// Random values, integers from `from` to `to`.
function randomTensor(runtime, type, dims, random, [from, to]) {
  const Elements = dtypes.find(([name]) => name === type)[2];
  const values = new Elements(dims.reduce((product, dim) => product * dim, 1));
  for (let i = 0; i < values.length; ++i) {
    const number = type.startsWith('float') ? 2 * random() - 1 : from + Math.floor(random() * (to - from + 1));
    values[i] = Elements === BigInt64Array ? BigInt(number) : number;
  }
  return new runtime.Tensor(type, values, dims);
}

/// Quantised numbers that were compared, and those that differ by one step: compiler/README.md says why some may.
const quantized = { compared: 0, differ: 0 };

function quantizedDifference(ours, theirs) {
  for (let i = 0; i < theirs.data.length; ++i) {
    const steps = Math.abs(ours.data[i] - theirs.data[i]);
    if (steps > 1)
      return `element ${i} is ${ours.data[i]}, not ${theirs.data[i]}`;
    quantized.differ += steps;
  }
  quantized.compared += theirs.data.length;
  return '';
}

/// Empty, or how two tensors differ.
function difference(ours, theirs, isQuantized) {
  if (ours.dims.join() !== theirs.dims.join())
    return `the shape [${ours.dims}] of cnnc is not [${theirs.dims}]`;
  if (isQuantized && /^u?int8$/.test(theirs.type))
    return quantizedDifference(ours, theirs);
  let largest = 1, error = 0;
  for (let i = 0; i < theirs.data.length; ++i) {
    const a = Number(ours.data[i]), b = Number(theirs.data[i]);
    if (Number.isNaN(a) !== Number.isNaN(b))
      return `element ${i} is ${a}, not ${b}`;
    if (a === b || Number.isNaN(a))
      continue;
    largest = Math.max(largest, Math.abs(b));
    error = Math.max(error, Math.abs(a - b));
  }
  for (const value of theirs.data)
    if (Math.abs(Number(value)) < Infinity)
      largest = Math.max(largest, Math.abs(Number(value)));
  return error <= tolerance * largest ? '' : `the error ${error} is too large for values up to ${largest}`;
}

/// What integers an input may be. Gather's indices stay in the smallest dimension of our models, since
/// ONNX Runtime refuses those outside, which cnnc clamps.
function integersOf(input, text) {
  if (input.type === 'bool')
    return [0, 1];
  if (input.type === 'uint8' || input.type === 'int8')
    return input.type === 'uint8' ? [0, 255] : [-128, 127];
  return new RegExp(`\\bgather %\\S+, %${input.name}\\b`).test(text) ? [-2, 1] : [0, 8];
}

async function compare(runtime, cnnc, model, folder, weights) {
  const onnx = path.join(folder, 'model.onnx');
  run(cnnc, model.file, '--emit=onnx', `--onnx-weights=${weights}`, '-o', onnx);
  const text = fs.readFileSync(model.file, 'utf8');
  const isQuantized = /\bquantize\b/.test(text);
  // In floats, as written: without VNNI, what ONNX Runtime makes of quantised layers saturates within sums.
  const graphOptimizationLevel = isQuantized ? 'disabled' : 'all';
  const session = await runtime.InferenceSession.create(onnx,
    { logSeverityLevel: 3, intraOpNumThreads: 2, graphOptimizationLevel });
  const random = randomNumbers(12345);
  const feeds = {}, files = [];
  for (const input of session.inputMetadata) {
    const dims = input.shape.map((dim) => (typeof dim === 'string' ? batch : dim));
    feeds[input.name] = randomTensor(runtime, input.type, dims, random, integersOf(input, text));
    files.push(path.join(folder, `input${files.length}.npy`));
    writeNpy(files.at(-1), feeds[input.name]);
  }
  const results = await session.run(feeds);
  const outputs = path.join(folder, 'outputs');
  fs.rmSync(outputs, { recursive: true, force: true });
  run(cnnc, model.file, '--run', ...files, '--outputs', outputs);
  const wrong = [];
  outputFiles(cnnc, model, outputs, session.outputNames).forEach((file, i) => {
    const problem = difference(readNpy(file), results[session.outputNames[i]], isQuantized);
    if (problem)
      wrong.push(`%${session.outputNames[i]}: ${problem}`);
  });
  await session.release();
  return wrong;
}

async function main() {
  const [cnnc, ...given] = process.argv.slice(2);
  if (!cnnc) {
    console.log('usage: compare_onnxruntime.mjs CNNC [model.ir ... | --random PROGRAM COUNT [SEED]]');
    process.exit(2);
  }
  const runtime = loadRuntime();
  const irFiles = (folder) => fs.readdirSync(path.join(root, folder)).filter((file) => file.endsWith('.ir'))
    .sort().map((file) => path.join(root, folder, file));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cnnc-onnx-'));
  const files = given[0] === '--random' ? randomModels(given.slice(1), path.join(folder, 'random'))
    : given.length ? given : ['tests/ops', 'tests/onnx/Inputs', 'examples/lenet', 'examples/nets'].flatMap(irFiles);
  let agreed = 0, failed = 0, refused = 0;
  try {
    for (const model of files.flatMap((file) => modelsOf(file, folder))) {
      try {
        const weights = (agreed + failed) % 2 ? 'beside' : 'inside';
        const wrong = await compare(runtime, path.resolve(cnnc), model, folder, weights);
        wrong.length ? ++failed : ++agreed;
        for (const problem of wrong)
          console.log(`WRONG ${model.name}: ${problem}`);
      } catch (error) {
        const text = String(error.stderr || error.message);
        const refusal = /error: ONNX (has no|makes|counts) |Pad should be smaller than kernel/.test(text);
        refusal ? ++refused : ++failed;
        console.log(`${refusal ? 'not exported' : 'FAILED'} ${model.name}: ${text.trim()}`);
      }
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${agreed} models agree with ${runtimePackage} ${runtimeVersion}, ${failed} do not, ` +
    `${refused} cannot be exported`);
  if (quantized.compared)
    console.log(`${quantized.differ} of ${quantized.compared} quantised numbers differ by one step`);
  process.exit(failed || !agreed || quantized.differ > mostOfOneStep * quantized.compared ? 1 : 0);
}

await main();
