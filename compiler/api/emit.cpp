// One stage of the compiler as text (or the bytes of an object).
#include "compiler/analysis/dot.h"
#include "compiler/analysis/summary.h"
#include "compiler/api/write_onnx.h"
#include "compiler/program/build.h"
#include "ir/text/files.h"

#include <fmt/format.h>
#include <unistd.h>

namespace cnnc {

namespace {

/// The kernels under the names of their symbols: those of the model, or all when there is no model.
std::optional<std::vector<loop::Kernel>> kernels_to_compile(Session &session) {
  if (session.module().models.empty())
    return session.module().kernels;
  std::optional<ProgramLayout> layout =
      lay_out_program(session.module(), session.model(), session.target(), session.diagnostics());
  if (!layout)
    return std::nullopt;
  return std::move(layout->kernels);
}

std::optional<std::string> emit_code(Session &session, Stage stage) {
  std::optional<std::vector<loop::Kernel>> kernels = kernels_to_compile(session);
  if (!kernels)
    return std::nullopt;
  auto emit = stage == Stage::llvm ? codegen::kernels_to_llvm : codegen::kernels_to_assembly;
  return session.timed("generate code", [&]() -> std::optional<std::string> {
    if (!compile_fitting(session, *kernels))
      return std::nullopt;
    return emit(named_kernels(*kernels), session.target(), session.diagnostics());
  });
}

std::optional<std::string> emit_header(Session &session) {
  std::optional<ProgramLayout> layout =
      lay_out_program(session.module(), session.model(), session.target(), session.diagnostics());
  if (!layout)
    return std::nullopt;
  return codegen::write_header(layout->description);
}

/// A relocatable object is linked in a file, so it takes one.
Result<std::string> emit_object(const Model &model, const Options &options) {
  std::error_code error;
  std::string folder = (std::filesystem::temp_directory_path(error) / "cnnc-XXXXXX").string();
  if (error || !mkdtemp(folder.data()))
    return Error{"cnnc: error: cannot make a temporary folder"};
  std::filesystem::path file = std::filesystem::path(folder) / "model.o";
  Result<Artifact> artifact = write_object(model, file, options);
  Diagnostics diagnostics;
  std::optional<std::string> bytes;
  if (artifact)
    bytes = read_file(file, diagnostics);
  std::filesystem::remove_all(folder, error);
  if (!artifact)
    return Error{std::string(artifact.error())};
  if (!bytes)
    return Error{diagnostics.to_string()};
  return std::move(*bytes);
}

/// Stages that are texts of ours need no choice of a model.
bool prepare(Session &session, Stage stage) {
  bool ours = stage == Stage::graph || stage == Stage::loops || stage == Stage::dot;
  bool kernels_only = session.module().models.empty() && stage != Stage::header;
  bool select = !session.options().model.empty() || !(ours || kernels_only);
  if (!session.resolve_target() || (select && !session.select_model()))
    return false;
  bool graph_only = stage == Stage::graph || stage == Stage::dot;
  return session.run(graph_only ? graph_pipeline() : default_pipeline());
}

} // namespace

Result<std::string> emit(const Model &model, Stage stage, const Options &options) {
  if (stage == Stage::object)
    return emit_object(model, options);
  if (stage == Stage::onnx)
    return emit_onnx(model, options);
  Session session(model, options);
  if (!prepare(session, stage))
    return session.error();
  std::optional<std::string> text;
  if (stage == Stage::llvm || stage == Stage::assembly)
    text = emit_code(session, stage);
  else if (stage == Stage::header)
    text = emit_header(session);
  else
    text = stage == Stage::dot ? to_dot(session.module()) : to_string(session.module());
  if (!text)
    return session.error();
  if (stage == Stage::llvm && session.wants_print("emit_llvm"))
    options.after_pass("emit_llvm", *text);
  session.report_warnings();
  return std::move(*text);
}

Result<std::string> summary(const Model &model, const Options &options) {
  Options types = options;
  types.passes = std::vector<std::string>{"infer_shapes"};
  Session session(model, types);
  bool one = !options.model.empty() || session.module().models.empty();
  if (!session.resolve_target() || (one && !session.select_model()) || !session.run({}))
    return session.error();
  std::string text;
  for (const Graph &graph : session.module().models)
    text += (text.empty() ? "" : "\n") + summary(graph);
  return text;
}

} // namespace cnnc
