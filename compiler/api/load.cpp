#include "compiler/cnnc.h"

#include "compiler/api/check_incomplete.h"
#include "compiler/api/file_kind.h"
#include "compiler/api/session.h"
#include "compiler/constants/constants.h"
#include "compiler/onnx/import/import.h"
#include "ir/text/files.h"

namespace cnnc {

namespace {

Result<Model> parse_source(std::string text, std::string name, std::filesystem::path file) {
  Diagnostics diagnostics;
  if (text.starts_with("\xEF\xBB\xBF")) // the byte order mark that Windows editors write
    text.erase(0, 3);
  auto source = std::make_shared<const Source>(Source{std::move(name), std::move(text)});
  Module incomplete;
  std::optional<Module> module = parse_module(source, diagnostics, &incomplete);
  if (!module) {
    for (Graph &graph : incomplete.models)
      check_incomplete(graph, diagnostics);
    diagnostics.sort_by_position();
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

namespace {

Result<Model> import_source(OnnxBytes bytes, const std::string &name,
                            const std::filesystem::path &file, const LoadOptions &options) {
  Diagnostics diagnostics;
  std::filesystem::path folder = file.parent_path();
  if (!file.empty() && folder.empty())
    folder = ".";
  ImportOptions import_options = {options.shapes, options.remark};
  if (options.progress)
    import_options.progress = [&](size_t done, size_t total) {
      options.progress("nodes imported", done, total);
    };
  std::optional<ImportedModel> imported =
      import_onnx(std::move(bytes), name, folder, import_options, diagnostics);
  if (!imported)
    return Error{diagnostics.to_string()};
  auto content = std::make_shared<Model::Content>();
  content->module.models.push_back(std::move(imported->graph));
  content->tensors = std::move(imported->tensors);
  content->file = file;
  return Model(std::move(content));
}

OnnxBytes owned(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  return {std::as_bytes(std::span(*owner)), owner};
}

/// An error in one line for a file that is neither text nor ONNX.
std::optional<Error> check_kind(std::string_view bytes, const std::string &name) {
  constexpr size_t enough = 512;
  std::optional<std::string> foreign = describe_foreign(bytes.substr(0, enough));
  if (!foreign)
    return std::nullopt;
  Diagnostics diagnostics;
  auto source = std::make_shared<const Source>(Source{name, "", "", false});
  diagnostics.error({source, 0, 0}, std::move(*foreign));
  return Error{diagnostics.to_string()};
}

Result<Model> load_mapped(const std::filesystem::path &file, const LoadOptions &options) {
  Diagnostics diagnostics;
  std::optional<MappedFile> mapped = MappedFile::open(file, diagnostics);
  if (!mapped)
    return Error{diagnostics.to_string()};
  auto owner = std::make_shared<const MappedFile>(std::move(*mapped));
  const std::span<const std::byte> bytes = owner->bytes();
  const std::string_view head(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (!looks_like_onnx(head))
    if (std::optional<Error> error = check_kind(head, file.string()))
      return std::move(*error);
  return import_source({owner->bytes(), owner}, file.string(), file, options);
}

} // namespace

Result<Model> load(const std::filesystem::path &file, const LoadOptions &options) {
  if (file.extension() == ".onnx")
    return load_mapped(file, options);
  Diagnostics diagnostics;
  std::optional<std::string> text = read_file(file, diagnostics);
  if (!text)
    return Error{diagnostics.to_string()};
  std::string name = file == "-" ? "<stdin>" : file.string();
  if (looks_like_onnx(*text))
    return import_source(owned(std::move(*text)), name, file == "-" ? "" : file, options);
  if (std::optional<Error> error = check_kind(*text, name))
    return std::move(*error);
  if (!options.shapes.empty())
    return Error{"cnnc: error: --shape is for ONNX files; in a text the types of the inputs say "
                 "their shapes\n"};
  return parse_source(std::move(*text), name, file);
}

Result<Model> load_onnx(std::string_view bytes, std::string_view file, const LoadOptions &options) {
  bool in_memory = file.starts_with('<');
  return import_source(owned(std::string(bytes)), std::string(file),
                       in_memory ? std::filesystem::path() : std::filesystem::path(file), options);
}

Result<void> check(const Model &model, const Options &options) {
  Options all = options;
  all.model.clear();
  Result<Session> session = Session::open(model, all, {false, type_pipeline(), {}, ""});
  if (!session)
    return Error{std::string(session.error())};
  for (const Graph &graph : session->module().models)
    open_constants(model.content(), graph, options, session->diagnostics());
  if (session->has_errors())
    return session->error();
  session->report_warnings();
  if (options.passes)
    return {};
  // What does not fit the memory is known of the constants that the passes leave.
  Opening compiled{false, graph_pipeline()};
  compiled.remarks = false;
  Result<Session> fits = Session::open(model, quiet(all), compiled);
  if (!fits)
    return Error{std::string(fits.error())};
  return {};
}

std::string version() { return "cnnc " CNNC_VERSION " (LLVM " CNNC_LLVM_VERSION ")"; }

} // namespace cnnc
