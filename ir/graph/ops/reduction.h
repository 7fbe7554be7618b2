// Ops that make one number, or a few, of all along one or more axes.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

enum class ReduceKind { mean, sum, max, min, prod };

/// One number for all elements along the axes given (negative: from the end): dimensions of 1, or
/// none with keep_dims=false.
template <ReduceKind kind> struct Reduce {
  static constexpr std::array<std::string_view, 5> names = {
      "reduce_mean", "reduce_sum", "reduce_max", "reduce_min", "reduce_prod"};
  static constexpr std::array<std::string_view, 5> summaries = {
      "mean over the axes given", "sum over the axes given", "largest over the axes given",
      "smallest over the axes given", "product over the axes given"};
  static constexpr std::string_view name = names[static_cast<size_t>(kind)];
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = summaries[static_cast<size_t>(kind)];
  static constexpr OpTraits traits = {.category = Category::reduction};
  std::vector<int64_t> axes;
  bool keep_dims = true;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"axes", &Reduce::axes, true},
                      Attribute{"keep_dims", &Reduce::keep_dims}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

using ReduceMean = Reduce<ReduceKind::mean>;
using ReduceSum = Reduce<ReduceKind::sum>;
using ReduceMax = Reduce<ReduceKind::max>;
using ReduceMin = Reduce<ReduceKind::min>;
using ReduceProd = Reduce<ReduceKind::prod>;

/// Where along the axis the largest (or smallest) element stands, as i64: the first of equal ones,
/// or the last with select_last=true.
template <bool largest> struct ArgExtreme {
  static constexpr std::string_view name = largest ? "arg_max" : "arg_min";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = largest
                                                  ? "index of the largest element along one axis"
                                                  : "index of the smallest element along one axis";
  static constexpr OpTraits traits = {.category = Category::reduction};
  int64_t axis = 0;
  bool keep_dims = true;
  bool select_last = false;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"axis", &ArgExtreme::axis},
                      Attribute{"keep_dims", &ArgExtreme::keep_dims},
                      Attribute{"select_last", &ArgExtreme::select_last}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

using ArgMax = ArgExtreme<true>;
using ArgMin = ArgExtreme<false>;

/// The k largest (or smallest) elements along one axis, sorted, and where they stood, as i64. Of
/// equal ones that with the smaller index comes first.
struct TopK {
  static constexpr std::string_view name = "top_k";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "the k largest elements along one axis, sorted, and their indices";
  static constexpr OpTraits traits = {.category = Category::reduction};
  int64_t k = 1;
  int64_t axis = -1;
  bool largest = true;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"k", &TopK::k, true}, Attribute{"axis", &TopK::axis},
                      Attribute{"largest", &TopK::largest}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

} // namespace cnnc
