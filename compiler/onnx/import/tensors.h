// Tensors of an ONNX file as views of where they lie: in the file, in a file beside it, in the
// messages, or in memory of their own when their elements had to be unpacked.
#pragma once

#include "compiler/onnx/import/wire_format.h"
#include "ir/type/type.h"
#include "ir/weights/safetensors.h"

#include <deque>
#include <map>

namespace cnnc {

/// "FLOAT", "INT8" ... of TensorProto.data_type, and of types in general; "type 77" when unknown.
std::string onnx_type_name(int32_t onnx_type);

/// The element type that a value of this ONNX type has here: FLOAT16, BFLOAT16 and DOUBLE are
/// f32. Empty when there is none.
std::optional<DType> dtype_of(int32_t onnx_type);

class TensorReader {
public:
  /// `folder` is where files with external data may be; empty when there is none.
  TensorReader(OnnxMessages messages, std::filesystem::path folder)
      : messages_(std::move(messages)), folder_(std::move(folder)) {}

  /// The elements of a tensor under a name of one's choice; errors at `range`. Valid as long as the
  /// reader lives, or what it was moved to.
  std::optional<SafetensorsTensor> read(const onnx::TensorProto &tensor, std::string name,
                                        const SourceRange &range, Diagnostics &diagnostics);

  const OnnxMessages &messages() const { return messages_; }
  /// The files with external data that were opened.
  std::vector<std::filesystem::path> files() const;

private:
  std::optional<std::span<const std::byte>> find_elements(const onnx::TensorProto &tensor,
                                                          uint64_t count, uint64_t size,
                                                          std::string &problem);
  std::optional<std::span<const std::byte>> unpack(const onnx::TensorProto &tensor, uint64_t count,
                                                   uint64_t size, std::string &problem);
  std::optional<std::span<const std::byte>> external(const onnx::TensorProto &tensor,
                                                     uint64_t length, std::string &problem);
  const MappedFile *map_beside(const std::string &location, std::string &problem);

  OnnxMessages messages_;
  std::filesystem::path folder_;
  std::deque<std::vector<std::byte>> unpacked_;
  std::map<std::filesystem::path, MappedFile> beside_;
};

} // namespace cnnc
