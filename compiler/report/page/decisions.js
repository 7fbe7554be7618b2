// Why a kernel is as it is: what the compiler decided, what else it considered, and what the code has become.

/// A cost with three digits, and how much worse it is than the chosen one's.
function formatCost(cost, chosen) {
  const text = cost >= 1e4 ? formatCount(cost) : String(Number(cost.toPrecision(3)));
  const worse = chosen > 0 && cost > chosen * 1.005 ? ` (+${Math.round(100 * (cost / chosen - 1))} %)` : "";
  return text + worse;
}

function makeCandidates({candidates, chosen, unit, question}) {
  const cost = candidates.find(candidate => candidate.choice === chosen)?.cost;
  return element("div", {class: "scrolls", tabindex: "0", role: "region", "aria-label": `Candidates: ${question}`},
    element("table", null,
      element("thead", null, element("tr", null, element("th", {scope: "col"}, "Candidate"),
        element("th", {scope: "col", class: "number"}, unit || "Cost"), element("th", {scope: "col"}, "Note"))),
      element("tbody", null, candidates.map(candidate => element("tr",
        {class: candidate.choice === chosen && "chosen"},
        element("th", {scope: "row", class: "mono"}, candidate.choice, candidate.choice === chosen ? " ✓" : ""),
        element("td", {class: "number"}, candidate.cost === null ? "–" : formatCost(candidate.cost, cost)),
        element("td", null, candidate.note))))));
}

function makeDecision(decision) {
  const {question, chosen, reason, pass, candidates} = decision;
  const said = [element("span", {class: "question"}, question), element("span", {class: "mono"}, chosen),
    element("span", {class: "reason"}, reason, " ", element("a", {href: address("passes", pass)}, pass))];
  return candidates.length > 0
    ? element("details", {class: "decision"}, element("summary", null, said), makeCandidates(decision))
    : element("div", {class: "decision"}, said);
}

/// What stands in registers and memory, as pairs for makeFacts.
function machineFacts(code) {
  const {accumulators, registers, spilledAccumulators, loop, scratchBytes, scratchBytesPerThread} = code;
  const spills = loop ? loop.spillLoads + loop.spillStores : 0;
  const spilled = spills > 0 ? `${plural(spills, "access")} to spilled vectors` : "nothing spilled";
  return [
    ["Register tile", accumulators > 0 ? `${plural(accumulators, "vector")} of sums in ${registers} registers` +
      (spilledAccumulators > 0 ? `, ${spilledAccumulators} of them spilled` : "") : null],
    ["Inner loop", loop ? `${plural(loop.instructions, "instruction")}, ${plural(loop.registers, "vector register")}, ` +
      `${plural(loop.accumulators, "sum")} carried, ${spilled}` : null],
    ["Scratch", scratchBytes + scratchBytesPerThread > 0
      ? `${formatBytes(scratchBytes)}, and ${formatBytes(scratchBytesPerThread)} for each thread` : null],
  ];
}

/// All of them, folded unless `open`; what was chosen stands in the heading.
function makeDecisions(decisions, open) {
  return decisions.length === 0 ? "" : element("details", {class: "decisions", open},
    element("summary", null, element("h3", null, "Why so"), element("span", {class: "faint"},
      shorten(decisions.map(({question, chosen}) => `${question}: ${chosen}`).join(" · "), 160))),
    decisions.map(makeDecision));
}
