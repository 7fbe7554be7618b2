// Ops of the graph as nodes of ONNX (opset 17): one node where ONNX has the op, else a few that
// compute the same.
//
//   conv2d              Conv                      dense            Gemm with transB
//   max_pool2d          MaxPool                   avg_pool2d       AveragePool
//   silu                Sigmoid, Mul              local2d          Gather windows, MatMul
#pragma once

#include "compiler/onnx/export/node_builder.h"

namespace cnnc {

/// Adds the nodes of one op that is not a source of constants. The graph has types, without
/// layouts. False for `call`, which ONNX cannot say.
bool add_onnx_nodes(NodeBuilder &builder, const Graph &graph, const Node &node);

} // namespace cnnc
