// What passes share: where errors go, and what they may know of the machine.
#pragma once

#include "compiler/codegen/target/machine.h"
#include "compiler/pass/decisions.h"
#include "compiler/pass/gradient_request.h"
#include "compiler/pass/override.h"
#include "ir/text/diagnostics.h"
#include "ir/type/dtype.h"

#include <functional>

namespace cnnc {

struct PassContext {
  Diagnostics &diagnostics;
  Machine machine;
  /// Called for notes a user wants to see (the workspace size, a fallback to a slow path). May be
  /// empty.
  std::function<void(std::string)> remark;
  bool strict_arithmetic = false; // only algorithms that round no worse than the definition
  /// What Winograd's method may be off by, relative to the largest element of its result.
  double max_error = 1e-5;
  GradientRequest gradients = {}; // of differentiate
  DType weights_type =
      DType::f32; // of narrow_weights: bf16, f16, or f32, which leaves all as it is
  /// Set by a pass that has left a graph as it was, which needs no look of the verifier then. Builds
  /// with assertions look all the same.
  bool unchanged = false;
  std::vector<Override> overrides = {}; // of choose_algorithms and choose_schedule
  DecisionLog *decisions = nullptr;     // of those who want to know why; null: nobody does

  /// For the decisions of a pass about a kernel or value.
  Recorder recorder(std::string_view pass, std::string_view subject) const {
    return {decisions, pass, subject};
  }
};

} // namespace cnnc
