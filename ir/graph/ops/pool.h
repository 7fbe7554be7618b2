// Pooling over windows and over whole planes.
#pragma once

#include "ir/graph/attribute.h"
#include "ir/graph/infer_context.h"

namespace cnnc {

/// Maximum over windows; padding never wins. Input [n, c, h, w].
struct MaxPool2d {
  static constexpr std::string_view name = "max_pool2d";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "maximum over windows of [n, c, h, w]";
  std::array<int64_t, 2> kernel = {};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {};
  std::array<int64_t, 2> dilation = {1, 1};
  bool ceil_mode = false;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"kernel", &MaxPool2d::kernel, true},
                      Attribute{"stride", &MaxPool2d::stride}, Attribute{"pad", &MaxPool2d::pad},
                      Attribute{"dilation", &MaxPool2d::dilation},
                      Attribute{"ceil_mode", &MaxPool2d::ceil_mode}};
  }
  InferredTypes infer(InferContext &) const;
};

/// Mean over windows. With count_padding the divisor is the window's size including explicit
/// padding (not what ceil_mode adds beyond it), else the number of input elements in the window.
struct AvgPool2d {
  static constexpr std::string_view name = "avg_pool2d";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "mean over windows of [n, c, h, w]";
  std::array<int64_t, 2> kernel = {};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {};
  bool ceil_mode = false;
  bool count_padding = false;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"kernel", &AvgPool2d::kernel, true},
                      Attribute{"stride", &AvgPool2d::stride}, Attribute{"pad", &AvgPool2d::pad},
                      Attribute{"ceil_mode", &AvgPool2d::ceil_mode},
                      Attribute{"count_padding", &AvgPool2d::count_padding}};
  }
  InferredTypes infer(InferContext &) const;
};

/// Mean over each plane: [n, c, h, w] to [n, c, 1, 1].
struct GlobalAvgPool2d {
  static constexpr std::string_view name = "global_avg_pool2d";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "mean over each plane: [n, c, h, w] to [n, c, 1, 1]";
  static constexpr auto attributes() { return std::tuple<>{}; }
  InferredTypes infer(InferContext &) const;
};

} // namespace cnnc
