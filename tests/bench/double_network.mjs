// Networks in double precision: the text that cnnc makes of an ONNX file, computed op by op, by its formulas. What the
// networks of examples/nets are made of, and an error for anything else.
import fs from 'node:fs';

const number = (text) => Number(text);
const list = (text) => text.split(',').filter((s) => s.trim()).map(number);

/// A statement of the text: result, op, operands, attributes, shape.
function parseStatement(line) {
  const match = /^%(\S+) = (\w+) (.*) : (f32)\[([^\]]*)\]$/.exec(line);
  if (!match)
    throw new Error(`not a statement of one f32 result: ${line}`);
  const [, result, op, rest, , shape] = match;
  const attributes = {};
  for (const [, name, value] of rest.matchAll(/(\w+)=(\[[^\]]*\]|\S+)/g))
    attributes[name] = value.startsWith('[') ? list(value.slice(1, -1)) : number(value);
  return { result, op, operands: [...rest.matchAll(/%([\w.]+)/g)].map(([, name]) => name), attributes, shape: list(shape) };
}

/// { inputs: [{ name, shape }], statements, output } of a text.
export function parseModel(text) {
  const lines = text.split('\n').map((line) => line.trim()).filter(Boolean);
  const inputs = [...lines[0].matchAll(/%([\w.]+): f32\[([^\]]*)\]/g)].map(([, name, shape]) => ({ name, shape: list(shape) }));
  return {
    inputs, statements: lines.slice(1).filter((line) => / = /.test(line)).map(parseStatement),
    output: /^return %(\S+)$/.exec(lines.find((line) => line.startsWith('return')))[1],
  };
}

/// The tensors of a .safetensors file, in double.
export function readWeights(file) {
  const bytes = fs.readFileSync(file), start = 8 + Number(bytes.readBigUInt64LE(0));
  const weights = {};
  for (const [name, { data_offsets: [begin, end], shape }] of Object.entries(JSON.parse(bytes.toString('utf8', 8, start))))
    if (name !== '__metadata__')
      weights[name] = { shape, data: Float64Array.from(new Float32Array(Uint8Array.from(bytes.subarray(start + begin, start + end)).buffer)) };
  return weights;
}

const product = (dims) => dims.reduce((a, b) => a * b, 1);
const zeros = (shape, fill = 0) => ({ shape, data: new Float64Array(product(shape)).fill(fill) });

/// [first, last) of the results whose window element at `offset` lies inside of `size` elements.
function inside(offset, stride, size, results) {
  const first = Math.max(0, Math.ceil(-offset / stride));
  return [first, Math.max(first, Math.min(results, Math.ceil((size - offset) / stride)))];
}

/// Calls body(row of the result, row of the input, offset, first, last) for each row and column of a window.
function eachTap({ kernel, stride = [1, 1], pad = [0, 0, 0, 0], dilation = [1, 1] }, [h, w], [oh, ow], body) {
  for (let kh = 0; kh < kernel[0]; ++kh)
    for (let kw = 0; kw < kernel[1]; ++kw) {
      const offset = kw * dilation[1] - pad[1], [first, last] = inside(offset, stride[1], w, ow);
      const [top, bottom] = inside(kh * dilation[0] - pad[0], stride[0], h, oh);
      for (let row = top; row < bottom; ++row)
        body(row, row * stride[0] + kh * dilation[0] - pad[0], kh * kernel[1] + kw, offset, first, last);
    }
}

function convolution(attributes, shape, x, w, b) {
  const result = zeros(shape), groups = attributes.groups ?? 1, across = (attributes.stride ?? [1, 1])[1];
  const [, channels, h, width] = x.shape, [oc, ic, ...kernel] = w.shape, [, , oh, ow] = shape, taps = product(kernel);
  for (let o = 0; o < oc; ++o) {
    const plane = result.data.subarray(o * oh * ow, (o + 1) * oh * ow).fill(b ? b.data[o] : 0);
    const group = Math.floor(o / (oc / groups)) * (channels / groups);
    for (let i = 0; i < ic; ++i)
      eachTap({ ...attributes, kernel }, [h, width], [oh, ow], (row, from, tap, offset, first, last) => {
        const weight = w.data[(o * ic + i) * taps + tap], base = ((group + i) * h + from) * width + offset;
        for (let column = first; column < last; ++column)
          plane[row * ow + column] += weight * x.data[base + column * across];
      });
  }
  return result;
}

