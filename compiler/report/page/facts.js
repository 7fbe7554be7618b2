// What views say of kernels: their times, as measured or else as expected, and their colours.

/// How long a kernel takes: seconds where it was measured, else operations at peak as expected.
const timeOf = kernel => kernel.median ?? kernel.expectedOperations;
const formatTime = (kernel, time) => kernel.median ? formatSeconds(time) : formatCount(time);
const bytesOf = kernel => kernel.weightBytes + kernel.inputBytes + kernel.outputBytes;

/// Colours of algorithms, in the order in which they come.
function algorithmColours(kernels) {
  const names = [...new Set(kernels.map(kernel => kernel.algorithm.replace(/\(.*/, "")))].sort();
  return new Map(names.map((name, i) => [name, `var(--kind-${i % 8})`]));
}

/// How to colour kernels by a quantity: {label, colour(kernel), legend()}.
function makeScale(label, kernels, quantity, format) {
  const most = Math.max(...kernels.map(quantity), 1e-12);
  return {
    label,
    text: kernel => format(quantity(kernel)),
    colour(kernel) {
      const share = Math.sqrt(quantity(kernel) / most); // small ones differ, too
      return `color-mix(in oklab, var(--low), var(--high) ${Math.round(100 * share)}%)`;
    },
    legend: () => element("span", {class: "key"}, element("span", null, format(0)),
      element("span", {class: "ramp"}), element("span", null, format(most))),
  };
}

/// The colourings that graph and memory offer, by name.
function makeScales() {
  const {kernels, machine} = readSection("facts");
  const colours = algorithmColours(kernels);
  const scales = new Map();
  scales.set("time", machine ? makeScale("Time, measured", kernels, timeOf, formatSeconds)
    : makeScale("Time, expected, as operations at peak", kernels, timeOf, formatCount));
  scales.set("memory", makeScale("Bytes moved", kernels, bytesOf, formatBytes));
  scales.set("algorithm", {
    label: "Algorithm",
    text: kernel => kernel.algorithm,
    colour: kernel => colours.get(kernel.algorithm.replace(/\(.*/, "")),
    legend: () => element("span", {class: "key"}, [...colours].map(([name, colour]) =>
      [element("span", {class: "swatch", style: `background: ${colour}`}), name])),
  });
  return scales;
}

/// What is to be said of a kernel in short; `more` are pairs behind it.
function kernelFacts(kernel, more = []) {
  const values = list => (list ?? []).filter(value => !value.constant)
    .map(value => element("div", {class: "mono"}, `%${value.name}: ${value.type}`));
  return makeFacts([
    ["Computes", kernel.ops],
    ["From", kernel.source],
    ["Reads", values(kernel.inputs)],
    ["Writes", values(kernel.outputs)],
    ["Algorithm", kernel.algorithm],
    ["Tile", kernel.tile],
    ["Parameters", kernel.parameters ? formatExact(kernel.parameters) : null],
    ["Multiplications", kernel.multiplications ? formatExact(kernel.multiplications) : null],
    ["Receptive field", kernel.field ? `${kernel.field} pixels of the input` : null],
    ["Memory", `weights ${formatBytes(kernel.weightBytes)}, reads ${formatBytes(kernel.inputBytes)}, ` +
      `writes ${formatBytes(kernel.outputBytes)}`],
    ["Code", formatBytes(kernel.codeBytes)],
    ["Expected", (kernel.expected ? formatSeconds(kernel.expected)
      : `${formatCount(kernel.expectedOperations)} operations at peak`) + (kernel.memoryBound ? ", bound by memory" : "")],
    ["Measured", kernel.median ? `${formatSeconds(kernel.median)} (least ${formatSeconds(kernel.least)})`
      : null],
    ...more,
  ]);
}
