// What all views share: making elements, reading the data of the page, writing numbers for people.
// Nothing here, nor in any view, makes markup of text: names of models may hold anything.

/// An element with attributes and children. Attributes that are functions are listeners ("onclick"),
/// those that are null or false are left out; children that are no nodes become text.
function make(namespace, name, attributes, children) {
  const node = namespace ? document.createElementNS(namespace, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function")
      node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(key, value === true ? "" : value);
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity))
    if (child !== null && child !== undefined)
      node.append(child instanceof Node ? child : String(child));
}

const element = (name, attributes, ...children) => make(null, name, attributes, children);
const svg = (name, attributes, ...children) =>
  make("http://www.w3.org/2000/svg", name, attributes, children);

const sections = new Map();

/// The section of the data with this name; null when the page has none.
function readSection(name) {
  if (!sections.has(name)) {
    const script = document.getElementById(`data-${name}`);
    sections.set(name, script ? JSON.parse(script.textContent) : null);
  }
  return sections.get(name);
}

/// The bytes of a blob, which the page has deflated and in base64.
async function inflateBytes(blob) {
  const packed = Uint8Array.from(atob(blob), character => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/// The JSON in a blob.
async function inflateJson(blob) {
  return JSON.parse(new TextDecoder().decode(await inflateBytes(blob)));
}

/// 15470264320 as "15.5 G": three digits and a unit.
function formatCount(number) {
  for (const [size, unit] of [[1e12, " T"], [1e9, " G"], [1e6, " M"], [1e3, " k"]])
    if (Math.abs(number) >= size * 0.9995)
      return Number((number / size).toPrecision(3)) + unit;
  return String(Number(number.toPrecision(3)));
}
const formatBytes = number => number < 999.5 ? `${number} B` : `${formatCount(number)}B`;

/// Seconds with a unit: "12.3 µs".
function formatSeconds(seconds) {
  for (const [size, unit] of [[1, " s"], [1e-3, " ms"], [1e-6, " µs"]])
    if (seconds >= size * 0.9995)
      return Number((seconds / size).toPrecision(3)) + unit;
  return Number((seconds * 1e9).toPrecision(3)) + " ns";
}

/// Text that fits a number of characters.
const shorten = (text, most) => text.length > most ? text.slice(0, most - 1) + "…" : text;

/// 1234567 as "1 234 567".
const formatExact = number => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const plural = (count, what) =>
  `${formatExact(count)} ${what}${count === 1 ? "" : what.endsWith("s") ? "es" : "s"}`;

/// Names and what they mean, as pairs; those without a meaning are left out.
function makeFacts(pairs) {
  return element("dl", {class: "facts"}, pairs.filter(([, fact]) => fact && fact.length !== 0).map(([name, fact]) =>
    [element("dt", null, name), element("dd", null, fact)]));
}

/// A table: columns are {title, number (right-aligned), value(row), text(row)}; a click on a title
/// sorts by value.
function makeTable(columns, rows, caption) {
  const body = element("tbody");
  const fill = list => body.replaceChildren(...list.map(row => element("tr", null,
    columns.map((column, i) => element(i === 0 ? "th" : "td",
      {class: column.number && "number", scope: i === 0 && "row"},
      (column.text ?? column.value)(row))))));
  let sorted = null, direction = 1;
  const sort = (column, cell) => {
    direction = sorted === column ? -direction : column.number ? -1 : 1;
    sorted = column;
    const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
    fill([...rows].sort((a, b) => direction * order(column.value(a), column.value(b))));
    for (const other of cell.parentNode.children)
      other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  };
  const head = columns.map(column => {
    const button = element("button", {type: "button"}, column.title);
    const cell = element("th", {class: column.number && "number", scope: "col"}, button);
    button.addEventListener("click", () => sort(column, cell));
    return cell;
  });
  fill(rows);
  return element("div", {class: "scrolls", tabindex: "0", role: "region", "aria-label": caption},
    element("table", null, element("caption", null, caption),
      element("thead", null, element("tr", null, head)), body));
}

/// A group of buttons of which one is pressed: options are [value, label].
function makeChoice(label, options, chosen, onchange) {
  const buttons = options.map(([value, text]) => element("button",
    {type: "button", "aria-pressed": String(value === chosen), onclick: () => choose(value)}, text));
  function choose(value) {
    options.forEach(([other], i) =>
      buttons[i].setAttribute("aria-pressed", String(other === value)));
    onchange(value);
  }
  return element("div", {class: "choice", role: "group", "aria-label": label},
    element("span", {class: "label"}, label), buttons);
}
