// Shape inference: computes the type of every value from the types of its operands. A type that the
// text states is checked; the memory layout in it is kept, because it is a decision and not a
// consequence.
//
//   model @example(%x: f32[1, 3, 8, 8]) {        model @example(%x: f32[1, 3, 8, 8]) {
//     %w = splat 1 : f32[4, 3, 3, 3]        =>     %w = splat 1 : f32[4, 3, 3, 3]
//     %c = conv2d %x, %w                           %c = conv2d %x, %w : f32[1, 4, 6, 6]
//     return %c                                    return %c
//   }                                            }
#include "compiler/graph_passes/infer_shapes.h"

#include "compiler/graph_passes/graph_passes.h"
#include "compiler/schedule/check_schedule.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// Reports unless the model has an output, and one name for the symbolic batch at most.
bool check_interface(const Graph &graph, Diagnostics &diagnostics) {
  size_t errors = diagnostics.error_count();
  if (graph.outputs.empty())
    diagnostics.error(graph.range, "a model needs an output, as in return %y");
  const Value *first = nullptr;
  for (ValueId id : graph.inputs) {
    const Value &input = graph.value(id);
    if (!input.type->has_symbolic_batch())
      continue;
    if (first && first->type->batch_name != input.type->batch_name)
      diagnostics.error(input.range,
                        fmt::format("a model has one symbolic batch, but it is '{}' here and '{}' "
                                    "at %{}",
                                    input.type->batch_name, first->type->batch_name, first->name));
    first = first ? first : &input;
  }
  return diagnostics.error_count() == errors;
}

/// Reports a value that nothing behind this pass can handle. Bounds of subscripts, blocks of
/// channels and bytes of buffers stay far from overflows below the size.
bool check_size(const Value &value, Diagnostics &diagnostics) {
  constexpr size_t largest_rank = 8;
  constexpr int64_t largest_bytes = int64_t(1) << 44;
  TensorType type = *value.type;
  type.layout = {};
  const std::optional<int64_t> bytes = byte_size(type);
  if (type.rank() > largest_rank)
    diagnostics.error(value.range, fmt::format("%{} has {} dimensions, but {} are the most",
                                               format_name(value.name), type.rank(), largest_rank));
  else if (!bytes || *bytes > largest_bytes)
    diagnostics.error(value.range,
                      fmt::format("%{} is {}, which is larger than the {} bytes that a tensor can "
                                  "have",
                                  format_name(value.name), to_string(type), largest_bytes));
  return type.rank() <= largest_rank && bytes && *bytes <= largest_bytes;
}

/// Compares an inferred type with the one the text states, if any, and stores it.
bool settle(Value &value, TensorType inferred, Diagnostics &diagnostics) {
  if (!value.type) {
    value.type = std::move(inferred);
    return true;
  }
  TensorType stated = *value.type;
  bool same_batch = stated.batch_name.empty() || inferred.batch_name.empty() ||
                    stated.batch_name == inferred.batch_name;
  if (!same_logical_type(stated, inferred) || !same_batch) {
    inferred.layout = {};
    stated.layout = {};
    diagnostics.error(value.range,
                      fmt::format("the type {} is written here, but by its operands it "
                                  "is {}",
                                  to_string(stated), to_string(inferred)));
    return false;
  }
  if (inferred.has_symbolic_batch())
    value.type->batch_name = inferred.batch_name;
  return true;
}

/// Infers one node whose operands have right types.
bool infer_node(Graph &graph, const Node &node, Diagnostics &diagnostics) {
  InferContext context = infer_context(graph, node, diagnostics);
  InferredTypes types = infer(node.op, context);
  if (!types)
    return false;
  if (types->size() != node.results.size()) {
    diagnostics.error(node.range,
                      fmt::format("{} has {} result{}, but {} {} named", info_of(node.op).name,
                                  types->size(), types->size() == 1 ? "" : "s", node.results.size(),
                                  node.results.size() == 1 ? "is" : "are"));
    return false;
  }
  bool ok = true;
  for (size_t i = 0; i < types->size(); ++i) {
    Value &result = graph.value(node.results[i]);
    ok = settle(result, std::move((*types)[i]), diagnostics) && check_size(result, diagnostics) &&
         ok;
  }
  return ok;
}

/// An output in the memory of an input has its type, and a run writes it once.
bool check_updates(const Graph &graph, Diagnostics &diagnostics) {
  const size_t errors = diagnostics.error_count();
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId input = graph.updated_by(i);
    if (input == no_id)
      continue;
    const Value &output = graph.value(graph.outputs[i]);
    const SourceRange &range =
        i < graph.output_ranges.size() ? graph.output_ranges[i] : output.range;
    TensorType is = *output.type, wanted = graph.type(input);
    is.layout = wanted.layout = {};
    if (is != wanted)
      diagnostics.error(range,
                        fmt::format("%{} is {}, but %{}, in whose memory it shall lie, is {}",
                                    format_name(output.name), to_string(is),
                                    format_name(graph.value(input).name), to_string(wanted)));
    for (ValueId other : graph.inputs)
      if (graph.type(other).has_symbolic_batch()) {
        diagnostics.error(
            range, fmt::format("%{} is updated once for all images, whose number must "
                               "be known: say --batch N, or write it in place of '{}'",
                               format_name(graph.value(input).name), graph.type(other).batch_name));
        break;
      }
  }
  return diagnostics.error_count() == errors;
}

/// Images whose number comes with each call are computed one by one, and have to have elements.
bool check_images(const Graph &graph, Diagnostics &diagnostics) {
  for (const Value &value : graph.values)
    if (value.type->has_symbolic_batch() && is_empty(*value.type)) {
      diagnostics.error(value.range,
                        fmt::format("%{} is {}, whose images have no elements: that needs a batch "
                                    "of a known size in place of '{}'",
                                    format_name(value.name), to_string(*value.type),
                                    value.type->batch_name));
      return false;
    }
  return true;
}

/// Schedules that the text states name loops, which follow from the shapes. A kernel none of whose
/// ops could be read has neither.
bool check_schedules(const Graph &graph, Diagnostics &diagnostics) {
  bool ok = true;
  const std::vector<std::vector<NodeId>> members = kernel_members(graph);
  for (KernelId id = 0; id < graph.kernels.size(); ++id)
    if (!members[id].empty())
      ok = check_schedule(graph, graph.kernels[id], members[id], diagnostics) && ok;
  return ok;
}

} // namespace

bool infer_shapes(Graph &graph, Diagnostics &diagnostics, std::vector<bool> &wrong) {
  bool ok = check_interface(graph, diagnostics);
  wrong.assign(graph.values.size(), false);
  for (ValueId input : graph.inputs)
    wrong[input] = !check_size(graph.value(input), diagnostics);
  ok = ok && std::ranges::find(wrong, true) == wrong.end();
  for (const Node &node : graph.nodes) {
    bool skip = std::any_of(node.operands.begin(), node.operands.end(),
                            [&](ValueId operand) { return wrong[operand]; });
    if (!skip && infer_node(graph, node, diagnostics))
      continue;
    ok = false;
    for (ValueId result : node.results)
      wrong[result] = true;
  }
  return ok && check_images(graph, diagnostics) && check_updates(graph, diagnostics) &&
         check_schedules(graph, diagnostics);
}

bool infer_shapes(Graph &graph, PassContext &context) {
  std::vector<bool> wrong;
  return infer_shapes(graph, context.diagnostics, wrong);
}

} // namespace cnnc
