// One call of the public interface: its copy of the text, its diagnostics, its options.
#pragma once

#include "compiler/cnnc.h"
#include "compiler/codegen/target/target.h"
#include "compiler/constants/constants.h"
#include "compiler/pipeline/pipeline.h"
#include "compiler/program/compile_program.h"

#include <map>
#include <set>

namespace cnnc {

struct Model::Content {
  Module module;
  std::filesystem::path file; // for weights beside it; empty or "-" when there is none
  std::shared_ptr<const NamedTensors> tensors; // of an imported model; null for a text
};

/// The constants of one of the model's graphs, from the files that the options name over an imported
/// model, or else from the file that default_weights_path() gives. A file that is laid over other
/// weights must have one of the model's, and a warning names what it has besides.
std::optional<Constants> open_constants(const Model::Content &content, const Graph &graph,
                                        const Options &options, Diagnostics &diagnostics);

/// Passes warnings on to Options::remark at the end of a call that went well.
void report_warnings(const Diagnostics &diagnostics, const Options &options);

/// How far a session goes with its text when it is opened.
struct Opening {
  /// There has to be one model, or one that the options choose; the others are dropped. Otherwise
  /// all stay unless the options choose one.
  bool needs_model = true;
  /// Run unless Options::passes names others.
  std::vector<const Pass *> passes = default_pipeline();
  /// Sees the text before the passes (null), and after each. May be empty.
  std::function<void(const Pass *, const Module &)> observe = {};
  /// What comes after the passes and needs the type of every value, for its error; empty: nothing.
  std::string_view types_before = "code generation";
  /// Remarks of the passes are for those who compile.
  bool remarks = true;
  /// Where passes and code generation say why they decide as they do; null: nobody wants to know.
  DecisionLog *decisions = nullptr;
};

/// The options without what they ask of passes and their texts: for a session that nobody is to see.
Options quiet(Options options);

class Session {
public:
  /// Resolves the target, chooses the model and runs the passes.
  static Result<Session> open(const Model &model, const Options &options,
                              const Opening &opening = {});

  Module &module() { return module_; }
  /// The one that has been chosen, under the name that the options give it.
  Graph &model() { return module_.models.front(); }
  const codegen::Target &target() const { return target_; }
  const Options &options() const { return options_; }
  /// Options::max_memory, or what stands for it.
  uint64_t max_memory() const;
  /// Options::progress for one step; empty where nobody wants to know. `what` is a literal.
  Progress progress(std::string_view what) const;
  /// The same with the threads that the options allow.
  JobOptions jobs(std::string_view what) const { return {options_.jobs, progress(what)}; }
  Diagnostics &diagnostics() { return diagnostics_; }
  bool has_errors() const { return diagnostics_.has_errors(); }
  Error error() const { return {diagnostics_.to_string()}; }

  /// open_constants() of the chosen model.
  std::optional<Constants> open_constants();
  /// The file of the model, if there is one.
  const std::filesystem::path &file() const { return model_.content().file; }
  /// compile_program() of the text after all passes.
  std::optional<CompiledProgram> compile();
  /// lay_out_program() of the text after all passes.
  std::optional<ProgramLayout> lay_out();
  /// Whether compile() may change the text.
  bool may_tile_again() const {
    return !options_.passes && options_.stop_after.empty() && !untiled_.empty();
  }

  /// Is the text after this pass, or after llvm_step, to be shown?
  bool wants_print(std::string_view pass) const;
  /// The text, or of it the kernel that the options name.
  std::string text() const;

  void report_warnings() const { cnnc::report_warnings(diagnostics_, options_); }
  /// Runs a step behind the passes and reports how long it took.
  template <class Function> auto timed(std::string_view step, Function function) {
    auto start = std::chrono::steady_clock::now();
    auto result = function();
    if (options_.timing)
      options_.timing(step, std::chrono::steady_clock::now() - start);
    return result;
  }

private:
  Session(const Model &model, const Options &options);
  bool resolve_target();
  bool select_model(bool needed);
  bool rename_model();
  bool fix_batch();
  bool read_overrides();
  void take_weights_for_random();
  bool check_printed(const std::vector<const Pass *> &passes);
  bool stop_early(std::vector<const Pass *> &passes);
  bool check_overrides(const std::vector<const Pass *> &passes);
  bool check_kernel();
  bool run(const Opening &opening);
  bool check_memory();
  void remember_untiled(const Pass &pass);
  void remember_unscheduled();
  void remember_labels();
  PassContext context();

  Options options_;
  Model model_;
  Diagnostics diagnostics_;
  DecisionLog *decisions_ = nullptr;
  Module module_;
  codegen::Target target_;
  std::vector<Override> overrides_;
  uint32_t label_count_ = 0;                     // classes of the input %labels; 0: not known
  std::map<std::string, Loops> unscheduled_;     // kernels that choose_schedule has to decide on
  std::map<std::string, UntiledKernel> untiled_; // those of them that have a tile
};

} // namespace cnnc
