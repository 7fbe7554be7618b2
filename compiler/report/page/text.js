// Long texts side by side. Only the lines that are seen are elements. What the pointer or the cursor
// is at, a name or a loop, is highlighted in all panes of a group.

const lineHeight = 18, linesAround = 24; // pixels; lines that are made beyond what is seen

/// What the tokens of our texts, of LLVM IR and of assembly look like; the first that matches counts.
const tokenRules = {
  ours: [
    ["comment", /\/\/.*/y], ["name", /[%@]?(?:"(?:[^"\\]|\\.)*"|[A-Za-z_][\w.]*)/y], ["number", /-?\d[\w.]*/y]],
  llvm: [
    ["comment", /;.*/y], ["name", /[%@](?:"(?:[^"\\]|\\.)*"|[\w.$-]+)/y], ["label", /^[\w.$-]+:/y],
    ["word", /[A-Za-z_][\w.]*/y], ["number", /-?\d[\w.]*/y]],
  assembly: [
    ["comment", /#.*/y], ["label", /^[^\s#]+:/y], ["name", /%[a-z]+\d*/y], ["word", /^\s+[a-z.][\w.]*/y],
    ["number", /\$?-?\d\w*/y]],
  plain: [["name", /[%@]?(?:"(?:[^"\\]|\\.)*"|[A-Za-z_][\w.]*)/y], ["number", /-?\d[\w.]*/y]],
};
const keywords = new Set(("model kernel schedule return for parallel unroll vector reg local in if else " +
  "f32 i64 i32 i8 bool load store call phi br ret define void ptr float double").split(" "));

/// [kind, text] of all of a line; what no rule knows has the kind "".
function tokensOf(text, language) {
  const tokens = [];
  let plain = "", place = 0;
  const flush = () => {
    if (plain)
      tokens.push(["", plain]);
    plain = "";
  };
  outer: while (place < text.length) {
    for (const [kind, rule] of tokenRules[language]) {
      rule.lastIndex = place;
      const match = rule.exec(text);
      if (match) {
        flush();
        tokens.push([keywords.has(match[0].trim()) ? "word" : kind, match[0]]);
        place = rule.lastIndex;
        continue outer;
      }
    }
    plain += text[place++];
  }
  flush();
  return tokens;
}

/// The part of a loop that a block of LLVM IR is.
const blockOfLoop = /^(.+)\.(?:pre|head|body|latch|exit)\d*$/;

/// What a token is called at all levels: without sign and quotes; in LLVM IR, which numbers names that
/// it has already, without the number and without the part of a loop that a block is ("kh.head12").
function plainName(token, known) {
  const name = token.replace(/^[%@]/, "").replace(/^"(.*)"$/, "$1").replace(/:$/, "");
  if (known.has(name))
    return name;
  const loop = blockOfLoop.exec(name);
  if (loop)
    return loop[1];
  for (let end = name.length - 1; /\d/.test(name[end]); --end) // pool1 may be pool152
    if (known.has(name.slice(0, end)))
      return name.slice(0, end);
  return name;
}

/// Names that passes have derived from each other: oc, oc.o and oc.v; conv1 and conv1.weight are none.
const family = name => name.split(".")[0];

/// Panes that highlight together. A target is {name, loop}, either may be null.
class PaneGroup {
  constructor(onpoint) {
    Object.assign(this, {panes: [], known: new Set(), loopNames: new Set(), target: null, pinned: false, onpoint});
  }
  point(target) {
    if (this.pinned)
      return;
    this.target = target;
    for (const pane of this.panes)
      pane.light(target);
    this.onpoint?.(target);
  }
  /// Holds what is pointed at, or lets it go.
  pin(target, from) {
    const again = this.pinned && this.target?.name === target?.name && this.target?.loop === target?.loop;
    this.pinned = false;
    this.point(again ? null : target);
    this.pinned = !again && target !== null;
    this.onpoint?.(this.target);
    for (const pane of this.pinned ? this.panes : [])
      if (pane !== from)
        pane.scrollToLight();
  }
}

/// A text of lines {text, loops}: the loops that a line is in, outermost first, each {key, name}.
class TextPane {
  constructor(group, title, language, tools = []) {
    Object.assign(this, {group, language, title, lines: [], lit: new Set(), exact: true, cursor: -1, column: -1});
    this.sheet = element("div", {class: "sheet"});
    this.ticks = element("div", {class: "ticks", "aria-hidden": "true"});
    this.body = element("div", {class: "lines", tabindex: "0", role: "region", "aria-label": title,
      onscroll: () => this.draw(), onkeydown: event => this.key(event),
      onpointermove: event => this.point(this.targetOf(event)), onpointerleave: event => this.leave(event),
      onclick: event => this.click(event)}, this.sheet);
    this.count = element("span", {class: "faint"});
    this.node = element("section", {class: "pane"},
      element("header", null, element("h3", null, title), tools, this.count),
      element("div", {class: "frame"}, this.body, this.ticks));
    new ResizeObserver(() => this.draw(true)).observe(this.body);
    addEventListener("beforeprint", () => this.draw(true, true));
    group.panes.push(this);
  }
  setLines(lines) {
    this.lines = lines;
    this.cursor = -1;
    this.sheet.style.height = `${lines.length * lineHeight}px`;
    this.sheet.style.setProperty("--deepest", Math.max(0, ...lines.map(line => line.loops?.length ?? 0)));
    this.sheet.style.minWidth = `${Math.max(0, ...lines.map(line => line.text.length)) + 14}ch`;
    this.count.textContent = lines.length > 1 ? plural(lines.length, "line") : "";
    this.body.scrollTop = 0;
    this.light(this.group.target);
  }
  /// Makes the elements of the lines that are seen, or of all for paper.
  draw(always = false, all = false) {
    const first = all ? 0 : Math.max(0, Math.floor(this.body.scrollTop / lineHeight) - linesAround);
    const end = all ? Math.min(this.lines.length, 400) : Math.min(this.lines.length,
      Math.ceil((this.body.scrollTop + this.body.clientHeight) / lineHeight) + linesAround);
    if (!always && this.drawn && first >= this.drawn[0] && end <= this.drawn[1] &&
        Math.abs(first - this.drawn[0]) < linesAround / 2)
      return;
    this.drawn = [first, end];
    this.sheet.replaceChildren(...this.lines.slice(first, end).map((line, i) => this.row(line, first + i)));
  }
  row(line, i) {
    const {target, known} = this.group;
    const tokens = tokensOf(line.text, this.language).map(([kind, text]) => {
      if (kind === "")
        return text;
      const named = kind === "name" || kind === "label";
      const name = named ? plainName(text, known) : null;
      const hit = named && name === target?.name && !(kind === "name" && blockOfLoop.test(text));
      return element("span", {class: kind + (hit ? " hit" : ""), "data-name": name}, text);
    });
    const loop = line.loops?.at(-1);
    return element("div", {class: `row${this.lit.has(i) ? this.exact ? " lit" : " kin" : ""}` +
        `${i === this.cursor ? " cursor" : ""}${line.faint ? " faint" : ""}`,
      style: `top: ${i * lineHeight}px`, "data-line": i, title: line.note ?? null},
      element("span", {class: "number"}, i + 1),
      element("span", {class: "bars", style: `--depth: ${line.loops?.length ?? 0}`,
        title: line.loops?.map(({name}) => name).join(" › ")}),
      element("span", {class: "code"}, tokens),
      line.begins && loop ? element("span", {class: "begins"}, line.loops.map(({name}) => name).join(" › ")) : null);
  }
  /// The lines that a target lights: those of its loop, or of a loop that is called so, or of one that
  /// was made of it; else those that name it.
  light(target) {
    const inLoop = test => this.lines.flatMap((line, i) => line.loops?.some(test) ? [i] : []);
    let lines = [];
    this.exact = true;
    if (target?.loop) {
      lines = inLoop(loop => loop.key === target.loop.key);
      if (lines.length === 0)
        lines = inLoop(loop => loop.name === target.loop.name);
      if (lines.length === 0) {
        lines = inLoop(loop => family(loop.name) === family(target.loop.name) ||
          loop.of?.includes(family(target.loop.name)));
        this.exact = false;
      }
    } else if (target?.name)
      lines = this.lines.flatMap((line, i) => this.names(line).includes(target.name) ? [i] : []);
    this.lit = new Set(lines);
    this.drawTicks();
    this.draw(true);
  }
  names(line) {
    line.names ??= tokensOf(line.text, this.language).filter(([kind]) => kind === "name" || kind === "label")
      .map(([, text]) => plainName(text, this.group.known));
    return line.names;
  }
  /// Where in the whole text the lit lines are, beside the scroll bar.
  drawTicks() {
    const runs = [];
    for (const i of this.lit)
      if (runs.length > 0 && runs.at(-1)[1] === i)
        ++runs.at(-1)[1];
      else
        runs.push([i, i + 1]);
    const all = Math.max(this.lines.length, this.body.clientHeight / lineHeight);
    this.ticks.replaceChildren(...runs.slice(0, 300).map(([begin, end]) => element("i", {style:
      `top: ${100 * begin / all}%; height: max(2px, ${100 * (end - begin) / all}%)`})));
  }
  scrollToLight() {
    const [first] = this.lit;
    if (first === undefined)
      return;
    const seen = i => i * lineHeight >= this.body.scrollTop &&
      (i + 1) * lineHeight <= this.body.scrollTop + this.body.clientHeight;
    if (![...this.lit].some(seen)) {
      this.body.scrollTop = (first - 2) * lineHeight;
      this.draw(); // now, not with the next frame, until which there would be nothing to see
    }
  }
  /// The target at a line: the name there if it is one that others know, and the loop it is, or is in.
  targetAt(i, name) {
    const line = this.lines[i];
    if (!line)
      return null;
    const {known, loopNames} = this.group;
    if (name && loopNames.has(name))
      return {name, loop: line.loops?.findLast(loop => loop.name === name) ?? {key: null, name}};
    if (name && (known.has(name) || this.language === "assembly"))
      return {name, loop: null};
    const loop = line.loops?.at(-1);
    return loop ? {name: loop.name, loop} : null;
  }
  targetOf(event) {
    const row = event.target.closest?.(".row");
    return row ? this.targetAt(Number(row.dataset.line), event.target.dataset?.name) : null;
  }
  /// The pointer is at a target, or at none. Lines are made anew only if it was at another: a browser sends no move to
  /// an element that went away meanwhile.
  point(target) {
    const now = this.group.target;
    if (target?.name !== now?.name || target?.loop?.key !== now?.loop?.key)
      this.group.point(target);
  }
  /// The move that follows into another pane says what the pointer is at there.
  leave(event) {
    if (!this.group.panes.some(pane => pane.body.contains(event.relatedTarget)))
      this.point(null);
  }
  click(event) {
    if (getSelection().isCollapsed)
      this.group.pin(this.targetOf(event), this);
  }
  key(event) {
    const page = Math.floor(this.body.clientHeight / lineHeight) - 2;
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9};
    if (event.key in steps && !event.ctrlKey) {
      this.cursor = Math.max(0, Math.min(this.lines.length - 1, this.cursor + steps[event.key]));
      this.column = -1;
    } else if ((event.key === "ArrowRight" || event.key === "ArrowLeft") && this.cursor >= 0) {
      const names = this.names(this.lines[this.cursor]).length;
      this.column = Math.max(-1, Math.min(names - 1, this.column + (event.key === "ArrowRight" ? 1 : -1)));
    } else if (event.key === "Enter")
      return this.group.pin(this.group.target, this);
    else if (event.key === "Escape") {
      this.group.pinned = false;
      return this.group.point(null);
    } else
      return;
    event.preventDefault();
    this.body.scrollTop = Math.max(Math.min(this.body.scrollTop, this.cursor * lineHeight),
      (this.cursor + 2) * lineHeight - this.body.clientHeight);
    this.group.pinned = false;
    this.group.point(this.targetAt(this.cursor, this.names(this.lines[this.cursor] ?? {text: ""})[this.column]));
  }
}
