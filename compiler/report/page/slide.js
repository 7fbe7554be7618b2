// The first lesson: the window slides over the input, output by output.

/// The side of a square so that a plane of so many of them is about as wide as `room` pixels.
const fitCell = (squares, room) => Math.max(4, Math.min(wideNumbers, Math.floor(room / squares)));

/// The padding that is drawn around the input: none where the plane goes on.
function drawnPadding(layer) {
  const [rows, columns] = layer.shown.input;
  const [, allRows, allColumns] = layer.input.shape;
  const [top, left, bottom, right] = layer.pad;
  return [top, left, rows === allRows ? bottom : 0, columns === allColumns ? right : 0];
}

/// A picture of an input channel with its padding around.
function inputPlane(layer, channel, room) {
  const [rows, columns] = layer.shown.input;
  const border = drawnPadding(layer);
  const cell = fitCell(columns + border[1] + border[3], room);
  const plane = new Plane({rows, columns, border, cell,
    label: `Input channel ${channel}, ${tellPart(layer.shown.input, layer.input.shape)}`});
  const numbers = [];
  plane.fill(at => {
    numbers.push(inputAt(layer, channel, at));
    return null;
  }, 1);
  const most = largestOf(numbers);
  plane.fill(at => inputAt(layer, channel, at), most);
  return plane;
}

/// Outlines of the window that computes an output: its reach, and with dilation each element.
function windowOutlines(layer, position) {
  const corner = tapped(layer, position, [0, 0]);
  const reach = [0, 1].map(axis => (layer.window[axis] - 1) * layer.dilation[axis] + 1);
  const dilated = layer.dilation.some(step => step > 1);
  if (!dilated)
    return [{at: corner, sides: reach, kind: "window"}];
  return [{at: corner, sides: reach, kind: "reach"},
    ...windowElements(layer).map(element => ({at: tapped(layer, position, element), kind: "window"}))];
}

class SlideLesson {
  constructor(layer, channel, choose) {
    Object.assign(this, {layer, channel});
    const [rows, columns] = layer.shown.output;
    this.count = rows * columns;
    this.jump = columns;
    this.told = element("p");
    this.sum = element("div", {class: "sum"});
    this.terms = inputChannels(layer, channel).map(input => this.makeTerm(input));
    this.most = largestOf(Array.from({length: this.count}, (_, i) =>
      layer.result(channel, ...this.positionOf(i))));
    this.output = new Plane({rows, columns, cell: fitCell(columns, 250),
      label: `Output channel ${layer.shown.channels[channel]}, ${
        tellPart(layer.shown.output, layer.output.shape)}`,
      onpick: ([row, column]) => choose(row * columns + column)});
    this.element = element("div", null,
      element("div", {class: "figure"}, this.makeTerms(), this.makeOutput()), this.sum);
  }

  positionOf(step) {
    const columns = this.layer.shown.output[1];
    return [Math.floor(step / columns), step % columns];
  }

  makeTerm(input) {
    const {layer} = this;
    const [rows, columns] = layer.window;
    const small = label => new Plane({rows, columns, cell: columns > 5 ? 28 : wideNumbers, label});
    const room = layer.shown.terms > 1 ? 190 : 270;
    return {input, plane: inputPlane(layer, input, room), values: small("Elements in the window"),
      weights: layer.isConvolution && small("Weights of the filter"),
      products: layer.isConvolution && small("Products"), sum: element("span", {class: "term"})};
  }

  makeTerms() {
    const {layer} = this;
    const figure = (plane, title) => element("figure", null,
      element("figcaption", null, title), plane.element);
    const blank = () => element("span", {class: "term"}, "\u00a0"); // as high as the sum
    const sign = text => element("span", {class: "sign", "aria-hidden": "true"}, text);
    if (!layer.isConvolution)
      return element("div", {class: "terms"}, this.terms.flatMap(term => [
        figure(term.plane, ["Input ", element("strong", null, `channel ${term.input}`)]),
        sign("→"), figure(term.values, "in the window"), sign("→"), term.sum, element("span")]));
    return element("div", {class: "terms"}, this.terms.flatMap(term => [
      figure(term.plane, ["Input ", element("strong", null, `channel ${term.input}`)]),
      element("div", null, figure(term.values, "in the window"), blank()), sign("×"),
      element("div", null, figure(term.weights, "filter"), blank()), sign("="),
      element("div", null, figure(term.products, "products"), term.sum)]));
  }

  makeOutput() {
    const {layer, channel} = this;
    return element("figure", null, element("figcaption", null, "Output ",
      element("strong", null, `channel ${layer.shown.channels[channel]}`), ", ",
      tellPart(layer.shown.output, layer.output.shape), ...(layer.isConvolution ? this.tellChannels() : [])),
    this.output.element);
  }

