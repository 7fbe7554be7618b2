// Libraries, objects and archives: the build, its weights on disk, and LLD.
#include "compiler/api/session.h"
#include "compiler/codegen/link.h"
#include "compiler/codegen/model_dispatch.h"
#include "compiler/codegen/weights_object.h"
#include "compiler/layout/memory_plan.h"
#include "compiler/program/write_weights.h"
#include "compiler/support/split_list.h"
#include "ir/text/files.h"
#include "ir/text/temporary.h"
#include "runtime/embedded.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace cnnc {

namespace {

using Linker = bool (*)(const codegen::LinkInputs &, const TemporaryFolder &, Diagnostics &);

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

/// The model's header, those that it includes, and the one that C++ programs may include.
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
                      cnnc_embedded_cpp_header_end) &&
         (!codegen::has_state(model) ||
          write_beside("cnnc_training.h", cnnc_embedded_training_header_begin,
                       cnnc_embedded_training_header_end));
}

/// A model compiled for one CPU, as an object that lacks nothing but libc.
struct Variant {
  codegen::ModelDescription description;
  uint64_t code_size = 0;
  uint64_t workspace_size_if_kept = 0; // as in Artifact
  std::vector<std::filesystem::path> sources;
};

/// What the workspace would be without Options::rematerialize, by planning it once more; 0 where
/// that is not asked for. Empty after an error.
std::optional<uint64_t> workspace_size_if_kept(Session &session, const Model &model,
                                               uint64_t workspace) {
  Options options = session.options();
  if (!std::exchange(options.rematerialize, false))
    return 0;
  options.print_before.clear();
  options.print_after.clear();
  options.statistics = {};
  options.timing = {};
  options.progress = {};
  Opening opening;
  opening.passes = graph_pipeline();
  opening.remarks = false;
  Result<Session> kept = Session::open(model, options, opening);
  if (!kept) {
    session.diagnostics().error(std::string(kept.error()));
    return std::nullopt;
  }
  // What kernels need for themselves is in both.
  return workspace - static_cast<uint64_t>(workspace_size(session.model())) +
         static_cast<uint64_t>(workspace_size(kept->model()));
}

/// Compiles the model of a session and links it to `file`, its table under `symbol`.
std::optional<Variant> write_variant(Session &session, const Model &original,
                                     const std::filesystem::path &file, Linker link,
                                     const std::string &symbol = "") {
  Diagnostics &diagnostics = session.diagnostics();
  std::optional<Constants> constants = session.open_constants();
  std::optional<CompiledProgram> program = constants ? session.compile() : std::nullopt;
  if (!program)
    return std::nullopt;
  const codegen::ModelDescription &model = program->layout.description;
  WeightsSource source{program->layout, session.model(), *constants,
                       session.jobs("constants computed")};
  const TemporaryFolder scratch(file, diagnostics); // where there should be room for the weights
  const std::filesystem::path weights = scratch.file("weights.o");
  if (!scratch.valid() ||
      !session.timed("weights", [&] { return write_weights_object(session, source, weights); }))
    return std::nullopt;
  codegen::LinkInputs inputs{
      session.target(), program->objects, {weights}, codegen::model_symbol(model), symbol};
  if (!session.timed("link", [&] { return link(inputs, scratch, diagnostics); }))
    return std::nullopt;
  const std::optional<uint64_t> if_kept =
      workspace_size_if_kept(session, original, model.workspace_size);
  if (!if_kept)
    return std::nullopt;
  Variant variant{model, program->code_size, *if_kept, constants->files()};
  if (!session.file().empty() && session.file() != "-")
    variant.sources.insert(variant.sources.begin(), session.file());
  return variant;
}

