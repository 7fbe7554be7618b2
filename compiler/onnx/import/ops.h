// Which function imports which ONNX op. A family of ops is one file, with its table at
// the end.
#pragma once

#include "compiler/onnx/import/node.h"

#include <span>

namespace cnnc {

struct ImportRow {
  std::string_view op;
  NodeImport import;
};

std::span<const ImportRow> convolution_imports();
std::span<const ImportRow> pool_imports();
std::span<const ImportRow> elementwise_imports();
std::span<const ImportRow> shape_imports();
std::span<const ImportRow> slice_imports();
std::span<const ImportRow> reduction_imports();
std::span<const ImportRow> resize_imports();
std::span<const ImportRow> pad_imports();
std::span<const ImportRow> broadcast_imports();
std::span<const ImportRow> normalization_imports();
std::span<const ImportRow> matrix_imports();
std::span<const ImportRow> constant_imports();
std::span<const ImportRow> einsum_imports();
std::span<const ImportRow> element_imports();
std::span<const ImportRow> branch_imports();
std::span<const ImportRow> mask_imports();
std::span<const ImportRow> quantization_imports();

/// The element type that an attribute names; empty after a report.
std::optional<DType> read_type(OnnxNode &node, std::string_view attribute);

/// The convolution of Conv, whose input and filter are like inputs 0 and 1 of the node, of these
/// operands; `attributes` are those of conv2d besides the window's. no_id after an error.
ValueId convolved(OnnxNode &node, const std::vector<ValueId> &operands, Attributes attributes = {});

/// The product of MatMul, of values like inputs 0 and 1 of the node. no_id after an error.
ValueId multiplied(OnnxNode &node, ValueId a, ValueId b);

/// Which dimensions an op like ReduceSum reduces.
struct ReducedAxes {
  std::vector<int64_t> axes; // counted from 0, sorted
  bool keep = true;          // as dimensions of 1
  bool nothing = false;      // it reduces none: its result is the input
};
std::optional<ReducedAxes> read_reduced_axes(OnnxNode &node);

/// Makes the outputs of a node known: computes them when all inputs are known, else adds ops to the
/// graph. False after errors; an op that is not supported is one even if inputs have failed.
bool import_node(OnnxNode &node);

} // namespace cnnc