  tellChannels() {
    const {layer, channel} = this;
    const perGroup = layer.input.shape[0] / layer.groups;
    const first = inputChannels(layer, channel)[0];
    if (layer.groups === 1)
      return perGroup > 1 ? [element("br"), `reads all ${perGroup} input channels`] : [];
    return [element("br"), `in group ${first / perGroup} of ${layer.groups} reads input channel${
      perGroup > 1 ? "s" : ""} ${tellRange(first, perGroup)}`];
  }

  show(step) {
    const {layer, channel} = this;
    const position = this.positionOf(step);
    const computed = computeOutput(layer, channel, position);
    this.terms.forEach((term, i) => this.showTerm(term, computed.terms[i], position));
    this.output.fill(([row, column]) => row * this.jump + column <= step
      ? layer.result(channel, row, column) : null, this.most);
    this.output.mark([{at: position, kind: "window"}]);
    this.told.replaceChildren(...this.tell(position, computed));
    this.sum.replaceChildren(...(layer.isConvolution ? this.tellSum(computed, position)
      : this.tellPool(computed, position)));
  }

  showTerm(term, {elements, sum}, position) {
    const {layer, channel} = this;
    const most = {values: largestOf(elements.map(({value}) => value)),
      weights: largestOf(elements.map(({weight}) => weight)),
      products: largestOf(elements.map(({product}) => product))};
    elements.forEach(({inside, value, weight, product}, i) => {
      const at = windowElements(layer)[i];
      if (inside)
        term.values.set(at, value, most.values);
      else
        term.values.setPadding(at);
      term.weights && term.weights.set(at, weight, most.weights);
      term.products && term.products.set(at, product, most.products);
    });
    const winner = winnerOf(layer, channel, position);
    term.plane.mark([...windowOutlines(layer, position),
      ...(winner ? [{at: winner.at, kind: "winner"}] : [])]);
    term.values.mark(winner ? [{at: winner.element, kind: "winner"}] : []);
    term.sum.textContent = layer.isConvolution ? `sum ${formatExactly(sum)}`
      : formatExactly(layer.result(channel, ...position));
  }

  tell(position, {terms}) {
    const {layer} = this;
    const [row, column] = tapped(layer, position, [0, 0]);
    const reach = [0, 1].map(axis => (layer.window[axis] - 1) * layer.dilation[axis] + 1);
    const outside = terms[0].elements.filter(({inside}) => !inside).length;
    return [`Output row ${position[0]}, column ${position[1]}: the window covers rows ${
      tellRange(row, reach[0])} and columns ${tellRange(column, reach[1])} of the input. `,
    outside === 0 ? "" : `${outside} of its ${terms[0].elements.length} elements lie in the padding, ${
      layer.isConvolution ? "where the input counts as 0. "
        : layer.op === "max_pool2d" ? "which never wins. " : "which has nothing to add. "}`];
  }

  /// The sum in numbers, and what follows in the same kernel.
  tellSum({terms, rest, bias, sum}, position) {
    const {layer, channel} = this;
    const hidden = layer.input.shape[0] / layer.groups - layer.shown.terms;
    const parts = terms.map(term => [term.sum]);
    if (layer.rest)
      parts.push([rest, ` (${plural(hidden, "channel")} more)`]);
    parts.push([bias, " (bias)"]);
    const added = parts.map(([number, what = ""], i) => (i === 0 ? formatExactly(number)
      : `${number < 0 ? " − " : " + "}${formatExactly(Math.abs(number))}`) + what).join("");
    const result = layer.result(channel, ...position);
    return [added, " = ",
      element("b", {class: "total", "data-sum": String(sum), "data-reference": String(result)},
        formatExactly(Math.fround(sum))),
      layer.after.map(({op, at}) => [` → ${op} → `,
        element("b", {class: "total"}, formatExactly(at(channel, ...position)))])].flat(2);
  }

  tellPool({terms}, position) {
    const {layer, channel} = this;
    const result = layer.result(channel, ...position);
    const total = number => element("b", {class: "total", "data-sum": String(number),
      "data-reference": String(result)}, formatExactly(number));
    const inside = terms[0].elements.filter(element => element.inside).map(({value}) => value);
    const list = inside.map(formatExactly).join(", ");
    if (layer.op === "max_pool2d") {
      const winner = winnerOf(layer, channel, position);
      return [`largest of ${list} = `, total(Math.max(...inside)), winner
        ? ` — element ${winner.index} of the window won: input row ${winner.at[0]}, column ${winner.at[1]}`
        : ""];
    }
    const divisor = divisorOf(layer, position);
    return [`(${inside.map(formatExactly).join(" + ")}) / ${divisor} = `,
      total(terms[0].sum / divisor)];
  }
}
