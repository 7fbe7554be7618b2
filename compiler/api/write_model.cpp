// Libraries, objects and archives: the build, its weights on disk, and LLD.
#include "compiler/api/session.h"
#include "compiler/codegen/link.h"
#include "compiler/codegen/weights_object.h"
#include "compiler/program/write_weights.h"
#include "ir/text/files.h"
#include "runtime/embedded.h"

#include <fmt/format.h>
#include <unistd.h>

namespace cnnc {

namespace {

using Linker = bool (*)(const codegen::LinkInputs &, const std::filesystem::path &, Diagnostics &);

/// A file beside the output, where there should be room for the weights; removed at the end.
class TemporaryFile {
public:
  TemporaryFile(const std::filesystem::path &output, Diagnostics &diagnostics) {
    std::filesystem::path name = output;
    name.replace_filename("." + output.filename().string() + ".XXXXXX");
    std::string pattern = name.string();
    int file = mkstemp(pattern.data());
    if (file < 0) {
      diagnostics.error(fmt::format("cannot write '{}': {}", output.string(), strerror(errno)));
      return;
    }
    close(file);
    path_ = pattern;
  }
  ~TemporaryFile() {
    std::error_code ignored;
    if (!path_.empty())
      std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile &) = delete;
  TemporaryFile &operator=(const TemporaryFile &) = delete;
  const std::filesystem::path &path() const { return path_; } // empty when it could not be made

private:
  std::filesystem::path path_;
};

bool write_weights_object(Session &session, const WeightsSource &source,
                          const std::filesystem::path &path) {
  Diagnostics &diagnostics = session.diagnostics();
  uint64_t size = source.program.description.weights_size;
  std::unique_ptr<codegen::WeightsObjectWriter> writer =
      codegen::WeightsObjectWriter::open(path, session.target(), size, diagnostics);
  if (!writer)
    return false;
  // A network of this size keeps its user waiting for seconds.
  constexpr uint64_t large = uint64_t(100) << 20;
  if (size > large && session.options().remark)
    session.options().remark(fmt::format("writing {} MB of weights", size / 1'000'000));
  auto write = [&](uint64_t offset, std::span<const std::byte> bytes, Diagnostics &report) {
    return writer->write(offset, bytes, report);
  };
  return write_weights(source, write, diagnostics) && writer->finish(diagnostics);
}

/// The model's header, the one that it includes, and the one that C++ programs may include.
bool write_headers(const codegen::ModelDescription &model, const std::filesystem::path &header,
                   Diagnostics &diagnostics) {
  auto write_beside = [&](const char *name, const unsigned char *begin, const unsigned char *end) {
    std::string_view text(reinterpret_cast<const char *>(begin), static_cast<size_t>(end - begin));
    return write_file_atomically(std::filesystem::path(header).replace_filename(name), text,
                                 diagnostics);
  };
  return write_file_atomically(header, codegen::write_header(model), diagnostics) &&
         write_beside("cnnc_runtime.h", cnnc_embedded_header_begin, cnnc_embedded_header_end) &&
         write_beside("cnnc_model.hpp", cnnc_embedded_cpp_header_begin,
                      cnnc_embedded_cpp_header_end);
}

std::optional<Artifact> write(Session &session, const std::filesystem::path &file, Linker link) {
  Diagnostics &diagnostics = session.diagnostics();
  std::optional<Constants> constants = session.open_constants();
  std::optional<CompiledProgram> program = constants ? session.compile() : std::nullopt;
  if (!program)
    return std::nullopt;
  const codegen::ModelDescription &model = program->layout.description;
  WeightsSource source{program->layout, session.model(), *constants, session.options().jobs};
  TemporaryFile weights(file, diagnostics);
  if (weights.path().empty() || !session.timed("weights", [&] {
        return write_weights_object(session, source, weights.path());
      }))
    return std::nullopt;
  codegen::LinkInputs inputs{session.target(), program->objects, weights.path(),
                             codegen::model_symbol(model)};
  if (!session.timed("link", [&] { return link(inputs, file, diagnostics); }))
    return std::nullopt;
  std::filesystem::path header = std::filesystem::path(file).replace_extension(".h");
  if (!write_headers(model, header, diagnostics))
    return std::nullopt;
  Artifact artifact{file, header};
  std::error_code ignored;
  artifact.file_size = std::filesystem::file_size(file, ignored);
  artifact.code_size = program->code_size;
  artifact.weights_size = model.weights_size;
  artifact.workspace_size = model.workspace_size;
  artifact.sources = constants->files();
  if (!session.file().empty() && session.file() != "-")
    artifact.sources.insert(artifact.sources.begin(), session.file());
  return artifact;
}

Result<Artifact> write(const Model &model, const std::filesystem::path &file,
                       const Options &options, Linker link) {
  Result<Session> session = Session::open(model, options);
  if (!session)
    return Error{std::string(session.error())};
  std::optional<Artifact> artifact = write(*session, file, link);
  if (!artifact)
    return session->error();
  session->report_warnings();
  return std::move(*artifact);
}

} // namespace

Result<Artifact> write_shared_library(const Model &model, const std::filesystem::path &file,
                                      const Options &options) {
  return write(model, file, options, codegen::link_shared_library);
}

Result<Artifact> write_object(const Model &model, const std::filesystem::path &file,
                              const Options &options) {
  return write(model, file, options, codegen::link_relocatable);
}

Result<Artifact> write_archive(const Model &model, const std::filesystem::path &file,
                               const Options &options) {
  return write(model, file, options, codegen::write_archive);
}

} // namespace cnnc
