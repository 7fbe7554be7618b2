// Functions that an ONNX file defines itself: their calls become the nodes of their bodies.
#pragma once

#include "compiler/onnx/import/wire_format.h"
#include "ir/text/diagnostics.h"

namespace cnnc {

/// The model with the bodies in the places of the calls, in graphs inside of nodes and in other
/// functions, too; the model itself when it defines none. Values of a body are called
/// call.value. Empty after a report: functions that call themselves or grow the model beyond
/// measure, calls with too many operands, another version of the standard ops.
std::shared_ptr<const onnx::ModelProto>
inline_functions(std::shared_ptr<const onnx::ModelProto> model, const std::string &file,
                 Diagnostics &diagnostics);

} // namespace cnnc
