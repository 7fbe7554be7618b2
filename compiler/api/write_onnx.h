// The steps from a text to the bytes of an ONNX file that emit() takes; write_onnx() is in cnnc.h.
#pragma once

#include "compiler/cnnc.h"

namespace cnnc {

/// The whole file, its weights inside.
Result<std::string> emit_onnx(const Model &model, const Options &options);

} // namespace cnnc
