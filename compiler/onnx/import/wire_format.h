// An ONNX file taken apart: protobuf reads everything but large weights, which stay where they are
// in the mapped file.
#pragma once

#include "ir/text/mapped_file.h"

#include <cstdint>
#include <memory>

namespace onnx {
class ModelProto;
class TensorProto;
} // namespace onnx

namespace cnnc {

/// The bytes of a file and who keeps them alive.
struct OnnxBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

/// The messages of a file, without the elements of its large tensors.
struct OnnxMessages {
  OnnxBytes file;
  std::shared_ptr<const onnx::ModelProto> model;
};

/// Elements of a tensor that lie in the file: bytes [offset, offset + length), as `field` of
/// TensorProto holds them.
struct ElementsInFile {
  int field = 0;
  uint64_t offset = 0, length = 0;
};

/// Reads a file's messages. An error at `range` when the bytes are no ONNX file or cut short.
std::optional<OnnxMessages> read_onnx(OnnxBytes file, const SourceRange &range,
                                      Diagnostics &diagnostics);

/// Where the tensor's elements are, if read_onnx() left them in the file.
std::optional<ElementsInFile> elements_in_file(const onnx::TensorProto &tensor);

} // namespace cnnc
