// A graph as an ONNX file: opset 17, IR version 8, one node per op where ONNX has it, all names of
// values kept, constants as initializers.
//
// The file is written by hand around what protobuf serialises, because the elements of constants
// are computed one tensor at a time: a network never lies in memory twice.
#pragma once

#include "compiler/constants/constants.h"
#include "ir/text/files.h"

namespace cnnc {

/// protobuf reads at most 2^31 - 1 bytes; some room is left for tools that add to a file.
inline constexpr uint64_t largest_onnx_file = 2'000'000'000;

class OnnxExport {
public:
  /// The nodes of a graph with types. Reports calls of kernels, layouts and values without a type,
  /// none of which ONNX can say. Graph and constants must outlive the result.
  static std::optional<OnnxExport> create(const Graph &graph, const Constants &constants,
                                          Diagnostics &diagnostics);

  /// Bytes of the file with all constants inside.
  uint64_t size_inside() const;

  /// The whole model in one file.
  bool write_inside(const FileSink &sink, Diagnostics &diagnostics) const;

  /// The model whose larger constants are in a file `location`, relative to its folder ...
  bool write_with_location(const std::string &location, const FileSink &sink,
                           Diagnostics &diagnostics) const;
  /// ... and that file.
  bool write_elements(const FileSink &sink, Diagnostics &diagnostics) const;

private:
  /// A source of constants, an initializer in the file.
  struct Stored {
    ValueId value;
    uint64_t bytes;
    std::optional<uint64_t> offset; // in the file beside; empty: too small for it
  };

  OnnxExport(const Graph &graph, const Constants &constants)
      : graph_(&graph), constants_(&constants) {}
  bool add_constants(Diagnostics &diagnostics);
  struct Initializer;
  // Of a file whose larger constants are at `location`, or inside where that is null.
  std::string tensor_head(const Stored &stored, const std::string *location) const;
  std::vector<Initializer> initializers(const std::string *location) const;
  uint64_t graph_size(const std::vector<Initializer> &initializers) const;
  bool write_model(const std::string *location, const FileSink &sink,
                   Diagnostics &diagnostics) const;
  bool write_value(const Stored &stored, const FileSink &sink, Diagnostics &diagnostics) const;

  const Graph *graph_;
  const Constants *constants_;
  std::string model_bytes_; // of the ModelProto without its graph
  std::string graph_bytes_; // of the GraphProto without `stored_`
  std::vector<Stored> stored_;
};

} // namespace cnnc
