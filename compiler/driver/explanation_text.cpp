#include "compiler/driver/explanation_text.h"

#include "compiler/driver/json_text.h"
#include "compiler/driver/profile_rows.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc::driver {

namespace {

constexpr size_t width = 14; // of the names of what a line is about

std::string entry(std::string_view name, std::string_view text) {
  return fmt::format("  {:<{}}{}\n", name, width, text);
}

/// Three digits are enough to compare.
std::string number(double value) {
  if (value >= 1e6)
    return fmt::format("{:.1f} million", value / 1e6);
  return value >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

std::string plural(int64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

const KernelExplanation::Decision *find(const KernelExplanation &kernel,
                                        std::string_view question) {
  const auto found = std::find_if(
      kernel.decisions.rbegin(), kernel.decisions.rend(),
      [&](const KernelExplanation::Decision &decision) { return decision.question == question; });
  return found == kernel.decisions.rend() ? nullptr : &*found;
}

std::string heading(const KernelExplanation &kernel) {
  return fmt::format("@{}  {}{}\n", kernel.info.name,
                     kernel.info.ops.empty() ? "loops of the text" : kernel.info.ops,
                     kernel.info.source.empty() ? "" : "  " + kernel.info.source);
}

std::string spills(const KernelExplanation &kernel) {
  if (kernel.spilled_accumulators > 0)
    return fmt::format("{} spilled", plural(kernel.spilled_accumulators, "accumulator"));
  const auto &loop = kernel.loop;
  return loop && loop->spill_loads + loop->spill_stores > 0 ? "no accumulator spilled"
                                                            : "nothing spilled";
}

std::string registers(const KernelExplanation &kernel) {
  std::string text;
  if (kernel.accumulators > 0)
    text = plural(kernel.accumulators, "accumulator") + "; ";
  if (kernel.loop)
    text += fmt::format("{} of {} vector registers in the innermost loop, ",
                        kernel.loop->vector_registers, kernel.available_registers);
  return text + spills(kernel);
}

/// Expected and measured, in what is known of the machine.
std::string time(const KernelExplanation &kernel, const MeasuredKernels &measured) {
  const auto median = measured.medians.find(kernel.info.name);
  std::string text;
  if (median == measured.medians.end()) {
    text = fmt::format("expected as long as {} operations at peak",
                       number(kernel.expected_operations));
    if (kernel.operations() > 0)
      text += fmt::format(": {:.0f} % of peak",
                          100 * kernel.operations_at_peak() / kernel.expected_operations);
    return text;
  }
  const double expected = measured.batch * kernel.time.seconds(measured.peak, measured.bandwidth);
  text = fmt::format("measured {:.1f} us, expected {:.1f} us (factor {:.2f})", median->second * 1e6,
                     expected * 1e6, median->second / expected);
  if (kernel.operations() > 0)
    text += fmt::format("; {:.0f} % of peak", 100 * measured.batch * kernel.operations_at_peak() /
                                                  median->second / measured.peak);
  return text;
}

std::string roofline(const KernelExplanation &kernel) {
  if (kernel.operations() == 0)
    return "no multiplications: bound by memory";
  return fmt::format("{:.1f} operations per byte: bound by {}", kernel.operations_per_byte(),
                     kernel.memory_bound ? "memory" : "arithmetic");
}

std::string spelt(const KernelExplanation::Decision &decision) {
  return decision.chosen + (decision.reason.empty() ? "" : ": " + decision.reason);
}

std::string format_candidates(const KernelExplanation::Decision &decision) {
  size_t longest = 0;
  for (const KernelExplanation::Candidate &candidate : decision.candidates)
    longest = std::max(longest, candidate.choice.size());
  std::string text;
  for (const KernelExplanation::Candidate &candidate : decision.candidates)
    text += entry(
        "", fmt::format("  {:<{}}  {}{}{}", candidate.choice, longest,
                        candidate.cost ? number(*candidate.cost) + " " + decision.unit : "left out",
                        candidate.note.empty() ? "" : ": ", candidate.note));
  return text;
}

nlohmann::ordered_json json_of(const KernelExplanation::Decision &decision) {
  nlohmann::ordered_json candidates = nlohmann::ordered_json::array();
  for (const KernelExplanation::Candidate &candidate : decision.candidates) {
    nlohmann::ordered_json json = {{"choice", candidate.choice}};
    if (candidate.cost)
      json["cost"] = *candidate.cost;
    json["note"] = candidate.note;
    candidates.push_back(std::move(json));
  }
  return {{"pass", decision.pass},         {"subject", decision.subject},
          {"question", decision.question}, {"chosen", decision.chosen},
          {"reason", decision.reason},     {"unit", decision.unit},
          {"candidates", candidates}};
}

nlohmann::ordered_json json_of(const KernelExplanation &kernel, const MeasuredKernels &measured) {
  const KernelInfo &info = kernel.info;
  nlohmann::ordered_json ops = nlohmann::ordered_json::array();
  for (const KernelExplanation::Op &op : kernel.ops)
    ops.push_back(
        {{"value", op.value}, {"text", op.text}, {"source", op.source}, {"line", op.line}});
  nlohmann::ordered_json decisions = nlohmann::ordered_json::array();
  for (const KernelExplanation::Decision &decision : kernel.decisions)
    decisions.push_back(json_of(decision));
  nlohmann::ordered_json json = {{"kernel", info.name},
                                 {"source", info.source},
                                 {"description", info.ops},
                                 {"ops", ops},
                                 {"result", kernel.result},
                                 {"algorithm", info.algorithm},
                                 {"schedule", info.schedule},
                                 {"tile", info.tile},
                                 {"decisions", decisions},
                                 {"accumulators", kernel.accumulators},
                                 {"available_registers", kernel.available_registers},
                                 {"spilled_accumulators", kernel.spilled_accumulators}};
  if (const auto &loop = kernel.loop)
    json["inner_loop"] = {{"instructions", loop->instructions},
                          {"vector_registers", loop->vector_registers},
                          {"accumulators", loop->accumulators},
                          {"spill_loads", loop->spill_loads},
                          {"spill_stores", loop->spill_stores}};
  json["scratch_bytes"] = kernel.scratch_bytes;
  json["scratch_bytes_per_thread"] = kernel.scratch_bytes_per_thread;
  json["multiplications"] = info.multiplications;
  json["weight_bytes"] = info.weight_bytes;
  json["input_bytes"] = info.input_bytes;
  json["output_bytes"] = info.output_bytes;
  json["operations_per_byte"] = kernel.operations_per_byte();
  json["bound_by_memory"] = kernel.memory_bound;
  json["expected"] = {{"operations", kernel.expected_operations},
                      {"arithmetic", kernel.time.arithmetic},
                      {"waiting", kernel.time.waiting},
                      {"memory_bytes", kernel.time.memory_bytes}};
  if (const auto median = measured.medians.find(info.name); median != measured.medians.end()) {
    json["expected_us"] =
        1e6 * measured.batch * kernel.time.seconds(measured.peak, measured.bandwidth);
    json["median_us"] = 1e6 * median->second;
  }
  return json;
}

} // namespace

MeasuredKernels measured_kernels(const cnnc_model_v1 &model, const Profile &profile,
                                 const ProfileOptions &how) {
  MeasuredKernels result;
  for (uint32_t i = 0; i < model.kernel_count; ++i)
    result.medians.emplace(model.kernel_names[i], median(profile.kernels[i]));
  result.peak = median(profile.peaks);
  result.bandwidth = profile.bandwidth;
  result.batch = static_cast<double>(how.batch);
  return result;
}

std::string short_explanation(const KernelExplanation &kernel, const MeasuredKernels &measured) {
  std::string text = heading(kernel);
  if (const auto *algorithm = find(kernel, "algorithm"))
    text += entry("algorithm", spelt(*algorithm));
  if (const auto *copy = find(kernel, "copy"))
    text += entry("copy", spelt(*copy));
  if (const auto *fusion = find(kernel, "fusion"))
    text += entry("fusion", spelt(*fusion));
  if (!kernel.info.tile.empty()) {
    const auto *tile = find(kernel, "tile");
    text += entry("tile", kernel.info.tile + (tile ? ": " + tile->reason : ""));
  }
  if (const auto *fitted = find(kernel, "registers"))
    text += entry("fitted", spelt(*fitted));
  text += entry("registers", registers(kernel));
  text += entry("time", time(kernel, measured));
  return text + entry("roofline", roofline(kernel)) + "\n";
}

std::string long_explanation(const KernelExplanation &kernel, const MeasuredKernels &measured) {
  std::string text = heading(kernel);
  text += "\nsource\n";
  for (const KernelExplanation::Op &op : kernel.ops)
    if (!op.source.empty())
      text += fmt::format("  {}{}\n", op.source, op.line.empty() ? "" : "  " + op.line);
  text += "\nops as they are compiled\n";
  for (const KernelExplanation::Op &op : kernel.ops)
    text += fmt::format("  {}\n", op.text);
  text += "\ndecisions\n";
  for (const KernelExplanation::Decision &decision : kernel.decisions)
    text += entry(decision.question, spelt(decision)) + format_candidates(decision);
  text += "\ncode\n";
  if (!kernel.info.schedule.empty())
    text += entry("schedule", kernel.info.schedule);
  text += entry("registers", registers(kernel));
  if (const auto &loop = kernel.loop)
    text += entry("inner loop", fmt::format("{}, {} and {} of vectors on the stack",
                                            plural(loop->instructions, "instruction"),
                                            plural(loop->spill_loads, "load"),
                                            plural(loop->spill_stores, "store")));
  text += entry("scratch", fmt::format("{} bytes, and {} for each thread", kernel.scratch_bytes,
                                       kernel.scratch_bytes_per_thread));
  text += entry("bytes", fmt::format("{} of weights, {} read, {} written", kernel.info.weight_bytes,
                                     kernel.info.input_bytes, kernel.info.output_bytes));
  text += "\ntime\n";
  text += entry("time", time(kernel, measured));
  text += entry("of which", fmt::format("{} operations of arithmetic, {} of waiting, {} bytes of "
                                        "memory",
                                        number(kernel.time.arithmetic), number(kernel.time.waiting),
                                        number(kernel.time.memory_bytes)));
  return text + entry("roofline", roofline(kernel));
}

std::string explanation_json(const std::vector<KernelExplanation> &kernels,
                             const MeasuredKernels &measured) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const KernelExplanation &kernel : kernels)
    list.push_back(json_of(kernel, measured));
  nlohmann::ordered_json report = nlohmann::ordered_json::object();
  if (!measured.medians.empty()) {
    report["peak_gflops"] = measured.peak * 1e-9;
    report["read_gb_per_s"] = measured.bandwidth * 1e-9;
  }
  report["kernels"] = std::move(list);
  return json_text(report, 2);
}

} // namespace cnnc::driver
