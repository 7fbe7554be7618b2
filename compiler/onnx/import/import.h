// ONNX files as graphs. docs: compiler/README.md, "ONNX files".
#pragma once

#include "compiler/constants/constants.h"
#include "compiler/onnx/import/wire_format.h"

namespace cnnc {

struct LoadOptions;

struct ImportedModel {
  Graph graph;
  std::shared_ptr<const NamedTensors> tensors; // of its weights; views of the file
};

/// Does a file begin like an ONNX file, and not like a text?
bool looks_like_onnx(std::string_view bytes);

/// `file` is its name in messages and names the graph; external data is looked for in `folder`,
/// if it is not empty. Reports everything that is not supported.
std::optional<ImportedModel> import_onnx(OnnxBytes bytes, const std::string &file,
                                         const std::filesystem::path &folder,
                                         const LoadOptions &options, Diagnostics &diagnostics);

} // namespace cnnc
