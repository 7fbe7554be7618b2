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

#include "compiler/graph_passes/graph_passes.h"
#include "compiler/layout/memory_plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace cnnc {

namespace {

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
  std::vector<uint32_t> buffer_of(graph.values.size(), no_step);
  for (uint32_t step = 0; step < execution.steps.size(); ++step)
    for (NodeId id : execution.steps[step])
      for (ValueId result : graph.nodes[id].results) {
        ValueId value = execution.places[result].root;
        const Lifetime &lifetime = execution.lifetimes[value];
        if (!lifetime.planned || buffer_of[value] != no_step)
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
  std::vector<const Buffer *> placed, conflicts; // by offset
  for (size_t index : order) {
    Buffer &buffer = buffers[index];
    conflicts.clear();
    for (const Buffer *other : placed)
      if (other->first <= buffer.last && buffer.first <= other->last)
        conflicts.push_back(other);
    buffer.offset = find_gap(conflicts, buffer.size);
    if (buffer.size < 0 || !checked_add(buffer.offset, buffer.size))
      return false;
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), &buffer,
                         [](const Buffer *a, const Buffer *b) { return a->offset < b->offset; }),
        &buffer);
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

} // namespace

bool plan_memory(Graph &graph, PassContext &context) {
  Execution execution = order_of_execution(graph);
  if (has_calls(graph) && is_planned(graph, execution)) {
    if (!verify_memory_plan(graph, context.diagnostics)) // the text's own plan
      return false;
  } else {
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
  return true;
}

} // namespace cnnc
