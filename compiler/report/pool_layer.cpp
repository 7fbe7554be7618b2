#include "compiler/layout/tensor_layout.h"
#include "compiler/report/sliding.h"

#include <algorithm>

namespace cnnc::report {

namespace {

/// The positions of the maxima, by the op that computes them, where it can: windows of at most 256
/// elements.
std::optional<Tensor> winners(const MaxPool2d &pool, const Tensor &input, const TensorType &type) {
  constexpr int64_t most_elements = 256;
  if (area(pool.kernel) > most_elements)
    return std::nullopt;
  MaxPool2dIndices op;
  op.kernel = pool.kernel;
  op.stride = pool.stride;
  op.pad = pool.pad;
  op.dilation = pool.dilation;
  op.ceil_mode = pool.ceil_mode;
  op.positions = PoolPositions::window;
  TensorType positions = type;
  positions.dtype = DType::u8;
  Diagnostics ignored;
  std::optional<std::vector<Tensor>> results = evaluate(op, {&input}, {type, positions}, ignored);
  const Tensor &at = (*results)[1];
  Tensor numbers(type);
  std::ranges::copy(at.elements<uint8_t>(), numbers.mutable_floats().begin());
  return numbers;
}

template <class Pool>
std::optional<Layer> describe_pool(const Graph &graph, const Node &node, const Pool &pool,
                                   const Sliding &sliding, const KnownValues &values,
                                   int64_t most_numbers_here) {
  const std::optional<Tensor> input = values.find(node.operands[0]);
  if (!input || input->type().dtype != DType::f32)
    return std::nullopt;
  const TensorType type = logical_type(one_image(graph.type(node.results[0])), 1);
  std::vector<int64_t> channels;
  for (int64_t channel = 0; channel < std::min(type.shape[1], most_terms); ++channel)
    channels.push_back(channel);
  const Part part =
      choose_part(sliding, input->type(), type, most_numbers_here, [&](const Part &some) {
        return std::ssize(channels) * (area(some.input) + 2 * area(some.output));
      });
  Diagnostics ignored;
  // The first channels alone: what a pool computes of one does not depend on the others.
  const Tensor read = cut_channels(*input, channels, {input->shape()[2], input->shape()[3]});
  TensorType cut_type = type;
  cut_type.shape = {1, std::ssize(channels), type.shape[2], type.shape[3]};
  const Tensor result = std::move(evaluate(pool, {&read}, {cut_type}, ignored)->front());
  Layer layer;
  layer.json = describe_sliding(graph, node, sliding, values);
  layer.json["shown"] = {
      {"inputs", channels}, {"input", part.input}, {"channels", channels}, {"output", part.output}};
  layer.add(cut_channels(read, channels, part.input));
  layer.add(cut_channels(result, channels, part.output));
  if constexpr (std::is_same_v<Pool, MaxPool2d>) {
    const std::optional<Tensor> positions = winners(pool, read, cut_type);
    layer.json["winners"] = positions.has_value();
    if (positions)
      layer.add(cut_channels(*positions, channels, part.output));
  } else {
    layer.json["count_padding"] = pool.count_padding;
  }
  return layer;
}

} // namespace

std::optional<Layer> pool_layer(const Graph &graph, const Node &node, const KnownValues &values,
                                int64_t most) {
  if (const auto *pool = std::get_if<MaxPool2d>(&node.op))
    return describe_pool(graph, node, *pool,
                         {pool->kernel, pool->stride, pool->dilation, pool->pad}, values, most);
  if (const auto *pool = std::get_if<AvgPool2d>(&node.op))
    return describe_pool(graph, node, *pool, {pool->kernel, pool->stride, {1, 1}, pool->pad},
                         values, most);
  return std::nullopt;
}

} // namespace cnnc::report
