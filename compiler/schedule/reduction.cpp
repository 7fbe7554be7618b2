#include "compiler/schedule/reduction.h"

#include "compiler/lowering/loops.h"

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

/// Vectors at a time. Without fused multiply-add the constants of exp fill 16 registers, with the
/// products.
int64_t vectors_of_tile(bool exponentials, const Machine &machine) {
  if (machine.many_registers())
    return 4;
  return exponentials && !machine.fused_multiply_add ? 1 : 2;
}

/// Whether the op adds up the dimensions that it reduces, and nothing else.
bool sums(const Node &node) {
  return std::holds_alternative<ReduceSum>(node.op) ||
         std::holds_alternative<ReduceMean>(node.op) ||
         std::holds_alternative<InstanceNorm>(node.op) ||
         std::holds_alternative<GroupNorm>(node.op) || std::holds_alternative<LayerNorm>(node.op);
}

} // namespace

std::vector<int64_t> reduced_axes(const Graph &graph, const Node &node) {
  const auto rank = static_cast<int64_t>(graph.type(node.operands[0]).rank());
  auto from = [&](int64_t first) {
    std::vector<int64_t> axes;
    for (int64_t axis = first; axis < (first < 0 ? 0 : rank); ++axis)
      axes.push_back(axis);
    return axes;
  };
  using Axes = std::vector<int64_t>;
  return match(
      node.op,
      [](const OneOf<Softmax, LogSoftmax, Hardmax, TopK> auto &op) { return Axes{op.axis}; },
      [&](const LayerNorm &op) { return from(op.axis); },
      [&](const InstanceNorm &) { return from(2); }, [&](const GroupNorm &) { return from(1); },
      [](const OneOf<BatchNorm, Lrn> auto &) { return Axes{}; },
      []<ReduceKind kind>(const Reduce<kind> &op) { return op.axes; },
      []<bool largest>(const ArgExtreme<largest> &op) { return Axes{op.axis}; },
      [](const OfCategory<Category::constant, Category::convolution,
                          Category::transposed_convolution, Category::matrix_product,
                          Category::pool, Category::max_position, Category::elementwise,
                          Category::movement, Category::view, Category::resize, Category::training,
                          Category::loss, Category::internal> auto &) { return Axes{}; });
}

Schedule schedule_reduction(const Graph &graph, const Node &node, const Machine &machine) {
  const int64_t lanes = machine.vector_lanes;
  const TensorType &input = graph.type(node.operands[0]), &result = graph.type(node.results[0]);
  const bool exponentials =
      std::holds_alternative<Softmax>(node.op) || std::holds_alternative<LogSoftmax>(node.op);
  const std::optional<size_t> inner = innermost_in_memory(input, lanes);
  // Where every element has a result, both are visited in the same order.
  if (!inner || (input.shape == result.shape && input.layout.blocks != result.layout.blocks))
    return {};
  std::vector<bool> reduced(input.rank(), false);
  for (int64_t axis : reduced_axes(graph, node))
    reduced[*normalized_axis(axis, input.rank())] = true;
  const std::vector<std::string> names = loop_names(input.rank());
  const int64_t vectors = vectors_of_tile(exponentials, machine);
  Schedule schedule;
  for (size_t i = 0; i < input.rank(); ++i)
    if (!reduced[i])
      schedule.parallel.push_back(names[i]);
  if (std::holds_alternative<GroupNorm>(node.op))
    schedule.parallel.push_back("g");
  schedule.vector = {{names[*inner], lanes}};
  if (reduced[*inner])
    schedule.unroll = {{names[*inner], vectors}};
  else
    schedule.tile = {{names[*inner], input.layout.blocks.empty() ? lanes * vectors : lanes}};
  // A single vector in a tile: sums of several positions, so that no addition waits for the one
  // before.
  if (!reduced[*inner] && !input.layout.blocks.empty() && sums(node))
    for (size_t i = input.rank(); i-- > 0;)
      if (reduced[i]) {
        schedule.unroll = {{names[i], vectors}};
        break;
      }
  return schedule;
}

} // namespace cnnc
