// What the values of the network look like: feature maps, the filters of the first layer, and the
// part of the input that an element depends on.

/// Viridis (van der Walt and Smith 2015), which is as light as the number is large, at nine points.
const viridis = ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"]
  .map(colour => [0, 2, 4].map(at => parseInt(colour.slice(at, at + 2), 16)));

/// Tables of 256 colours.
function makeColours(colourAt) {
  return Array.from({length: 256}, (_, shade) => colourAt(shade / 255));
}
const mapColours = {
  colour: makeColours(part => {
    const at = part * (viridis.length - 1);
    const low = Math.min(viridis.length - 2, Math.floor(at));
    return [0, 1, 2].map(i => viridis[low][i] + (at - low) * (viridis[low + 1][i] - viridis[low][i]));
  }),
  grey: makeColours(part => [part * 255, part * 255, part * 255]),
};

/// A canvas of one pixel for each element: colourOf(row, column) gives red, green and blue, or null for
/// nothing.
function drawPixels(rows, columns, colourOf) {
  const canvas = element("canvas", {width: columns, height: rows});
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let row = 0; row < rows; ++row)
    for (let column = 0; column < columns; ++column) {
      const colour = colourOf(row, column);
      if (colour)
        image.data.set([...colour, 255], (row * columns + column) * 4);
    }
  context.putImageData(image, 0, 0);
  return canvas;
}

const mapGap = 4; // pixels between maps
/// The side of a map, about: fewer are larger.
const mapSide = count => count <= 8 ? 112 : count <= 16 ? 84 : 64;
const vectorSide = 14; // of an element of a vector

/// How the maps of a picture lie in a width: {columns, rows, side of an element, width, height}.
function layOutMaps([channels, rows, columns], width) {
  const side = rows * columns === 1 ? vectorSide
    : Math.max(1, Math.round(mapSide(channels) / Math.max(rows, columns)));
  const step = columns * side + (rows * columns === 1 ? 1 : mapGap);
  const perRow = Math.max(1, Math.min(channels, Math.floor((width + mapGap) / step)));
  const lines = Math.ceil(channels / perRow);
  return {side, perRow, stepX: step, stepY: rows * side + (rows * columns === 1 ? 1 : mapGap),
    width: perRow * step, height: lines * (rows * side + (rows * columns === 1 ? 1 : mapGap))};
}

/// The part of an axis of the input, `size` long, that elements [first, last] of a value depend on:
/// {begin, end} before it is cut to the input, null where positions are not known.
function fieldOf({size, stride, start, whole}, first, last, length) {
  if (whole)
    return {begin: 0, end: length};
  return stride === 0 ? null : {begin: start + first * stride, end: start + last * stride + size};
}

/// One value: its maps on a canvas, drawn when they come into view.
class MapPicture {
  constructor(view, json) {
    Object.assign(this, {view, json, at: null});
    const [channels, ...sides] = json.shape;
    const shown = json.shown[0] < channels ? `, the first ${json.shown[0]} shown` : "";
    const scaled = json.scale > 1 ? `, means of ${json.scale} × ${json.scale}` : "";
    this.canvas = element("canvas", {tabindex: "0", role: "img",
      "aria-label": `${json.name}: ${plural(channels, "map")}. Arrow keys move the pointer, Page Up and Page Down change the map`,
      onpointermove: event => this.pointAt(event), onpointerdown: event => this.pointAt(event),
      onfocus: () => this.choose(this.at ?? [0, 0, 0]), onkeydown: event => this.moveBy(event)});
    this.pixel = element("div", {class: "pixel", hidden: true});
    this.element = element("div", {class: "feature-map", id: `map-${json.name}`}, element("figure", null,
      element("figcaption", null, element("span", {class: "map-name"}, json.name), " ",
        element("span", {class: "faint"}, `${json.op} · ${
          sides[0] * sides[1] === 1 ? plural(channels, "number") : [channels, ...sides].join(" × ")
        }${shown}${scaled} · ${formatNumber(json.low)} to ${formatNumber(json.high)}`)),
      element("div", {class: "pixels"}, this.canvas, this.pixel), this.tellGreatest()));
  }

  tellGreatest() {
    const {greatest} = this.json;
    return greatest ? element("p", {class: "greatest faint"}, "largest: ",
      greatest.map(([index, number]) => `[${index}] ${formatNumber(number)}`).join(", ")) : null;
  }

  /// Takes the place that it will need.
  layOut(width) {
    this.layout = layOutMaps(this.json.shown, width);
    this.canvas.width = this.layout.width;
    this.canvas.height = this.layout.height;
    this.drawn = false;
    this.pixel.hidden = true;
  }

  async load() {
    this.bytes ??= await inflateBytes(this.json.bytes);
  }

  /// At once where the bytes are there: what is printed cannot wait.
  async draw() {
    if (!this.bytes)
      await this.load();
    if (this.drawn)
      return;
    this.drawn = true;
    const [channels, rows, columns] = this.json.shown;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.imageSmoothingEnabled = false;
    const colours = mapColours[this.view.colours];
    for (let channel = 0; channel < channels; ++channel) {
      const map = drawPixels(rows, columns,
        (row, column) => colours[this.bytes[(channel * rows + row) * columns + column]]);
      const {x, y} = this.corner(channel);
      context.drawImage(map, x, y, columns * this.layout.side, rows * this.layout.side);
    }
  }

