#include "compiler/reduce/reduce.h"

#include "compiler/reduce/reductions.h"

#include <algorithm>
#include <unordered_set>

namespace cnnc {

namespace {

class Reducer {
public:
  Reducer(Candidate first, const ReduceTest &test, const ReduceObserver &observe)
      : best_(std::move(first)), test_(test), observe_(observe) {}

  /// Whether the test succeeds for what is given.
  bool start() { return succeeds(best_); }

  Module run() {
    bool changed = true;
    while (changed) {
      changed = false;
      for (const Reduction &reduction : reductions())
        while (shrink(reduction))
          changed = true;
    }
    shrink(renaming());
    return std::move(best_.module);
  }

private:
  /// All places at once, then halves of them, quarters and so on, down to each alone. From the end,
  /// where a change moves none of the places that are still to come.
  bool shrink(const Reduction &reduction) {
    bool changed = false;
    for (size_t size = reduction.places(best_).size(); size > 0; size /= 2)
      for (size_t end = reduction.places(best_).size(); end > 0;) {
        const size_t begin = end > size ? end - size : 0;
        changed = change(reduction, begin, end) || changed;
        end = std::min(begin, reduction.places(best_).size());
      }
    return changed;
  }

  /// Makes one change, and keeps it if the test still succeeds.
  bool change(const Reduction &reduction, size_t begin, size_t end) {
    const std::vector<ReductionPlace> places = reduction.places(best_);
    Module module = best_.module;
    reduction.change(module.models.front(), best_, std::span(places).subspan(begin, end - begin));
    erase_unused_kernels(module);
    std::optional<Candidate> candidate = read_candidate(module);
    if (!candidate || !succeeds(*candidate))
      return false;
    best_ = std::move(*candidate);
    if (observe_)
      observe_(reduction.name, best_.module, tried_.size());
    return true;
  }

  bool succeeds(const Candidate &candidate) {
    return tried_.insert(candidate.text).second && test_(candidate.module);
  }

  Candidate best_;
  const ReduceTest &test_;
  const ReduceObserver &observe_;
  std::unordered_set<std::string> tried_; // texts: different changes lead to the same
};

} // namespace

std::optional<Module> reduce_module(const Module &module, const ReduceTest &test,
                                    const ReduceObserver &observe) {
  std::optional<Candidate> first = read_candidate(module);
  if (!first)
    return std::nullopt;
  Reducer reducer(std::move(*first), test, observe);
  if (!reducer.start())
    return std::nullopt;
  return reducer.run();
}

std::span<const Reduction> reductions() {
  static const std::vector<Reduction> table = {
      randomize_weights, erase_ops,      drop_outputs,   drop_inputs,      bypass_ops,
      drop_operands,     drop_updates,   drop_schedules, dissolve_kernels, drop_types,
      reset_attributes,  halve_channels, halve_images,   halve_windows,    splat_constants};
  return table;
}

const Reduction &renaming() { return rename_values; }

} // namespace cnnc
