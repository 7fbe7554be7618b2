// Which loops a line of a text belongs to, at every level: in our texts, in LLVM IR, whose blocks are
// named after loops, and in assembly, in which LLVM's comments say from which block a line comes.
// A loop is {key, name, of}: one key for the same loop in the final loops, LLVM IR and assembly.

/// Numbers loops of one name in each function in the order of their text.
class LoopNumbers {
  constructor() { this.counts = new Map(); }
  next(place, name) {
    const id = `${place}/${name}`;
    this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
    return `${id}/${this.counts.get(id)}`;
  }
}

/// "for kh in 0..5, kw in 0..5, unroll i in 0..2 {" as [kind, name] of each loop.
function loopsInHeader(text) {
  const header = /^\s*(for|parallel|unroll|vector)\s(.*)\{\s*$/.exec(text);
  if (!header)
    return [];
  let kind = header[1];
  return header[2].split(/,(?![^(\[]*[)\]])/).map(part => {
    const match = /^\s*(?:(for|parallel|unroll|vector)\s+)?([\w.]+)\s+in\s/.exec(part);
    kind = match?.[1] ?? kind;
    return match ? [kind, match[2]] : null;
  }).filter(Boolean);
}

/// Lines of the loops text. `fused` are the loops that the loop "task" was made of.
function linesOfLoops(text, fused) {
  const numbers = new LoopNumbers(), open = [[]];
  let parallel = 0, place = "main";
  return text.replace(/\n$/, "").split("\n").map(line => {
    const headers = loopsInHeader(line);
    if (headers.length > 0 || line.trimEnd().endsWith("{")) {
      const loops = headers.map(([kind, name]) => {
        if (kind === "parallel")
          place = `parallel${parallel++}`;
        const real = kind === "for" || kind === "parallel";
        return {key: real ? numbers.next(place, name) : `${kind}/${numbers.next(place, name)}`, name,
          parallel: kind === "parallel", of: name === "task" ? fused : undefined};
      });
      open.push([...open.at(-1), ...loops]);
      return {text: line, loops: open.at(-1)};
    }
    if (line.trim() !== "}")
      return {text: line, loops: open.at(-1)};
    const closed = open.pop();
    if (!open.at(-1)?.some(loop => loop.parallel) && closed.some(loop => loop.parallel))
      place = "main";
    return {text: line, loops: closed};
  });
}

/// "task" as made of those in `parallel=[n, oc]` of the schedule.
const fusedLoops = graph => /parallel=\[?([\w., ]+)\]?/.exec(graph)?.[1].split(/,\s*/).map(family) ?? [];

/// Lines of LLVM IR, and of each function the loops of its blocks by their names.
function linesOfLlvm(text) {
  const numbers = new LoopNumbers(), blocks = new Map();
  let place = "main", open = [], of = null;
  const lines = text.replace(/\n$/, "").split("\n").map(line => {
    const define = /^define .*@(?:"([^"]+)"|([\w.$-]+))\(/.exec(line);
    if (define) {
      const name = define[1] ?? define[2];
      place = /\.(parallel\d+)$/.exec(name)?.[1] ?? "main";
      open = [];
      of = new Map();
      blocks.set(name, of);
    }
    const label = /^(?:"([^"]+)"|([\w.$-]+)):/.exec(line);
    const part = label && /^(.+)\.(pre|head|exit)(\d*)$/.exec(label[1] ?? label[2]);
    if (part?.[2] === "head")
      open = [...open, {key: numbers.next(place, part[1]), name: part[1]}];
    if (part?.[2] === "exit" && open.at(-1)?.name === part[1])
      open = open.slice(0, -1);
    if (label && of)
      of.set(label[1] ?? label[2], open);
    if (/^\}/.test(line))
      open = [];
    return {text: line, loops: open, begins: part?.[2] === "head",
      faint: /^(source_filename|target|attributes|; ModuleID|declare)/.test(line)};
  });
  return {lines, blocks};
}

/// With columns instead of tabs, comments near the code.
const alignAssembly = line => line.replace(/^\t(\S+)\t?/, (all, word) => `  ${word.padEnd(12)} `)
  .replace(/\s+#/, "  #").replaceAll("\t", " ");

/// Lines of assembly. Comments about loops become the loops that a line is in; `blocks` are those of
/// the LLVM IR.
function linesOfAssembly(assembly, blocks) {
  const headers = new Map(); // loops by the label of the block they begin with
  let of = new Map(), loops = [], last = null;
  const lines = [];
  const ofBlock = name => of.get(name) ?? [];
  for (const line of assembly.replace(/\n$/, "").split("\n")) {
    const symbol = /^"?([^"\s#:]+)"?:\s+# @/.exec(line);
    if (symbol) {
      of = blocks.get(symbol[1]) ?? new Map();
      loops = [];
    }
    const block = /^(?:\.L(BB\d+_\d+):|# %bb\.\d+:)(?:\s+# %"?([^"]+?)"?)?\s*$/.exec(line);
    if (block) {
      last = {label: block[1], loops: ofBlock(block[2])};
      loops = [];
      lines.push({text: alignAssembly(line), loops});
      continue;
    }
    const header = /=>\s*This (?:Inner )?Loop Header/.test(line);
    const inside = /in Loop: Header=(BB\d+_\d+)/.exec(line);
    if (header && last) {
      headers.set(last.label, last.loops);
      loops = lines.at(-1).loops = last.loops;
      lines.at(-1).begins = true;
    } else if (inside)
      loops = lines.at(-1).loops = headers.get(inside[1]) ?? [];
    if (header || inside || /^\s*#\s+(Parent|Child) Loop/.test(line))
      continue;
    const text = alignAssembly(line);
    if (/^\s*\.(cfi|p2align|type|size|globl|hidden|file|text|section|ident)|^\.Lfunc|# -- /.test(line))
      lines.push({text, loops: [], faint: true});
    else
      lines.push({text, loops});
  }
  return lines;
}