  corner(channel) {
    const {perRow, stepX, stepY} = this.layout;
    return {x: channel % perRow * stepX, y: Math.floor(channel / perRow) * stepY};
  }

  pointAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    const {perRow, stepX, stepY, side} = this.layout;
    const channel = Math.floor(y / stepY) * perRow + Math.floor(x / stepX);
    const [channels, rows, columns] = this.json.shown;
    const row = Math.floor(y % stepY / side), column = Math.floor(x % stepX / side);
    if (channel >= 0 && channel < channels && row < rows && column < columns)
      this.choose([channel, row, column]);
  }

  moveBy(event) {
    const [channels, rows, columns] = this.json.shown;
    const vector = rows * columns === 1;
    const steps = {ArrowLeft: [0, 0, -1], ArrowRight: [0, 0, 1], ArrowUp: [0, -1, 0],
      ArrowDown: [0, 1, 0], PageUp: [-1, 0, 0], PageDown: [1, 0, 0]};
    let step = steps[event.key];
    if (!step)
      return;
    event.preventDefault();
    if (vector)
      step = [step[2] + step[0] + step[1] * this.layout.perRow, 0, 0];
    const at = this.at ?? [0, 0, 0];
    this.choose([channels, rows, columns].map((size, i) =>
      Math.max(0, Math.min(size - 1, at[i] + step[i]))));
  }

  choose(at) {
    this.at = at;
    this.view.showPointed(this, at);
  }

  /// The outline of the element that is pointed at.
  markPixel([channel, row, column]) {
    const {x, y} = this.corner(channel);
    const {side} = this.layout;
    Object.assign(this.pixel.style, {left: `${x + column * side}px`, top: `${y + row * side}px`,
      width: `${side}px`, height: `${side}px`});
    this.pixel.hidden = false;
  }
}

class MapsView {
  constructor(panel, data) {
    Object.assign(this, {data, colours: "colour"});
    this.pictures = data.values.map(json => new MapPicture(this, json));
    const layers = element("select", {onchange: () => {
      location.hash = address("maps", layers.value);
    }}, data.values.map(({name, op}) => element("option", {value: name}, `${name} (${op})`)));
    this.layers = layers;
    this.scale = element("span", {class: "scale"});
    this.pointed = element("div", {class: "pointed", role: "status", "aria-live": "polite"},
      `Point at ${data.input ? "a map to see which part of the input an element depends on"
        : "an element to see its number"}, or press Tab and use the arrow keys.`);
    this.list = element("div", null, this.pictures.map(picture => picture.element));
    panel.append(
      element("div", {class: "lesson"}, element("p", null,
        "Each map is what one output channel of a layer has found in the input: bright where it has found "
        + "much. Early layers find edges and colours, later ones shapes. Later maps are smaller, and each of "
        + "their elements sees a larger part of the input, its receptive field, drawn as a rectangle."),
      element("p", null, tellSource(data.made))),
      element("div", {class: "tools"},
        element("label", null, element("span", {class: "label faint"}, "Go to "), layers),
        makeChoice("Colours", [["colour", "Colour"], ["grey", "Grey"]], "colour", colours => {
          this.colours = colours;
          this.showScale();
          this.redraw();
        }), this.scale),
      element("div", {class: "maps-view"},
        element("div", {class: "maps-side"}, this.makeInput(), this.pointed, this.makeFilters()), this.list),
      makeGlossary(mapWords));
    this.showScale();
    this.seen = new IntersectionObserver(entries => entries.filter(entry => entry.isIntersecting)
      .forEach(entry => this.pictureOf(entry.target).draw()), {rootMargin: "400px"});
    this.layOut();
    this.pictures.forEach(picture => this.seen.observe(picture.canvas));
    new ResizeObserver(() => this.layOut()).observe(this.list);
    addEventListener("beforeprint", () => this.pictures.forEach(picture => picture.draw()));
    this.loadAll();
  }

  /// One after the other, while those in view are drawn.
  async loadAll() {
    for (const picture of this.pictures)
      await picture.load();
  }

  pictureOf(canvas) {
    return this.pictures.find(picture => picture.canvas === canvas);
  }

  layOut() {
    const width = this.list.clientWidth;
    if (width === this.width || width === 0)
      return;
    this.width = width;
    this.pictures.forEach(picture => picture.layOut(width));
    this.redraw();
  }

  /// Draws again what is in view; the rest when it comes there.
  redraw() {
    for (const picture of this.pictures) {
      picture.drawn = false;
      this.seen.unobserve(picture.canvas);
      this.seen.observe(picture.canvas);
    }
  }

  showScale() {
    const colours = mapColours[this.colours];
    this.scale.replaceChildren("least", drawPixels(1, 256, (_, column) => colours[column]), "greatest");
  }

