// Products of matrices.
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

ValueId scaled(OnnxNode &node, ValueId value, double factor) {
  return factor == 1 ? value : node.emit("mul", {value, node.splat(factor)});
}

/// Whether C is the bias of a dense layer: one number per column.
bool is_bias(const std::vector<int64_t> &shape, int64_t columns) {
  return element_count(shape) == columns && !shape.empty() && shape.back() == columns;
}

/// alpha * A * B + beta * C, each of A and B transposed or not.
bool import_gemm(OnnxNode &node) {
  if (!node.require_inputs(node.opset() < 11 ? 3 : 2, 3))
    return false;
  bool transpose_a = node.integer("transA", 0) != 0, transpose_b = node.integer("transB", 0) != 0;
  double alpha = node.number("alpha", 1), beta = node.number("beta", 1);
  if (node.opset() < 7)
    node.integer("broadcast", 0);
  if (!node.require_rank(1, 2, "those of a matrix"))
    return false;
  ValueId a = node.operand(0);
  if (node.opset() < 7 && node.rank(0) > 2) { // files of then leave the flattening to Gemm
    std::optional<int64_t> rest = product(node, node.shape(0), 1, node.rank(0));
    if (!rest)
      return false;
    a = reshaped(node, a, {node.shape(0)[0], *rest});
  } else if (!node.require_rank(0, 2, "those of a matrix")) {
    return false;
  }
  if (transpose_a)
    a = transposed(node, a, {1, 0});
  ValueId b = transpose_b ? node.operand(1) : transposed(node, node.operand(1), {1, 0});
  std::vector<ValueId> operands = {a, scaled(node, b, alpha)};
  int64_t columns = node.shape(1)[transpose_b ? 0 : 1];
  bool bias = node.has(2) && is_bias(node.shape(2), columns);
  if (bias)
    operands.push_back(scaled(node, reshaped(node, node.operand(2), {columns}), beta));
  ValueId result = node.emit("dense", operands);
  if (node.has(2) && !bias && beta != 0)
    result = node.emit("add", {result, scaled(node, node.operand(2), beta)});
  return node.result(result);
}

bool import_matmul(OnnxNode &node) {
  return node.require_inputs(2, 2) &&
         node.result(multiplied(node, node.operand(0), node.operand(1)));
}

constexpr ImportRow rows[] = {{"Gemm", import_gemm}, {"MatMul", import_matmul}};

} // namespace

ValueId multiplied(OnnxNode &node, ValueId a, ValueId b) {
  if (node.rank(0) == 2 && node.rank(1) == 2 && node.is_constant(1))
    return node.emit("dense", {a, transposed(node, b, {1, 0})});
  if (node.rank(0) >= 2 && node.rank(1) >= 2)
    return node.emit("matmul", {a, b});
  if (node.rank(0) == 0 || node.rank(1) == 0) {
    node.fail("its operands must not be scalars");
    return no_id;
  }
  // A vector is a row on the left and a column on the right, and vanishes from the result.
  bool row = node.rank(0) == 1, column = node.rank(1) == 1;
  if (row)
    a = reshaped(node, a, {1, node.shape(0)[0]});
  if (column)
    b = reshaped(node, b, {node.shape(1)[0], 1});
  ValueId result = node.emit("matmul", {a, b});
  if (result == no_id)
    return no_id;
  std::vector<int64_t> shape = node.type_of(result).shape;
  if (column)
    shape.pop_back();
  if (row)
    shape.erase(shape.end() - (column ? 1 : 2));
  return reshaped(node, result, shape);
}

std::span<const ImportRow> matrix_imports() { return rows; }

} // namespace cnnc
