// Ops between quantised numbers: they become ops between floats.
#pragma once

#include "compiler/onnx/import/wire_format.h"
#include "ir/text/diagnostics.h"

namespace cnnc {

/// The model with DequantizeLinear, an op between floats and QuantizeLinear in the places of
/// QLinearConv, QLinearMatMul and the ops of com.microsoft that are like them, in graphs inside of
/// nodes, too; the model itself when it has none. Values on the way are called output.part. Empty
/// after a report: inputs that are missing, tensors with channels last.
std::shared_ptr<const onnx::ModelProto>
expand_quantized(std::shared_ptr<const onnx::ModelProto> model, const std::string &file,
                 Diagnostics &diagnostics);

} // namespace cnnc