  makeInput() {
    const {input} = this.data;
    if (!input)
      return null;
    this.frame = element("div", {class: "input-picture"});
    this.field = svg("svg", {viewBox: `0 0 ${input.shape[2]} ${input.shape[1]}`,
      preserveAspectRatio: "none", "aria-hidden": "true"});
    inflateBytes(input.bytes).then(bytes => {
      const [channels, rows, columns] = input.shown;
      const at = (channel, row, column) => bytes[(channel * rows + row) * columns + column];
      this.frame.append(drawPixels(rows, columns, (row, column) =>
        [0, 1, 2].map(i => at(channels === 3 ? i : 0, row, column))), this.field);
    });
    return element("figure", null, element("figcaption", null,
      element("strong", null, input.name), element("span", {class: "faint"}, ` input · ${input.shape.join(" × ")}`)),
    this.frame);
  }

  makeFilters() {
    const {filters} = this.data;
    if (!filters)
      return null;
    const frame = element("div");
    const [count, channels, rows, columns] = filters.shown;
    inflateBytes(filters.bytes).then(bytes => {
      const at = (filter, channel, row, column) =>
        bytes[((filter * channels + channel) * rows + row) * columns + column];
      const perRow = Math.ceil(Math.sqrt(count));
      const gap = 1;
      const height = Math.ceil(count / perRow) * (rows + gap) - gap, width = perRow * (columns + gap) - gap;
      const canvas = drawPixels(height, width, (y, x) => {
        const row = y % (rows + gap), column = x % (columns + gap);
        const filter = Math.floor(y / (rows + gap)) * perRow + Math.floor(x / (columns + gap));
        return row < rows && column < columns && filter < count
          ? [0, 1, 2].map(i => at(filter, channels === 3 ? i : 0, row, column)) : null;
      });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${count} filters of ${filters.name}`);
      canvas.style.width = "100%";
      frame.append(canvas);
    });
    return element("figure", null, element("figcaption", null,
      element("strong", null, "First-layer filters"), element("span", {class: "faint"},
        ` ${filters.name} · ${filters.shape.join(" × ")}${channels === 3 ? " · red, green, blue" : ""}`)), frame);
  }

  /// The receptive field of an element, on the input.
  showPointed(picture, [channel, row, column]) {
    const {json} = picture;
    if (this.marked && this.marked !== picture)
      this.marked.pixel.hidden = true;
    this.marked = picture;
    picture.markPixel([channel, row, column]);
    const [, rows, columns] = json.shown;
    const shade = picture.bytes?.[(channel * rows + row) * columns + column];
    const about = shade === undefined ? "" : ` ≈ ${formatNumber(json.low + shade / 255 * (json.high - json.low))}`;
    const lines = [element("strong", null, json.name),
      rows * columns === 1 ? `[${channel}]${about}` : ` channel ${channel}, row ${row * json.scale}, column ${
        column * json.scale}${about}`, element("br"), this.tellField(json, row, column)];
    this.pointed.replaceChildren(...lines);
  }

  tellField(json, row, column) {
    const input = this.data.input;
    this.field?.replaceChildren();
    if (!json.field || !input)
      return "Its receptive field is not known.";
    const last = (first, size) => Math.min(size, (first + 1) * json.scale) - 1;
    const fields = [row, column].map((first, axis) => fieldOf(json.field[axis], first * json.scale,
      last(first, json.shape[1 + axis]), input.shape[1 + axis]));
    if (fields.includes(null))
      return `It depends on ${json.field.map(({size}) => size).join(" × ")} elements of the input; where they lie follows no regular step.`;
    const [rows, columns] = fields.map(({begin, end}, axis) =>
      ({begin: Math.max(0, begin), end: Math.min(input.shape[1 + axis], end)}));
    if (rows.end > rows.begin && columns.end > columns.begin)
      this.field.append(svg("rect", {x: columns.begin, y: rows.begin,
        width: columns.end - columns.begin, height: rows.end - rows.begin}));
    const cut = fields.some(({begin, end}, axis) => begin < 0 || end > input.shape[1 + axis]);
    const tell = ({begin, end}) => tellRange(begin, end - begin);
    return `Receptive field: ${fields.map(({begin, end}) => end - begin).join(" × ")}, rows ${
      tell(fields[0])}, columns ${tell(fields[1])} of the input${cut ? "; what lies outside is padding" : ""}.`;
  }

  go(name) {
    const picture = this.pictures.find(({json}) => json.name === name);
    if (!picture)
      return;
    this.layers.value = name;
    this.layOut();
    picture.element.scrollIntoView();
  }
}

const mapWords = [
  ["feature map", "one channel of a value: how strongly a filter has answered at each position"],
  ["receptive field", "the part of the input that one element depends on; what lies outside of it cannot change the element"],
  ["filter", "the weights of a convolution for one output channel: the pattern that it looks for"],
  ["least, greatest", "colours are spread over the numbers of one layer: the same colour means different numbers in different layers"],
];

addView({
  id: "maps",
  title: "Feature maps",
  render(panel, data) {
    const view = new MapsView(panel, data);
    return ([name]) => view.go(name);
  },
});
