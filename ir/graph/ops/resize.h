// Images of another size.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

enum class ResizeMode { nearest, linear, cubic };
template <> struct Words<ResizeMode> {
  static constexpr std::array<std::string_view, 3> words = {"nearest", "linear", "cubic"};
};

/// How a position of the result becomes a coordinate of the input.
enum class ResizeCoordinates {
  half_pixel,
  half_pixel_symmetric,
  pytorch_half_pixel,
  asymmetric,
  align_corners,
  tf_crop_and_resize,
  tf_half_pixel_for_nn
};
template <> struct Words<ResizeCoordinates> {
  static constexpr std::array<std::string_view, 7> words = {
      "half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",  "asymmetric",
      "align_corners", "tf_crop_and_resize",   "tf_half_pixel_for_nn"};
};

/// How mode `nearest` rounds a coordinate.
enum class ResizeNearest { round_prefer_floor, round_prefer_ceil, floor, ceil };
template <> struct Words<ResizeNearest> {
  static constexpr std::array<std::string_view, 4> words = {"round_prefer_floor",
                                                            "round_prefer_ceil", "floor", "ceil"};
};

/// Resize of ONNX on the planes of [n, c, h, w]. `sizes` are the new height and width. `scales`
/// (height, width), when given, take their place in the formulas of the coordinates; else they are
/// the quotients of the sizes. Coordinates are exact where the scales are the quotients of the
/// sizes, rounded to f32 or not; with other scales, and in parts of the input, mode `nearest`
/// computes them in f32. tf_half_pixel_for_nn, (p + 0.5) / scale, is that of ONNX's opset 11. `roi`
/// is for tf_crop_and_resize, as in ONNX the starts of all four dimensions and then their ends, in
/// parts of the input; where it reaches beyond the input, the result is `extrapolation_value`.
/// Everywhere else elements beyond the edge are those at the edge, or with `exclude_outside` do not
/// count. With `antialias` modes linear and cubic stretch their filter by 1 / scale where an axis
/// becomes smaller, so that every element counts, and divide its weights by their sum.
/// Input f32, or u8 or i8, without antialias and tf_crop_and_resize: numbers again in mode nearest,
/// f32 in others.
struct Resize2d {
  static constexpr std::string_view name = "resize2d";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "planes of another size: [n, c, h, w] interpolated";
  static constexpr OpTraits traits = {.category = Category::resize};
  std::array<int64_t, 2> sizes = {};
  std::vector<double> scales;
  ResizeMode mode = ResizeMode::nearest;
  ResizeCoordinates coordinates = ResizeCoordinates::half_pixel;
  ResizeNearest nearest = ResizeNearest::round_prefer_floor;
  double cubic_coeff_a = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
  std::vector<double> roi;
  double extrapolation_value = 0;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"sizes", &Resize2d::sizes, true},
                      Attribute{"scales", &Resize2d::scales},
                      Attribute{"mode", &Resize2d::mode},
                      Attribute{"coordinates", &Resize2d::coordinates},
                      Attribute{"nearest", &Resize2d::nearest},
                      Attribute{"cubic_coeff_a", &Resize2d::cubic_coeff_a},
                      Attribute{"exclude_outside", &Resize2d::exclude_outside},
                      Attribute{"antialias", &Resize2d::antialias},
                      Attribute{"roi", &Resize2d::roi},
                      Attribute{"extrapolation_value", &Resize2d::extrapolation_value}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
  /// By how much an axis of this length becomes larger.
  double scale(size_t axis, int64_t input) const {
    return scales.empty() ? static_cast<double>(sizes[axis]) / static_cast<double>(input)
                          : scales[axis];
  }
};

/// The transpose of resize2d as a linear map: `gradient` has the size that it made, the result
/// `input`, height and width. All other attributes are those of the resize2d, as it has them.
struct Resize2dGradient {
  static constexpr std::string_view name = "resize2d_gradient";
  static constexpr std::string_view operands = "gradient";
  static constexpr std::string_view summary =
      "gradient of resize2d: every element goes to those that it was interpolated from";
  static constexpr OpTraits traits = {.category = Category::training};
  std::array<int64_t, 2> input = {};
  std::vector<double> scales;
  ResizeMode mode = ResizeMode::nearest;
  ResizeCoordinates coordinates = ResizeCoordinates::half_pixel;
  ResizeNearest nearest = ResizeNearest::round_prefer_floor;
  double cubic_coeff_a = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
  std::vector<double> roi;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"input", &Resize2dGradient::input, true},
                      Attribute{"scales", &Resize2dGradient::scales},
                      Attribute{"mode", &Resize2dGradient::mode},
                      Attribute{"coordinates", &Resize2dGradient::coordinates},
                      Attribute{"nearest", &Resize2dGradient::nearest},
                      Attribute{"cubic_coeff_a", &Resize2dGradient::cubic_coeff_a},
                      Attribute{"exclude_outside", &Resize2dGradient::exclude_outside},
                      Attribute{"antialias", &Resize2dGradient::antialias},
                      Attribute{"roi", &Resize2dGradient::roi}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
  /// The resize2d to `sizes` whose gradient this is; what it extrapolates is 0.
  Resize2d forward(std::array<int64_t, 2> sizes) const;
};

} // namespace cnnc
