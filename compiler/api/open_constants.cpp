// Which files a model's weights are in, and whether those that the options name replace any.
#include "compiler/api/session.h"
#include "compiler/codegen/model_table.h"

#include <fmt/format.h>
#include <ranges>
#include <set>

namespace cnnc {

namespace {

/// What the weights are called in the text as it was written, and what stands in for them; passes
/// have made inputs of those that are trained, and taken out others.
std::set<std::string_view> weight_names(const Module &module) {
  std::set<std::string_view> names;
  for (const Graph &graph : module.models)
    for (const Node &node : graph.nodes)
      if (const Weight *weight = std::get_if<Weight>(&node.op))
        names.insert(weight->key);
      else if (std::holds_alternative<Random>(node.op))
        names.insert(graph.value(node.results[0]).name);
  return names;
}

/// A file that is laid over other weights is there to replace some: one that does not, or a name that
/// the model does not know, would be overlooked. What a training step keeps beside its weights is no
/// mistake.
bool check_replacements(const std::set<std::string_view> &known, const NamedTensors &layer,
                        Diagnostics &diagnostics) {
  const SourceRange file{std::make_shared<const Source>(Source{layer.file, "", "", false}), 0, 0};
  std::vector<std::string_view> others;
  bool replaces = false;
  for (const SafetensorsTensor &tensor : layer.tensors) {
    if (known.contains(tensor.name))
      replaces = true;
    else if (!codegen::starts_at_zero(tensor.name))
      others.push_back(tensor.name);
  }
  if (!replaces) {
    diagnostics.error(file, fmt::format("none of its tensors is a weight of the model; {} is one",
                                        quote(*known.begin())));
  } else if (!others.empty()) {
    const std::string_view near = closest(others.front(), {known.begin(), known.end()});
    diagnostics.warning(
        file, fmt::format("the model has no weight {}{}{}", quote(others.front()),
                          near.empty() ? "" : fmt::format("; did you mean {}?", quote(near)),
                          others.size() > 1
                              ? fmt::format(" ({} others are not known either)", others.size() - 1)
                              : ""));
  }
  return replaces;
}

} // namespace

std::optional<Constants> open_constants(const Model::Content &content, const Graph &graph,
                                        const Options &options, Diagnostics &diagnostics) {
  WeightSources sources{content.tensors, options.weights};
  if (const std::filesystem::path path = default_weights_path(graph, content.file);
      !sources.model && sources.files.empty() && !path.empty())
    sources.files.push_back(path);
  std::optional<Constants> constants = Constants::open(graph, sources, diagnostics);
  if (!constants)
    return std::nullopt;
  const std::set<std::string_view> known = weight_names(content.module);
  if (constants->layers().empty() && !options.weights.empty())
    diagnostics.warning({}, fmt::format("none of the tensors in {} is a weight of the model",
                                        options.weights.front().string()));
  for (const auto &layer : constants->layers() | std::views::drop(1))
    if (!check_replacements(known, *layer, diagnostics))
      return std::nullopt;
  return constants;
}

} // namespace cnnc
