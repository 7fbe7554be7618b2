#include "compiler/onnx/export/ops.h"

#include "compiler/onnx/export/node.h"

namespace cnnc {

namespace {

/// Ops with a function add() in node.h.
template <class T>
concept Exported = requires(NodeExport &node, const T &op) {
  node.add(op);
};

} // namespace

bool add_onnx_nodes(NodeBuilder &builder, const Graph &graph, const Node &node) {
  NodeExport exported(builder, graph, node);
  return match(node.op, [&](const Exported auto &op) { return exported.add(op); });
}

} // namespace cnnc
