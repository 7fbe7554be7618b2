// Where the time goes: the roofline of the machine with all kernels, and the time of each.
// After Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009.

const roofWidth = 1000, roofHeight = 430, margin = {left: 64, right: 20, top: 16, bottom: 40};

/// A logarithmic axis from pixels to pixels; `ticks` are the powers of ten in it, and halves between.
function logAxis(least, most, from, to) {
  const place = value => from + Math.log(value / least) / Math.log(most / least) * (to - from);
  const ticks = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); ++power)
    for (const digit of [1, 2, 5])
      if (digit * 10 ** power >= least * 0.999 && digit * 10 ** power <= most * 1.001)
        ticks.push(Number((digit * 10 ** power).toPrecision(1)));
  return {place, least, ticks: ticks.length > 14 ? ticks.filter(tick => Math.log10(tick) % 1 === 0) : ticks};
}

/// Kernels that multiply, with operations by byte and what they reach of the peak, where products of
/// integers that one instruction takes together count once.
function pointsOf(facts) {
  return facts.kernels.map((kernel, index) => {
    const operations = 2 * kernel.multiplications * (facts.machine?.batch ?? 1);
    return {kernel, index, operations, intensity: 2 * kernel.multiplications / bytesOf(kernel),
      share: operations / kernel.products /
        (facts.machine ? kernel.median * facts.machine.peak : kernel.expectedOperations)};
  }).filter(point => point.operations > 0 && isFinite(point.share));
}

function makeRoofline(facts, points, describe) {
  const {machine} = facts;
  const peak = machine ? machine.peak * 1e-9 : 1; // in the unit of the axis
  const ridge = machine ? machine.peak / machine.bandwidth : facts.operationsPerByte;
  const intensities = points.map(point => point.intensity), rates = points.map(point => point.share * peak);
  const x = logAxis(Math.min(0.5, ...intensities) / 1.3, Math.max(200, ...intensities) * 1.3, margin.left,
    roofWidth - margin.right);
  const y = logAxis(Math.min(0.02 * peak, ...rates) / 1.3, Math.max(1.6 * peak, 1.3 * Math.max(...rates)),
    roofHeight - margin.bottom, margin.top);
  const grid = [
    x.ticks.map(tick => [svg("line", {class: "grid", x1: x.place(tick), x2: x.place(tick), y1: margin.top,
      y2: roofHeight - margin.bottom}), svg("text", {x: x.place(tick), y: roofHeight - margin.bottom + 16,
      "text-anchor": "middle"}, tick)]),
    y.ticks.map(tick => [svg("line", {class: "grid", x1: margin.left, x2: roofWidth - margin.right, y1: y.place(tick),
      y2: y.place(tick)}), svg("text", {x: margin.left - 8, y: y.place(tick) + 4, "text-anchor": "end"},
      machine ? tick : `${Number((100 * tick).toPrecision(1))} %`)]),
  ];
  const least = Math.max(x.least, y.least * ridge / peak); // where the roof comes into the picture
  const slope = Math.sqrt(least * ridge);
  const roof = svg("path", {class: "roof", d: `M${x.place(least)},${y.place(least / ridge * peak)}L${x.place(ridge)},` +
    `${y.place(peak)}H${roofWidth - margin.right}`});
  const longest = Math.max(...facts.kernels.map(kernel => timeOf(kernel)));
  const colours = algorithmColours(facts.kernels);
  const order = [...points].sort((a, b) => timeOf(b.kernel) - timeOf(a.kernel));
  const dots = order.map((point, i) => svg("circle", {class: "dot",
    cx: x.place(point.intensity), cy: y.place(point.share * peak), r: 3.5 + 12 * Math.sqrt(timeOf(point.kernel) / longest), "data-name": point.kernel.name,
    style: `fill: ${colours.get(point.kernel.algorithm.replace(/\(.*/, ""))}`,
    onpointerenter: () => describe(i), onclick: () => { location.hash = address("kernels", point.kernel.name); }},
    svg("title", null, `@${point.kernel.name}`)));
  const chart = svg("svg", {class: "chart roofline", viewBox: `0 0 ${roofWidth} ${roofHeight}`, tabindex: "0",
    role: "application", "aria-label": "Roofline. Arrow keys go from kernel to kernel, the longest first, Enter opens it"},
    grid, roof,
    svg("text", {class: "axis", x: roofWidth - margin.right, y: y.place(peak) - 7, "text-anchor": "end"},
      machine ? `peak ${formatCount(machine.peak * 1e-9)} GFLOP/s` : "peak of the machine"),
    svg("text", {class: "axis", x: x.place(slope) - 8, y: y.place(slope / ridge * peak) - 8,
      "text-anchor": "end"}, machine ? `memory ${formatCount(machine.bandwidth * 1e-9)} GB/s` : "memory"),
    svg("text", {class: "axis", x: roofWidth - margin.right, y: roofHeight - 4, "text-anchor": "end"},
      "operations per byte read and written →"),
    svg("text", {class: "axis", x: margin.left - 8, y: margin.top - 4, "text-anchor": "start"},
      machine ? "GFLOP/s" : "of the peak"), dots);
  let now = -1;
  const mark = i => {
    dots[now]?.classList.remove("selected");
    dots[now = i].classList.add("selected");
  };
  chart.addEventListener("keydown", event => {
    const next = now + ({ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key] ?? NaN);
    if (event.key === "Enter" && now >= 0)
      location.hash = address("kernels", order[now].kernel.name);
    else if (dots[next])
      describe(next);
    else
      return;
    event.preventDefault();
  });
  return {chart, order, mark};
}

