#include "compiler/driver/actions.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace cnnc::driver {

std::string_view name_of(Action action) {
  static const std::map<Action, std::string_view> names = {
      {Action::list_ops, "--list-ops"},
      {Action::list_passes, "--list-passes"},
      {Action::serve_editor, "--lsp"},
      {Action::check, "--check"},
      {Action::summary, "--summary"},
      {Action::emit, "--emit"},
      {Action::verify, "--verify"},
      {Action::run, "--run"},
      {Action::time_run, "--time-run"},
      {Action::profile, "--profile"},
      {Action::explain, "--explain"},
      {Action::compare, "--compare"},
      {Action::compare_each, "--compare-each"},
      {Action::compare_schedules, "--compare-schedules"},
      {Action::reduce, "--reduce"},
      {Action::calibrate, "--calibrate"},
      {Action::report, "--report"}};
  return names.at(action);
}

std::string names_of(const std::vector<Action> &actions) {
  std::string text(name_of(actions.front()));
  for (size_t i = 1; i < actions.size(); ++i)
    text += fmt::format("{}{}", i + 1 < actions.size() ? ", " : " and ", name_of(actions[i]));
  return text;
}

bool takes_tensors(Action action) {
  static const std::vector<Action> actions = {
      Action::run,    Action::time_run, Action::profile,      Action::explain,
      Action::verify, Action::compare,  Action::compare_each, Action::report};
  return std::ranges::find(actions, action) != actions.end();
}

const std::vector<Effect> &effects() {
  static const std::vector<Effect> table = {
      {"--outputs", {Action::run}},
      {"--threads",
       {Action::run, Action::time_run, Action::profile, Action::explain, Action::compare,
        Action::compare_each, Action::compare_schedules, Action::calibrate, Action::report}},
      {"--seed",
       {Action::run, Action::time_run, Action::profile, Action::explain, Action::verify,
        Action::compare, Action::compare_schedules}},
      {"--json",
       {Action::profile, Action::explain, Action::compare_schedules, Action::calibrate,
        Action::list_ops, Action::list_passes}},
      {"--seconds", {Action::compare_schedules}},
      {"--trace", {Action::profile}},
      {"--runs", {Action::profile, Action::explain, Action::report}},
      {"--tolerance",
       {Action::verify, Action::compare, Action::compare_each, Action::compare_schedules}},
      {"--calibrate-method", {Action::calibrate}},
      {"--calibrate-error", {Action::calibrate}},
      {"--calibrate-bias", {Action::calibrate}},
      {"--calibrate-channels", {Action::calibrate}},
      {"--keep-float", {Action::calibrate}},
      {"--test", {Action::reduce}},
      {"--test-timeout", {Action::reduce}},
      {"--markdown", {Action::list_ops, Action::list_passes}},
  };
  return table;
}

} // namespace cnnc::driver
