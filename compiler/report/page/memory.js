// Memory: which buffer lies where in the workspace and for how long, and what code and constants take.

const planWidth = 1000, planHeight = 420, axisLeft = 62, axisBottom = 26;

/// Colours that keep neighbours apart.
const bufferColour = i => `var(--kind-${i % 8})`;

/// Steps of about this many pixels, round numbers.
function niceStep(most, count) {
  const rough = most / count, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map(digit => digit * power).find(step => step >= rough);
}

function makePlan(data, describe) {
  const {steps, buffers, plan} = data;
  const x = step => axisLeft + step / steps.length * (planWidth - axisLeft);
  const y = offset => planHeight - offset / plan * planHeight + 8;
  const ticks = [];
  for (let value = 0; value <= plan; value += niceStep(plan, 6))
    ticks.push(svg("line", {class: "grid", x1: axisLeft, x2: planWidth, y1: y(value), y2: y(value)}),
      svg("text", {x: axisLeft - 8, y: y(value) + 4, "text-anchor": "end"}, formatBytes(value)));
  const every = Math.max(1, Math.round(niceStep(steps.length, 10)));
  for (let step = 0; step < steps.length; step += every)
    ticks.push(svg("text", {x: (x(step) + x(step + 1)) / 2, y: planHeight + 26, "text-anchor": "middle"}, step + 1));
  const rects = buffers.map((buffer, i) => {
    const width = x(buffer.last + 1) - x(buffer.first), height = y(buffer.offset) - y(buffer.offset + buffer.bytes);
    const room = Math.floor((width - 10) / 6.4);
    return svg("g", {class: "buffer", tabindex: "-1", "data-name": buffer.name,
      onpointerenter: () => describe(i), onclick: () => { location.hash = address("kernels", steps[buffer.first]); }},
      svg("rect", {x: x(buffer.first) + 0.5, y: y(buffer.offset + buffer.bytes) + 0.5, width: Math.max(1, width - 1),
        height: Math.max(1, height - 1), rx: Math.min(3, height / 4), style: `fill: ${bufferColour(i)}`}),
      room > 3 && height > 15 ? svg("text", {x: (x(buffer.first) + x(buffer.last + 1)) / 2,
        y: y(buffer.offset + buffer.bytes / 2) + 4, "text-anchor": "middle"}, shorten(buffer.name, room)) : null,
      svg("title", null, `%${buffer.name}`));
  });
  const chart = svg("svg", {class: "chart plan", viewBox: `0 0 ${planWidth} ${planHeight + axisBottom + 8}`, tabindex: "0",
    role: "application", "aria-label": "Buffers over the steps of the model. Arrow keys go from buffer to buffer, " +
      "Enter opens the kernel that writes it"}, ticks, rects,
    svg("text", {x: planWidth, y: planHeight + 26, "text-anchor": "end", class: "axis"}, "step →"));
  let now = -1;
  const mark = i => {
    rects[now]?.classList.remove("selected");
    rects[now = i].classList.add("selected");
  };
  chart.addEventListener("keydown", event => {
    const next = now + ({ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key] ?? NaN);
    if (event.key === "Enter" && now >= 0)
      location.hash = address("kernels", steps[buffers[now].first]);
    else if (buffers[next])
      describe(next);
    else
      return;
    event.preventDefault();
  });
  return {chart, mark};
}

/// Parts of a whole as one bar, those that are too small for a word without one.
function makeBar(label, parts) {
  const whole = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
  return element("figure", {class: "bar"}, element("figcaption", null, label),
    element("div", {class: "parts", role: "img", "aria-label": label}, parts.map(([name, bytes], i) => element("span", {
      style: `flex-grow: ${bytes / whole}; background: color-mix(in oklab, ${bufferColour(i)}, var(--paper) 62%)`,
      title: `${name}: ${formatBytes(bytes)}`,
    },
      bytes / whole > 0.05 ? `${name} ${formatBytes(bytes)}` : ""))));
}

function renderMemory(panel, data) {
  const facts = readSection("facts");
  const told = element("p", {class: "status", role: "status"}, "Point at a buffer, or use the arrow keys.");
  const describe = i => {
    const {name, type, bytes, offset, first, last} = data.buffers[i];
    told.replaceChildren(element("b", null, `%${name}`), ` ${type}: ${formatBytes(bytes)} at ` +
      `${formatExact(offset)}, from @${data.steps[first]} (step ${first + 1}) to @${data.steps[last]} (step ${last + 1})`);
    plan?.mark(i);
  };
  const plan = data.plan > 0 ? makePlan(data, describe) : null;
  const sum = data.buffers.reduce((total, buffer) => total + buffer.bytes, 0);
  const codes = new Map(facts.kernels.map(kernel => [kernel.code, [kernel.name, kernel.codeBytes]]));
  const largest = list => {
    const sorted = [...list].sort((a, b) => b[1] - a[1]), rest = sorted.slice(24);
    return rest.length === 0 ? sorted
      : [...sorted.slice(0, 24), [`${rest.length} others`, rest.reduce((total, part) => total + part[1], 0)]];
  };
  append(panel, [
    element("h2", null, "Workspace"),
    element("p", null, plan ? `${plural(data.buffers.length, "buffer")} of ${formatBytes(sum)} in all share ` +
      `${formatBytes(data.plan)}, as they are not all needed at the same time.` +
      (data.perThread > 0 ? ` Kernels need ${formatBytes(data.workspace - data.plan)} more for themselves, and ` +
        `${formatBytes(data.perThread)} for every further thread.` : "") : "The model needs no workspace."),
    plan ? [element("div", {class: "scrolls"}, plan.chart), told] : null,
    element("h2", null, "Sizes"),
    element("p", null, `Weights ${formatBytes(facts.weightBytes)}, code ${formatBytes(facts.codeBytes)}, workspace ` +
      `${formatBytes(facts.workspaceBytes)}.`),
    data.constants.length > 0
      ? makeBar(`Weights, ${formatBytes(facts.weightBytes)}`, largest(data.constants.map(({name, bytes}) => [name, bytes])))
      : null,
    makeBar(`Code, ${formatBytes(facts.codeBytes)}; kernels that are equal share theirs`, largest([...codes.values()])),
    element("h2", null, "Buffers"),
    makeTable([
      {title: "Buffer", value: buffer => `%${buffer.name}`},
      {title: "Type", value: buffer => buffer.type},
      {title: "Bytes", number: true, value: buffer => buffer.bytes, text: buffer => formatExact(buffer.bytes)},
      {title: "Offset", number: true, value: buffer => buffer.offset, text: buffer => formatExact(buffer.offset)},
      {title: "Written by", value: buffer => buffer.first,
        text: buffer => element("a", {href: address("kernels", data.steps[buffer.first])}, `@${data.steps[buffer.first]}`)},
      {title: "Last read by", value: buffer => buffer.last, text: buffer => `@${data.steps[buffer.last]}`},
    ], data.buffers, "Buffers of the workspace"),
  ]);
}

addView({id: "memory", title: "Memory", render: renderMemory});
