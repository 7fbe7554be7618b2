#include "compiler/api/write_onnx.h"

#include "compiler/api/session.h"
#include "compiler/onnx/export/export.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

bool report_too_large(uint64_t size, Diagnostics &diagnostics) {
  if (size <= largest_onnx_file)
    return false;
  diagnostics.error(fmt::format("an ONNX file of {} bytes is larger than the {} that programs can "
                                "read: -o model.onnx --onnx-weights=beside puts the weights into a "
                                "file beside it",
                                size, largest_onnx_file));
  return true;
}

/// The weights come first, so that a model never misses them.
bool write_beside(const OnnxExport &onnx, const std::filesystem::path &file,
                  Diagnostics &diagnostics) {
  std::filesystem::path weights = file;
  weights += ".data";
  auto elements = [&](const FileSink &sink) { return onnx.write_elements(sink, diagnostics); };
  auto model = [&](const FileSink &sink) {
    return onnx.write_with_location(weights.filename().string(), sink, diagnostics);
  };
  return write_file_atomically(weights, elements, diagnostics) &&
         write_file_atomically(file, model, diagnostics);
}

bool write_to(Session &session, const OnnxExport &onnx, const std::filesystem::path &file) {
  Diagnostics &diagnostics = session.diagnostics();
  OnnxWeights where = session.options().onnx_weights;
  bool too_large = onnx.size_inside() > largest_onnx_file;
  if (where == OnnxWeights::beside || (where == OnnxWeights::automatic && too_large && file != "-"))
    return write_beside(onnx, file, diagnostics);
  if (report_too_large(onnx.size_inside(), diagnostics))
    return false;
  auto produce = [&](const FileSink &sink) { return onnx.write_inside(sink, diagnostics); };
  return write_file_atomically(file, produce, diagnostics);
}

/// Calls write(session, export) on the model that the options choose, with types, and nothing else
/// changed unless the options name passes.
template <class Write>
Result<void> with_export(const Model &model, const Options &options, Write write) {
  Result<Session> session =
      Session::open(model, options, {true, type_pipeline(), {}, "the export"});
  if (!session)
    return Error{std::string(session.error())};
  std::optional<Constants> constants = session->open_constants();
  if (!constants)
    return session->error();
  std::optional<OnnxExport> onnx =
      OnnxExport::create(session->model(), *constants, session->diagnostics());
  if (!onnx || !session->timed("write ONNX", [&] { return write(*session, *onnx); }))
    return session->error();
  session->report_warnings();
  return {};
}

} // namespace

Result<void> write_onnx(const Model &model, const std::filesystem::path &file,
                        const Options &options) {
  return with_export(model, options, [&](Session &session, const OnnxExport &onnx) {
    return write_to(session, onnx, file);
  });
}

Result<std::string> emit_onnx(const Model &model, const Options &options) {
  std::string bytes;
  auto append = [&](std::string_view more) {
    bytes += more;
    return true;
  };
  Result<void> written = with_export(model, options, [&](Session &session, const OnnxExport &onnx) {
    return !report_too_large(onnx.size_inside(), session.diagnostics()) &&
           onnx.write_inside(append, session.diagnostics());
  });
  if (!written)
    return Error{std::string(written.error())};
  return bytes;
}

} // namespace cnnc
