// The list of passes for people, for programs and for the documentation.
#include "compiler/cnnc.h"
#include "compiler/pipeline/pipeline.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cnnc {

namespace {

using Json = nlohmann::ordered_json;

/// "; options: `max_error`": with what they may be for people, who have no table.
std::string options_of(const Pass &pass, bool markdown) {
  std::string text;
  for (const PassOption &option : pass.options)
    text += (text.empty() ? "; options: " : ", ") +
            (markdown ? fmt::format("`{}`", option.name)
                      : fmt::format("{} ({})", option.name, option.values));
  return text;
}

std::string row_of(const Pass &pass, bool markdown) {
  const std::string what = std::string(pass.summary) + options_of(pass, markdown);
  if (!markdown)
    return fmt::format("{:<24} {:<7} {}\n", pass.name, pass.level(), what);
  return fmt::format("| `{}` | {} | {} | {} |\n", pass.name, pass.level(),
                     pass.needs ? fmt::format("`{}`", pass.needs->pass) : "", what);
}

Json json_of(const Pass &pass) {
  Json options = Json::array();
  for (const PassOption &option : pass.options)
    options.push_back({{"name", option.name}, {"values", option.values}});
  return {{"name", pass.name},
          {"level", pass.level()},
          {"needs", pass.needs ? Json(pass.needs->pass) : Json()},
          {"on_request", pass.on_request},
          {"summary", pass.summary},
          {"place", pass.place},
          {"options", std::move(options)}};
}

} // namespace

std::string list_passes(ListFormat format) {
  if (format == ListFormat::json) {
    Json list = Json::array();
    for (const Pass &pass : all_passes())
      list.push_back(json_of(pass));
    return list.dump(2) + "\n";
  }
  const bool markdown = format == ListFormat::markdown;
  std::string result =
      markdown ? "| pass | level | needs | what it does |\n|---|---|---|---|\n" : "";
  for (const Pass &pass : all_passes())
    result += row_of(pass, markdown);
  return result;
}

} // namespace cnnc
