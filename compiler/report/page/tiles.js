// How a compiled convolution goes through its output: tiles in their order, and the instructions of
// one tile. Nothing here draws.

/// Loops over the output, from the outermost: {loop, size, step, block}. The parallel loops of the
/// schedule come first, in its order; a blocked one stands there by its blocks, and its iterations
/// come behind the other parallel loops.
function tileLoops(layer) {
  const {tile, vector, order, block, pooled} = layer.schedule;
  const [channels, rows, columns] = layer.output.shape;
  const sizes = {oc: channels, oh: rows - rows % pooled[0], ow: columns - columns % pooled[1]};
  const steps = {
    oc: tile.oc ?? vector.oc ?? 1,
    oh: (tile.oh ?? 1) * pooled[0],
    ow: (tile.ow ?? vector.ow ?? 1) * pooled[1],
  };
  const parallel = order.filter(loop => loop in sizes);
  const loops = [];
  for (const loop of parallel)
    loops.push({loop, size: sizes[loop], step: steps[loop] * (block[loop] ?? 1),
      blocked: loop in block});
  for (const loop of parallel)
    if (loop in block)
      loops.push({loop, size: sizes[loop], step: steps[loop], within: true});
  for (const loop of ["oc", "oh", "ow"])
    if (!parallel.includes(loop))
      loops.push({loop, size: sizes[loop], step: steps[loop]});
  return loops;
}

/// Winograd's method computes squares of the output; their order is that of the rows.
function winogradLoops(layer) {
  const [channels, rows, columns] = layer.output.shape;
  return [{loop: "oc", size: channels, step: channels}, {loop: "oh", size: rows, step: layer.winograd},
    {loop: "ow", size: columns, step: layer.winograd}];
}

/// The tiles that have a part in what is shown, in their order: {number, oc, oh, ow}, each a pair
/// [begin, end), and in `count` how many tiles the layer has. Numbers count all tiles.
function tilesOf(layer) {
  const loops = layer.winograd > 0 ? winogradLoops(layer) : tileLoops(layer);
  const shown = {oc: layer.shown.channels, oh: layer.shown.output[0], ow: layer.shown.output[1]};
  const isShown = (loop, [begin, end]) => loop === "oc"
    ? shown.oc.some(channel => channel >= begin && channel < end) : begin < shown[loop];
  const tiles = [];
  let number = 0;
  const walk = (depth, ranges) => {
    if (depth === loops.length) {
      if (["oc", "oh", "ow"].every(loop => isShown(loop, ranges[loop])))
        tiles.push({number, ...ranges});
      ++number;
      return;
    }
    const {loop, size, step, within} = loops[depth];
    const [first, last] = within ? ranges[loop] : [0, size];
    for (let begin = first; begin < last; begin += step)
      walk(depth + 1, {...ranges, [loop]: [begin, Math.min(last, begin + step)]});
  };
  walk(0, {});
  return {tiles, count: number, loops};
}

/// The tile of a channel with the largest result: one where something happens.
function liveliestTile(layer, channel) {
  const {tiles} = tilesOf(layer);
  const shown = layer.shown.channels[channel];
  const largest = ({oc, oh, ow}) => {
    let most = shown >= oc[0] && shown < oc[1] ? 0 : -1;
    for (let row = oh[0]; most >= 0 && row < Math.min(oh[1], layer.shown.output[0]); ++row)
      for (let column = ow[0]; column < Math.min(ow[1], layer.shown.output[1]); ++column)
        most = Math.max(most, Math.abs(layer.result(channel, row, column)));
    return most;
  };
  return tiles.map(tile => ({tile, most: largest(tile)}))
    .reduce((best, other) => other.most > best.most ? other : best).tile;
}

/// Which loop lies in the lanes of a vector, and how many lanes there are.
function lanesOf(layer) {
  const {vector} = layer.schedule;
  return "oc" in vector ? {loop: "oc", lanes: vector.oc} : {loop: "ow", lanes: vector.ow ?? 1};
}

/// The accumulators of a tile, as far as their numbers are there: for each the output of every lane,
/// {channel, position}, where channels count those that are shown. Of several vectors of channels the
/// first.
function accumulatorsOf(layer, tile) {
  const {loop, lanes} = lanesOf(layer);
  const rows = Math.min(tile.oh[1], layer.shown.output[0]);
  const columns = Math.min(tile.ow[1], layer.shown.output[1]);
  const result = [];
  if (loop === "oc") {
    const channels = layer.shown.channels.map((channel, i) => ({channel, i}))
      .filter(({channel}) => channel >= tile.oc[0] && channel < tile.oc[0] + lanes)
      .map(({i}) => i);
    for (let row = tile.oh[0]; row < rows; ++row)
      for (let column = tile.ow[0]; column < columns; ++column)
        result.push(channels.map(channel => ({channel, position: [row, column]})));
    return result;
  }
  const first = layer.shown.channels.findIndex(channel => channel >= tile.oc[0]);
  for (let row = tile.oh[0]; row < rows; ++row)
    for (let column = tile.ow[0]; column < columns; column += lanes) {
      const end = Math.min(columns, column + lanes);
      result.push(Array.from({length: end - column},
        (_, lane) => ({channel: first, position: [row, column + lane]})));
    }
  return result;
}

/// The steps of a tile: {kind, term, element, accumulator}. "load" takes the weights of one element of
/// the window (of all lanes, or the one that all share), "multiply" adds products to one accumulator,
/// "rest" what the input channels add that are not shown, "bias", and "after" one op of the kernel.
function instructionsOf(layer, accumulatorCount) {
  const steps = [{kind: "zero"}];
  for (const element of windowElements(layer))
    for (let term = 0; term < layer.shown.terms; ++term) {
      steps.push({kind: "load", term, element});
      for (let accumulator = 0; accumulator < accumulatorCount; ++accumulator)
        steps.push({kind: "multiply", term, element, accumulator});
    }
  if (layer.rest)
    steps.push({kind: "rest"});
  steps.push({kind: "bias"});
  layer.after.forEach((_, index) => steps.push({kind: "after", index}));
  return steps;
}

/// The operands of a "multiply" step, lane by lane: {at, inside, value, weight}.
function lanesOfStep(layer, accumulators, {term, element, accumulator}) {
  return accumulators[accumulator].map(({channel, position}) => {
    const input = inputChannels(layer, channel)[term];
    const at = tapped(layer, position, element);
    return {input, at, inside: isInside(layer, at), value: inputAt(layer, input, at),
      weight: layer.filter(channel, term, ...element)};
  });
}

/// The accumulators after the first `count` steps, as f32 has them: [accumulator][lane].
function accumulate(layer, accumulators, steps, count) {
  let sums = accumulators.map(lanes => lanes.map(() => 0));
  const each = change => {
    sums = sums.map((lanes, i) => lanes.map((sum, lane) =>
      Math.fround(change(sum, accumulators[i][lane]))));
  };
  for (const step of steps.slice(0, count)) {
    if (step.kind === "multiply")
      sums[step.accumulator] = lanesOfStep(layer, accumulators, step).map(({value, weight}, lane) =>
        Math.fround(sums[step.accumulator][lane] + value * weight));
    else if (step.kind === "rest")
      each((sum, {channel, position}) => sum + layer.rest(channel, ...position));
    else if (step.kind === "bias")
      each((sum, {channel}) => sum + layer.bias(channel));
    else if (step.kind === "after")
      each((sum, {channel, position}) => layer.after[step.index].at(channel, ...position));
  }
  return sums;
}
