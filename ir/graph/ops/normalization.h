// Normalisations: batch, layer, instance, group and local response, softmax.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

enum class Statistics { given, batch };
template <> struct Words<Statistics> {
  static constexpr std::array<std::string_view, 2> words = {"given", "batch"};
};

/// Ioffe and Szegedy 2015: scale * (input - mean) / sqrt(variance + epsilon) + bias, per channel
/// (dimension 1). scale, bias, mean, variance have shape [c]. With statistics=batch, as in training,
/// mean and variance are those of the input over all other dimensions, and there are two more
/// results: running mean and variance, `momentum` times those given and the rest those of the input,
/// the variance unbiased (divided by one less than the number of elements, as PyTorch does it).
struct BatchNorm {
  static constexpr std::string_view name = "batch_norm";
  static constexpr std::string_view operands = "input, scale, bias, mean, variance";
  static constexpr std::string_view summary =
      "scale * (input - mean) / sqrt(variance + epsilon) + bias per channel; with statistics=batch "
      "those of the input, and new running ones";
  static constexpr OpTraits traits = {.category = Category::normalization, .parameters = {1, 3}};
  double epsilon = 1e-5;
  Statistics statistics = Statistics::given;
  double momentum = 0.9;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"epsilon", &BatchNorm::epsilon},
                      Attribute{"statistics", &BatchNorm::statistics},
                      Attribute{"momentum", &BatchNorm::momentum}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// exp(x - max) / sum of exp(x - max) along one axis (negative: from the end).
struct Softmax {
  static constexpr std::string_view name = "softmax";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "exp(x - max) / sum of exp(x - max) along one axis";
  static constexpr OpTraits traits = {.category = Category::normalization};
  int64_t axis = -1;
  static constexpr auto attributes() { return std::tuple{Attribute{"axis", &Softmax::axis}}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// x - max - log(sum of exp(x - max)) along one axis: the logarithm of softmax, without its
/// underflow.
struct LogSoftmax {
  static constexpr std::string_view name = "log_softmax";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "the logarithm of softmax along one axis";
  static constexpr OpTraits traits = {.category = Category::normalization};
  int64_t axis = -1;
  static constexpr auto attributes() { return std::tuple{Attribute{"axis", &LogSoftmax::axis}}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// 1 at the largest element along one axis, at the first of several, and 0 at all others: what
/// softmax becomes for large differences. NaN is never the largest.
struct Hardmax {
  static constexpr std::string_view name = "hardmax";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "1 at the first largest element along one axis, 0 at the others";
  static constexpr OpTraits traits = {.category = Category::normalization};
  int64_t axis = -1;
  static constexpr auto attributes() { return std::tuple{Attribute{"axis", &Hardmax::axis}}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// (x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance of all elements that
/// differ only in the dimensions from `axis` on. scale and bias broadcast (NumPy) to these.
struct LayerNorm {
  static constexpr std::string_view name = "layer_norm";
  static constexpr std::string_view operands = "input, scale?, bias?";
  static constexpr std::string_view summary =
      "(x - mean) / sqrt(variance + epsilon) * scale + bias over the dimensions from axis on";
  static constexpr OpTraits traits = {.category = Category::normalization, .parameters = {1, 3}};
  int64_t axis = -1;
  double epsilon = 1e-5;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"axis", &LayerNorm::axis},
                      Attribute{"epsilon", &LayerNorm::epsilon}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// The same over each plane of [n, c, ...]. scale and bias have shape [c].
struct InstanceNorm {
  static constexpr std::string_view name = "instance_norm";
  static constexpr std::string_view operands = "input, scale, bias";
  static constexpr std::string_view summary =
      "(x - mean) / sqrt(variance + epsilon) * scale + bias over each plane of [n, c, ...]";
  static constexpr OpTraits traits = {.category = Category::normalization, .parameters = {1, 3}};
  double epsilon = 1e-5;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"epsilon", &InstanceNorm::epsilon}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// The same over groups of c / groups neighbouring channels of [n, c, ...]. scale and bias have
/// shape [c].
struct GroupNorm {
  static constexpr std::string_view name = "group_norm";
  static constexpr std::string_view operands = "input, scale?, bias?";
  static constexpr std::string_view summary =
      "(x - mean) / sqrt(variance + epsilon) * scale + bias over groups of channels";
  static constexpr OpTraits traits = {.category = Category::normalization, .parameters = {1, 3}};
  int64_t groups = 1;
  double epsilon = 1e-5;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"groups", &GroupNorm::groups, true},
                      Attribute{"epsilon", &GroupNorm::epsilon}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Local response normalisation (Krizhevsky et al. 2012): x / (bias + alpha / size * sum of
/// x^2)^beta, the sum over `size` channels, (size - 1) / 2 of them before (rounded down) and the
/// rest after.
struct Lrn {
  static constexpr std::string_view name = "lrn";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "x / (bias + alpha / size * sum of x^2 over size channels)^beta";
  static constexpr OpTraits traits = {.category = Category::normalization};
  int64_t size = 1;
  double alpha = 1e-4, beta = 0.75, bias = 1;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"size", &Lrn::size, true}, Attribute{"alpha", &Lrn::alpha},
                      Attribute{"beta", &Lrn::beta}, Attribute{"bias", &Lrn::bias}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

} // namespace cnnc
