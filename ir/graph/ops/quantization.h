// Quantisation: numbers as small integers with a scale and a zero point, x = (q - zero_point) *
// scale. A quantised network is text like any other: convolutions between `dequantize` and
// `quantize`, which lower_quantized computes in integers.
//
// Method: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
// Integer-Arithmetic-Only Inference" (2018); the definitions are those of ONNX.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

enum class QuantizedType { u8, i8 };
template <> struct Words<QuantizedType> {
  static constexpr std::array<std::string_view, 2> words = {"u8", "i8"};
};

/// saturate(round(x / scale) + zero_point). The quotient is an f32, rounded to the nearest integer,
/// the even one of two; the sum, which is exact, becomes the nearest number of the type. NaN gives
/// the least one. Input f32 of any shape. Either one scale and zero point, the attributes, or one
/// for every entry of dimension `axis`: scales f32 [d], zero_points of the type `to` [d].
struct Quantize {
  static constexpr std::string_view name = "quantize";
  static constexpr std::string_view operands = "input, scales?, zero_points?";
  static constexpr std::string_view summary =
      "saturate(round(x / scale) + zero_point), a scale for all or for each entry of an axis";
  static constexpr OpTraits traits = {.category = Category::elementwise, .takes_empty = true};
  double scale = 1;
  int64_t zero_point = 0;
  int64_t axis = 1;
  QuantizedType to = QuantizedType::u8;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"scale", &Quantize::scale},
                      Attribute{"zero_point", &Quantize::zero_point},
                      Attribute{"axis", &Quantize::axis}, Attribute{"to", &Quantize::to, true}};
  }
  DType dtype() const { return to == QuantizedType::u8 ? DType::u8 : DType::i8; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// (q - zero_point) * scale: the difference is exact, then an f32 (rounded to nearest even where it
/// is beyond 2^24, as sums of products may be), then one multiplication of f32. Input u8, i8 or i32
/// of any shape; scales f32 [d] and zero_points of the input's type [d] as those of quantize.
struct Dequantize {
  static constexpr std::string_view name = "dequantize";
  static constexpr std::string_view operands = "input, scales?, zero_points?";
  static constexpr std::string_view summary =
      "(q - zero_point) * scale, a scale for all or for each entry of an axis";
  static constexpr OpTraits traits = {.category = Category::elementwise, .takes_empty = true};
  double scale = 1;
  int64_t zero_point = 0;
  int64_t axis = 1;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"scale", &Dequantize::scale},
                      Attribute{"zero_point", &Dequantize::zero_point},
                      Attribute{"axis", &Dequantize::axis}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// table[q]: what a function of one variable makes of a number of 8 bits, all 256 results listed.
/// Input u8 or i8 of any shape; table, a constant, u8 or i8 [256], of which negative numbers count
/// from the end, as indices of gather do.
struct Lookup {
  static constexpr std::string_view name = "lookup";
  static constexpr std::string_view operands = "input, table";
  static constexpr std::string_view summary =
      "table[q] of numbers of 8 bits; negative ones count from the end";
  static constexpr OpTraits traits = {.category = Category::elementwise, .takes_empty = true};
  static constexpr int64_t entries = 256;
  static constexpr auto attributes() { return std::tuple<>{}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

} // namespace cnnc
