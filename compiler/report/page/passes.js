// Every pass: what it is for, what it has changed in numbers, and the text before and after as a diff.

/// The columns of a diff: old line, new line, sign and text.
function linesOfDiff(diff) {
  let before = 0, after = 0;
  return diff.replace(/\n$/, "").split("\n").map(line => {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(line);
    if (hunk) {
      [before, after] = [Number(hunk[1]), Number(hunk[2])];
      return {text: line, kind: "hunk", numbers: ["", ""]};
    }
    if (/^(model|kernel) @/.test(line)) // the lines that follow are of this
      return {text: line, kind: "part", numbers: ["", ""]};
    const sign = line[0] ?? " ";
    const numbers = [sign === "+" ? "" : before++, sign === "-" ? "" : after++];
    return {text: line, kind: {"+": "added", "-": "removed"}[sign] ?? "", numbers};
  });
}

/// A diff of which the lines that are seen are elements.
class DiffPane {
  constructor(lines, label) {
    this.lines = lines;
    this.sheet = element("div", {class: "sheet"});
    this.sheet.style.height = `${lines.length * lineHeight}px`;
    this.sheet.style.minWidth = `${Math.max(...lines.map(line => line.text.length)) + 16}ch`;
    this.node = element("div", {class: "lines diff", tabindex: "0", role: "region", "aria-label": label,
      onscroll: () => this.draw()}, this.sheet);
    this.node.style.height = `min(70vh, ${lines.length * lineHeight + 18}px)`;
    new ResizeObserver(() => this.draw()).observe(this.node);
    addEventListener("beforeprint", () => this.draw(400));
  }
  draw(more = linesAround) {
    const first = Math.max(0, Math.floor(this.node.scrollTop / lineHeight) - more);
    const end = Math.ceil((this.node.scrollTop + this.node.clientHeight) / lineHeight) + more;
    this.sheet.replaceChildren(...this.lines.slice(first, end).map(({text, kind, numbers}, i) =>
      element("div", {class: `row ${kind}`, style: `top: ${(first + i) * lineHeight}px`},
        numbers.map(number => element("span", {class: "number"}, number)),
        element("span", {class: "code"}, kind === "hunk" || kind === "part" ? text : tokensOf(text, "ours").map(([token, part]) =>
          token ? element("span", {class: token}, part) : part)))));
  }
}

/// "conv2d 53 → 40", what was removed and added coloured.
function makeChanges(changes) {
  return element("ul", {class: "changes"}, changes.map(({what, before, after}) => element("li", null,
    `${what} `, element("span", {class: "faint"}, `${formatExact(before)} → ${formatExact(after)} `),
    element("b", {class: after > before ? "more" : "less"},
      `${after > before ? "+" : "−"}${formatExact(Math.abs(after - before))}`))));
}

function makePass(pass) {
  const {name, level, summary, seconds, added, removed, changes, diff} = pass;
  const heading = [element("span", {class: "pass-name"}, name), element("span", {class: "level"}, level),
    element("span", {class: "faint"}, summary)];
  const numbers = element("span", {class: "numbers"},
    element("b", {class: "more"}, diff ? `+${formatExact(added)}` : ""),
    element("b", {class: diff ? "less" : "faint"}, diff ? `−${formatExact(removed)}` : "unchanged"),
    element("span", {class: "faint time"}, formatSeconds(seconds)));
  if (!diff)
    return element("div", {class: "pass unchanged", id: `pass-${name}`}, heading, numbers);
  const place = element("div", {class: "pass-body"});
  const details = element("details", {class: "pass", id: `pass-${name}`, ontoggle: async () => {
    if (!details.open || place.hasChildNodes())
      return;
    append(place, [changes.length > 0 ? makeChanges(changes) : null]);
    const pane = new DiffPane(linesOfDiff(new TextDecoder().decode(await inflateBytes(diff))), `Changes of ${name}`);
    place.append(pane.node);
    pane.draw();
  }}, element("summary", null, heading, numbers), place);
  return details;
}

function renderPasses(panel, passes) {
  const changing = passes.filter(pass => pass.diff);
  const nodes = passes.map(makePass);
  const setAll = open => nodes.forEach(node => { if (node.matches("details")) node.open = open; });
  append(panel, [
    element("div", {class: "tools"},
      element("p", null, `${plural(passes.length, "pass")} in this order, of which ${changing.length} changed ` +
        `something, in ${formatSeconds(passes.reduce((sum, pass) => sum + pass.seconds, 0))}.`),
      element("span", {class: "group"},
        element("button", {type: "button", onclick: () => setAll(true)}, "Open all"),
        element("button", {type: "button", onclick: () => setAll(false)}, "Close all"))),
    element("div", {class: "passes"}, nodes),
  ]);
  return ([name]) => {
    const node = name && nodes[passes.findIndex(pass => pass.name === name)];
    if (!node)
      return;
    node.open = true;
    node.scrollIntoView();
  };
}

addView({id: "passes", title: "Passes", render: renderPasses});
