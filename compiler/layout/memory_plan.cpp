#include "compiler/layout/memory_plan.h"

#include "compiler/layout/updates.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

std::vector<std::vector<NodeId>> order_steps(const Graph &graph) {
  std::vector<std::vector<NodeId>> steps;
  std::vector<size_t> step_of_kernel(graph.kernels.size(), no_step);
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    if (is_view(graph, node) || (node.kernel == no_id && graph.is_constant(node.results[0])))
      continue;
    if (node.kernel == no_id) {
      steps.push_back({id});
      continue;
    }
    if (step_of_kernel[node.kernel] == no_step) {
      step_of_kernel[node.kernel] = steps.size();
      steps.emplace_back();
    }
    steps[step_of_kernel[node.kernel]].push_back(id);
  }
  return steps;
}

} // namespace

Execution order_of_execution(const Graph &graph) {
  Execution result;
  result.steps = order_steps(graph);
  result.places = places_of_values(graph);
  std::vector<uint32_t> step_of(graph.nodes.size(), no_step);
  for (uint32_t step = 0; step < result.steps.size(); ++step)
    for (NodeId id : result.steps[step])
      step_of[id] = step;

  // A value inside of a kernel needs no memory unless somebody outside reads it, or nobody at all.
  result.crosses.resize(graph.values.size(), false);
  result.lifetimes.resize(graph.values.size());
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    for (ValueId value : graph.nodes[id].results) {
      if (step_of[id] == no_step || graph.is_constant(value))
        continue;
      const std::vector<NodeId> &users = graph.value(value).users;
      bool crosses = users.empty() || graph.is_output(value) ||
                     std::any_of(users.begin(), users.end(),
                                 [&](NodeId user) { return step_of[user] != step_of[id]; });
      result.crosses[value] = crosses;
      Lifetime &lifetime = result.lifetimes[result.places[value].root];
      lifetime.planned = lifetime.planned || crosses;
      lifetime.first = std::min(lifetime.first, step_of[id]);
      lifetime.last = std::max(lifetime.last, step_of[id]);
    }
  for (ValueId output : graph.outputs)
    result.lifetimes[result.places[output].root].planned = false;
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    for (ValueId operand : graph.nodes[id].operands) {
      Lifetime &lifetime = result.lifetimes[result.places[operand].root];
      if (step_of[id] != no_step)
        lifetime.last = std::max(lifetime.last, step_of[id]);
    }
  return result;
}

