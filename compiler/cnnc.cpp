#include "compiler/cnnc.h"

#include "compiler/constants.h"
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/session.h"
#include "ir/text/files.h"

namespace cnnc {

namespace {

/// After a mistake in the text: types of the statements that could be read, so that one run shows
/// mistakes of both kinds.
void check_incomplete(Module &incomplete, Diagnostics &diagnostics) {
  PassContext context{diagnostics};
  for (Graph &graph : incomplete.models) {
    if (graph.inputs.empty() || graph.nodes.empty())
      continue;
    if (graph.outputs.empty())
      graph.outputs.push_back(graph.nodes.back().results.front());
    infer_shapes(graph, context);
  }
  diagnostics.sort_by_position();
}

Result<Model> parse_source(std::string text, std::string name, std::filesystem::path file) {
  Diagnostics diagnostics;
  auto source = std::make_shared<const Source>(Source{std::move(name), std::move(text)});
  Module incomplete;
  std::optional<Module> module = parse_module(source, diagnostics, &incomplete);
  if (!module) {
    check_incomplete(incomplete, diagnostics);
    return Error{diagnostics.to_string()};
  }
  auto content = std::make_shared<Model::Content>();
  content->module = std::move(*module);
  content->file = std::move(file);
  return Model(std::move(content));
}

} // namespace

std::vector<std::string> Model::names() const {
  std::vector<std::string> names;
  for (const Graph &model : content_->module.models)
    names.push_back(model.name);
  return names;
}

Result<Model> parse(std::string_view text, std::string_view file) {
  bool in_memory = file.starts_with('<');
  return parse_source(std::string(text), std::string(file),
                      in_memory ? std::filesystem::path() : std::filesystem::path(file));
}

Result<Model> load(const std::filesystem::path &file) {
  Diagnostics diagnostics;
  std::optional<std::string> text = read_file(file, diagnostics);
  if (!text)
    return Error{diagnostics.to_string()};
  return parse_source(std::move(*text), file == "-" ? "<stdin>" : file.string(), file);
}

Result<void> check(const Model &model, const Options &options) {
  Session session(model, options);
  std::optional<std::vector<const Pass *>> passes =
      find_passes(std::vector<std::string>{"infer_shapes"}, session.diagnostics());
  if (!session.resolve_target() || !session.run(*passes))
    return session.error();
  for (const Graph &graph : session.module().models)
    Constants::open(graph, resolve_weights_path(graph, model.content().file, options.weights),
                    session.diagnostics());
  if (session.diagnostics().has_errors())
    return session.error();
  session.report_warnings();
  return {};
}

std::string version() { return "cnnc " CNNC_VERSION " (LLVM " CNNC_LLVM_VERSION ")"; }

} // namespace cnnc
