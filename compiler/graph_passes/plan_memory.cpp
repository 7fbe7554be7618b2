// Memory planning: allocates every value between two kernels in one workspace, at an offset in
// bytes. Values that are never alive at the same time share bytes, element-wise kernels work in
// place, and views lie where their operand lies, or within it.
//
//   kernel @a(%x) -> (%a) {
//     %a = max_pool2d %x kernel=[1, 1]
//   }
//   kernel @b(%a) -> (%b) {
//     %b = max_pool2d %a kernel=[1, 1]
//   }
//   kernel @c(%b) -> (%c) {
//     %c = relu %b
//   }
//   %d = flatten %c
//   kernel @e(%d) -> (%e) {
//     %e = softmax %d
//   }
// becomes
//   kernel @a(%x) -> (%a) {
//     %a = max_pool2d %x kernel=[1, 1] : f32[1, 8, 4, 4] at 0
//   }
//   kernel @b(%a) -> (%b) {
//     %b = max_pool2d %a kernel=[1, 1] : f32[1, 8, 4, 4] at 512   // %a is still read
//   }
//   kernel @c(%b) -> (%c) {
//     %c = relu %b : f32[1, 8, 4, 4] at 512                       // in place
//   }
//   %d = flatten %c : f32[1, 128] at 512                          // a view
//   kernel @e(%d) -> (%e) {
//     %e = softmax %d : f32[1, 128]                               // an output: the caller's memory
//   }
//
// What a concat joins lies within its result from the start:
//
//   %c = concat %a, %b axis=1
//   %d = concat %c, %e axis=1
// becomes
//   %c = concat %a, %b axis=1 : f32[1, 32, 4, 4] at 0
//   %d = concat %c, %e axis=1 : f32[1, 48, 4, 4] at 0
//
// The greedy algorithm, largest buffer first into the smallest gap that fits, is the one of
// Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020.

#include "compiler/graph_passes/plan_memory.h"
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/layout/views.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace cnnc {

namespace {

constexpr uint32_t never = ~uint32_t(0);

/// Memory of one root: from the first step that writes any of it to the last step that reads any.
struct Lifetime {
  bool planned = false; // lies in the workspace
  uint32_t first = never;
  uint32_t last = 0;
};

/// The order of execution: a step is a kernel, a call or a lone op that does work.
struct Execution {
  std::vector<std::vector<NodeId>> steps;
  std::vector<Place> places;       // of each value
  std::vector<bool> crosses;       // for each value: leaves the step that computes it
  std::vector<Lifetime> lifetimes; // of each value that is a root
};

std::vector<std::vector<NodeId>> order_steps(const Graph &graph,
                                             const std::vector<bool> &constant) {
  std::vector<std::vector<NodeId>> steps;
  std::vector<size_t> step_of_kernel(graph.kernels.size(), never);
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    if (is_view(graph, node) || (node.kernel == no_id && constant[node.results[0]]))
      continue;
    if (node.kernel == no_id) {
      steps.push_back({id});
      continue;
    }
    if (step_of_kernel[node.kernel] == never) {
      step_of_kernel[node.kernel] = steps.size();
      steps.emplace_back();
    }
    steps[step_of_kernel[node.kernel]].push_back(id);
  }
  return steps;
}

Execution order_of_execution(const Graph &graph) {
  Execution result;
  std::vector<bool> constant = graph.constant_values();
  result.steps = order_steps(graph, constant);
  result.places = places_of_values(graph);
  std::vector<uint32_t> step_of(graph.nodes.size(), never);
  for (uint32_t step = 0; step < result.steps.size(); ++step)
    for (NodeId id : result.steps[step])
      step_of[id] = step;

  // A value inside of a kernel needs no memory unless somebody outside reads it, or nobody at all.
  std::vector<std::vector<NodeId>> users = graph.users();
  result.crosses.resize(graph.values.size(), false);
  result.lifetimes.resize(graph.values.size());
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    for (ValueId value : graph.nodes[id].results) {
      if (step_of[id] == never || constant[value])
        continue;
      bool crosses = users[value].empty() || graph.is_output(value) ||
                     std::any_of(users[value].begin(), users[value].end(),
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
      if (step_of[id] != never)
        lifetime.last = std::max(lifetime.last, step_of[id]);
    }
  return result;
}

/// Bytes that a buffer takes in the workspace; empty on overflow.
std::optional<int64_t> rounded_size(const TensorType &type) {
  std::optional<int64_t> bytes = byte_size(type);
  if (!bytes || *bytes > (int64_t(1) << 62))
    return std::nullopt;
  return (*bytes + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
}

/// Whether a step may write `output` over the memory of `root`: all its ops are element-wise on
/// tensors of one type, it writes nothing else, is the last reader, and reads the memory nowhere
/// but at the element it writes. Parts of larger values are left alone. A call, whose body is not
/// seen here, may do so if lowering has kept a plan that was made before.
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
    bool elementwise = is_elementwise(node.op);
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

/// Several roots that lie in the same place because each is computed in place of the one before.
struct Buffer {
  std::vector<ValueId> values;
  int64_t size = 0;
  uint32_t first = 0;
  uint32_t last = 0;
  int64_t offset = -1;
};

std::vector<Buffer> make_buffers(const Graph &graph, const Execution &execution) {
  std::vector<Buffer> buffers;
  std::vector<uint32_t> buffer_of(graph.values.size(), never);
  for (uint32_t step = 0; step < execution.steps.size(); ++step)
    for (NodeId id : execution.steps[step])
      for (ValueId result : graph.nodes[id].results) {
        ValueId value = execution.places[result].root;
        const Lifetime &lifetime = execution.lifetimes[value];
        if (!lifetime.planned || buffer_of[value] != never)
          continue;
        std::vector<ValueId> operands;
        for (NodeId member : execution.steps[step])
          for (ValueId operand : graph.nodes[member].operands)
            operands.push_back(execution.places[operand].root);
        auto reused = std::find_if(operands.begin(), operands.end(), [&](ValueId root) {
          return may_work_in_place(graph, execution, step, root, value, false);
        });
        if (reused != operands.end()) {
          buffer_of[value] = buffer_of[*reused];
          buffers[buffer_of[value]].values.push_back(value);
          buffers[buffer_of[value]].last = lifetime.last;
          continue;
        }
        buffer_of[value] = static_cast<uint32_t>(buffers.size());
        int64_t size = rounded_size(graph.type(value)).value_or(-1);
        buffers.push_back({{value}, size, lifetime.first, lifetime.last});
      }
  return buffers;
}

/// The lowest offset of the smallest gap between the buffers placed that fits, or the end.
int64_t find_gap(const std::vector<const Buffer *> &conflicts, int64_t size) {
  int64_t end = 0, best = -1, best_gap = 0;
  for (const Buffer *other : conflicts) { // by offset
    int64_t gap = other->offset - end;
    if (gap >= size && (best < 0 || gap < best_gap)) {
      best = end;
      best_gap = gap;
    }
    end = std::max(end, other->offset + other->size);
  }
  return best < 0 ? end : best;
}

bool place(std::vector<Buffer> &buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers[a].size > buffers[b].size; });
  for (size_t i = 0; i < order.size(); ++i) {
    Buffer &buffer = buffers[order[i]];
    std::vector<const Buffer *> conflicts;
    for (size_t k = 0; k < i; ++k) {
      const Buffer &other = buffers[order[k]];
      if (other.first <= buffer.last && buffer.first <= other.last)
        conflicts.push_back(&other);
    }
    std::stable_sort(conflicts.begin(), conflicts.end(),
                     [](const Buffer *a, const Buffer *b) { return a->offset < b->offset; });
    buffer.offset = find_gap(conflicts, buffer.size);
    if (buffer.size < 0 || !checked_add(buffer.offset, buffer.size))
      return false;
  }
  return true;
}

bool has_calls(const Graph &graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const Node &node) { return std::holds_alternative<Call>(node.op); });
}

