#include "compiler/layout/dot_filters.h"

#include "compiler/support/ceil_div.h"

namespace cnnc {

int64_t dot_width(const Layout &filter) {
  if (filter.blocks.empty() || filter.winograd != 0)
    return 0;
  const Block &last = filter.blocks.back();
  return last == Block{1, 4} || last == Block{1, 2} ? last.size : 0;
}

bool holds_fours_of_rows(const TensorType &type) {
  const auto rows = static_cast<int64_t>(type.rank()) - 2;
  return !type.layout.blocks.empty() && type.layout.blocks.back() == Block{rows, 4};
}

bool takes_fours_of_rows(const Graph &graph, const Node &node) {
  if (!std::holds_alternative<Matmul>(node.op))
    return false;
  const std::vector<int64_t> &b = graph.type(node.operands[1]).shape;
  return graph.type(node.results[0]).dtype == DType::i32 && b[b.size() - 2] >= 4;
}

std::vector<Block> rows_in_fours(const std::vector<int64_t> &shape, int64_t lanes) {
  const auto rank = static_cast<int64_t>(shape.size());
  std::vector<Block> blocks = {{rank - 2, 4}};
  if (shape.back() >= lanes)
    blocks.insert(blocks.begin(),
                  {{rank - 2, ceil_div(shape[shape.size() - 2], 4)}, {rank - 1, lanes}});
  return blocks;
}

int64_t dot_width(const Graph &graph, const Node &node, int64_t lanes) {
  if (!is_one_of<Conv2d, Dense>(node.op) || graph.type(node.results[0]).dtype != DType::i32)
    return 0;
  const std::vector<int64_t> &filter = graph.type(node.operands[1]).shape;
  const int64_t bytes = size_of(graph.type(node.operands[0]).dtype);
  const int64_t width = bytes <= 2 ? 4 / bytes : 0;
  const auto *conv = std::get_if<Conv2d>(&node.op);
  if (width == 0 || (!conv && filter[1] % width != 0))
    return 0;
  const bool whole = !conv || conv->groups == 1 ||
                     (filter[1] % lanes == 0 && filter[0] / conv->groups % lanes == 0);
  return whole ? width : 0;
}

int64_t block_of_few(int64_t channels, int64_t width) { return ceil_div(channels, width) * width; }

std::vector<Block> dot_blocks(int64_t input_block, int64_t outputs, int64_t width) {
  std::vector<Block> blocks = {{0, outputs}, {1, width}};
  if (input_block > width)
    blocks.insert(blocks.begin(), {1, input_block / width});
  return blocks;
}

} // namespace cnnc