std::optional<Artifact> describe(const Variant &variant, const std::filesystem::path &file,
                                 Diagnostics &diagnostics) {
  Artifact artifact{file, std::filesystem::path(file).replace_extension(".h")};
  if (!write_headers(variant.description, artifact.header, diagnostics))
    return std::nullopt;
  std::error_code ignored;
  artifact.file_size = std::filesystem::file_size(file, ignored);
  artifact.code_size = variant.code_size;
  artifact.weights_size = variant.description.weights_size;
  artifact.workspace_size = variant.description.workspace_size;
  artifact.workspace_size_if_kept = variant.workspace_size_if_kept;
  artifact.sources = variant.sources;
  return artifact;
}

/// The model once for each of several CPUs, and the function that chooses between them.
class SeveralCpus {
public:
  SeveralCpus(const Model &model, const Options &options, const std::filesystem::path &file)
      : model_(model), options_(options), file_(file), scratch_(file, diagnostics_) {}

  Result<Artifact> write(const std::vector<std::string> &cpus, Linker link) {
    if (!scratch_.valid())
      return Error{diagnostics_.to_string()};
    for (const std::string &cpu : cpus)
      if (Result<void> added = add(cpu); !added)
        return Error{std::string(added.error())};
    std::optional<Artifact> artifact = write_all(link);
    if (!artifact)
      return Error{diagnostics_.to_string()};
    return std::move(*artifact);
  }

private:
  Result<void> add(const std::string &cpu) {
    options_.cpu = cpu;
    Result<Session> session = Session::open(model_, options_);
    if (!session)
      return Error{std::string(session.error())};
    objects_.push_back(scratch_.file(fmt::format("variant{}.o", variants_.size())));
    std::string symbol = codegen::variant_symbol(session->model().name, variants_.size());
    std::optional<Variant> variant =
        write_variant(*session, model_, objects_.back(), codegen::link_relocatable, symbol);
    if (!variant)
      return session->error();
    session->report_warnings();
    code_size_ += variant->code_size;
    size_if_kept_ = std::max(size_if_kept_, variant->workspace_size_if_kept);
    sources_ = std::move(variant->sources);
    variants_.push_back(std::move(variant->description));
    return {};
  }

  std::optional<Artifact> write_all(Linker link) {
    Variant whole{codegen::merge_variants(variants_), code_size_, size_if_kept_, sources_};
    if (whole.description.weights_size > codegen::largest_weights) {
      diagnostics_.error(fmt::format("the weights for {} CPUs are {} bytes together, more than {}",
                                     variants_.size(), whole.description.weights_size,
                                     codegen::largest_weights));
      return std::nullopt;
    }
    std::optional<codegen::ObjectCode> dispatch =
        codegen::compile_model_dispatch(variants_, diagnostics_);
    if (!dispatch)
      return std::nullopt;
    codegen::LinkInputs inputs{variants_.front().target, std::span(&*dispatch, 1), objects_,
                               codegen::model_symbol(whole.description), ""};
    if (!link(inputs, scratch_, diagnostics_))
      return std::nullopt;
    return describe(whole, file_, diagnostics_);
  }

  const Model &model_;
  Options options_;
  const std::filesystem::path &file_;
  Diagnostics diagnostics_; // of what concerns all CPUs
  const TemporaryFolder scratch_;
  std::vector<std::filesystem::path> objects_;
  std::vector<codegen::ModelDescription> variants_;
  uint64_t code_size_ = 0;
  uint64_t size_if_kept_ = 0;
  std::vector<std::filesystem::path> sources_;
};

Result<Artifact> write(const Model &model, const std::filesystem::path &file,
                       const Options &options, Linker link) {
  if (std::vector<std::string> cpus = split_list(options.cpu); cpus.size() > 1)
    return SeveralCpus(model, options, file).write(cpus, link);
  Result<Session> session = Session::open(model, options);
  if (!session)
    return Error{std::string(session.error())};
  std::optional<Variant> variant = write_variant(*session, model, file, link);
  std::optional<Artifact> artifact =
      variant ? describe(*variant, file, session->diagnostics()) : std::nullopt;
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
