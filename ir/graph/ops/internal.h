// Ops that passes put into the graph; models may spell them too.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

/// The same elements in the memory layout that the result type states; of constants of f32 also in 16
/// bits, where it says bf16 or f16: rounded to the nearest, the even one of two.
struct Relayout {
  static constexpr std::string_view name = "relayout";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "the same elements in the memory layout of the result type, constants of f32 also as bf16 or "
      "f16 (inserted by passes)";
  static constexpr OpTraits traits = {.category = Category::internal};
  static constexpr auto attributes() { return std::tuple<>{}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Runs a kernel of the loops text. What a `kernel` block becomes by lowering.
struct Call {
  static constexpr std::string_view name = "call";
  static constexpr std::string_view operands = "inputs...";
  static constexpr std::string_view summary =
      "runs a kernel of the loops text (made by lower_loops)";
  static constexpr OpTraits traits = {.category = Category::internal};
  static constexpr size_t positional = 1;
  std::string kernel;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"kernel", &Call::kernel, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

} // namespace cnnc
