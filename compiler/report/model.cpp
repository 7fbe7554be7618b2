#include "compiler/report/sections.h"

#include <fmt/format.h>

namespace cnnc::report {

namespace {

std::string format_inputs(const Graph &graph) {
  std::string text;
  for (ValueId input : graph.inputs)
    text += fmt::format("{}%{}: {}", text.empty() ? "" : ", ", graph.value(input).name,
                        to_string(graph.type(input)));
  return text;
}

} // namespace

Json model_section(const Compilation &compilation) {
  const Graph &graph = compilation.written;
  return {{"name", graph.name},
          {"facts",
           {format_inputs(graph), fmt::format("{} kernels", compilation.kernels.size()),
            fmt::format("compiled for {}", compilation.cpu)}},
          {"made", fmt::format("Made by {}. This page loads nothing.", version())}};
}

} // namespace cnnc::report