std::optional<int64_t> rounded_size(const TensorType &type) {
  std::optional<int64_t> bytes = byte_size(type);
  if (!bytes || *bytes > (int64_t(1) << 62))
    return std::nullopt;
  return (*bytes + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
}

bool may_work_in_place(const Graph &graph, const Execution &execution, uint32_t step, ValueId root,
                       ValueId output, bool calls) {
  const TensorType &type = graph.type(output);
  const Lifetime &read = execution.lifetimes[root];
  if (!read.planned || read.last != step || read.first >= step ||
      execution.places[output].root != output || execution.lifetimes[output].first != step ||
      byte_size(graph.type(root)) != byte_size(type))
    return false;
  bool found = false;
  for (NodeId id : execution.steps[step]) {
    const Node &node = graph.nodes[id];
    bool elementwise = category_of(node.op) == Category::elementwise;
    bool call = calls && std::holds_alternative<Call>(node.op);
    ValueId result = node.results[0];
    bool other = result != output && execution.crosses[result];
    if ((!elementwise && !call) || node.results.size() != 1 || graph.type(result) != type || other)
      return false;
    for (ValueId operand : node.operands)
      if (execution.places[operand].root == root) {
        found = true;
        if (graph.type(operand) != type)
          return false;
      }
  }
  return found;
}

namespace {

std::string spell(const Graph &graph, ValueId id) {
  return "%" + format_name(graph.values[id].name);
}

/// Checks one value by itself. Offsets are compared through the root of the value.
bool verify_value(const Graph &graph, const Execution &execution, ValueId id,
                  Diagnostics &diagnostics) {
  const Value &value = graph.values[id];
  const Place &place = execution.places[id];
  const Value &root = graph.values[place.root];
  bool planned = execution.lifetimes[place.root].planned;
  std::string message;
  if (planned && !value.offset)
    message = fmt::format("{} needs a place in the workspace", spell(graph, id));
  else if (!planned && value.offset)
    message = fmt::format("{} does not lie in the workspace, but has an offset", spell(graph, id));
  else if (value.offset && place.root == id &&
           (*value.offset < 0 || *value.offset % buffer_alignment != 0))
    message = fmt::format("the offset {} of {} is not a multiple of {}", *value.offset,
                          spell(graph, id), buffer_alignment);
  else if (value.offset && root.offset && *value.offset - place.offset != *root.offset)
    message =
        place.offset == 0
            ? fmt::format("{} is a view of {}, which lies at {}", spell(graph, id),
                          spell(graph, place.root), *root.offset)
            : fmt::format("{} lies {} bytes behind the beginning of {}, which lies at {}",
                          spell(graph, id), place.offset, spell(graph, place.root), *root.offset);
  else if (value.offset &&
           (!rounded_size(*value.type) || !checked_add(*value.offset, *rounded_size(*value.type))))
    message = fmt::format("{} ends beyond what 62 bits can count", spell(graph, id));
  if (message.empty())
    return true;
  diagnostics.error(value.range, message);
  return false;
}

/// Checks that parts of a concat lie within the result, and that outputs of the model fill memory
/// of their own.
bool verify_places(const Graph &graph, const Execution &execution, Diagnostics &diagnostics) {
  bool ok = true;
  for (const Node &node : graph.nodes) {
    if (graph.is_constant(node.results[0]))
      continue; // joined by the compiler
    if (std::optional<size_t> index = misplaced_part(graph, execution.places, node)) {
      diagnostics.error(
          *index < node.operand_ranges.size() ? node.operand_ranges[*index] : node.range,
          fmt::format("{} cannot lie within {} as well; assign_layouts copies it",
                      spell(graph, node.operands[*index]), spell(graph, node.results[0])));
      ok = false;
    }
  }
  for (ValueId output : graph.outputs) {
    ValueId root = execution.places[output].root;
    if (byte_size(graph.type(root)) == byte_size(graph.type(output)))
      continue;
    diagnostics.error(graph.values[output].range,
                      fmt::format("the output {} is a part of {}; assign_layouts copies it",
                                  spell(graph, output), spell(graph, root)));
    ok = false;
  }
  return ok;
}

/// Checks that nothing reads an input after the output in its memory is written.
bool verify_updates(const Graph &graph, const Execution &execution, Diagnostics &diagnostics) {
  bool ok = true;
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    if (may_update(graph, execution.places, i))
      continue;
    const ValueId output = graph.outputs[i];
    diagnostics.error(
        i < graph.output_ranges.size() ? graph.output_ranges[i] : graph.values[output].range,
        fmt::format("{} would be written over {}, which is still read; assign_layouts copies it",
                    spell(graph, output), spell(graph, graph.updated_by(i))));
    ok = false;
  }
  return ok;
}

bool overlap(const Graph &graph, ValueId a, ValueId b) {
  int64_t a_begin = *graph.values[a].offset, b_begin = *graph.values[b].offset;
  return a_begin < b_begin + *rounded_size(graph.type(b)) &&
         b_begin < a_begin + *rounded_size(graph.type(a));
}

} // namespace

int64_t workspace_size(const Graph &graph) {
  int64_t result = 0;
  for (const Value &value : graph.values)
    if (value.offset && value.type)
      result = std::max(result, *value.offset + byte_size(*value.type).value_or(0));
  return (result + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
}

bool verify_memory_plan(const Graph &graph, Diagnostics &diagnostics) {
  Execution execution = order_of_execution(graph);
  bool ok = verify_places(graph, execution, diagnostics);
  ok = verify_updates(graph, execution, diagnostics) && ok;
  std::vector<ValueId> planned;
  for (ValueId id = 0; id < graph.values.size(); ++id) {
    ok = verify_value(graph, execution, id, diagnostics) && ok;
    if (execution.lifetimes[id].planned)
      planned.push_back(id);
  }
  if (!ok)
    return false;
  for (size_t i = 0; i < planned.size(); ++i)
    for (size_t k = i + 1; k < planned.size(); ++k) {
      ValueId a = planned[i], b = planned[k];
      if (execution.lifetimes[b].first < execution.lifetimes[a].first)
        std::swap(a, b); // a is written before b
      uint32_t step = execution.lifetimes[b].first;
      if (execution.lifetimes[a].last < step || !overlap(graph, a, b))
        continue;
      if (graph.values[a].offset == graph.values[b].offset &&
          may_work_in_place(graph, execution, step, a, b, true))
        continue;
      diagnostics.error(graph.values[b].range,
                        fmt::format("{} at {} overlaps {} at {}, which is still needed",
                                    spell(graph, b), *graph.values[b].offset, spell(graph, a),
                                    *graph.values[a].offset));
      ok = false;
    }
  return ok;
}

} // namespace cnnc
