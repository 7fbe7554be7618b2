#include "compiler/driver/statistics.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cnnc::driver {

namespace {

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

bool names_several_cpus(const std::vector<PassStatistics> &passes) {
  return std::ranges::any_of(
      passes, [&](const PassStatistics &pass) { return pass.cpu != passes.front().cpu; });
}

} // namespace

std::string statistics_table(const std::vector<PassStatistics> &passes) {
  constexpr const char *row = "{:<24} {:<24} {:>12} {:>12} {:>+12}\n";
  std::string table = fmt::format("{:<24} {:<24} {:>12} {:>12} {:>12}\n", "pass", "what", "before",
                                  "after", "change");
  const bool several = names_several_cpus(passes);
  std::string_view cpu;
  for (const PassStatistics &pass : passes) {
    if (several && pass.cpu != cpu)
      table += fmt::format("for {}\n", pass.cpu);
    cpu = pass.cpu;
    for (const PassStatistics::Change &change : pass.changes)
      table += fmt::format(fmt::runtime(row), pass.pass, change.what, change.before, change.after,
                           change.after - change.before);
  }
  return table;
}

std::string statistics_json(const std::vector<PassStatistics> &passes) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const PassStatistics &pass : passes) {
    nlohmann::ordered_json changes = nlohmann::ordered_json::object();
    for (const PassStatistics::Change &change : pass.changes)
      changes[change.what] = {{"before", change.before}, {"after", change.after}};
    list.push_back({{"pass", pass.pass},
                    {"cpu", pass.cpu.empty() ? "native" : pass.cpu},
                    {"milliseconds", milliseconds(pass.time)},
                    {"changes", std::move(changes)}});
  }
  return list.dump(2) + "\n";
}

} // namespace cnnc::driver
