#include "compiler/layout/fours.h"

#include "compiler/support/ceil_div.h"

namespace cnnc {

bool holds_fours(const Layout &layout) {
  return !layout.blocks.empty() && layout.blocks.back() == Block{1, 4} && layout.winograd == 0;
}

bool takes_fours(const Graph &graph, const Node &node, int64_t lanes) {
  if (!is_one_of<Conv2d, Dense>(node.op) || graph.type(node.results[0]).dtype != DType::i32)
    return false;
  const std::vector<int64_t> &filter = graph.type(node.operands[1]).shape;
  if (size_of(graph.type(node.operands[0]).dtype) != 1)
    return false;
  const auto *conv = std::get_if<Conv2d>(&node.op);
  if (!conv)
    return filter[1] % 4 == 0;
  return conv->groups == 1 || (filter[1] % lanes == 0 && filter[0] / conv->groups % lanes == 0);
}

int64_t block_of_few(int64_t channels) { return ceil_div(channels, 4) * 4; }

std::vector<Block> blocks_in_fours(int64_t input_block, int64_t outputs) {
  std::vector<Block> blocks = {{0, outputs}, {1, 4}};
  if (input_block > 4)
    blocks.insert(blocks.begin(), {1, input_block / 4});
  return blocks;
}

} // namespace cnnc
