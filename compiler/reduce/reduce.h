// Test case reduction: the smallest model of which something still holds, for reports of bugs.
// Method: A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", 2002; what
// is taken away are parts of a graph instead of characters, as in llvm-reduce.
#pragma once

#include "ir/module/module.h"

#include <functional>
#include <string_view>

namespace cnnc {

/// Whether a model still shows what is looked for.
using ReduceTest = std::function<bool(const Module &)>;
/// Hears of every smaller model: the kind of change that made it, and how many models have been
/// tried.
using ReduceObserver =
    std::function<void(std::string_view change, const Module &module, size_t tried)>;

/// Shrinks a module of one model as long as the test succeeds, until none of the changes in
/// reductions.h helps any more. Every model that the test sees parses and has types; the first is
/// the one given. Empty when the test fails for that. The same test gives the same result.
std::optional<Module> reduce_module(const Module &module, const ReduceTest &test,
                                    const ReduceObserver &observe = {});

} // namespace cnnc
