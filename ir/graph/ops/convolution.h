// Convolutions and the fully connected layer.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

/// What becomes of the rows of a window that see nothing but padding.
enum class PaddedRows { choose, read, skip };
template <> struct Words<PaddedRows> {
  static constexpr std::array<std::string_view, 3> words = {"choose", "read", "skip"};
};

/// 2-D convolution (cross-correlation, as in ONNX). Input [n, ic, h, w], filter [oc, ic / groups,
/// kh, kw], bias [oc]. Output [n, oc, oh, ow] with oh = floor((h + pads - dilation * (kh - 1) - 1)
/// / stride) + 1. All are f32, or of integers: input u8, i8 or i32, filter i8, bias and output i32,
/// sums exact modulo 2^32.
struct Conv2d {
  static constexpr std::string_view name = "conv2d";
  static constexpr std::string_view operands = "input, filter, bias?";
  static constexpr std::string_view summary =
      "2-D convolution: input [n, ic, h, w], filter [oc, ic / groups, kh, kw], bias [oc]";
  static constexpr OpTraits traits = {
      .category = Category::convolution, .parameters = {1, 3}, .filter_channels = 0};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {}; // top, left, bottom, right
  std::array<int64_t, 2> dilation = {1, 1};
  int64_t groups = 1;
  /// m > 0: compute with Winograd's F(m x m, 3x3), for 3x3 windows of stride 1. The same
  /// convolution with fewer multiplications and more rounding; choose_algorithms sets it. -1:
  /// never.
  int64_t winograd = 0;
  /// skip: rows of a window that see nothing but padding are left out, for every row of the result
  /// on its own; the input then needs no halo above and below. choose_algorithms decides where
  /// nothing is said (choose), and where it does not, too, they are read.
  PaddedRows padded_rows = PaddedRows::choose;
  /// What the padding of an input of integers holds: the number that stands for 0 in it.
  int64_t zero_point = 0;
  static constexpr auto attributes() {
    return std::tuple{
        Attribute{"stride", &Conv2d::stride},        Attribute{"pad", &Conv2d::pad},
        Attribute{"dilation", &Conv2d::dilation},    Attribute{"groups", &Conv2d::groups},
        Attribute{"winograd", &Conv2d::winograd},    Attribute{"padded_rows", &Conv2d::padded_rows},
        Attribute{"zero_point", &Conv2d::zero_point}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
  static std::optional<int64_t> macs(const OperandTypes &, const TensorType &result);
};

/// Transposed convolution, as in ONNX: conv2d run backwards. Input [n, ic, h, w], filter [ic, oc /
/// groups, kh, kw], bias [oc]. Input element i and filter element k add their product to output
/// element i * stride + k * dilation - pad. Output [n, oc, oh, ow] with oh = (h - 1) * stride +
/// dilation * (kh - 1) + 1 - pads + output_padding.
struct ConvTranspose2d {
  static constexpr std::string_view name = "conv_transpose2d";
  static constexpr std::string_view operands = "input, filter, bias?";
  static constexpr std::string_view summary =
      "conv2d backwards: input [n, ic, h, w], filter [ic, oc / groups, kh, kw], bias [oc]";
  static constexpr OpTraits traits = {.category = Category::transposed_convolution,
                                      .parameters = {1, 3}};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {}; // top, left, bottom, right: cut off the output
  std::array<int64_t, 2> dilation = {1, 1};
  int64_t groups = 1;
  std::array<int64_t, 2> output_padding = {}; // rows and columns more at the end
  static constexpr auto attributes() {
    return std::tuple{Attribute{"stride", &ConvTranspose2d::stride},
                      Attribute{"pad", &ConvTranspose2d::pad},
                      Attribute{"dilation", &ConvTranspose2d::dilation},
                      Attribute{"groups", &ConvTranspose2d::groups},
                      Attribute{"output_padding", &ConvTranspose2d::output_padding}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
  static std::optional<int64_t> macs(const OperandTypes &, const TensorType &result);
};

/// Locally connected layer: a convolution whose filters are not shared between positions. Input
/// [n, ic, h, w], filter [oh, ow, oc, ic, kh, kw], bias [oc, oh, ow]. Output [n, oc, oh, ow].
struct Local2d {
  static constexpr std::string_view name = "local2d";
  static constexpr std::string_view operands = "input, filter, bias?";
  static constexpr std::string_view summary =
      "convolution with unshared weights: filter [oh, ow, oc, ic, kh, kw], bias [oc, oh, ow]";
  static constexpr OpTraits traits = {
      .category = Category::convolution, .parameters = {1, 3}, .filter_channels = 2};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {};
  std::array<int64_t, 2> dilation = {1, 1};
  static constexpr auto attributes() {
    return std::tuple{Attribute{"stride", &Local2d::stride}, Attribute{"pad", &Local2d::pad},
                      Attribute{"dilation", &Local2d::dilation}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
  static std::optional<int64_t> macs(const OperandTypes &, const TensorType &result);
};

/// Fully connected: output[n, oc] = bias[oc] + sum over ic of input[n, ic] * weight[oc, ic]. All f32,
/// or of integers as those of Conv2d.
struct Dense {
  static constexpr std::string_view name = "dense";
  static constexpr std::string_view operands = "input, weight, bias?";
  static constexpr std::string_view summary =
      "fully connected: input [n, ic], weight [oc, ic], bias [oc]";
  static constexpr OpTraits traits = {
      .category = Category::matrix_product, .parameters = {1, 3}, .filter_channels = 0};
  static constexpr auto attributes() { return std::tuple<>{}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
  static std::optional<int64_t> macs(const OperandTypes &, const TensorType &result);
};

} // namespace cnnc
