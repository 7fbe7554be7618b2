#include "compiler/analysis/cost.h"

#include <algorithm>

namespace cnnc {

namespace {

constexpr int64_t most = int64_t(1) << 62;

int64_t saturating_mul(int64_t a, int64_t b) { return checked_mul(a, b).value_or(most); }

int64_t elements(const TensorType &type) { return element_count(type.shape).value_or(most); }

template <class T, class... Ts>
concept OneOf = (std::is_same_v<T, Ts> || ...);

} // namespace

int64_t multiplications(const Graph &graph, const Node &node) {
  auto shape = [&](size_t operand) { return graph.type(node.operands[operand]).shape; };
  int64_t outputs = elements(graph.type(node.results[0]));
  // Every op is named: a new one must be given its cost.
  return std::visit(
      overloaded{
          [&](const Conv2d &) { // filter [oc, ic / groups, kh, kw]
            std::vector<int64_t> filter = shape(1);
            return saturating_mul(outputs, saturating_mul(filter[1], filter[2] * filter[3]));
          },
          [&](const ConvTranspose2d &) { // filter [ic, oc / groups, kh, kw] for every input element
            std::vector<int64_t> filter = shape(1);
            return saturating_mul(elements(graph.type(node.operands[0])),
                                  saturating_mul(filter[1], filter[2] * filter[3]));
          },
          [&](const Local2d &) { // filter [oh, ow, oc, ic, kh, kw]
            std::vector<int64_t> filter = shape(1);
            return saturating_mul(outputs, saturating_mul(filter[3], filter[4] * filter[5]));
          },
          [&](const Dense &) { return saturating_mul(outputs, shape(1)[1]); },
          [&](const Matmul &) { return saturating_mul(outputs, shape(0).back()); },
          [](const OneOf<Weight, Splat, Literal, Random, MaxPool2d, AvgPool2d, GlobalAvgPool2d,
                         MaxPool2dIndices, MaxUnpool2d, Unary, Binary, Where, Cast, BatchNorm,
                         LayerNorm, InstanceNorm, GroupNorm, Lrn, Softmax, LogSoftmax, ReduceMean,
                         ReduceSum, ReduceMax, ReduceMin, ReduceProd, ArgMax, ArgMin, TopK, Concat,
                         Split, Slice, Pad, Reshape, Flatten, Transpose, Expand, DepthToSpace,
                         SpaceToDepth, Gather, Resize2d, Relayout, Call> auto &) {
            return int64_t(0);
          }},
      node.op);
}

std::vector<ValueId> parameter_operands(const Graph &graph, const Node &node) {
  // First and end of the operands that can be parameters.
  auto [first, end] = std::visit(
      overloaded{
          [](const OneOf<Conv2d, ConvTranspose2d, Local2d, Dense> auto &) {
            return std::pair{1, 3};
          },
          [](const OneOf<BatchNorm, LayerNorm, InstanceNorm, GroupNorm> auto &) {
            return std::pair{1, 3};
          },
          [](const OneOf<Binary, Matmul> auto &) {
            return std::pair{0, 2};
          },
          [](const Where &) {
            return std::pair{1, 3};
          },
          [](const Gather &) {
            return std::pair{0, 1};
          },
          [](const OneOf<Weight, Splat, Literal, Random, MaxPool2d, AvgPool2d, GlobalAvgPool2d,
                         MaxPool2dIndices, MaxUnpool2d, Unary, Cast, Lrn, Softmax, LogSoftmax,
                         ReduceMean, ReduceSum, ReduceMax, ReduceMin, ReduceProd, ArgMax, ArgMin,
                         TopK, Concat, Split, Slice, Pad, Reshape, Flatten, Transpose, Expand,
                         DepthToSpace, SpaceToDepth, Resize2d, Relayout, Call> auto &) {
            return std::pair{0, 0};
          }},
      node.op);
  std::vector<ValueId> result;
  for (int i = first; i < std::min<int>(end, static_cast<int>(node.operands.size())); ++i) {
    ValueId operand = node.operands[static_cast<size_t>(i)];
    if (graph.is_constant(operand) && graph.values[operand].type)
      result.push_back(operand);
  }
  return result;
}

int64_t parameters(const Graph &graph, const std::vector<ValueId> &operands) {
  int64_t sum = 0;
  for (ValueId operand : operands)
    sum = checked_add(sum, elements(graph.type(operand))).value_or(most);
  return sum;
}

} // namespace cnnc