/// True when the text came with a complete plan already.
bool is_planned(const Graph &graph, const Execution &execution) {
  for (ValueId id = 0; id < graph.values.size(); ++id)
    if (execution.lifetimes[id].planned && !graph.values[id].offset)
      return false;
  return true;
}

std::string spell(const Graph &graph, ValueId id) {
  return "%" + spell_name(graph.values[id].name);
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
  const std::vector<bool> constant = graph.constant_values(); // are joined by the compiler
  for (const Node &node : graph.nodes) {
    if (constant[node.results[0]])
      continue;
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

bool plan_memory(Graph &graph, PassContext &context) {
  Execution execution = order_of_execution(graph);
  if (!has_calls(graph) || !is_planned(graph, execution)) {
    for (Value &value : graph.values)
      value.offset.reset();
    std::vector<Buffer> buffers = make_buffers(graph, execution);
    if (!place(buffers)) {
      context.diagnostics.error(graph.range, "the workspace does not fit 62 bits");
      return false;
    }
    for (const Buffer &buffer : buffers)
      for (ValueId value : buffer.values)
        graph.values[value].offset = buffer.offset;
    for (ValueId id = 0; id < graph.values.size(); ++id) {
      const Place &place = execution.places[id];
      if (std::optional<int64_t> offset = graph.values[place.root].offset;
          offset && place.root != id)
        graph.values[id].offset = *offset + place.offset;
    }
  }
  if (!verify_memory_plan(graph, context.diagnostics))
    return false;
  int64_t sum = 0;
  for (ValueId id = 0; id < graph.values.size(); ++id)
    if (execution.lifetimes[id].planned)
      sum = checked_add(sum, rounded_size(graph.type(id)).value_or(0)).value_or(sum);
  if (context.remark)
    context.remark(
        fmt::format("workspace: {} bytes (sum of all values: {})", workspace_size(graph), sum));
  return true;
}

} // namespace cnnc
