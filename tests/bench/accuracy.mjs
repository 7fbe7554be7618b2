// How much single precision loses: results of cnnc and of ONNX Runtime against sums in double, on the same data.
//
//   node tests/bench/accuracy.mjs build/compiler/driver/cnnc [WORD ...] [--cpu NAME]
//
// Prints a Markdown table: root mean square error relative to the values, largest error relative to the largest
// value, both of cnnc, then of ONNX Runtime, and the quotient of the first two. With words only cases whose op has one of
// them. Sums of the reference are compensated, so that a million terms cost it nothing.
//
// Exit codes: 0 all done, 1 cnnc is off by more than 1.5 times what ONNX Runtime is, 77 there is no ONNX Runtime.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadRuntime, readNpy, writeNpy } from '../onnx/onnxruntime.mjs';
import { normalNumbers, randomNumbers } from '../onnx/random_numbers.mjs';

const bar = 1.5;

const uniform = randomNumbers(7), gauss = normalNumbers(uniform);
const kinds = { normal: gauss, positive: () => Math.abs(gauss()), shifted: () => gauss() + 100, equal: () => 0.1 };

const product = (dims) => dims.reduce((a, b) => a * b, 1);
function tensor(dims, element) {
  const data = new Float32Array(product(dims));
  for (let i = 0; i < data.length; ++i)
    data[i] = element(i);
  return { type: 'float32', dims, data };
}

/// The sum of count terms, with what each addition rounds off.
function sum(count, term) {
  let total = 0, lost = 0;
  for (let i = 0; i < count; ++i) {
    const value = term(i) - lost, next = total + value;
    lost = next - total - value;
    total = next;
  }
  return total;
}

/// All of [0, count), or some.
function some(count, most = 4000) {
  return count <= most ? [...Array(count).keys()] : Array.from({ length: most }, () => Math.floor(uniform() * count));
}

/// A case: inputs by name, the statements that make %y, the elements that are looked at and their values.
function convolution(kind, channels, outputs, window, extent, { bias = 0, groups = 1, winograd = -1 } = {}) {
  const pad = window >> 1, each = channels / groups;
  const scale = Math.sqrt(2 / (each * window * window));
  const x = tensor([1, channels, extent, extent], kinds[kind]);
  const w = tensor([outputs, each, window, window], () => scale * (kind === 'positive' ? kinds.positive() : gauss()));
  const b = tensor([outputs], () => Math.sign(gauss()) * bias);
  return {
    op: `conv2d ${channels}->${outputs} ${window}x${window} at ${extent}x${extent}` + (bias ? `, bias of ${bias}` : '') +
      (groups > 1 ? `, ${groups} groups` : '') + (winograd === 0 ? ', chosen' : ''),
    kind, inputs: { x }, weights: { w, b },
    body: `%y = conv2d %x, %w, %b pad=[${pad}, ${pad}, ${pad}, ${pad}] groups=${groups} winograd=${winograd}`,
    places: some(outputs * extent * extent),
    value(at) {
      const oc = Math.floor(at / extent ** 2), row = Math.floor(at / extent) % extent, column = at % extent;
      const first = Math.floor(oc / (outputs / groups)) * each;
      return b.data[oc] + sum(each * window * window, (i) => {
        const ic = Math.floor(i / window ** 2), h = row + Math.floor(i / window) % window - pad, v = column + i % window - pad;
        return h < 0 || v < 0 || h >= extent || v >= extent ? 0
          : x.data[((first + ic) * extent + h) * extent + v] * w.data[oc * each * window ** 2 + i];
      });
    },
  };
}

function matrices(op, kind, rows, depth, columns) {
  const dense = op === 'dense';
  const a = tensor([rows, depth], kinds[kind]);
  const b = tensor(dense ? [columns, depth] : [depth, columns], kinds[kind]);
  return {
    op: `${op} ${rows}x${depth}x${columns}`, kind, inputs: { a }, weights: { b }, body: `%y = ${op} %a, %b`,
    places: some(rows * columns),
    value: (at) => sum(depth, (k) => a.data[Math.floor(at / columns) * depth + k] *
      b.data[dense ? (at % columns) * depth + k : k * columns + at % columns]),
  };
}

/// Of lines of `size` elements that lie `stride` apart: `finish` makes a result of a line, and of the place in it.
function lines(op, kind, dims, size, stride, body, perElement, finish) {
  const x = tensor(dims, kinds[kind]);
  const count = x.data.length;
  const results = new Map();
  return {
    op: `${op} of [${dims.join(', ')}]`, kind, inputs: { x }, weights: {}, body,
    places: some(perElement ? count : count / size),
    value(at) {
      const line = perElement ? Math.floor(at / (size * stride)) * stride + at % stride : at;
      const element = (i) => x.data[Math.floor(line / stride) * size * stride + line % stride + i * stride];
      if (!results.has(line))
        results.set(line, finish(element, size));
      return perElement ? results.get(line)(x.data[at]) : results.get(line);
    },
  };
}

const mean = (element, size) => sum(size, element) / size;
function standard(element, size) {
  const middle = mean(element, size), variance = mean((i) => (element(i) - middle) ** 2, size);
  return (x) => (x - middle) / Math.sqrt(variance + 1e-5);
}
function softmax(element, size) {
  let largest = -Infinity;
  for (let i = 0; i < size; ++i)
    largest = Math.max(largest, element(i));
  const total = sum(size, (i) => Math.exp(element(i) - largest));
  return (x) => Math.exp(x - largest) / total;
}

