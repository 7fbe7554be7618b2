// One kernel at every level, side by side: what was written, the graph, loops after each pass, LLVM
// IR and assembly.

/// What is said of a target: how much of every level it is.
function describe(group, target) {
  if (!target)
    return "Point at a name or a loop, or go through a text with the arrow keys: the same is marked at " +
      "every level. A click or Enter holds it, Escape lets go.";
  const parts = group.panes.filter(pane => pane.lit.size > 0 && pane.node.isConnected)
    .map(pane => `${plural(pane.lit.size, "line")} of ${pane.title}`);
  return `${target.loop ? "Loop" : "Name"} ${target.name}: ${parts.join(", ") || "nowhere else"}` +
    (group.pinned ? " (held)" : "");
}

/// The list of kernels at the side, which can be filtered.
function makeKernelList(kernels, choose) {
  const links = kernels.map(kernel => element("a", {href: address("kernels", kernel.name)},
    element("span", {class: "name"}, kernel.name), element("span", {class: "faint"}, shorten(kernel.ops, 44))));
  const items = links.map(link => element("li", null, link));
  const field = element("input", {type: "search", placeholder: "Search …", "aria-label": "Search kernels",
    oninput: () => {
      const wanted = field.value.trim().toLowerCase();
      items.forEach((item, i) => { item.hidden = !`${kernels[i].name} ${kernels[i].ops}`.toLowerCase().includes(wanted); });
    }});
  const list = element("ul", {onkeydown: event => {
    const shown = links.filter((link, i) => !items[i].hidden);
    const next = shown[shown.indexOf(event.target) + ({ArrowDown: 1, ArrowUp: -1}[event.key] ?? NaN)];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }}, items);
  return {node: element("nav", {class: "kernel-list", "aria-label": "Kernels"}, field, list),
    mark: now => links.forEach((link, i) => {
      link.toggleAttribute("aria-current", i === now);
      if (i === now)
        items[i].scrollIntoView({block: "nearest"});
    }), choose};
}

/// Which panes are shown; remembered from kernel to kernel.
function makePaneSwitches(panes, shown) {
  return element("div", {class: "choice", role: "group", "aria-label": "Levels"},
    element("span", {class: "label"}, "Show"), panes.map((pane, i) => {
      pane.node.hidden = !shown[i];
      const button = element("button", {type: "button", "aria-pressed": String(shown[i]), onclick: () => {
        shown[i] = !shown[i];
        pane.node.hidden = !shown[i];
        button.setAttribute("aria-pressed", String(shown[i]));
      }}, pane.title);
      return button;
    }));
}

/// The lines of the model that a kernel comes from, each once; of an ONNX file its nodes.
function linesWritten(ops) {
  const lines = new Map(ops.filter(({source}) => source).map(({source, line}) => [source, line]));
  return [...lines].map(([source, line]) => ({text: line ? `${line}   // ${source}` : `// ${source}`}));
}

/// A text of a few lines, all of which are shown; a pane without any is not.
function setShort(pane, lines) {
  pane.setLines(lines);
  pane.node.hidden = lines.length === 0;
  pane.node.style.setProperty("--lines", Math.min(lines.length, 8));
}

/// The step of the loops that is shown.
function makeStepSelect(onchange) {
  const select = element("select", {"aria-label": "Loops after the pass", onchange: () => onchange(select.selectedIndex)});
  return select;
}

function renderKernels(panel, section) {
  const kernels = readSection("facts").kernels;
  if (kernels.length === 0) {
    panel.append(element("p", null, "The model computes nothing: it has no kernels."));
    return undefined;
  }
  const status = element("p", {class: "faint status", role: "status"});
  const group = new PaneGroup(target => { status.textContent = describe(group, target); });
  const select = makeStepSelect(i => showLoops(i));
  const written = new TextPane(group, "Model", "ours");
  const graph = new TextPane(group, "Graph", "ours");
  const loops = new TextPane(group, "Loops", "ours", [element("span", {class: "faint"}, "after"), select]);
  const llvm = new TextPane(group, "LLVM IR", "llvm");
  const assembly = new TextPane(group, "Assembly", "assembly");
  const panes = [loops, llvm, assembly];
  const heading = element("h2"), about = element("div", {class: "about"}), why = element("div", {class: "why"});
  const list = makeKernelList(kernels);
  append(panel, [element("div", {class: "kernel-view"}, list.node, element("div", {class: "kernel"},
    element("div", {class: "tools"}, heading, makePaneSwitches(panes, [true, true, true])),
    about, why, written.node, graph.node, status, element("div", {class: "panes"}, panes.map(pane => pane.node))))]);

  let texts = null, fused = [];
  function showLoops(i) {
    loops.setLines(linesOfLoops(texts.loops[i].text, fused));
    select.selectedIndex = i;
  }
  /// Names that may be pointed at: those of values, buffers, registers and loops, at any step.
  function learnNames() {
    group.known = new Set();
    group.loopNames = new Set();
    const learn = text => {
      for (const line of text.split("\n")) {
        for (const [, name] of loopsInHeader(line)) {
          group.loopNames.add(name);
          group.known.add(name);
        }
        for (const [kind, token] of tokensOf(line, "ours"))
          if (kind === "name")
            group.known.add(plainName(token, group.known));
      }
    };
    learn(texts.graph);
    texts.loops.forEach(step => learn(step.text));
  }
  let wanted = -1;
  async function show(i) {
    wanted = i;
    list.mark(i);
    const code = section[section[i].codeOf].code;
    const [own, shared] = await Promise.all([inflateJson(section[i].texts), inflateJson(code)]);
    if (wanted !== i)
      return; // another one was chosen meanwhile
    heading.textContent = `@${kernels[i].name}`;
    texts = own;
    fused = fusedLoops(texts.graph);
    group.pinned = false;
    group.target = null;
    learnNames();
    about.replaceChildren(kernelFacts(kernels[i], machineFacts(texts.machineCode)));
    why.replaceChildren(makeDecisions(texts.decisions, why.querySelector(".decisions")?.open));
    setShort(written, linesWritten(texts.written));
    setShort(graph, texts.graph.split("\n").filter(Boolean).map(text => ({text: text.replace(/^ {2}/, "")})));
    select.replaceChildren(...texts.loops.map(({step}) => element("option", null, step)));
    showLoops(texts.loops.length - 1);
    const ir = linesOfLlvm(shared.llvm);
    llvm.setLines(ir.lines);
    assembly.setLines(linesOfAssembly(shared.assembly, ir.blocks));
    status.textContent = describe(group, null);
  }
  return ([name]) => {
    const i = kernels.findIndex(kernel => kernel.name === name);
    show(Math.max(0, i));
  };
}

addView({id: "kernels", title: "Kernels", render: renderKernels});
