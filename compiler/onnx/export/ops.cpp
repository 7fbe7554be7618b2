#include "compiler/onnx/export/ops.h"

#include "compiler/onnx/export/node.h"

namespace cnnc {

bool add_onnx_nodes(NodeBuilder &builder, const Graph &graph, const Node &node) {
  NodeExport exported(builder, graph, node);
  return std::visit([&](const auto &op) { return exported.add(op); }, node.op);
}

} // namespace cnnc
