// The numbers of the section "convolution" as tensors, and what a window computes of them. Nothing
// here draws. Positions are [row, column]; those outside of the input are padding.

/// The layer with its numbers taken apart. Tensors are functions of subscripts: input(channel, row,
/// column), filter(channel, term, row, column), bias(channel), rest, result and after[i](channel, row,
/// column), winner(channel, row, column). Channels count those that are shown.
async function readLayer(json) {
  const bytes = await inflateBytes(json.numbers);
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  let taken = 0;
  const take = (...shape) => {
    const begin = taken;
    taken += shape.reduce((product, size) => product * size, 1);
    return (...at) => numbers[begin + at.reduce((offset, i, axis) => offset * shape[axis] + i, 0)];
  };
  const {inputs, input, channels, output, terms} = json.shown;
  const layer = {...json, isConvolution: json.op === "conv2d", after: []};
  layer.input = {...json.input, at: take(inputs.length, ...input)};
  if (layer.isConvolution) {
    layer.filter = take(channels.length, terms, ...json.window);
    layer.bias = take(channels.length);
    layer.rest = json.rest ? take(channels.length, ...output) : null;
  }
  layer.result = take(channels.length, ...output);
  if (layer.isConvolution)
    layer.after = json.after.map(op => ({op, at: take(channels.length, ...output)}));
  layer.winner = json.winners ? take(channels.length, ...output) : null;
  return layer;
}

/// The input channels, as counted in the model, that a shown output channel reads; of a convolution
/// those whose filter is there.
function inputChannels(layer, channel) {
  if (!layer.isConvolution)
    return [layer.shown.channels[channel]];
  const ofGroup = layer.output.shape[0] / layer.groups;
  const perGroup = layer.input.shape[0] / layer.groups;
  const first = Math.floor(layer.shown.channels[channel] / ofGroup) * perGroup;
  return Array.from({length: layer.shown.terms}, (_, term) => first + term);
}

/// Where element [kernelRow, kernelColumn] of the window lies in the input when the window computes
/// the output at [row, column].
const tapped = (layer, [row, column], [kernelRow, kernelColumn]) => [
  row * layer.stride[0] + kernelRow * layer.dilation[0] - layer.pad[0],
  column * layer.stride[1] + kernelColumn * layer.dilation[1] - layer.pad[1]];

const isInside = (layer, [row, column]) =>
  row >= 0 && row < layer.input.shape[1] && column >= 0 && column < layer.input.shape[2];

/// An element of the input; 0 in the padding.
function inputAt(layer, channel, at) {
  const shown = layer.shown.inputs.indexOf(channel);
  return isInside(layer, at) ? layer.input.at(shown, ...at) : 0;
}

/// All elements of the window, row by row.
const windowElements = layer => Array.from({length: layer.window[0] * layer.window[1]}, (_, i) =>
  [Math.floor(i / layer.window[1]), i % layer.window[1]]);

/// What the window shows at one output: per input channel the elements that it covers, their weights
/// and products, and the sums. Sums are doubles, as the reference interpreter's.
function computeOutput(layer, channel, position) {
  const terms = inputChannels(layer, channel).map((input, term) => {
    const elements = windowElements(layer).map(element => {
      const at = tapped(layer, position, element);
      const value = inputAt(layer, input, at);
      const weight = layer.isConvolution ? layer.filter(channel, term, ...element) : 1;
      return {at, inside: isInside(layer, at), value, weight, product: value * weight};
    });
    return {input, elements, sum: elements.reduce((sum, {product}) => sum + product, 0)};
  });
  const rest = layer.rest ? layer.rest(channel, ...position) : 0;
  const bias = layer.isConvolution ? layer.bias(channel) : 0;
  const sum = terms.reduce((total, term) => total + term.sum, 0) + rest + bias;
  return {terms, rest, bias, sum};
}

/// The mean that avg_pool2d computes divides by the elements inside, or by all but those that
/// ceil_mode adds.
function divisorOf(layer, position) {
  const counted = windowElements(layer).filter(element => {
    const at = tapped(layer, position, element);
    const padded = at[0] < layer.input.shape[1] + layer.pad[2] &&
      at[1] < layer.input.shape[2] + layer.pad[3];
    return isInside(layer, at) || (layer.count_padding && padded);
  });
  return counted.length;
}

/// The element of the window that won, by the reference; null where all is padding or -inf.
function winnerOf(layer, channel, position) {
  if (!layer.winner)
    return null;
  const index = layer.winner(channel, ...position);
  const element = [Math.floor(index / layer.window[1]), index % layer.window[1]];
  const at = tapped(layer, position, element);
  return isInside(layer, at) ? {index, element, at} : null;
}
