// The third lesson: one tile, instruction by instruction.

class VectorLesson {
  constructor(layer, tile) {
    Object.assign(this, {layer, tile}, lanesOf(layer));
    this.accumulators = accumulatorsOf(layer, tile);
    this.steps = instructionsOf(layer, this.accumulators.length);
    this.count = this.steps.length;
    this.jump = this.accumulators.length + 1;
    this.told = element("p");
    this.input = inputPlane(layer, inputChannels(layer, this.accumulators[0][0].channel)[0], 260);
    const width = this.accumulators[0].length;
    const lanes = this.accumulators[0].map(({channel, position}) =>
      this.loop === "oc" ? layer.shown.channels[channel] : position[1]);
    const row = (label, columnNames) => new Plane({rows: 1, columns: width, cell: wideNumbers, label,
      rowNames: [""], columnNames});
    this.loaded = row("The weights that are loaded", lanes);
    this.operand = row("The inputs that are multiplied");
    this.sums = new Plane({rows: this.accumulators.length, columns: width, cell: wideNumbers,
      rowNames: this.accumulators.map(([{position}]) => position.join(", ")),
      label: "Accumulators: a row for each vector register, a column for each lane"});
    this.most = largestOf(this.sumsAfter(this.count).flat());
    this.code = element("pre", {class: "loops"});
    const figure = (title, content) => element("figure", null,
      element("figcaption", {style: "max-width: none"}, title), content);
    this.inputTitle = element("figcaption");
    this.element = element("div", {class: "figure"},
      element("figure", null, this.inputTitle, this.input.element, element("br"), this.code),
      element("div", null,
        figure(["Weights: ", this.tellLanes()], this.loaded.element),
        element("p", {class: "joins"}, "×"),
        figure(this.loop === "oc" && layer.groups === 1
          ? "One input element, copied into every lane (a broadcast)" : "Inputs, one for each lane",
        this.operand.element),
        element("p", {class: "joins"}, "added to one of the"),
        figure(this.tellAccumulators(), this.sums.element)));
  }

  tellLanes() {
    return this.loop === "oc"
      ? `one for each of ${plural(this.accumulators[0].length, "output channel")}, which are the lanes`
      : "one, the same in every lane: the lanes are pixels";
  }

  tellAccumulators() {
    const {oc} = this.tile;
    const vectors = this.loop === "oc" ? Math.ceil((oc[1] - oc[0]) / this.lanes) : 1;
    return [element("strong", null, plural(this.accumulators.length, "accumulator")),
      this.loop === "oc" ? ", a vector for each pixel (row, column) of the tile" : ", a vector of pixels each",
      vectors > 1 ? `. The tile has ${vectors} such vectors of channels; the first is shown` : ""];
  }

  sumsAfter(count) {
    return accumulate(this.layer, this.accumulators, this.steps, count);
  }

  show(index) {
    const step = this.steps[index];
    const sums = this.sumsAfter(index + 1);
    this.sums.fill(([row, lane]) => sums[row][lane] ?? null, this.most);
    const touched = step.kind === "multiply" ? [step.accumulator]
      : step.kind === "load" ? [] : sums.map((_, i) => i);
    this.sums.mark(step.kind === "multiply"
      ? touched.map(row => ({at: [row, 0], sides: [1, this.sums.columns], kind: "window"})) : []);
    this.showOperands(step);
    this.told.textContent = this.tell(step);
    this.code.replaceChildren(...this.tellCode(step));
  }

  showOperands(step) {
    if (!("term" in step)) {
      this.loaded.fill(() => null, 1);
      this.operand.fill(() => null, 1);
      this.input.mark([]);
      return;
    }
    const lanes = lanesOfStep(this.layer, this.accumulators,
      {...step, accumulator: step.accumulator ?? 0});
    const most = largestOf(lanes.map(({weight}) => weight));
    this.loaded.fill(([, lane]) => lanes[lane]?.weight ?? null, most);
    this.showInput(lanes[0].input);
    if (step.kind === "load") {
      this.operand.fill(() => null, 1);
      this.input.mark([]);
      return;
    }
    lanes.forEach(({inside, value}, lane) => inside
      ? this.operand.set([0, lane], value, this.mostInput) : this.operand.setPadding([0, lane]));
    const read = new Map(lanes.filter(({input}) => input === lanes[0].input)
      .map(({at}) => [at.join(), {at, kind: "window"}]));
    this.input.mark([...read.values()]);
  }

  /// The input channel that a step reads, in the one picture of the input.
  showInput(channel) {
    if (this.shownInput === channel)
      return;
    this.shownInput = channel;
    const numbers = [];
    const [rows, columns] = this.layer.shown.input;
    for (let row = 0; row < rows; ++row)
      for (let column = 0; column < columns; ++column)
        numbers.push(inputAt(this.layer, channel, [row, column]));
    this.mostInput = largestOf(numbers);
    this.input.fill(at => inputAt(this.layer, channel, at), this.mostInput);
    this.inputTitle.replaceChildren("Input ", element("strong", null, `channel ${channel}`));
  }

  pixel(accumulator) {
    const {position} = this.accumulators[accumulator][0];
    return `row ${position[0]}, column ${position[1]}`;
  }

  tell(step) {
    const where = step.element && `window row ${step.element[0]}, column ${step.element[1]}`;
    switch (step.kind) {
    case "zero":
      return "All accumulators of the tile are set to zero.";
    case "load":
      return this.loop === "oc"
        ? `The weights of ${where} are loaded, those of all lanes by one instruction. They serve every pixel of the tile.`
        : `The weight of ${where} is loaded and copied into all lanes. It serves every pixel of the tile.`;
    case "multiply": {
      const lanes = this.accumulators[step.accumulator].length;
      return `One instruction, ${plural(lanes, "multiplication")} and as many additions: the input for ${
        where} of the outputs at ${this.pixel(step.accumulator)}${this.loop === "ow" ? " and right of it" : ""
      } times the weights, added to accumulator ${step.accumulator}.`;
    }
    case "rest":
      return `The other ${plural(this.layer.input.shape[0] / this.layer.groups - this.layer.shown.terms,
        "input channel")} go the same way. What they add comes in one step here.`;
    case "bias":
      return "The bias of each channel is added when the sums are complete.";
    default:
      return `${this.layer.after[step.index].op} of every lane, still in registers: nothing goes to memory in between.`;
    }
  }

  tellCode(step) {
    const one = this.loop === "oc" && this.layer.groups === 1;
    const lines = [
      ["zero", "sums = 0"],
      [null, "for each element of the window, each input channel:"],
      ["load", this.loop === "oc" ? "  w = load weights" : "  w = broadcast weight"],
      [null, "  for each accumulator a:"],
      ["multiply", one ? "    sum[a] += broadcast(x) * w" : "    sum[a] += load(x) * w"],
      ...(this.layer.rest ? [["rest", "... all other input channels"]] : []),
      ["bias", "sums += bias"],
      ...this.layer.after.map(({op}, index) => ["after", `sums = ${op}(sums)`, index])];
    return lines.flatMap(([kind, text, index]) =>
      [kind === step.kind && index === (kind === "after" ? step.index : undefined)
        ? element("b", null, text) : text, "\n"]);
  }
}
