// The network as a picture: kernels as boxes, below each other in the order in which values flow.

const smallest = 0.05, largest = 2.5, legible = 0.42; // scales

/// What a box says in three lines.
function linesOfBox(box, kernel, scale) {
  if (!kernel)
    return [box.name, box.detail];
  const parts = [kernel.algorithm, kernel.multiplications > 0 && `${formatCount(kernel.multiplications)} mul`,
    scale.text(kernel)];
  return [box.name, kernel.ops, [...new Set(parts.filter(Boolean))].join(" · ")];
}

/// A line of the layout: straight down inside of layers, bent between them.
function pathOfLine(points) {
  let path = `M${points[0]},${points[1]}`;
  for (let i = 2; i < points.length; i += 2) {
    const [x0, y0, x, y] = points.slice(i - 2, i + 2);
    const bend = Math.min((y - y0) / 2, 60);
    path += x === x0 ? `V${y}` : `C${x0},${y0 + bend} ${x},${y - bend} ${x},${y}`;
  }
  return path;
}

/// The part of the picture that is seen: pans by dragging and by the wheel, zooms by Ctrl and wheel.
class Viewport {
  constructor(canvas, scene, size, onchange) {
    Object.assign(this, {canvas, scene, size, onchange, x: 0, y: 0, scale: 1});
    canvas.addEventListener("wheel", event => this.wheel(event), {passive: false});
    canvas.addEventListener("pointerdown", event => this.startDrag(event));
    new ResizeObserver(() => this.update()).observe(canvas);
  }
  get width() { return this.canvas.clientWidth; }
  get height() { return this.canvas.clientHeight; }
  update() {
    this.scene.setAttribute("transform", `translate(${this.x},${this.y}) scale(${this.scale})`);
    this.canvas.classList.toggle("far", this.scale < legible);
    this.onchange(this);
  }
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = Math.min(largest, Math.max(smallest, this.scale * factor));
    this.x = x - (x - this.x) * scale / this.scale;
    this.y = y - (y - this.y) * scale / this.scale;
    this.scale = scale;
    this.update();
  }
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.update();
  }
  /// All of it, or, where that would be too small to read, its beginning.
  fit(all) {
    const {width, height} = this.size;
    const whole = Math.min((this.width - 40) / width, (this.height - 40) / height, 1);
    const across = Math.min((this.width - 40) / width, 1);
    this.scale = all || whole > legible * 1.4 ? whole : Math.max(across, Math.min(0.75, 1));
    this.x = (this.width - width * this.scale) / 2;
    this.y = all || this.scale === whole ? (this.height - height * this.scale) / 2 : 20;
    this.update();
  }
  center(x, y) {
    this.x = this.width / 2 - x * this.scale;
    this.y = this.height / 2 - y * this.scale;
    this.update();
  }
  /// Moves as little as shows a box.
  reveal(box) {
    const margin = 24;
    const into = (begin, end, most) =>
      begin < margin ? margin - begin : end > most - margin ? most - margin - end : 0;
    const left = box.x * this.scale + this.x, top = box.y * this.scale + this.y;
    this.pan(into(left, left + box.width * this.scale, this.width),
      into(top, top + box.height * this.scale, this.height));
  }
  wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    const {left, top} = this.canvas.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey)
      this.zoom(Math.exp(-event.deltaY * unit * 0.006), event.clientX - left, event.clientY - top);
    else
      this.pan(-event.deltaX * unit, -event.deltaY * unit);
  }
  startDrag(event) {
    if (event.button !== 0)
      return;
    let {clientX, clientY} = event, moved = false;
    const move = next => {
      if (!moved && Math.hypot(next.clientX - clientX, next.clientY - clientY) < 4)
        return;
      moved = true;
      this.pan(next.clientX - clientX, next.clientY - clientY);
      ({clientX, clientY} = next);
    };
    const stop = () => {
      removeEventListener("pointermove", move);
      if (moved) // the click that follows is none
        addEventListener("click", click => click.stopPropagation(), {capture: true, once: true});
      setTimeout(() => moved = false);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", stop, {once: true});
  }
}

