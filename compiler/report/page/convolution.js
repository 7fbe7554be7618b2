// How a convolution works: one computation in three lessons, for every convolution and pool of the
// model, with the numbers of one input.

/// Made for a view, of the layer and output channel that it shows.
const lessons = [
  ["slide", "Sliding", view => new SlideLesson(view.layer, view.channel, step => view.stepper.choose(step))],
  ["tiled", "In tiles", view => new TiledLesson(view.layer, view.channel, tile => { view.tile = tile; })],
  ["vectors", "In vectors", view =>
    new VectorLesson(view.layer, view.tile ?? liveliestTile(view.layer, view.channel))],
];

/// What each lesson is about, in plain words.
function tellLesson(lesson, layer) {
  const window = layer.window.join(" × ");
  if (!layer.isConvolution)
    return [`A ${layer.op === "max_pool2d" ? "max" : "mean"} pool moves a window of ${window} over each channel ${
      tellStride(layer)} and keeps ${layer.op === "max_pool2d"
      ? "the largest element. The green square is the element that won: in training, the gradient goes back to it alone."
      : "the mean of what it covers."}`];
  if (lesson === "slide")
    return [`A convolution lays a small window of ${window} over the input, multiplies each element that it `
      + "covers by the weight at that place of the filter, and adds the products up: that is one output. "
      + `Then the window moves on ${tellStride(layer)}. Every output channel has a filter of its own, with `
      + "weights for each input channel that it reads; the same weights are used at every position.",
    tellShape(layer)];
  if (lesson === "tiled")
    return ["The result does not depend on the order in which outputs are computed, but the time does. "
      + "The compiled code computes a tile of outputs at once, whose sums stay in registers, so that what is "
      + "loaded from memory is used several times.", `The schedule of this kernel: ${layer.schedule.text}`];
  return ["A vector instruction does the same to many numbers at once, its lanes. Here each lane is "
    + `${lanesOf(layer).loop === "oc" ? "an output channel" : "a pixel"} of the tile, and one instruction multiplies and adds `
    + "in all of them. This is one tile as the processor sees it: the one where the lesson In tiles stands, or else the "
    + "one with the largest result.",
  layer.winograd > 0 && "The compiled kernel multiplies transformed tiles (Winograd's method); the lanes are the "
    + "same, and this is the direct way to the same sums."];
}

function tellStride({stride: [rows, columns]}) {
  if (rows !== columns)
    return `in steps of ${rows} rows and ${columns} columns`;
  return rows === 1 ? "one element at a time" : `in steps of ${rows} (the stride)`;
}

/// Windows of one element, padding, dilation, groups, where there are some.
function tellShape({window, pad, dilation, groups, input, output}) {
  const facts = [];
  if (window.every(side => side === 1))
    facts.push("A window of 1 × 1 sees a single position: such a layer mixes channels, and nothing else.");
  if (pad.some(side => side > 0))
    facts.push("The hatched border is padding: zeros around the input, so that the window can stand at its edge.");
  if (dilation.some(step => step > 1))
    facts.push(`The elements of the window lie ${
      [...new Set(dilation)].join(" and ")} apart (dilation): it sees further with as many weights.`);
  if (groups > 1)
    facts.push(input.shape[0] === groups && output.shape[0] === groups
      ? "Every output channel reads one input channel, its own (a depthwise convolution)."
      : `The channels are in ${groups} groups: an output channel reads the input channels of its own group alone.`);
  return facts.join(" ");
}

const convolutionWords = [
  ["window", "the elements of the input that one output depends on"],
  ["filter", "the learned weights by which the elements of the window are multiplied; one for each output channel"],
  ["channel", "one plane of numbers; an input image has three of them (red, green, blue), later layers have many"],
  ["stride", "how far the window moves from one output to the next"],
  ["padding", "zeros around the input"],
  ["dilation", "the distance between neighbouring elements of the window"],
  ["group", "output channels that read the same part of the input channels"],
  ["bias", "a learned number for each output channel, added to its sums"],
  ["tile", "outputs that are computed at once, in registers"],
  ["lane", "one of the numbers of a vector register"],
  ["broadcast", "copying one number into all lanes"],
  ["accumulator", "a register in which products are added up"],
  ["reference", "the slow, obvious interpreter of the compiler, which computed the results on this page"],
];

