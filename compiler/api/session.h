// One call of the public interface: its copy of the text, its diagnostics, its options.
#pragma once

#include "compiler/cnnc.h"
#include "compiler/codegen/target.h"
#include "compiler/constants/constants.h"
#include "compiler/pipeline/pipeline.h"

#include <map>
#include <set>

namespace cnnc {

struct Model::Content {
  Module module;
  std::filesystem::path file; // for weights beside it; empty or "-" when there is none
  std::shared_ptr<const NamedTensors> tensors; // of an imported model; null for a text
};

/// The constants of one of the model's graphs: from the file that the options name, from the
/// imported model, or from the file that resolve_weights_path() gives.
std::optional<Constants> open_constants(const Model::Content &content, const Graph &graph,
                                        const Options &options, Diagnostics &diagnostics);

class Session {
public:
  Session(const Model &model, const Options &options);

  /// Resolves the target. Every other step needs it.
  bool resolve_target();
  /// Keeps the model that the options select, and the kernels that it calls. An error when there is
  /// none, or several and no choice.
  bool select_model();
  /// Runs Options::passes, or else these. `observe` sees the text after each.
  bool run(std::span<const Pass *const> default_passes,
           const std::function<void(const Pass &, const Module &)> &observe = {});
  bool run_all() { return run(default_pipeline()); }

  Module &module() { return module_; }
  /// After select_model().
  Graph &model() { return module_.models.front(); }
  const codegen::Target &target() const { return target_; }
  const Options &options() const { return options_; }
  Diagnostics &diagnostics() { return diagnostics_; }
  /// open_constants() of the model that select_model() has chosen.
  std::optional<Constants> open_constants();
  bool has_errors() const { return diagnostics_.has_errors(); }
  Error error() const { return {diagnostics_.to_string()}; }

  /// A kernel as lower_loops made it, by its symbol ("model.kernel"), if choose_schedule has
  /// decided how it is cut; null for those whose schedule the user wrote.
  const loop::Kernel *uncut_kernel(const std::string &symbol) const;

  /// Is the text after this pass, or after `emit_llvm`, to be shown?
  bool wants_print(std::string_view pass) const;

  /// Passes warnings on to Options::remark at the end of a call that went well.
  void report_warnings() const;
  /// Runs a step behind the passes and reports how long it took.
  template <class Function> auto timed(std::string_view step, Function function) {
    auto start = std::chrono::steady_clock::now();
    auto result = function();
    if (options_.timing)
      options_.timing(step, std::chrono::steady_clock::now() - start);
    return result;
  }

private:
  bool check_print_after();
  void remember_uncut(const Pass &pass);

  const Options &options_;
  const Model model_;
  Diagnostics diagnostics_;
  Module module_;
  codegen::Target target_;
  std::set<std::string> unscheduled_;         // kernels that choose_schedule has to decide on
  std::map<std::string, loop::Kernel> uncut_; // by name
};

} // namespace cnnc
