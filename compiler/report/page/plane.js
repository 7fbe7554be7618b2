// A plane of numbers as squares, whose colour is the number: orange above zero, blue below.

/// The colour of a number: nothing at zero, full at `most`.
function cellColour(number, most) {
  const part = most > 0 && Number.isFinite(number) ? Math.min(1, Math.abs(number) / most) : 0;
  const percent = Math.round(Math.sqrt(part) * 100);
  return `color-mix(in oklab, var(--zero), var(--${number < 0 ? "minus" : "plus"}) ${percent}%)`;
}
/// The class of ink that can be read on that colour.
const inkOn = (number, most) =>
  Math.abs(number) <= most * 0.55 ? "" : number < 0 ? "on-minus" : "on-plus";

/// The largest magnitude of numbers, which colours refer to.
const largestOf = numbers => numbers.reduce((most, number) =>
  Number.isFinite(number) ? Math.max(most, Math.abs(number)) : most, 0);

const numberWidth = 27; // of a square that has room for its number
const wideNumbers = 36; // and for one in the usual size
const nameWidth = 44, nameHeight = 16; // of names of rows at the left, and of columns above

/// A picture of rows x columns squares with `border` squares of padding around: [top, left, bottom,
/// right]. Its `element` is an svg; set() gives squares their numbers, mark() puts outlines over them,
/// by classes. `cell` is the side of a square in pixels; numbers are written where they fit. Rows and
/// columns may have names.
class Plane {
  constructor({rows, columns, border = [0, 0, 0, 0], cell, label, onpick, rowNames, columnNames}) {
    Object.assign(this, {rows, columns, border, cell});
    this.left = rowNames ? nameWidth : 0;
    this.top = columnNames ? nameHeight : 0;
    const height = this.top + (rows + border[0] + border[2]) * cell;
    const width = this.left + (columns + border[1] + border[3]) * cell;
    this.cells = svg("g");
    this.marks = svg("g");
    this.element = svg("svg", {class: "plane", width, height, viewBox: `0 0 ${width} ${height}`,
      role: "img", "aria-label": label}, this.cells, this.marks);
    this.addNames(rowNames ?? [], columnNames ?? []);
    this.squares = [];
    for (let row = -border[0]; row < rows + border[2]; ++row)
      for (let column = -border[1]; column < columns + border[3]; ++column)
        this.addSquare(row, column, onpick);
  }

  isPadding(row, column) {
    return row < 0 || column < 0 || row >= this.rows || column >= this.columns;
  }

  addNames(rowNames, columnNames) {
    rowNames.forEach((name, row) => this.cells.append(svg("text", {class: "square-name",
      x: this.left / 2, y: this.box([row, 0]).y + this.cell / 2}, name)));
    columnNames.forEach((name, column) => this.cells.append(svg("text", {class: "square-name",
      x: this.box([0, column]).x + this.cell / 2, y: this.top / 2}, name)));
  }

  addSquare(row, column, onpick) {
    const padding = this.isPadding(row, column);
    const square = svg("rect", {...this.box([row, column]), class: padding ? "padding" : "blank"});
    this.cells.append(square);
    if (padding)
      return;
    const writes = this.cell >= numberWidth;
    const {x, y, width, height} = this.box([row, column]);
    const text = writes ? svg("text", {x: x + width / 2, y: y + height / 2}) : null;
    if (text)
      this.cells.append(text);
    if (text && this.cell < wideNumbers)
      text.style.fontSize = "8.5px";
    if (onpick)
      square.addEventListener("click", () => onpick([row, column]));
    this.squares.push({square, text});
  }

  /// The rectangle that a square, or rows x columns of them, takes in the picture.
  box([row, column], [rows, columns] = [1, 1]) {
    return {x: this.left + (column + this.border[1]) * this.cell,
      y: this.top + (row + this.border[0]) * this.cell, width: columns * this.cell,
      height: rows * this.cell};
  }

  /// A number, or null for one that is not known yet.
  set([row, column], number, most) {
    const {square, text} = this.squares[row * this.columns + column];
    square.setAttribute("class", number === null ? "blank" : "cell");
    square.style.fill = number === null ? "" : cellColour(number, most);
    if (!text)
      return;
    text.textContent = number === null ? "" : formatNumber(number);
    text.setAttribute("class", number === null ? "" : inkOn(number, most));
  }

  /// A square whose element lies in the padding of something else: it counts as 0.
  setPadding([row, column]) {
    const {square, text} = this.squares[row * this.columns + column];
    square.setAttribute("class", "padding");
    square.style.fill = "";
    if (text) {
      text.textContent = "0";
      text.setAttribute("class", "in-padding");
    }
  }

  /// Numbers of all squares by a function of [row, column].
  fill(number, most) {
    for (let row = 0; row < this.rows; ++row)
      for (let column = 0; column < this.columns; ++column)
        this.set([row, column], number([row, column]), most);
  }

  /// Outlines in place of those before: {at, sides, kind}. What sticks out of the picture is cut off.
  mark(outlines) {
    this.marks.replaceChildren(...outlines.map(({at, sides, kind}) =>
      svg("rect", {...this.box(at, sides), class: kind, rx: 1.5})));
  }
}

/// The hatching of padding, once in the page.
function paddingPattern() {
  return svg("svg", {width: 0, height: 0, style: "position: absolute", "aria-hidden": "true"},
    svg("defs", null, svg("pattern", {id: "padding-pattern", width: 6, height: 6,
      patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)"},
    svg("rect", {width: 6, height: 6, fill: "var(--raised)"}),
    svg("rect", {width: 1.5, height: 6, fill: "var(--line)"}))));
}
