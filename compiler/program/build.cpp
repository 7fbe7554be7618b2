#include "compiler/program/build.h"

#include "compiler/codegen/model_object.h"
#include "compiler/codegen/weights_object.h"
#include "compiler/program/fit_registers.h"

#include <fmt/format.h>
#include <sys/mman.h>

namespace cnnc {

std::vector<codegen::NamedKernel> named_kernels(const std::vector<loop::Kernel> &kernels) {
  std::vector<codegen::NamedKernel> named;
  for (const loop::Kernel &kernel : kernels)
    named.push_back({&kernel, kernel.name});
  return named;
}

WeightsSource weights_source(Session &session, const Build &build) {
  return {build.layout, session.model(), build.constants, session.options().jobs};
}

std::optional<std::vector<codegen::CompiledObject>>
compile_fitting(Session &session, std::vector<loop::Kernel> &kernels) {
  auto objects = codegen::compile_kernels(named_kernels(kernels), session.target(),
                                          session.diagnostics(), session.options().jobs);
  if (!objects || !fit_registers(session, kernels, *objects))
    return std::nullopt;
  return objects;
}

std::optional<Build> build_model(Session &session) {
  Diagnostics &diagnostics = session.diagnostics();
  std::optional<Constants> constants = session.open_constants();
  if (!constants)
    return std::nullopt;
  std::optional<ProgramLayout> layout =
      lay_out_program(session.module(), session.model(), session.target(), diagnostics);
  if (!layout)
    return std::nullopt;
  auto compiled =
      session.timed("generate code", [&] { return compile_fitting(session, layout->kernels); });
  std::optional<codegen::ObjectCode> table;
  if (compiled)
    table = codegen::compile_model_table(layout->description, diagnostics);
  if (!table)
    return std::nullopt;
  std::vector<codegen::ObjectCode> objects;
  for (codegen::CompiledObject &object : *compiled)
    objects.push_back(std::move(object.code));
  objects.push_back(std::move(*table));
  Build build{std::move(*layout), std::move(objects), std::move(*constants)};
  for (const codegen::ObjectCode &object : build.objects)
    build.code_size += codegen::code_size(object);
  return build;
}

namespace {

/// Large blocks in large pages: a pass over the weights then costs fewer misses of the TLB.
void *allocate_weights(uint64_t size) {
  constexpr uint64_t large_page = uint64_t{2} << 20;
  uint64_t alignment = size >= large_page ? large_page : codegen::weights_alignment;
  uint64_t rounded = (std::max<uint64_t>(size, 1) + alignment - 1) / alignment * alignment;
  void *memory = std::aligned_alloc(alignment, rounded);
  if (memory && alignment == large_page)
    madvise(memory, rounded, MADV_HUGEPAGE); // a wish: without large pages all is well, too
  return memory;
}

} // namespace

std::shared_ptr<const Program::Content> load_build(Session &session, const Build &build) {
  Diagnostics &diagnostics = session.diagnostics();
  uint64_t size = build.layout.description.weights_size;
  auto content = std::make_shared<Program::Content>();
  content->weights.reset(allocate_weights(size));
  auto *memory = static_cast<std::byte *>(content->weights.get());
  if (!memory) {
    diagnostics.error(fmt::format("cannot allocate {} bytes for the weights", size));
    return nullptr;
  }
  bool stored = session.timed("weights", [&] {
    return store_weights(weights_source(session, build), {memory, size}, diagnostics);
  });
  if (!stored)
    return nullptr;
  content->code = session.timed("load", [&] {
    return codegen::JitModel::create(build.objects, codegen::model_symbol(build.layout.description),
                                     memory, diagnostics);
  });
  if (!content->code)
    return nullptr;
  return content;
}

} // namespace cnnc
