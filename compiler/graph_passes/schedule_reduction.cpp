#include "compiler/graph_passes/schedule_reduction.h"

#include "compiler/lowering/lowering.h"

namespace cnnc {

namespace {

/// The dimension whose elements lie side by side, if they can fill vectors.
std::optional<size_t> innermost_in_memory(const TensorType &type, int64_t lanes) {
  constexpr int64_t least = 4; // elements that are worth a vector
  std::optional<size_t> inner;
  if (!type.layout.blocks.empty()) {
    const Block &block = type.layout.blocks.back();
    if (block.size % lanes == 0)
      inner = static_cast<size_t>(block.axis);
  } else {
    size_t dim = type.rank();
    while (dim > 1 && type.shape[dim - 1] == 1 && !type.layout.has_halo())
      --dim;
    if (dim > 0)
      inner = dim - 1;
  }
  return inner && type.shape[*inner] >= least ? inner : std::nullopt;
}

/// Vectors at a time. Without AVX the constants of exp fill the registers.
int64_t vectors_of_tile(bool exponentials, int64_t lanes, int64_t registers) {
  if (registers >= 32)
    return 4;
  return exponentials && lanes < 8 ? 1 : 2;
}

} // namespace

Schedule schedule_reduction(const Graph &graph, const Node &node, const std::vector<int64_t> &axes,
                            int64_t lanes, int64_t registers) {
  const TensorType &input = graph.type(node.operands[0]), &result = graph.type(node.results[0]);
  const bool softmax = std::holds_alternative<Softmax>(node.op);
  const std::optional<size_t> inner = innermost_in_memory(input, lanes);
  if (!inner || (softmax && input.layout.blocks != result.layout.blocks))
    return {};
  std::vector<bool> reduced(input.rank(), false);
  for (int64_t axis : axes)
    reduced[*normalized_axis(axis, input.rank())] = true;
  const std::vector<std::string> names = loop_names(input.rank());
  const int64_t vectors = vectors_of_tile(softmax, lanes, registers);
  Schedule schedule;
  for (size_t i = 0; i < input.rank(); ++i)
    if (!reduced[i])
      schedule.parallel.push_back(names[i]);
  schedule.vector = {{names[*inner], lanes}};
  if (reduced[*inner])
    schedule.unroll = {{names[*inner], vectors}};
  else
    schedule.tile = {{names[*inner], input.layout.blocks.empty() ? lanes * vectors : lanes}};
  return schedule;
}

} // namespace cnnc