function maxPool(attributes, shape, x) {
  const result = zeros(shape, -Infinity), [, channels, h, w] = x.shape, [, , oh, ow] = shape;
  const across = (attributes.stride ?? [1, 1])[1];
  for (let c = 0; c < channels; ++c)
    eachTap(attributes, [h, w], [oh, ow], (row, from, tap, offset, first, last) => {
      for (let column = first; column < last; ++column) {
        const at = (c * oh + row) * ow + column;
        result.data[at] = Math.max(result.data[at], x.data[(c * h + from) * w + offset + column * across]);
      }
    });
  return result;
}

/// Of two operands whose dimensions are equal or 1.
function elementwise(formula, shape, a, b) {
  const result = zeros(shape), strides = (of) => of.shape.map((dim, i) => (dim === 1 ? 0 : product(of.shape.slice(i + 1))));
  const place = (at, by) => {
    let index = 0;
    for (let i = shape.length - 1; i >= 0; --i, at = Math.floor(at / shape[i + 1]))
      index += (at % shape[i]) * by[i];
    return index;
  };
  const [first, second] = [strides(a), strides(b)];
  for (let at = 0; at < result.data.length; ++at)
    result.data[at] = formula(a.data[place(at, first)], b.data[place(at, second)]);
  return result;
}

const map = (formula) => (attributes, shape, x) => ({ shape, data: x.data.map((value) => formula(value, attributes)) });
const clip = (x, low, high) => Math.min(high, Math.max(low, x));

const ops = {
  conv2d: convolution,
  max_pool2d: maxPool,
  relu: map((x) => Math.max(0, x)),
  clip: map((x, { min = -Infinity, max = Infinity }) => clip(x, min, max)),
  sigmoid: map((x) => 1 / (1 + Math.exp(-x))),
  silu: map((x) => x / (1 + Math.exp(-x))),
  hard_sigmoid: map((x, { alpha = 0.2, beta = 0.5 }) => clip(alpha * x + beta, 0, 1)),
  hard_swish: map((x) => x * clip(x / 6 + 0.5, 0, 1)),
  add: (_, shape, a, b) => elementwise((x, y) => x + y, shape, a, b),
  mul: (_, shape, a, b) => elementwise((x, y) => x * y, shape, a, b),
  reshape: (_, shape, x) => ({ shape, data: x.data }),
  flatten: (_, shape, x) => ({ shape, data: x.data }),
  dropout: (_, shape, x) => x,
  concat: (_, shape, ...parts) => { // of one image, along the channels
    const result = zeros(shape);
    parts.reduce((at, { data }) => (result.data.set(data, at), at + data.length), 0);
    return result;
  },
  global_avg_pool2d(_, shape, x) {
    const size = x.data.length / product(shape);
    return { shape, data: zeros(shape).data.map((_, c) => x.data.subarray(c * size, (c + 1) * size).reduce((a, b) => a + b) / size) };
  },
  batch_norm({ epsilon = 1e-5 }, shape, x, scale, bias, mean, variance) {
    const size = shape[2] * shape[3];
    return { shape, data: x.data.map((value, at) => {
      const c = Math.floor(at / size);
      return (value - mean.data[c]) / Math.sqrt(variance.data[c] + epsilon) * scale.data[c] + bias.data[c];
    }) };
  },
  dense(_, shape, x, w, b) {
    const depth = w.shape[1];
    return { shape, data: zeros(shape).data.map((_, o) => {
      let sum = b ? b.data[o] : 0;
      for (let k = 0; k < depth; ++k)
        sum += x.data[k] * w.data[o * depth + k];
      return sum;
    }) };
  },
  softmax(_, shape, x) {
    const largest = x.data.reduce((a, b) => Math.max(a, b)), powers = x.data.map((value) => Math.exp(value - largest));
    const total = powers.reduce((a, b) => a + b);
    return { shape, data: powers.map((power) => power / total) };
  },
};

/// The output of a model of one image for the input `image`.
export function evaluate(model, weights, image) {
  const values = new Map([[model.inputs[0].name, { shape: model.inputs[0].shape, data: Float64Array.from(image) }]]);
  for (const { result, op, operands, attributes, shape } of model.statements) {
    if (op === 'weight')
      values.set(result, weights[result]);
    else if (ops[op])
      values.set(result, ops[op](attributes, shape, ...operands.map((name) => values.get(name))));
    else
      throw new Error(`${op} is not among the ops that are computed in double here`);
  }
  return values.get(model.output).data;
}
