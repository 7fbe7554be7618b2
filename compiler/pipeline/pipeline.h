// The passes of the compiler, and how a text goes through them: every pass is followed by a
// verifier.
#pragma once

#include "compiler/pipeline/needs.h"

#include <chrono>
#include <span>

namespace cnnc {

/// What a pass can be told: `--passes=choose_algorithms:max_error=1e-3`.
struct PassOption {
  std::string_view name;
  std::string_view values;                              // for errors and lists: "a positive number"
  bool (*set)(PassContext &, const std::string &value); // false: the value does not fit
};

/// One pass. Exactly one of the functions is set; it says on what the pass works.
struct Pass {
  std::string_view name; // function = file = `--passes=name` = test
  std::string_view summary;
  std::string_view place;      // why it stands where it does
  const Need *needs = nullptr; // what every model must have before; null: nothing
  bool (*graph)(Graph &, PassContext &) = nullptr;         // on every model
  bool (*module)(Module &, PassContext &) = nullptr;       // on the whole text
  bool (*kernel)(loop::Kernel &, PassContext &) = nullptr; // on every kernel of the loops text
  /// What holds of every model after this pass, besides what the verifier checks after any.
  bool (*verify)(const Graph &, Diagnostics &) = nullptr;
  bool on_request = false; // in no pipeline unless it is added
  std::span<const PassOption> options = {};

  std::string_view level() const { return graph ? "graph" : module ? "module" : "loops"; }
};

/// All passes, in their order.
std::span<const Pass> all_passes();
/// Those that every model goes through.
std::vector<const Pass *> default_pipeline();
/// Its part before lowering, after which a text is still a graph.
std::vector<const Pass *> graph_pipeline();
/// Adds a pass that runs on request alone to a part of the pipeline, at its place in the order.
void add_to_pipeline(std::vector<const Pass *> &passes, std::string_view name);
/// Of that the first pass alone, after which all values have types.
std::vector<const Pass *> type_pipeline();
/// And lower_quantized, behind which a text says to the bit what its sums of integers give.
std::vector<const Pass *> meaning_pipeline();
/// Its part after lowering, on kernels.
std::vector<const Pass *> loop_pipeline();

/// The passes of these names; an unknown one is an error that names the closest.
std::optional<std::vector<const Pass *>> find_passes(std::span<const std::string> names,
                                                     Diagnostics &diagnostics);

/// Whether a list of names of passes, in which "all" stands for all, has this one.
bool names_pass(std::span<const std::string> names, std::string_view pass);

/// The same of passes with options, `choose_algorithms:max_error=1e-3:strict=true`, which go into the
/// context. Each pass has its own in it, and each option is for all places of a pass in the list.
std::optional<std::vector<const Pass *>> read_passes(std::span<const std::string> passes,
                                                     PassContext &context);

/// Called after each pass that ran and whose result is valid.
using PassObserver =
    std::function<void(const Pass &, const Module &, std::chrono::nanoseconds elapsed)>;

/// Verifies the text, then runs the passes one after the other, each followed by the verifier.
/// Stops before a pass that lacks what it needs, which is an error that names the missing pass, and
/// after one that reported errors or left something invalid.
bool run_passes(std::span<const Pass *const> passes, Module &module, PassContext &context,
                const PassObserver &observe = {});

} // namespace cnnc
