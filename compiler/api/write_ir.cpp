#include "compiler/api/session.h"
#include "ir/text/files.h"

namespace cnnc {

Result<void> write_ir(const Model &model, const std::filesystem::path &file,
                      const Options &options) {
  Diagnostics diagnostics;
  const Model::Content &content = model.content();
  if (!content.tensors)
    return Error{
        "cnnc: error: this model is a text already, only what is read from an ONNX file is "
        "written as one; --emit=graph --passes=none prints it in its standard form\n"};
  const Graph &graph = content.module.models.front();
  const std::optional<Constants> constants = open_constants(content, graph, options, diagnostics);
  if (!constants)
    return Error{diagnostics.to_string()};
  report_warnings(diagnostics, options);
  const std::vector<SafetensorsTensor> tensors = constants->stored_weights(graph);
  // The weights come first, so that a text never misses them.
  std::filesystem::path weights = std::filesystem::path(file).replace_extension(".safetensors");
  if ((!tensors.empty() && !write_safetensors(weights, tensors, diagnostics)) ||
      !write_file_atomically(file, to_string(content.module), diagnostics))
    return Error{diagnostics.to_string()};
  return {};
}

} // namespace cnnc
