#include "compiler/program/compile_program.h"

#include "compiler/codegen/kernels.h"
#include "compiler/codegen/model_object.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>

namespace cnnc {

namespace {

class ProgramCompiler {
public:
  ProgramCompiler(Module &lowered, const codegen::Target &target, const Retiling &retiling,
                  const JobOptions &jobs)
      : lowered_(lowered), target_(target), retiling_(retiling), jobs_(jobs),
        diagnostics_(retiling.context.diagnostics) {}

  /// Of kernels that share their code, some may be tiled again and others not: the text is laid out
  /// until nothing changes any more.
  std::optional<CompiledProgram> run() {
    CompiledProgram program;
    do {
      changed_ = false;
      std::optional<ProgramLayout> layout = lay_out_program(lowered_, target_, diagnostics_);
      if (!layout || !compile_kernels(*layout))
        return std::nullopt;
      program.layout = std::move(*layout);
    } while (changed_);
    for (const loop::Kernel &kernel : program.layout.kernels) {
      codegen::CompiledObject &object = objects_.at(kernel.name);
      program.objects.push_back(std::move(object.code));
      program.numbers.push_back(object.numbers);
    }
    program.tiled_again = std::move(tiled_again_);
    if (!lowered_.models.empty() && !add_table(program))
      return std::nullopt;
    for (const codegen::ObjectCode &object : program.objects)
      program.code_size += codegen::code_size(object);
    return program;
  }

private:
  /// Compiles the kernels that have no code yet.
  bool compile_kernels(const ProgramLayout &layout) {
    std::vector<const loop::Kernel *> kernels;
    for (const loop::Kernel &kernel : layout.kernels)
      if (!objects_.contains(kernel.name))
        kernels.push_back(&kernel);
    auto objects = codegen::compile_kernels(kernels, target_, diagnostics_, jobs_);
    std::unordered_map<std::string_view, std::vector<std::string>>
        names; // of the kernels of a symbol
    for (const codegen::StepDescription &step : layout.description.steps)
      names[step.symbol].push_back(step.name);
    bool ok = objects.has_value();
    for (size_t i = 0; ok && i < kernels.size(); ++i)
      ok = fit(names[kernels[i]->name], kernels[i]->name, (*objects)[i]);
    return ok;
  }

  /// Keeps the code of a symbol, or better code of it with a smaller register tile.
  /// `names`: of the kernels that this is the code of.
  bool fit(const std::vector<std::string> &names, const std::string &symbol,
           codegen::CompiledObject &object) {
    if (const unsigned spills = object.numbers.spilled_accumulators; spills > 0) {
      const UntiledKernel *untiled = names.empty() ? nullptr : retiling_.find(names.front());
      if (!untiled)
        remark_too_large(symbol, spills);
      else if (!tile_again(*untiled, symbol, names, object))
        return false;
    }
    objects_.insert_or_assign(symbol, std::move(object));
    return true;
  }

  bool tile_again(const UntiledKernel &untiled, const std::string &symbol,
                  const std::vector<std::string> &names, codegen::CompiledObject &object) {
    size_t errors = diagnostics_.error_count();
    const unsigned spills = object.numbers.spilled_accumulators;
    const std::string tile = tile_text(untiled.kernel.schedule);
    Record record = retiling_.context.recorder("generate code", names.front())
                        .question("registers", "spilled accumulators");
    record.candidate(tile, spills);
    std::optional<FittedTile> best =
        fit_registers(untiled, symbol, spills, retiling_, target_, record);
    if (!best) {
      record.choose(tile, "no smaller tile spills less");
      tell_of_others(names);
      return diagnostics_.error_count() == errors;
    }
    const std::string smaller = tile_text(best->schedule);
    record.choose(smaller, "LLVM needs more registers than the tile leaves: fewer pixels");
    tell_of_others(names);
    remark(fmt::format("{}: {} spills {} accumulators; compiled with {}, which spills {}", symbol,
                       tile, spills, smaller, best->object.numbers.spilled_accumulators));
    object = std::move(best->object);
    changed_ = true;
    return std::all_of(names.begin(), names.end(), [&](const std::string &name) {
      return replace_in_text(name, best->schedule);
    });
  }

  /// The last decision is one on all kernels with this code.
  void tell_of_others(const std::vector<std::string> &names) {
    DecisionLog *log = retiling_.context.decisions;
    for (size_t i = 1; log && i < names.size(); ++i) {
      log->push_back(log->back());
      log->back().subject = names[i];
    }
  }

  bool replace_in_text(const std::string &name, const Schedule &schedule) {
    const UntiledKernel *untiled = retiling_.find(name);
    if (!untiled)
      return true; // the user's schedule is kept
    std::optional<loop::Kernel> tiled = run_loop_passes(untiled->kernel, name, schedule, retiling_);
    if (!tiled)
      return false;
    tiled_again_.insert_or_assign(name, schedule);
    *std::find_if(lowered_.kernels.begin(), lowered_.kernels.end(),
                  [&](const loop::Kernel &kernel) { return kernel.name == name; }) =
        std::move(*tiled);
    return true;
  }

  bool add_table(CompiledProgram &program) {
    std::optional<codegen::ObjectCode> table =
        codegen::compile_model_table(program.layout.description, diagnostics_);
    if (table)
      program.objects.push_back(std::move(*table));
    return table.has_value();
  }

  void remark_too_large(const std::string &symbol, unsigned spills) {
    remark(fmt::format("{}: the register tile does not fit the registers, {} of its accumulators "
                       "are spilled; a smaller one in its schedule would be faster",
                       symbol, spills));
  }
  void remark(const std::string &text) {
    if (retiling_.context.remark)
      retiling_.context.remark(text);
  }

  Module &lowered_;
  const codegen::Target &target_;
  const Retiling &retiling_;
  const JobOptions &jobs_;
  Diagnostics &diagnostics_;
  std::map<std::string, codegen::CompiledObject> objects_; // by symbol
  std::map<std::string, Schedule> tiled_again_;
  bool changed_ = false;
};

} // namespace

std::optional<CompiledProgram> compile_program(Module &lowered, const codegen::Target &target,
                                               const Retiling &retiling, const JobOptions &jobs) {
  return ProgramCompiler(lowered, target, retiling, jobs).run();
}

} // namespace cnnc
