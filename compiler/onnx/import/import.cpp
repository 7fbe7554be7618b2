#include "compiler/onnx/import/import.h"

#include "compiler/onnx/import/expand_quantized.h"
#include "compiler/onnx/import/importer.h"
#include "compiler/onnx/import/inline_functions.h"

namespace cnnc {

bool looks_like_onnx(std::string_view bytes) {
  // ModelProto.ir_version, the first field of every file: a control character that no text has.
  constexpr char ir_version = 8;
  return bytes.starts_with(ir_version);
}

std::optional<ImportedModel> import_onnx(OnnxBytes bytes, const std::string &file,
                                         const std::filesystem::path &folder,
                                         const ImportOptions &options, Diagnostics &diagnostics) {
  SourceRange whole{std::make_shared<const Source>(Source{file, "", "", false}), 0, 0};
  std::optional<OnnxMessages> messages = read_onnx(std::move(bytes), whole, diagnostics);
  if (!messages)
    return std::nullopt;
  messages->model = inline_functions(messages->model, file, diagnostics);
  if (messages->model)
    messages->model = expand_quantized(messages->model, file, diagnostics);
  if (!messages->model)
    return std::nullopt;
  Importer importer(TensorReader(std::move(*messages), folder), file, options, diagnostics);
  if (!importer.run())
    return std::nullopt;
  ImportedModel result;
  result.graph = importer.take_graph();
  result.tensors = importer.take_tensors(result.graph);
  return result;
}

} // namespace cnnc
