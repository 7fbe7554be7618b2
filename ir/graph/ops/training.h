// Ops that only training needs: gradients that are no other op, losses, random numbers.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

/// The gradient of a conv2d with respect to its filter. Input [n, ic, h, w] and the gradient of the
/// convolution's result [n, oc, oh, ow]; result [oc, ic / groups, kh, kw] = sum over n, oh, ow of
/// gradient[n, oc, oh, ow] * input[n, ic, oh * stride + kh * dilation - pad, ..]. `kernel` is [kh,
/// kw].
struct Conv2dFilterGradient {
  static constexpr std::string_view name = "conv2d_filter_gradient";
  static constexpr std::string_view operands = "input, gradient";
  static constexpr std::string_view summary =
      "gradient of conv2d's filter: input [n, ic, h, w], gradient [n, oc, oh, ow] to [oc, ic / "
      "groups, kh, kw]";
  static constexpr OpTraits traits = {.category = Category::training};
  std::array<int64_t, 2> kernel = {};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {}; // top, left, bottom, right
  std::array<int64_t, 2> dilation = {1, 1};
  int64_t groups = 1;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"kernel", &Conv2dFilterGradient::kernel, true},
                      Attribute{"stride", &Conv2dFilterGradient::stride},
                      Attribute{"pad", &Conv2dFilterGradient::pad},
                      Attribute{"dilation", &Conv2dFilterGradient::dilation},
                      Attribute{"groups", &Conv2dFilterGradient::groups}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
  static std::optional<int64_t> macs(const OperandTypes &, const TensorType &result);
};

/// The gradient of a max pool: each element of `gradient` [n, c, oh, ow] goes to the element of its
/// window that `positions` names (of the same shape, as max_pool2d_indices gives them with
/// positions=window); where windows overlap, gradients add up. `sizes` are height and width of the
/// result [n, c, h, w], the pool's input.
struct MaxPool2dGradient {
  static constexpr std::string_view name = "max_pool2d_gradient";
  static constexpr std::string_view operands = "gradient, positions";
  static constexpr std::string_view summary =
      "gradient of a max pool: elements go to the position in their window that was the maximum";
  static constexpr OpTraits traits = {.category = Category::training};
  std::array<int64_t, 2> sizes = {};
  std::array<int64_t, 2> kernel = {};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {};
  std::array<int64_t, 2> dilation = {1, 1};
  static constexpr auto attributes() {
    return std::tuple{Attribute{"sizes", &MaxPool2dGradient::sizes, true},
                      Attribute{"kernel", &MaxPool2dGradient::kernel, true},
                      Attribute{"stride", &MaxPool2dGradient::stride},
                      Attribute{"pad", &MaxPool2dGradient::pad},
                      Attribute{"dilation", &MaxPool2dGradient::dilation}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// The transpose of gather: result[d.., indices[i..], e..] is the sum of all updates[d.., i.., e..],
/// 0 where no index leads. Indices are taken as gather takes them; `size` is that of dimension
/// `axis` of the result.
struct ScatterAdd {
  static constexpr std::string_view name = "scatter_add";
  static constexpr std::string_view operands = "updates, indices";
  static constexpr std::string_view summary =
      "adds elements up at their indices along one axis: gather backwards";
  static constexpr OpTraits traits = {.category = Category::training};
  int64_t axis = 0;
  int64_t size = 0;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"axis", &ScatterAdd::axis},
                      Attribute{"size", &ScatterAdd::size, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Mean over the images of the cross-entropy of softmax(logits) [n, classes] and the classes that
/// `labels` (i64 [n]) name: -sum of t * log_softmax(logits), t = 1 - label_smoothing at the label
/// plus label_smoothing / classes everywhere. A label outside of [0, classes) counts as no class.
struct CrossEntropy {
  static constexpr std::string_view name = "cross_entropy";
  static constexpr std::string_view operands = "logits, labels";
  static constexpr std::string_view summary =
      "mean over images of -log(softmax(logits)[label]): logits [n, classes], labels i64 [n]";
  static constexpr OpTraits traits = {.category = Category::loss};
  double label_smoothing = 0;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"label_smoothing", &CrossEntropy::label_smoothing}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Mean over all elements of (a - b)^2, of one shape.
struct MeanSquaredError {
  static constexpr std::string_view name = "mean_squared_error";
  static constexpr std::string_view operands = "a, b";
  static constexpr std::string_view summary = "mean over all elements of (a - b)^2";
  static constexpr OpTraits traits = {.category = Category::loss};
  static constexpr auto attributes() { return std::tuple<>{}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Mean over all elements of the binary cross-entropy of sigmoid(logits) and targets in [0, 1], of
/// one shape, computed from the logits: softplus(x) - t * x, which does not overflow.
struct BinaryCrossEntropy {
  static constexpr std::string_view name = "binary_cross_entropy";
  static constexpr std::string_view operands = "logits, targets";
  static constexpr std::string_view summary =
      "mean over all elements of -t * log(s) - (1 - t) * log(1 - s), s = sigmoid(logits)";
  static constexpr OpTraits traits = {.category = Category::loss};
  static constexpr auto attributes() { return std::tuple<>{}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Numbers in [0, 1), multiples of 2^-24, from a counter-based generator: a function of the seed,
/// the number in `counter` (f32 of one element, a whole number) and the place of the element alone
/// (compiler/README.md, "Random numbers").
struct RandomUniform {
  static constexpr std::string_view name = "random_uniform";
  static constexpr std::string_view operands = "counter";
  static constexpr std::string_view summary =
      "numbers in [0, 1) that follow from seed, counter and place alone";
  static constexpr OpTraits traits = {.category = Category::training};
  int64_t seed = 0;
  std::vector<int64_t> shape;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"seed", &RandomUniform::seed},
                      Attribute{"shape", &RandomUniform::shape, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

} // namespace cnnc
