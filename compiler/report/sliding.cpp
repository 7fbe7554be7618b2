#include "compiler/report/sliding.h"

#include <algorithm>

namespace cnnc::report {

namespace {

constexpr int64_t most_side = 28; // rows and columns of the output

Json describe(const Graph &graph, ValueId id, const KnownValues &values) {
  const std::vector<int64_t> &shape = graph.type(id).shape;
  return {{"name", values.name_of(id)}, {"shape", {shape[1], shape[2], shape[3]}}};
}

} // namespace

int64_t Sliding::read(size_t axis, int64_t results, int64_t size) const {
  return std::clamp<int64_t>((results - 1) * stride[axis] + reach(axis) - pad[axis], 1, size);
}

int64_t area(const std::array<int64_t, 2> &sides) { return sides[0] * sides[1]; }

Part choose_part(const Sliding &sliding, const TensorType &input, const TensorType &output,
                 int64_t most, const std::function<int64_t(const Part &)> &count) {
  auto part_of = [&](int64_t side) {
    Part part;
    for (size_t axis = 0; axis < 2; ++axis) {
      const int64_t whole = output.shape[2 + axis], read = input.shape[2 + axis];
      part.output[axis] = std::min(side, whole);
      part.input[axis] = side < whole ? sliding.read(axis, part.output[axis], read) : read;
    }
    return part;
  };
  int64_t side = most_side;
  while (side > 1 && count(part_of(side)) > most)
    --side;
  return part_of(side);
}

Json describe_sliding(const Graph &graph, const Node &node, const Sliding &sliding,
                      const KnownValues &values) {
  return {{"name", values.name_of(node.results[0])},
          {"op", info_of(node.op).name},
          {"kernel", node.kernel == no_id ? "" : graph.kernels[node.kernel].name},
          {"input", describe(graph, node.operands[0], values)},
          {"output", describe(graph, node.results[0], values)},
          {"window", sliding.window},
          {"stride", sliding.stride},
          {"pad", sliding.pad},
          {"dilation", sliding.dilation}};
}

} // namespace cnnc::report