/// A bar for each kernel, in the order in which they run; measured and expected beside each other.
function makeTimes(facts) {
  const {kernels} = facts;
  const longest = Math.max(...kernels.map(kernel => Math.max(timeOf(kernel), kernel.expected ?? 0)));
  const whole = kernels.reduce((sum, kernel) => sum + timeOf(kernel), 0);
  return element("div", {class: "times"}, kernels.map(kernel => element("a",
    {href: address("kernels", kernel.name), class: "time-row", title: kernel.ops},
    element("span", {class: "time-name"}, kernel.name),
    element("span", {class: "track"},
      element("span", {class: "time-bar", style: `width: ${100 * timeOf(kernel) / longest}%`}),
      kernel.expected ? element("span", {class: "expected", title: `expected ${formatSeconds(kernel.expected)}`,
        style: `left: ${100 * kernel.expected / longest}%`}) : null),
    element("span", {class: "number"}, formatTime(kernel, timeOf(kernel))),
    element("span", {class: "number faint"}, `${(100 * timeOf(kernel) / whole).toFixed(1)} %`))));
}

function makeKernelTable(facts) {
  const {machine, kernels} = facts;
  // A coarse clock may have seen no time go by.
  const rate = kernel => kernel.median > 0 ? 2 * kernel.multiplications * machine.batch / kernel.median : 0;
  return makeTable([
    {title: "Kernel", value: kernel => kernel.name,
      text: kernel => element("a", {href: address("kernels", kernel.name)}, `@${kernel.name}`)},
    {title: "Computes", value: kernel => kernel.ops},
    {title: "Algorithm", value: kernel => kernel.algorithm},
    {title: "Tile", value: kernel => kernel.tile},
    ...machine ? [
      {title: "Measured", number: true, value: kernel => kernel.median, text: kernel => formatSeconds(kernel.median)},
      {title: "GFLOP/s", number: true, value: rate,
        text: kernel => rate(kernel) > 0 ? (rate(kernel) * 1e-9).toFixed(1) : "–"},
      {title: "Of peak", number: true, value: rate,
        text: kernel => rate(kernel) > 0 ? `${(100 * rate(kernel) / kernel.products / machine.peak).toFixed(0)} %` : "–"}] : [],
    {title: kernels.some(kernel => kernel.expected) ? "Expected" : "Expected operations", number: true,
      value: kernel => kernel.expected ?? kernel.expectedOperations,
      text: kernel => kernel.expected ? formatSeconds(kernel.expected) : formatCount(kernel.expectedOperations)},
    {title: "Multiplications", number: true, value: kernel => kernel.multiplications,
      text: kernel => formatCount(kernel.multiplications)},
    {title: "Parameters", number: true, value: kernel => kernel.parameters ?? 0,
      text: kernel => formatCount(kernel.parameters ?? 0)},
    {title: "Bytes", number: true, value: bytesOf, text: kernel => formatBytes(bytesOf(kernel))},
    {title: "Code", number: true, value: kernel => kernel.codeBytes, text: kernel => formatBytes(kernel.codeBytes)},
  ], kernels, "All kernels");
}

function renderRoofline(panel, facts) {
  const {machine} = facts, points = pointsOf(facts);
  const told = element("p", {class: "status", role: "status"}, "Point at a kernel, or use the arrow keys.");
  const describe = i => {
    const {kernel, intensity, share} = roofline.order[i];
    told.replaceChildren(element("b", null, `@${kernel.name}`), ` ${kernel.ops}: ${Number(intensity.toPrecision(3))} ` +
      `operations per byte, ${(100 * share).toFixed(0)} % of the peak` + (machine ? `, ${formatSeconds(kernel.median)}` : ""));
    roofline.mark(i);
  };
  const roofline = points.length > 0 ? makeRoofline(facts, points, describe) : null;
  const colours = algorithmColours(facts.kernels);
  const shown = new Set(points.map(point => point.kernel.algorithm.replace(/\(.*/, "")));
  append(panel, [
    element("p", null, machine
      ? `Measured here: ${plural(machine.runs, "run")}, ${plural(machine.threads, "thread")}` +
        `${machine.batch > 1 ? `, ${machine.batch} images` : ""}; a run takes ${formatSeconds(machine.median)} (median).`
      : "Expected by the compiler's estimate. With the .npy files of inputs behind the model, --report measures."),
    roofline ? [
      element("h2", null, "Roofline"),
      element("p", {class: "faint"}, "A kernel cannot be above the roof: to the left, memory does not bring more bytes; " +
        "to the right, the core does not multiply faster. But what caches still hold comes faster than from memory, and " +
        "operations are those of the direct formula, of which Winograd's method saves some. The larger a dot, the longer " +
        "the kernel takes."),
      element("div", {class: "scrolls"}, roofline.chart), told,
      element("p", {class: "key"}, [...colours].filter(([name]) => shown.has(name)).map(([name, colour]) =>
        [element("span", {class: "swatch", style: `background: ${colour}`}), name]))] : null,
    element("h2", null, machine ? "Time of each kernel" : "Expected time of each kernel, as operations at peak"),
    kernelsHaveMarks(facts) ? element("p", {class: "faint"}, "The mark is the time that the compiler expects.") : null,
    makeTimes(facts),
    element("h2", null, "All kernels"),
    makeKernelTable(facts),
  ]);
}

const kernelsHaveMarks = facts => facts.kernels.some(kernel => kernel.expected);

addView({id: "roofline", title: "Time", section: "facts", render: renderRoofline});
