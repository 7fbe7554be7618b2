#include "compiler/onnx/import/ops.h"

#include "compiler/onnx/import/fold.h"

#include <algorithm>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

NodeImport find_import(std::string_view op) {
  for (std::span<const ImportRow> family :
       {convolution_imports(), pool_imports(), elementwise_imports(), shape_imports(),
        slice_imports(), broadcast_imports(), reduction_imports(), resize_imports(), pad_imports(),
        normalization_imports(), matrix_imports(), constant_imports(), einsum_imports(),
        element_imports(), branch_imports(), mask_imports(), quantization_imports()})
    for (const ImportRow &row : family)
      if (row.op == op)
        return row.import;
  return nullptr;
}

/// What computes the same as an op that is not supported, or nearly so.
std::string nearest_form(std::string_view op) {
  static const std::vector<std::pair<std::vector<std::string_view>, std::string_view>> table = {
      {{"LSTM", "GRU", "RNN"}, "recurrent layers are not; export the network without them"},
      {{"NonMaxSuppression", "Unique", "Compress", "RoiAlign", "MaxRoiPool"},
       "end the model before it and do this step in the program that calls it"},
      {{"GridSample"}, "Resize is, where the grid is regular"},
  };
  for (const auto &[ops, advice] : table)
    if (std::ranges::find(ops, op) != ops.end())
      return fmt::format(": {}", advice);
  return "";
}

/// Why there is no import of an op, and what to use instead.
std::string reason_to_refuse(OnnxNode &node) {
  if (!is_standard_domain(node.domain()))
    return fmt::format("ops of the domain '{}' are not supported, only those of ONNX itself",
                       printable(node.domain()));
  if (node.op() == "Loop" || node.op() == "Scan" || node.op() == "SequenceMap")
    return "loops are not supported: export the model with every loop written out";
  return fmt::format("this op is not supported{}", nearest_form(node.op()));
}

} // namespace

bool import_node(OnnxNode &node) {
  NodeImport import = is_standard_domain(node.domain()) ? find_import(node.op()) : nullptr;
  const FoldRow *fold = is_standard_domain(node.domain()) ? find_fold(node.op()) : nullptr;
  if (!import && !fold)
    return node.fail(reason_to_refuse(node));
  if (node.has_failed_input())
    return false;
  std::optional<bool> folded = fold ? fold_node(node, *fold) : std::nullopt;
  if (folded)
    return *folded;
  if (!import)
    return node.fail("this op is supported only where its inputs are known when the model is "
                     "compiled, as in computations with shapes");
  return import(node) && node.check_attributes();
}

} // namespace cnnc
