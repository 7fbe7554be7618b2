// One stage of the compiler as text (or the bytes of an object).
#include "compiler/analysis/dot.h"
#include "compiler/analysis/summary.h"
#include "compiler/api/session.h"
#include "compiler/api/write_onnx.h"
#include "compiler/codegen/kernels.h"
#include "ir/text/files.h"
#include "ir/text/temporary.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

std::optional<std::string> emit_code(Session &session, Stage stage) {
  std::optional<CompiledProgram> program = session.compile();
  if (!program)
    return std::nullopt;
  auto emit = stage == Stage::llvm ? codegen::kernels_to_llvm : codegen::kernels_to_assembly;
  std::vector<loop::Kernel> &kernels = program->layout.kernels;
  // One that shares the code of another is only there under the other's name.
  if (const std::string &wanted = session.options().print_kernel; !wanted.empty()) {
    kernels = session.module().kernels;
    std::erase_if(kernels, [&](const loop::Kernel &kernel) { return kernel.name != wanted; });
  }
  return session.timed("print code",
                       [&] { return emit(kernels, session.target(), session.diagnostics()); });
}

std::optional<std::string> emit_header(Session &session) {
  std::optional<ProgramLayout> layout = session.lay_out();
  if (!layout)
    return std::nullopt;
  return codegen::write_header(layout->description);
}

/// The loops that are compiled, with the register tiles that fit.
std::optional<std::string> emit_loops(Session &session) {
  if (session.may_tile_again() && !session.compile())
    return std::nullopt;
  return session.text();
}

/// A relocatable object is linked in a file, so it takes one.
Result<std::string> emit_object(const Model &model, const Options &options) {
  Diagnostics diagnostics;
  std::error_code ignored;
  const TemporaryFolder folder(std::filesystem::temp_directory_path(ignored) / "model.o",
                               diagnostics);
  if (!folder.valid())
    return Error{diagnostics.to_string()};
  const std::filesystem::path file = folder.file("model.o");
  Result<Artifact> artifact = write_object(model, file, options);
  std::optional<std::string> bytes;
  if (artifact)
    bytes = read_file(file, diagnostics);
  if (!artifact)
    return Error{std::string(artifact.error())};
  if (!bytes)
    return Error{diagnostics.to_string()};
  return std::move(*bytes);
}

/// Texts of ours need no choice of a model, and kernels can be emitted without any.
Opening opening_for(const Model &model, Stage stage) {
  bool ours = stage == Stage::graph || stage == Stage::loops || stage == Stage::dot;
  bool kernels_only = model.content().module.models.empty() && stage != Stage::header;
  Opening opening;
  opening.needs_model = !ours && !kernels_only;
  if (ours)
    opening.types_before = "";
  if (stage == Stage::graph || stage == Stage::dot)
    opening.passes = graph_pipeline();
  return opening;
}

std::optional<std::string> emit(Session &session, Stage stage) {
  switch (stage) {
  case Stage::llvm:
  case Stage::assembly:
    return emit_code(session, stage);
  case Stage::header:
    return emit_header(session);
  case Stage::loops:
    return emit_loops(session);
  case Stage::dot:
    return to_dot(session.module());
  default:
    return session.text();
  }
}

} // namespace

Result<std::string> emit(const Model &model, Stage stage, const Options &options) {
  if (stage == Stage::object)
    return emit_object(model, options);
  if (stage == Stage::onnx)
    return emit_onnx(model, options);
  Result<Session> session = Session::open(model, options, opening_for(model, stage));
  if (!session)
    return Error{std::string(session.error())};
  std::optional<std::string> text = emit(*session, stage);
  if (!text)
    return session->error();
  if (stage == Stage::llvm && session->wants_print(llvm_step))
    options.after_pass(llvm_step, *text);
  session->report_warnings();
  return std::move(*text);
}

Result<std::string> summary(const Model &model, const Options &options) {
  Opening opening{model.content().module.models.empty(), type_pipeline()};
  Result<Session> session = Session::open(model, quiet(options), opening);
  if (!session)
    return Error{std::string(session.error())};
  std::string text;
  for (const Graph &graph : session->module().models) {
    const bool with_gradients = options.gradients || options.training || !graph.updated.empty();
    text += (text.empty() ? "" : "\n") + summary(graph, with_gradients);
  }
  return text;
}

} // namespace cnnc
