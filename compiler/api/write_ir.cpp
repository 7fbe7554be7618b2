#include "compiler/api/session.h"
#include "ir/text/files.h"

namespace cnnc {

Result<void> write_ir(const Model &model, const std::filesystem::path &file) {
  Diagnostics diagnostics;
  const Model::Content &content = model.content();
  if (!content.tensors)
    return Error{
        "cnnc: error: this model is a text already, only what is read from an ONNX file is "
        "written as one; --emit=graph --passes=none prints it in its standard form\n"};
  // The weights come first, so that a text never misses them.
  std::filesystem::path weights = std::filesystem::path(file).replace_extension(".safetensors");
  bool ok = content.tensors->tensors.empty() ||
            write_safetensors(weights, content.tensors->tensors, diagnostics);
  if (!ok || !write_file_atomically(file, to_string(content.module), diagnostics))
    return Error{diagnostics.to_string()};
  return {};
}

} // namespace cnnc
