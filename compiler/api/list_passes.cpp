// The list of passes for people, for programs and for the documentation.
#include "compiler/cnnc.h"
#include "compiler/pipeline/pipeline.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cnnc {

namespace {

using Json = nlohmann::ordered_json;

std::string row_of(const Pass &pass) {
  std::string options;
  for (const PassOption &option : pass.options)
    options += fmt::format("{} `{}`", options.empty() ? "; options:" : ",", option.name);
  return fmt::format("| `{}` | {} | {} | {}{} |\n", pass.name, pass.level(),
                     pass.needs ? fmt::format("`{}`", pass.needs->pass) : "", pass.summary,
                     options);
}

std::string lines_of(const Pass &pass) {
  std::string lines = fmt::format("{:<24} {:<7} {}\n", pass.name, pass.level(), pass.summary);
  for (const PassOption &option : pass.options)
    lines += fmt::format("  :{:<22}         {} ({})\n", fmt::format("{}=", option.name),
                         option.summary, option.values);
  return lines;
}

Json json_of(const Pass &pass) {
  Json options = Json::array();
  for (const PassOption &option : pass.options)
    options.push_back(
        {{"name", option.name}, {"values", option.values}, {"summary", option.summary}});
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
    result += markdown ? row_of(pass) : lines_of(pass);
  return result;
}

} // namespace cnnc
