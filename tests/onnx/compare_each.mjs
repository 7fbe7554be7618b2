// cnnc --compare-each against ONNX Runtime: every value on the way of a network, and a planted error that is found.
//
//   node tests/onnx/compare_each.mjs CNNC WORK_FOLDER [model.onnx]
//
// Without a model: LeNet, exported by cnnc. Inputs are random. Exit codes: 0 all is as it should be, 1 it is not, 77 there
// is no ONNX Runtime and no way to get it.
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadRuntime, run, writeNpy } from './onnxruntime.mjs';
import { randomNumbers } from './random_numbers.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/// The fields of a message of Protocol Buffers that are messages or strings: [number, bytes].
function* fields(bytes) {
  let place = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[place++];
      value += (byte & 127) * scale;
      if (byte < 128)
        return value;
    }
  };
  while (place < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0)
      varint();
    else if (kind === 2) {
      const length = varint();
      yield [Math.floor(tag / 8), bytes.subarray(place, place += length)];
    } else
      place += kind === 1 ? 8 : 4;
  }
}

function field(number, bytes) {
  const length = [];
  for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest % 128 + (rest >= 128 ? 128 : 0));
    if (rest < 128)
      break;
  }
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

const numbers = { graphOfModel: 7, nodeOfGraph: 1, outputOfGraph: 12, outputOfNode: 2, nameOfValue: 1 };
const all = (bytes, wanted) => [...fields(bytes)].filter(([number]) => number === wanted).map(([, value]) => value);

/// The model with every value as an output: a graph that stands at the end of the file is merged into the first.
function withAllOutputs(model) {
  const [graph] = all(model, numbers.graphOfModel);
  const outputs = new Set(all(graph, numbers.outputOfGraph).map((value) => String(all(value, numbers.nameOfValue)[0])));
  const names = all(graph, numbers.nodeOfGraph).flatMap((node) => all(node, numbers.outputOfNode).map(String))
    .filter((name) => name && !outputs.has(name));
  return Buffer.concat([model, field(numbers.graphOfModel, Buffer.concat(
    names.map((name) => field(numbers.outputOfGraph, field(numbers.nameOfValue, Buffer.from(name))))))]);
}

/// What ONNX Runtime computes of random inputs, each value in a file of its name, and the inputs beside them.
async function writeValues(runtime, file, folder) {
  const session = await runtime.InferenceSession.create(withAllOutputs(fs.readFileSync(file)));
  const random = randomNumbers(1);
  const feeds = {};
  for (const { name, shape } of session.inputMetadata) {
    const dims = shape.map((dim) => typeof dim === 'number' ? dim : 1);
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * random() - 1);
    feeds[name] = new runtime.Tensor('float32', data, dims);
  }
  const values = { ...feeds, ...await session.run(feeds) };
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const longest = 250; // of names of files
  for (const [name, tensor] of Object.entries(values).filter(([key]) => key.length <= longest))
    writeNpy(path.join(folder, name.replaceAll('/', '_') + '.npy'), tensor);
}

/// Adds 1 to the first element of a file.
function spoil(file) {
  const bytes = fs.readFileSync(file);
  const place = 10 + bytes.readUInt16LE(8);
  bytes.writeFloatLE(bytes.readFloatLE(place) + 1, place);
  fs.writeFileSync(file, bytes);
}

const [cnnc, work, given] = process.argv.slice(2);
const runtime = loadRuntime();
fs.mkdirSync(work, { recursive: true });
const model = given ?? path.join(work, 'lenet.onnx');
if (!given)
  run(cnnc, path.join(root, 'examples/lenet/lenet.ir'), '--emit=onnx', '-o', model);
const folder = path.join(work, 'values');
await writeValues(runtime, model, folder);
const compare = () => spawnSync(cnnc, [model, '--compare-each', folder], { encoding: 'utf8' });

const same = compare();
console.log(same.stdout + same.stderr);
assert.equal(same.status, 0);
const rows = same.stdout.trim().split('\n').slice(1);
assert(rows.length >= 10, 'too few values have been compared');

// The value in the middle: it and no other differs, and its op is named.
const [value] = rows[Math.floor(rows.length / 2)].split(/\s+/);
const name = value.replace(/^%"?|"$/g, '');
spoil(path.join(folder, name.replaceAll('/', '_') + '.npy'));
const wrong = compare();
console.log(wrong.stdout.slice(wrong.stdout.indexOf('the first value')));
assert.equal(wrong.status, 1);
assert.deepEqual(wrong.stdout.split('\n').filter((line) => line.includes('DIFFERS')).map((line) => line.split(/\s+/)[0]), [value]);
assert(wrong.stdout.includes(`the first value that differs is ${value}, node `));
