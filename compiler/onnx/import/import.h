// ONNX files as graphs. docs: compiler/README.md, "ONNX files".
#pragma once

#include "compiler/constants/constants.h"
#include "compiler/onnx/import/wire_format.h"

namespace cnnc {

/// What a file leaves open, and who wants to know what was found in it.
struct ImportOptions {
  std::vector<std::string>
      shapes; // of inputs: "NAME=1x3x640x640", or "1x3x640x640" for the only one
  std::function<void(const std::string &)> remark;              // for notes; may be empty
  std::function<void(size_t done, size_t total)> progress = {}; // nodes imported; may be empty
};

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
                                         const ImportOptions &options, Diagnostics &diagnostics);

} // namespace cnnc