/// The view: choices, a lesson, and the steps through it.
class ConvolutionView {
  constructor(panel, {made, layers}) {
    Object.assign(this, {panel, made, layers, lesson: "slide", channel: 0});
    this.stepper = new Stepper(step => this.showStep(step));
    this.layerChoice = element("select", {onchange: () => {
      location.hash = address("convolution", this.layerChoice.value);
    }}, layers.map(({name, op, kernel}) => element("option", {value: name},
      `${name} (${op}${kernel && kernel !== name ? `, kernel ${kernel}` : ""})`)));
    this.channelChoice = element("select", {onchange: () => {
      this.channel = Number(this.channelChoice.value);
      this.tile = null;
      this.begin();
    }});
    this.tools = element("div", {class: "tools"});
    this.text = element("div", {class: "lesson"});
    this.told = element("div", {class: "told", role: "status", "aria-live": "polite"});
    this.figure = element("div");
    this.stage = element("div", {class: "lesson-stage", tabindex: "0", role: "group",
      "aria-label": "Steps: left and right arrows, up and down for a row, Home, End, space plays"},
    this.stepper.element, this.told, this.figure);
    this.stepper.listen(this.stage, this.told);
    panel.append(paddingPattern(), this.tools, this.text, this.stage,
      element("p", {class: "signs"}, this.makeLegend()), makeGlossary(convolutionWords));
  }

  makeLegend() {
    const square = attributes => svg("svg", {width: 14, height: 14, class: "plane"},
      svg("rect", {x: 1, y: 1, width: 12, height: 12, ...attributes}));
    const entry = (sign, text) => element("span", null, sign, text);
    return [entry(square({class: "cell", style: "fill: var(--plus)"}), "above zero"),
      entry(square({class: "cell", style: "fill: var(--minus)"}), "below zero"),
      entry(square({class: "padding"}), "padding"),
      entry(square({class: "window"}), "window, or what is read now"),
      entry(square({class: "winner"}), "the largest in the window"),
      element("span", null, "Keys: ← → steps, ↑ ↓ rows, Home, End, space plays")];
  }

  /// Shows a layer by its name.
  async go(name) {
    const json = this.layers.find(layer => layer.name === name) ?? this.layers[0];
    if (this.wanted === json.name)
      return;
    this.wanted = json.name;
    const layer = await readLayer(json);
    if (this.wanted !== json.name)
      return; // another one was chosen meanwhile
    this.layer = layer;
    this.channel = 0;
    this.tile = null;
    this.layerChoice.value = json.name;
    this.channelChoice.replaceChildren(...this.layer.shown.channels.map((channel, i) =>
      element("option", {value: i}, String(channel))));
    this.begin();
  }

  canShow(lesson) {
    return lesson === "slide" || (this.layer.isConvolution && this.layer.schedule !== undefined);
  }

  begin() {
    if (!this.canShow(this.lesson))
      this.lesson = "slide";
    const options = lessons.filter(([id]) => this.canShow(id)).map(([id, title]) => [id, title]);
    const label = (text, choice) => element("label", null, element("span", {class: "label faint"}, text, " "), choice);
    this.tools.replaceChildren(label("Layer", this.layerChoice),
      label("Output channel", this.channelChoice),
      options.length > 1 ? makeChoice("Lesson", options, this.lesson, lesson => {
        this.lesson = lesson;
        this.begin();
      }) : "");
    this.text.replaceChildren(...[...tellLesson(this.lesson, this.layer), tellSource(this.made)].filter(Boolean)
      .map(text => element("p", null, text)));
    const make = lessons.find(([id]) => id === this.lesson)[2];
    this.current = make(this);
    this.figure.replaceChildren(this.current.element);
    this.told.replaceChildren(this.current.told);
    this.stepper.begin(this.current.count, this.current.jump);
  }

  showStep(step) {
    this.current.show(step);
  }
}

addView({
  id: "convolution",
  title: "How a convolution works",
  render(panel, data) {
    const view = new ConvolutionView(panel, data);
    return ([name]) => view.go(name);
  },
});
