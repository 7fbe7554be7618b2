// Batch normalisation, softmax and reductions.
#pragma once

#include "ir/graph/attribute.h"
#include "ir/graph/infer_context.h"

namespace cnnc {

/// Inference form (Ioffe and Szegedy 2015): scale * (input - mean) / sqrt(variance + epsilon) +
/// bias, per channel (dimension 1). scale, bias, mean, variance have shape [c].
struct BatchNorm {
  static constexpr std::string_view name = "batch_norm";
  static constexpr std::string_view operands = "input, scale, bias, mean, variance";
  static constexpr std::string_view summary =
      "scale * (input - mean) / sqrt(variance + epsilon) + bias per channel";
  double epsilon = 1e-5;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"epsilon", &BatchNorm::epsilon}};
  }
  InferredTypes infer(InferContext &) const;
};

/// exp(x - max) / sum of exp(x - max) along one axis (negative: from the end).
struct Softmax {
  static constexpr std::string_view name = "softmax";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "exp(x - max) / sum of exp(x - max) along one axis";
  int64_t axis = -1;
  static constexpr auto attributes() { return std::tuple{Attribute{"axis", &Softmax::axis}}; }
  InferredTypes infer(InferContext &) const;
};

/// Mean over the axes given.
struct ReduceMean {
  static constexpr std::string_view name = "reduce_mean";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "mean over the axes given";
  std::vector<int64_t> axes;
  bool keep_dims = true;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"axes", &ReduceMean::axes, true},
                      Attribute{"keep_dims", &ReduceMean::keep_dims}};
  }
  InferredTypes infer(InferContext &) const;
};

/// Axis counted from 0; empty when not in [-rank, rank).
std::optional<size_t> normalized_axis(int64_t axis, size_t rank);

} // namespace cnnc
