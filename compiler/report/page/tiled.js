// The second lesson: the same convolution tile by tile, as the schedule has it.

const loopWords = {oc: "output channels", oh: "rows", ow: "columns"};

class TiledLesson {
  /// Calls onshow(tile) with the tile of each step.
  constructor(layer, channel, onshow) {
    Object.assign(this, {layer, channel, onshow}, tilesOf(layer));
    this.all = this.count;
    this.count = Math.max(1, this.tiles.length);
    this.jump = Math.max(1, this.tiles.findIndex(tile => tile.oh[0] !== this.tiles[0].oh[0]));
    this.told = element("p");
    this.input = inputPlane(layer, inputChannels(layer, channel)[0], 320);
    const [rows, columns] = layer.shown.output;
    const numbers = [];
    for (let row = 0; row < rows; ++row)
      for (let column = 0; column < columns; ++column)
        numbers.push(layer.result(channel, row, column));
    this.most = largestOf(numbers);
    this.output = new Plane({rows, columns, cell: fitCell(columns, 320), label: "Output in tiles"});
    this.text = element("pre", {class: "loops"});
    this.registers = element("div");
    const figure = (title, content) => element("figure", null,
      element("figcaption", null, title), content);
    this.element = element("div", {class: "figure"},
      figure(["Input ", element("strong", null, `channel ${inputChannels(layer, channel)[0]}`),
        ", read by the tile"], this.input.element),
      figure(["Output ", element("strong", null, `channel ${layer.shown.channels[channel]}`),
        ", tile by tile"], this.output.element),
      element("div", {class: "column"}, figure("The loops, where they stand now", this.text),
        figure("What the tile computes at once", this.registers)));
  }

  clipped([begin, end], size) {
    return [Math.min(begin, size), Math.min(end, size)];
  }

  outline({oh, ow}, kind) {
    const [rows, columns] = this.layer.shown.output;
    const [top, bottom] = this.clipped(oh, rows), [left, right] = this.clipped(ow, columns);
    return {at: [top, left], sides: [bottom - top, right - left], kind};
  }

  isOfChannel(tile) {
    const channel = this.layer.shown.channels[this.channel];
    return channel >= tile.oc[0] && channel < tile.oc[1];
  }

  /// What all windows of a tile cover together, within what is drawn.
  readBy(tile) {
    const {layer} = this;
    const border = drawnPadding(layer);
    const range = axis => {
      const loop = axis === 0 ? tile.oh : tile.ow;
      const [first, last] = this.clipped(loop, layer.shown.output[axis]);
      const reach = (layer.window[axis] - 1) * layer.dilation[axis] + 1;
      const begin = first * layer.stride[axis] - layer.pad[axis];
      const end = (last - 1) * layer.stride[axis] - layer.pad[axis] + reach;
      return [begin, Math.min(end, layer.shown.input[axis] + border[2 + axis])];
    };
    const rows = range(0), columns = range(1);
    return {at: [rows[0], columns[0]], sides: [rows[1] - rows[0], columns[1] - columns[0]],
      kind: "window"};
  }

  show(step) {
    const {layer, channel, tiles} = this;
    const tile = tiles[step];
    this.onshow(tile);
    const done = tiles.slice(0, step + 1).filter(other => this.isOfChannel(other));
    const isDone = ([row, column]) => done.some(({oh, ow}) =>
      row >= oh[0] && row < oh[1] && column >= ow[0] && column < ow[1]);
    this.output.fill(at => isDone(at) ? layer.result(channel, ...at) : null, this.most);
    this.output.mark([...tiles.filter(other => this.isOfChannel(other))
      .map(other => this.outline(other, "tile")), this.outline(tile, "this-tile")]);
    this.input.mark([this.readBy(tile)]);
    this.told.textContent = this.tell(tile);
    this.text.replaceChildren(...this.tellLoops(tile));
    this.registers.replaceChildren(...this.makeRegisters(tile));
  }

  tell(tile) {
    const {layer} = this;
    const size = range => range[1] - range[0];
    const pixels = size(tile.oh) * size(tile.ow);
    const where = `Tile ${formatExact(tile.number + 1)} of ${formatExact(this.all)}${
      layer.winograd > 0 ? "" : " in the order of the compiled loops"}: rows ${tellRange(tile.oh[0], size(tile.oh))}, columns ${
        tellRange(tile.ow[0], size(tile.ow))} of output channels ${
        tellRange(tile.oc[0], size(tile.oc))}. `;
    return where + (layer.winograd > 0
      ? `Winograd's method computes these ${pixels} outputs of a channel with ${
        (layer.winograd + 2) ** 2} multiplications for each input channel instead of ${pixels * 9}.`
      : `These ${formatExact(size(tile.oc) * pixels)} sums stay in registers while the loops below run `
        + "over all inputs that they need; then they are stored, once.");
  }

  tellLoops(tile) {
    const {layer} = this;
    const lines = this.loops.map(({loop, step, size, blocked}, depth) => {
      const [begin, end] = tile[loop];
      const now = blocked ? [Math.floor(begin / step) * step, Math.min(size,
        (Math.floor(begin / step) + 1) * step)] : [begin, end];
      return [`${"  ".repeat(depth)}for ${loopWords[loop]} in steps of ${step}: now `,
        element("b", null, tellRange(now[0], now[1] - now[0])), "\n"];
    });
    const indent = "  ".repeat(this.loops.length);
    return [...lines, ...this.tellInnerLoops().map(line => `${indent}${line}\n`)].flat();
  }

  tellInnerLoops() {
    const {layer} = this;
    const terms = plural(layer.input.shape[0] / layer.groups, "input channel");
    const patch = layer.winograd + 2;
    return layer.winograd > 0
      ? [`transform ${patch} × ${patch} inputs of each channel`, `for ${terms}:`,
        "  all sums += transformed input × transformed filter", "transform the sums back"]
      : [`for ${terms}, ${layer.window.join(" × ")} elements of the window:`,
        "  all sums of the tile += input × weight"];
  }

  /// The sums of a tile as vectors: a row for each vector of channels, a column for each pixel.
  makeRegisters(tile) {
    const {loop, lanes} = lanesOf(this.layer);
    if (this.layer.winograd > 0)
      return [element("figcaption", null, "The products of many transformed tiles, as a product of "
        + "matrices: see the kernel's loops.")];
    const channels = tile.oc[1] - tile.oc[0];
    const columns = tile.ow[1] - tile.ow[0], rows = tile.oh[1] - tile.oh[0];
    const vectors = loop === "oc" ? Math.ceil(channels / lanes) : channels;
    const pixels = loop === "oc" ? rows * columns : rows * Math.ceil(columns / lanes);
    const cell = 16;
    const plane = new Plane({rows: vectors, columns: pixels, cell,
      label: `${vectors} times ${pixels} vector registers`});
    plane.element.classList.add("registers");
    const what = loop === "oc" ? `${lanes} output channels of one pixel` : `${lanes} pixels of a row`;
    return [plane.element, element("figcaption", null, `${vectors} × ${pixels} = `,
      element("strong", null, `${plural(vectors * pixels, "vector register")}`),
      ` of sums, each with ${what}. The larger the tile, the more often an element is used `
      + "once it is loaded: each weight for all pixels of the tile, each input for all its channels.")];
  }
}
