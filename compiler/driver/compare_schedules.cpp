#include "compiler/driver/compare_schedules.h"

#include "compiler/driver/json_text.h"
#include "ir/text/files.h"

#include <fmt/format.h>
#include <iostream>

namespace cnnc::driver {

namespace {

std::string format_microseconds(const std::optional<double> &seconds) {
  return seconds ? fmt::format("{:.1f}", *seconds * 1e6) : "-";
}

std::string format_loads(const std::optional<double> &loads) {
  return loads ? fmt::format("{:.3f}", *loads) : "-";
}

double median_of_chosen(const ScheduleComparison &comparison) {
  for (const ScheduleCandidate &candidate : comparison.candidates)
    if (candidate.chosen)
      return candidate.median;
  return 0;
}

std::string table(const ScheduleComparison &comparison) {
  const double chosen = median_of_chosen(comparison);
  std::string text = fmt::format(
      "@{}: {}; {} candidates, medians of {} rounds\n\n{:>10} {:>10} {:>10} {:>7} {:>7}   {:<12} "
      "{:<9} {}\n",
      comparison.kernel.name, comparison.kernel.ops, comparison.candidates.size(),
      comparison.rounds, "median us", "least us", "expected", "ratio", "loads", "algorithm",
      "otherwise", "schedule");
  for (const ScheduleCandidate &candidate : comparison.candidates)
    text += fmt::format("{:>10} {:>10} {:>10} {:>7.2f} {:>7} {} {:<12} {:<9} {}\n",
                        format_microseconds(candidate.median), format_microseconds(candidate.least),
                        format_microseconds(candidate.expected), candidate.median / chosen,
                        format_loads(candidate.loads), candidate.chosen ? "*" : " ",
                        candidate.algorithm, candidate.change.empty() ? "-" : candidate.change,
                        candidate.schedule);
  text += "\n* what the compiler chooses; expected: by the cost model of --explain; ratio: of the "
          "medians to its; loads: of vectors, for each "
          "multiply-accumulate of its register tile\n";
  if (comparison.left_out > 0)
    text +=
        fmt::format("{} candidates left out, which this kernel cannot have, or memory not hold\n",
                    comparison.left_out);
  return text;
}

nlohmann::ordered_json json_of(const ScheduleCandidate &candidate) {
  nlohmann::ordered_json json = {{"algorithm", candidate.algorithm},
                                 {"otherwise", candidate.change},
                                 {"schedule", candidate.schedule},
                                 {"chosen", candidate.chosen},
                                 {"median_us", candidate.median * 1e6},
                                 {"least_us", candidate.least * 1e6},
                                 {"error", candidate.error},
                                 {"largest", candidate.largest}};
  if (candidate.expected)
    json["expected_us"] = *candidate.expected * 1e6;
  if (candidate.loads)
    json["loads_per_multiply_accumulate"] = *candidate.loads;
  return json;
}

std::string comparison_json(const ScheduleComparison &comparison, uint32_t threads) {
  nlohmann::ordered_json json = {{"kernel", comparison.kernel.name},
                                 {"ops", comparison.kernel.ops},
                                 {"multiplications", comparison.kernel.multiplications},
                                 {"threads", threads},
                                 {"rounds", comparison.rounds},
                                 {"left_out", comparison.left_out}};
  json["candidates"] = nlohmann::ordered_json::array();
  for (const ScheduleCandidate &candidate : comparison.candidates)
    json["candidates"].push_back(json_of(candidate));
  return json_text(json, 2);
}

} // namespace

Result<void> compare_schedules(const CommandLine &line, const Model &model) {
  CompareSchedulesOptions how;
  how.threads = line.threads;
  how.seconds = line.seconds;
  how.seed = line.seed;
  how.tolerance = line.tolerance.value_or(compare_tolerance);
  Result<ScheduleComparison> comparison =
      cnnc::compare_schedules(model, line.compared_kernel, how, line.options);
  if (!comparison)
    return Error{std::string(comparison.error())};
  if (line.json_file != "-")
    std::cout << table(*comparison) << std::flush;
  Diagnostics diagnostics;
  if (!line.json_file.empty() &&
      !write_file_atomically(line.json_file, comparison_json(*comparison, line.threads),
                             diagnostics))
    return Error{diagnostics.to_string()};
  return {};
}

} // namespace cnnc::driver
