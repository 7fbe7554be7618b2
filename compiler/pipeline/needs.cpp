#include "compiler/pipeline/needs.h"

#include "compiler/graph_passes/graph_passes.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

bool check_types(const Graph &graph, PassContext &context, std::string_view before) {
  for (const Value &value : graph.values)
    if (!value.type) {
      context.diagnostics.error(
          value.range, fmt::format("the type of %{} is not known: run infer_shapes before {}",
                                   format_name(value.name), before));
      return false;
    }
  return true;
}

bool check_packed_weights(const Graph &graph, PassContext &context, std::string_view before) {
  if (!check_types(graph, context, before))
    return false;
  const std::optional<ValueId> unpacked = find_unpacked(graph, context.machine);
  if (unpacked)
    context.diagnostics.error(
        graph.value(*unpacked).range,
        fmt::format("%{} is read in whole blocks of channels, but does not lie in them: run "
                    "pack_weights before {}",
                    format_name(graph.value(*unpacked).name), before));
  return !unpacked;
}

} // namespace

const Need needs_types = {"infer_shapes", check_types};
const Need needs_packed_weights = {"pack_weights", check_packed_weights};

bool check_need(const Need *need, std::string_view before, const Module &module,
                PassContext &context) {
  bool ok = true;
  for (const Graph &model : module.models)
    ok = (!need || need->check(model, context, before)) && ok;
  return ok;
}

} // namespace cnnc