function* cases() {
  for (const kind of ['normal', 'positive', 'shifted']) {
    yield convolution(kind, 64, 64, 3, 28);
    yield convolution(kind, 512, 64, 3, 14);
    yield convolution(kind, 4608, 64, 1, 7);
    yield matrices('matmul', kind, 64, 4096, 64);
    yield matrices('dense', kind, 1, 25088, 256);
  }
  yield convolution('normal', 64, 64, 3, 28, { bias: 5 });
  yield convolution('normal', 64, 64, 3, 28, { groups: 64 });
  yield convolution('normal', 128, 64, 3, 28, { winograd: 0 });
  yield convolution('normal', 512, 64, 3, 14, { winograd: 0 });
  for (const kind of ['normal', 'positive', 'shifted', 'equal']) {
    const plane = [1, 16, 224, 224];
    yield lines('global_avg_pool2d', kind, plane, 224 * 224, 1, '%y = global_avg_pool2d %x', false, mean);
    yield lines('reduce_mean', kind, plane, 224 * 224, 1, '%y = reduce_mean %x axes=[2, 3]', false, mean);
    yield lines('reduce_sum', kind, [1, 1000000], 1000000, 1, '%y = reduce_sum %x axes=[1]', false, (e, n) => sum(n, e));
    yield lines('reduce_sum', kind, [50000, 16], 50000, 16, '%y = reduce_sum %x axes=[0]', false, (e, n) => sum(n, e));
  }
  for (const kind of ['normal', 'positive', 'shifted']) {
    yield lines('layer_norm', kind, [8, 4096], 4096, 1, '%y = layer_norm %x', true, standard);
    yield lines('group_norm', kind, [1, 32, 56, 56], 16 * 56 * 56, 1, '%y = group_norm %x groups=2', true, standard);
    yield lines('instance_norm', kind, [1, 16, 112, 112], 112 * 112, 1,
      '%s = splat 1 : f32[16]\n%b = splat 0 : f32[16]\n%y = instance_norm %x, %s, %b', true, standard);
    yield lines('softmax', kind, [4, 50000], 50000, 1, '%y = softmax %x', true, softmax);
    yield lines('softmax', kind, [5000, 16], 5000, 16, '%y = softmax %x axis=0', true, softmax);
  }
}

function writeSafetensors(file, tensors) {
  const header = {};
  let offset = 0;
  for (const [name, { dims, data }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape: dims, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header)), length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  fs.writeFileSync(file, Buffer.concat([length, text, ...Object.values(tensors).map(({ data }) => Buffer.from(data.buffer))]));
}

function errors(got, places, wanted) {
  let squares = 0, size = 0, error = 0, largest = 0;
  places.forEach((at, i) => {
    const difference = Math.abs(got[at] - wanted[i]);
    squares += difference ** 2;
    size += wanted[i] ** 2;
    error = Math.max(error, difference);
    largest = Math.max(largest, Math.abs(wanted[i]));
  });
  return { rms: Math.sqrt(squares / size), largest: error / largest };
}

async function measure(runtime, cnnc, options, folder, { inputs, weights, body, places, value }) {
  const model = path.join(folder, 'm.ir'), onnx = path.join(folder, 'm.onnx'), output = path.join(folder, 'y.npy');
  const type = ({ dims }) => `f32[${dims.join(', ')}]`;
  const parameters = Object.entries(inputs).map(([name, of]) => `%${name}: ${type(of)}`).join(', ');
  const constants = Object.entries(weights).map(([name, of]) => `%${name} = weight "${name}" : ${type(of)}\n`).join('');
  fs.writeFileSync(model, `model @m(${parameters}) {\n${constants}${body}\nreturn %y\n}\n`);
  writeSafetensors(path.join(folder, 'm.safetensors'), weights);
  const files = Object.entries(inputs).map(([name, of]) => {
    writeNpy(path.join(folder, `${name}.npy`), of);
    return path.join(folder, `${name}.npy`);
  });
  const call = (...args) => execFileSync(cnnc, [model, ...args], { stdio: 'pipe' });
  call('--run', ...files, '-o', output, ...options);
  call('--emit=onnx', '-o', onnx);
  const session = await runtime.InferenceSession.create(onnx, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  const feeds = {};
  for (const [name, of] of Object.entries(inputs))
    feeds[name] = new runtime.Tensor(of.type, of.data, of.dims);
  const results = await session.run(feeds);
  const wanted = places.map(value);
  const theirs = errors(results[session.outputNames[0]].data, places, wanted);
  await session.release();
  return [errors(readNpy(output).data, places, wanted), theirs];
}

async function main() {
  const [cnnc, ...rest] = process.argv.slice(2);
  if (!cnnc) {
    console.log('usage: accuracy.mjs CNNC [WORD ...] [--cpu NAME]');
    process.exit(2);
  }
  const cpu = rest.indexOf('--cpu');
  const options = cpu < 0 ? [] : rest.splice(cpu, 2);
  const runtime = loadRuntime();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cnnc-accuracy-'));
  const show = (number) => number.toExponential(1);
  let worse = 0;
  console.log('| op | data | cnnc rms | largest | ONNX Runtime rms | largest | cnnc / ORT |\n|---|---|---|---|---|---|---|');
  try {
    for (const one of cases()) {
      if (rest.length && !rest.some((word) => one.op.split(' ').includes(word)))
        continue;
      const [ours, theirs] = await measure(runtime, path.resolve(cnnc), options, folder, one);
      const quotient = ours.rms === 0 ? 0 : ours.rms / theirs.rms;
      worse += quotient > bar && !one.op.includes('chosen');
      console.log(`| ${one.op} | ${one.kind} | ${show(ours.rms)} | ${show(ours.largest)} | ${show(theirs.rms)} | ` +
        `${show(theirs.largest)} | ${quotient.toFixed(2)} |`);
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  process.exit(worse ? 1 : 0);
}

await main();