/// The whole picture, small, with the part that is seen; a click goes there.
function makeMap(data, colourOf) {
  const height = 100 * data.height / data.width;
  const seen = svg("rect", {class: "seen"});
  const map = svg("svg", {class: "overview", viewBox: `0 0 ${data.width} ${data.height}`,
    preserveAspectRatio: "none", "aria-hidden": "true"});
  const rects = data.boxes.map(box => svg("rect",
    {x: box.x, y: box.y, width: box.width, height: box.height}));
  append(map, [...rects, seen]);
  map.style.aspectRatio = `100 / ${height}`;
  return {
    map,
    colour: () => rects.forEach((rect, i) => { rect.style.fill = colourOf(data.boxes[i]); }),
    update(view) {
      const attributes = {x: -view.x / view.scale, y: -view.y / view.scale,
        width: view.width / view.scale, height: view.height / view.scale};
      for (const [name, value] of Object.entries(attributes))
        seen.setAttribute(name, value);
      map.style.display = view.scale * data.height < view.height * 1.2 ? "none" : "";
    },
    follow(view) {
      const go = event => {
        const {left, top, width, height: tall} = map.getBoundingClientRect();
        view.center((event.clientX - left) / width * data.width,
          (event.clientY - top) / tall * data.height);
      };
      map.addEventListener("pointerdown", event => {
        event.stopPropagation();
        map.setPointerCapture(event.pointerId);
        go(event);
      });
      map.addEventListener("pointermove", event => { if (event.buttons) go(event); });
    },
  };
}

