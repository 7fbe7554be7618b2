// Constants: where their elements come from. Their type is always written in the text.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

/// A tensor from the model's .safetensors file.
struct Weight {
  static constexpr std::string_view name = "weight";
  static constexpr std::string_view operands = "";
  static constexpr std::string_view summary = "a tensor by name from the model's .safetensors file";
  static constexpr OpTraits traits = {.category = Category::constant};
  static constexpr size_t positional = 1; // attributes spelt without their name
  std::string key;
  static constexpr auto attributes() { return std::tuple{Attribute{"name", &Weight::key, true}}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Every element the same.
struct Splat {
  static constexpr std::string_view name = "splat";
  static constexpr std::string_view operands = "";
  static constexpr std::string_view summary = "every element has this value";
  static constexpr OpTraits traits = {.category = Category::constant};
  static constexpr size_t positional = 1;
  double value = 0;
  static constexpr auto attributes() { return std::tuple{Attribute{"value", &Splat::value, true}}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// All elements listed, in row-major order.
struct Literal {
  static constexpr std::string_view name = "literal";
  static constexpr std::string_view operands = "";
  static constexpr std::string_view summary = "the elements listed, in row-major order";
  static constexpr OpTraits traits = {.category = Category::constant};
  static constexpr size_t positional = 1;
  std::vector<double> values;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"values", &Literal::values, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

enum class RandomKind { he, uniform };
template <> struct Words<RandomKind> {
  static constexpr std::array<std::string_view, 2> words = {"he", "uniform"};
};

/// Reproducible random elements, so that a network can be tried without weights: `he` is normal
/// with standard deviation sqrt(2 / fan_in), fan_in = product of all dimensions but the first (He
/// et al. 2015); `uniform` lies in [0.5, 1.5) (scales and variances).
struct Random {
  static constexpr std::string_view name = "random";
  static constexpr std::string_view operands = "";
  static constexpr std::string_view summary =
      "reproducible random elements: random(seed, he) or random(seed, uniform)";
  static constexpr OpTraits traits = {.category = Category::constant};
  static constexpr size_t positional = 2;
  int64_t seed = 0;
  RandomKind kind = RandomKind::he;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"seed", &Random::seed, true},
                      Attribute{"kind", &Random::kind, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

} // namespace cnnc
