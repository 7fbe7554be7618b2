#include "compiler/report/sections.h"

#include <map>

namespace cnnc::report {

namespace {

Json lines_of(const std::vector<KernelExplanation::Op> &ops) {
  Json lines = Json::array();
  for (const KernelExplanation::Op &op : ops)
    lines.push_back({{"value", op.value}, {"source", op.source}, {"line", op.line}});
  return lines;
}

Json candidates_of(const KernelExplanation::Decision &decision) {
  Json candidates = Json::array();
  for (const KernelExplanation::Candidate &candidate : decision.candidates)
    candidates.push_back({{"choice", candidate.choice},
                          {"cost", candidate.cost ? Json(*candidate.cost) : Json()},
                          {"note", candidate.note}});
  return candidates;
}

Json decisions_of(const KernelExplanation &kernel) {
  Json decisions = Json::array();
  for (const KernelExplanation::Decision &decision : kernel.decisions)
    decisions.push_back({{"pass", decision.pass},
                         {"subject", decision.subject},
                         {"question", decision.question},
                         {"chosen", decision.chosen},
                         {"reason", decision.reason},
                         {"unit", decision.unit},
                         {"candidates", candidates_of(decision)}});
  return decisions;
}

/// What the code has become, as far as explain() knows.
Json code_of(const KernelExplanation &kernel) {
  Json code = {{"accumulators", kernel.accumulators},
               {"registers", kernel.available_registers},
               {"spilledAccumulators", kernel.spilled_accumulators},
               {"scratchBytes", kernel.scratch_bytes},
               {"scratchBytesPerThread", kernel.scratch_bytes_per_thread}};
  if (kernel.loop)
    code["loop"] = {{"instructions", kernel.loop->instructions},
                    {"registers", kernel.loop->vector_registers},
                    {"accumulators", kernel.loop->accumulators},
                    {"spillLoads", kernel.loop->spill_loads},
                    {"spillStores", kernel.loop->spill_stores}};
  return code;
}

} // namespace

Json kernels_section(const Compilation &compilation) {
  Json kernels = Json::array();
  std::map<std::string, size_t> first_of_code;
  for (size_t i = 0; i < compilation.texts.size(); ++i) {
    const KernelTexts &texts = compilation.texts[i];
    Json loops = Json::array();
    for (const KernelText &text : texts.loops)
      loops.push_back({{"step", text.step}, {"text", text.text}});
    const KernelExplanation &why = compilation.kernels[i];
    const size_t first = first_of_code.try_emplace(why.info.code, i).first->second;
    Json kernel = {{"texts", packed({{"written", lines_of(why.ops)},
                                     {"graph", texts.graph},
                                     {"loops", std::move(loops)},
                                     {"decisions", decisions_of(why)},
                                     {"machineCode", code_of(why)}})},
                   {"codeOf", first}};
    if (first == i)
      kernel["code"] = packed({{"llvm", texts.llvm}, {"assembly", texts.assembly}});
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

} // namespace cnnc::report