function renderGraph(panel, data) {
  const kernels = new Map(readSection("facts").kernels.map(kernel => [kernel.name, kernel]));
  const kernelOf = box => box.kind === "kernel" ? kernels.get(box.name) : undefined;
  const scales = makeScales();
  let scale = scales.get("time"), selected = -1;

  const scene = svg("g");
  const canvas = svg("svg", {class: "canvas", tabindex: "0", role: "application",
    "aria-label": "The network. Arrow keys go from box to box, Enter opens a kernel, + and - zoom, 0 shows all"},
    svg("defs", null, svg("marker", {id: "arrow", viewBox: "0 0 8 8", refX: "7", refY: "4",
      markerWidth: "7", markerHeight: "7", orient: "auto"}, svg("path", {d: "M0,0.5L7,4L0,7.5z"}))),
    scene);
  const lines = data.lines.map(line => svg("path", {class: "line", d: pathOfLine(line.points),
    "marker-end": "url(#arrow)"}));
  const boxes = data.boxes.map((box, i) => {
    const kernel = kernelOf(box);
    const texts = linesOfBox(box, kernel, scale).map((text, line) => svg("text",
      {x: kernel ? 14 : box.width / 2, y: (kernel ? 20 : 16) + 17 * line, class: `line-${line}`},
      shorten(text, (kernel ? [24, 30, 31] : [20, 25])[line])));
    return svg("g", {class: `box ${box.kind}`, transform: `translate(${box.x},${box.y})`,
      "data-name": box.name, onclick: () => open(i), onpointerenter: () => select(i)},
      svg("title", null, linesOfBox(box, kernel, scale).join("\n")),
      svg("rect", {width: box.width, height: box.height, rx: kernel ? 7 : box.height / 2}),
      kernel && svg("path", {class: "stripe", d: `M7,0A7,7 0 0 0 0,7V${box.height - 7}A7,7 0 0 0 7,${box.height}z`}),
      texts);
  });
  append(scene, [...lines, ...boxes]);
  const map = makeMap(data, box => kernelOf(box) ? scale.colour(kernelOf(box)) : "var(--line)");
  const side = element("aside", {class: "side", "aria-live": "polite"});
  const view = new Viewport(canvas, scene, data, now => map.update(now));
  map.follow(view);

  function open(i) {
    if (kernelOf(data.boxes[i]))
      location.hash = address("kernels", data.boxes[i].name);
  }
  function select(i) {
    if (i === selected)
      return;
    boxes[selected]?.classList.remove("selected");
    selected = i;
    boxes[i].classList.add("selected");
    lines.forEach((line, j) => line.classList.toggle("near",
      data.lines[j].from === i || data.lines[j].to === i));
    const box = data.boxes[i], kernel = kernelOf(box);
    side.replaceChildren(element("h2", null, kernel ? `@${box.name}` : `%${box.name}`),
      kernel ? kernelFacts(kernel)
        : makeFacts([[{view: "Looks at memory, computes nothing", input: "Input", output: "Output"}[box.kind],
          element("span", {class: "mono"}, box.detail)]]),
      kernel ? element("a", {href: address("kernels", box.name)}, "Every level of this kernel") : "");
  }
  function colour() {
    boxes.forEach((node, i) => {
      const kernel = kernelOf(data.boxes[i]);
      if (!kernel)
        return;
      node.style.setProperty("--colour", scale.colour(kernel));
      node.querySelector(".line-2").textContent = shorten(linesOfBox(data.boxes[i], kernel, scale)[2], 31);
    });
    map.colour();
    legend.replaceChildren(element("span", {class: "label"}, scale.label), scale.legend());
  }
  /// The box that an arrow key goes to: along lines, or to the nearest in that direction.
  function neighbour(key) {
    const along = {ArrowDown: ["from", "to"], ArrowUp: ["to", "from"]}[key];
    if (along)
      return data.lines.find(line => line[along[0]] === selected)?.[along[1]];
    const {x, y} = data.boxes[selected], sign = key === "ArrowLeft" ? -1 : 1;
    const beside = data.boxes.map((box, i) => i).filter(i => (data.boxes[i].x - x) * sign > 0 &&
      Math.abs(data.boxes[i].y - y) < 200);
    const distance = i => Math.abs(data.boxes[i].x - x) + 3 * Math.abs(data.boxes[i].y - y);
    return beside.sort((a, b) => distance(a) - distance(b))[0];
  }
  canvas.addEventListener("keydown", event => {
    if (event.key === "Enter" && selected >= 0)
      open(selected);
    else if (event.key === "+" || event.key === "=")
      view.zoom(1.25);
    else if (event.key === "-")
      view.zoom(0.8);
    else if (event.key === "0")
      view.fit(true);
    else if (event.key.startsWith("Arrow")) {
      const next = selected < 0 ? 0 : neighbour(event.key);
      if (next !== undefined) {
        select(next);
        view.reveal(data.boxes[next]);
      }
    } else
      return;
    event.preventDefault();
  });

  let found = [], place = -1;
  const count = element("span", {class: "faint", role: "status"});
  function search(text) {
    const wanted = text.trim().toLowerCase();
    const textsOf = box => [box.name, box.detail, kernelOf(box)?.ops ?? "", kernelOf(box)?.source ?? "",
      ...(kernelOf(box)?.outputs ?? []).map(value => value.name)].map(part => part.toLowerCase());
    // Where it is the name comes first, then where it is in the name.
    const ranks = data.boxes.map(textsOf).map(texts => texts[0] === wanted ? 0 : texts[0].includes(wanted) ? 1 : 2);
    found = data.boxes.map((box, i) => i)
      .filter(i => wanted && textsOf(data.boxes[i]).some(part => part.includes(wanted)))
      .sort((a, b) => ranks[a] - ranks[b]);
    boxes.forEach((node, i) => node.classList.toggle("dim", wanted !== "" && !found.includes(i)));
    place = -1;
    count.textContent = wanted ? `${found.length} found` : "";
    if (found.length > 0)
      showFound(0);
  }
  function showFound(next) {
    place = (next + found.length) % found.length;
    const box = data.boxes[found[place]];
    select(found[place]);
    view.center(box.x + box.width / 2, box.y + box.height / 2);
    count.textContent = `${place + 1} of ${found.length}`;
  }
  const field = element("input", {type: "search", placeholder: "Search kernels, ops, lines …",
    "aria-label": "Search the network", oninput: () => search(field.value),
    onkeydown: event => {
      if (event.key === "Enter" && found.length > 0)
        showFound(place + (event.shiftKey ? -1 : 1));
    }});

  const legend = element("span", {class: "key-place"});
  const button = (text, label, action) => element("button",
    {type: "button", "aria-label": label, title: label, onclick: action}, text);
  append(panel, [
    element("div", {class: "tools"}, field, count,
      makeChoice("Colour by", [["time", "time"], ["memory", "memory"], ["algorithm", "algorithm"]], "time",
        name => { scale = scales.get(name); colour(); }),
      legend,
      element("span", {class: "group"}, button("−", "Smaller", () => view.zoom(0.8)),
        button("+", "Larger", () => view.zoom(1.25)), button("All", "Show all", () => view.fit(true)))),
    element("div", {class: "network"}, element("div", {class: "picture"}, canvas, map.map), side),
    element("p", {class: "faint hint"}, "Drag or scroll to move, Ctrl and wheel to zoom. A click opens a kernel."),
  ]);
  colour();
  view.fit(false);
  select(Math.max(0, data.boxes.findIndex(box => box.kind === "kernel")));
}

addView({id: "graph", title: "Network", render: renderGraph});
