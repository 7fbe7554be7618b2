#include "compiler/lowering/loops.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

Loops loops_of(const Graph &graph, const Node &node) {
  const auto over_result = [&] { return tensor_loops(graph.type(node.results[0]).rank()); };
  const auto over_operand = [&] { return tensor_loops(graph.type(node.operands[0]).rank()); };
  const size_t rank = graph.type(node.results[0]).rank();
  return match(
      node.op,
      [](const Conv2d &op) { return op.winograd > 0 ? winograd_loops() : convolution_loops(); },
      [](const Local2d &) { return convolution_loops(); },
      [](const ConvTranspose2d &) { return conv_transpose_loops(); },
      [](const Dense &) { return dense_loops(); },
      [](const Conv2dFilterGradient &) { return filter_gradient_loops(); },
      [&](const Matmul &) { return matmul_loops(rank); },
      [](const OneOf<MaxPool2d, AvgPool2d> auto &) { return pool_loops(); },
      [](const MaxPool2dIndices &op) { return pool_indices_loops(op); },
      [](const MaxPool2dGradient &) { return pool_gradient_loops(); },
      [](const Resize2dGradient &) { return resize_gradient_loops(); },
      [](const OneOf<DepthToSpace, SpaceToDepth> auto &) { return pixel_block_loops(); },
      [](const Resize2d &op) { return resize_loops(op); },
      [&](const GroupNorm &) { return group_norm_loops(rank); },
      [&](const TopK &) { return top_k_loops(rank); },
      [&](const OneOf<GlobalAvgPool2d, Split> auto &) { return over_operand(); },
      [&]<ReduceKind kind>(const Reduce<kind> &) { return over_operand(); },
      [&]<bool largest>(const ArgExtreme<largest> &) { return over_operand(); },
      [&](const OfCategory<Category::elementwise> auto &) { return over_result(); },
      [&](const OneOf<BatchNorm, LayerNorm, InstanceNorm, Lrn, Softmax, LogSoftmax, Hardmax> auto
              &) { return over_result(); },
      [&](const OneOf<MaxUnpool2d, Concat, Slice, Pad, Transpose, Expand, Gather, Relayout> auto
              &) { return over_result(); },
      [&](const ScatterAdd &) { return scatter_loops(rank, graph.type(node.operands[1]).rank()); },
      [&](const OneOf<Conv2dFilterGradient, RandomUniform> auto &) { return over_result(); },
      // In no kernel.
      [](const OfCategory<Category::constant, Category::view, Category::loss> auto &) {
        return Loops{};
      },
      [](const Call &) { return Loops{}; });
}

Loops loops_of(const Graph &graph, const std::vector<NodeId> &members) {
  Loops loops = loops_of(graph, graph.nodes[members.front()]);
  for (NodeId member : members)
    for (LoopSpec &loop : loops_of(graph, graph.nodes[member]))
      if (loop.role == Role::window && !find_loop(loops, loop.name))
        loops.push_back(std::move(loop));
  return loops;
}

std::vector<std::string> names_of(const Loops &loops) {
  std::vector<std::string> names;
  for (const LoopSpec &loop : loops)
    names.push_back(loop.name);
  return names;
}

const LoopSpec *find_loop(const Loops &loops, std::string_view name) {
  auto found = std::ranges::find_if(loops, [&](const LoopSpec &loop) { return loop.name == name; });
  return found == loops.end() ? nullptr : &*found;
}

const LoopFactor *tile_of(const Schedule &schedule, const Loops &loops, Role role) {
  for (const LoopFactor &tile : schedule.tile)
    if (const LoopSpec *loop = find_loop(loops, tile.loop); loop && loop->role == role)
      return &tile;
  return nullptr;
}

std::vector<std::string> loop_names(size_t rank) {
  if (rank == 4)
    return {"n", "c", "h", "w"};
  if (rank == 2)
    return {"n", "c"};
  std::vector<std::string> result;
  for (size_t i = 0; i < rank; ++i)
    result.push_back(fmt::format("d{}", i));
  return result;
}

Loops tensor_loops(size_t rank) {
  Loops loops;
  for (std::string &name : loop_names(rank))
    loops.push_back({std::move(name), Role::dimension});
  if (loops.empty()) // a scalar
    loops.push_back({"one", Role::dimension});
  return loops;
}

} // namespace cnnc
