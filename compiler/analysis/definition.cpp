#include "compiler/analysis/definition.h"

#include "ir/graph/gradients/term.h"

namespace cnnc {

namespace {

std::string window_size(bool ceil_mode) {
  return std::string(ceil_mode ? "ceil" : "floor") +
         "((in + pads - dilation * (kernel - 1) - 1) / stride) + 1" +
         (ceil_mode ? ", less a window that begins in the padding behind" : "");
}

constexpr const char *any_shape = "any -> the same";
constexpr const char *pool_shape = "[n, c, h, w] -> [n, c, oh, ow]";

// ---- constants

Definition define(const Weight &) {
  return {"y = the tensor `name` of the file", "the one stated"};
}
Definition define(const Splat &) { return {"y[i] = value", "the one stated"}; }
Definition define(const Literal &) {
  return {"y[i] = values[i], i counted in row-major order", "the one stated"};
}
Definition define(const Random &) {
  return {"he: normal, of mean 0 and variance 2 / (product of all dimensions but the first); "
          "uniform: in [0.5, 1.5)",
          "the one stated"};
}

// ---- convolutions and products

constexpr const char *window_of_input =
    "x[n, g + ic, oh * stride + kh * dilation - pad, ow * stride + kw * dilation - pad]";

Definition define(const Conv2d &) {
  return {"y[n, oc, oh, ow] = bias[oc] + sum over ic, kh, kw of filter[oc, ic, kh, kw] * " +
              std::string(window_of_input) +
              ", g the first input channel of the group of oc, x 0 outside",
          "[n, ic, h, w], [oc, ic / groups, kh, kw], [oc] -> [n, oc, oh, ow]", window_size(false)};
}
Definition define(const ConvTranspose2d &) {
  return {
      "y[n, oc, oh, ow] = bias[oc] + sum of x[n, ic, h, w] * filter[ic, oc, kh, kw] over all ic "
      "of the group of oc and all h, w, kh, kw with oh = h * stride + kh * dilation - pad and "
      "ow = w * stride + kw * dilation - pad",
      "[n, ic, h, w], [ic, oc / groups, kh, kw], [oc] -> [n, oc, oh, ow]",
      "(in - 1) * stride + dilation * (kernel - 1) + 1 - pads + output_padding"};
}
Definition define(const Local2d &) {
  return {
      "y[n, oc, oh, ow] = bias[oc, oh, ow] + sum over ic, kh, kw of filter[oh, ow, oc, ic, kh, "
      "kw] * x[n, ic, oh * stride + kh * dilation - pad, ow * stride + kw * dilation - pad], x 0 "
      "outside",
      "[n, ic, h, w], [oh, ow, oc, ic, kh, kw], [oc, oh, ow] -> [n, oc, oh, ow]",
      window_size(false)};
}
Definition define(const Dense &) {
  return {"y[n, oc] = bias[oc] + sum over ic of x[n, ic] * weight[oc, ic]",
          "[n, ic], [oc, ic], [oc] -> [n, oc]"};
}
Definition define(const Matmul &) {
  return {"y[.., i, j] = sum over k of a[.., i, k] * b[.., k, j]",
          "[.., i, k], [.., k, j] -> [.., i, j], the dimensions in front broadcast"};
}

// ---- pools

Definition define(const MaxPool2d &pool) {
  return {"y[n, c, oh, ow] = max over kh, kw of x[n, c, oh * stride + kh * dilation - pad, ow * "
          "stride + kw * dilation - pad], padding left out",
          pool_shape, window_size(pool.ceil_mode)};
}
Definition define(const MaxPool2dIndices &pool) {
  return {"y as max_pool2d; indices[n, c, oh, ow] = where in x the first maximum of the window "
          "stands, all elements of x counted (positions=input), or kh * kernel width + kw in the "
          "window (positions=window)",
          "[n, c, h, w] -> [n, c, oh, ow], [n, c, oh, ow]", window_size(pool.ceil_mode)};
}
Definition define(const MaxUnpool2d &) {
  return {"y[indices[i]] = x[i], all elements of y counted in row-major order; 0 elsewhere",
          "[n, c, h, w], [n, c, h, w] -> shape"};
}
Definition define(const AvgPool2d &pool) {
  return {"y[n, c, oh, ow] = sum over kh, kw of x[n, c, oh * stride + kh - pad, ow * stride + kw - "
          "pad] / count, padding left out; count: the elements that were added, with count_padding "
          "those of the window",
          pool_shape, window_size(pool.ceil_mode)};
}
Definition define(const GlobalAvgPool2d &) {
  return {"y[n, c, 0, 0] = sum over h, w of x[n, c, h, w] / (height * width)",
          "[n, c, h, w] -> [n, c, 1, 1]"};
}

// ---- element by element

Definition define(const Unary &unary) { return {std::string(unary.row->formula), any_shape}; }
Definition define(const Binary &binary) {
  return {std::string(binary.row->formula), binary.row->keeps_shape_of_a
                                                ? "any, one that broadcasts to it -> the first"
                                                : "any two -> what they broadcast to"};
}
Definition define(const Where &) {
  return {"y = condition ? a : b", "any three -> what they broadcast to"};
}
Definition define(const Cast &) {
  return {"y = x as the type `to`: towards zero and saturating, NaN 0; to bool x != 0", any_shape};
}

Definition define(const Quantize &) {
  return {"y = min(max(round(x / scale) + zero_point, least), largest): least and largest of the "
          "type `to`; with operands scales[i] and zero_points[i], i along the axis",
          "any, [d], [d] -> the first, as u8 or i8"};
}
Definition define(const Dequantize &) {
  return {"y = (x - zero_point) * scale; with operands scales[i] and zero_points[i], i along the "
          "axis",
          "any, [d], [d] -> the first, as f32"};
}
Definition define(const Lookup &) {
  return {"y = table[x]; a negative x counts from the end, as -1 for table[255]",
          "any, [256] -> the first, of the table's type"};
}

// ---- norms

constexpr const char *norm =
    "y = (x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance over ";

Definition define(const BatchNorm &) {
  return {
      "y[n, c, ..] = scale[c] * (x[n, c, ..] - mean[c]) / sqrt(variance[c] + epsilon) + bias[c]; "
      "with statistics=batch mean and variance are those of x over all but c, and two more "
      "results are momentum * given + (1 - momentum) * those of x, its variance unbiased",
      "[n, c, ..], [c], [c], [c], [c] -> [n, c, ..]; with statistics=batch also [c], [c]"};
}
Definition define(const LayerNorm &) {
  return {std::string(norm) + "the dimensions from axis on",
          "any, two that broadcast to its dimensions from axis on -> the first"};
}
Definition define(const InstanceNorm &) {
  return {std::string(norm) + "all elements of one image and channel",
          "[n, c, ..], [c], [c] -> [n, c, ..]"};
}
Definition define(const GroupNorm &) {
  return {std::string(norm) + "c / groups neighbouring channels of one image",
          "[n, c, ..], [c], [c] -> [n, c, ..]"};
}
Definition define(const Lrn &) {
  return {"y[n, c, ..] = x[n, c, ..] / (bias + alpha / size * sum of x[n, k, ..]^2)^beta, the sum "
          "over k from c - floor((size - 1) / 2) to c + ceil((size - 1) / 2), channels alone",
          "[n, c, ..] -> [n, c, ..]"};
}
Definition define(const Softmax &) {
  return {
      "y[.., i, ..] = exp(x[.., i, ..] - max) / sum over k of exp(x[.., k, ..] - max), i, k and "
      "max along axis",
      any_shape};
}
Definition define(const LogSoftmax &) {
  return {
      "y[.., i, ..] = x[.., i, ..] - max - log(sum over k of exp(x[.., k, ..] - max)), i, k and "
      "max along axis",
      any_shape};
}
Definition define(const Hardmax &) {
  return {"y[.., i, ..] = 1 where x[.., i, ..] is the first largest along axis, else 0", any_shape};
}

// ---- reductions

template <ReduceKind kind> Definition define(const Reduce<kind> &) {
  constexpr std::array words = {"mean", "sum", "max", "min", "product"};
  return {std::string("y = ") + words[static_cast<size_t>(kind)] +
              " of x over all elements that differ in the axes alone",
          "any -> the same with 1 for each of the axes, or without them (keep_dims=false)"};
}
template <bool largest> Definition define(const ArgExtreme<largest> &) {
  return {
      std::string("y[.., 0, ..] = the first i along axis (select_last: the last) where x[.., i, "
                  "..] is ") +
          (largest ? "largest" : "smallest"),
      "any -> the same with 1 for the axis, or without it (keep_dims=false)"};
}
Definition define(const TopK &) {
  return {
      "y[.., j, ..] = the j-th largest (largest=false: smallest) of x along axis, of equal ones "
      "the one that comes first; indices[.., j, ..] = where it stands",
      "any -> two, with k for the axis"};
}

// ---- other places

Definition define(const Concat &) {
  return {"y[.., i, ..] = the i-th element along axis, counted through all inputs",
          "any that differ in axis alone -> their sizes along axis added up"};
}
Definition define(const Split &) {
  return {"result r: y[.., i, ..] = x[.., sizes[0] + .. + sizes[r - 1] + i, ..]",
          "any -> one for each of sizes, which is its size along axis"};
}
Definition define(const Slice &) {
  return {"y[.., i, ..] = x[.., start + i * step, ..] along each of axes",
          "any -> ceil((end - start) / step) along each of axes"};
}
Definition define(const Pad &) {
  return {"y[i] = x[i - before] inside of x; outside value (constant), the element mirrored at the "
          "edge (reflect), that at the edge (edge) or that at the other end (wrap)",
          "any -> before + size + after in each dimension"};
}
Definition define(const Reshape &) {
  return {"y[i] = x[i], i counted in row-major order",
          "any -> shape, where 0 keeps a dimension and one -1 is what is left"};
}
Definition define(const Flatten &) {
  return {"y[i] = x[i], i counted in row-major order",
          "any -> [product of the sizes before axis, product of the sizes from axis on]"};
}
Definition define(const Transpose &) {
  return {"y[i] = x[j], where index permutation[d] of j is index d of i",
          "any -> the sizes in the order of permutation"};
}
Definition define(const Expand &) {
  return {"y[i] = x[i], with 0 for indices of dimensions of size 1",
          "any -> what it and shape broadcast to"};
}
Definition define(const DepthToSpace &) {
  return {
      "y[n, c, h * rows + r, w * columns + k] = x[n, (r * columns + k) * C + c, h, w] (dcr), or "
      "x[n, (c * rows + r) * columns + k, h, w] (crd), C the channels of y; then crop is cut off",
      "[n, c * rows * columns, h, w] -> [n, c, h * rows - crop, w * columns - crop]"};
}
Definition define(const SpaceToDepth &) {
  return {"y[n, (r * columns + k) * C + c, h, w] = x[n, c, h * rows + r, w * columns + k], C the "
          "channels of x",
          "[n, c, h * rows, w * columns] -> [n, rows * columns * c, h, w]"};
}
Definition define(const Gather &) {
  return {"y[d.., i.., e..] = x[d.., indices[i..], e..]; negative indices count from the end, and "
          "others are clamped",
          "[d.., size, e..], [i..] -> [d.., i.., e..], size in the place of axis"};
}
constexpr const char *interpolated =
    "its coordinate in x: the nearest element, two (linear) or four (cubic) in each direction";

Definition define(const Resize2d &) {
  return {"y[n, c, oh, ow] = sum of weight * x[n, c, h, w] over the elements near " +
              std::string(interpolated),
          "[n, c, h, w] -> [n, c, sizes[0], sizes[1]]"};
}

// ---- training

Definition define(const Conv2dFilterGradient &) {
  return {"y[oc, ic, kh, kw] = sum over n, oh, ow of gradient[n, oc, oh, ow] * " +
              std::string(window_of_input) +
              ", g the first input channel of the group of oc, x 0 "
              "outside",
          "[n, ic, h, w], [n, oc, oh, ow] -> [oc, ic / groups, kernel[0], kernel[1]]"};
}
Definition define(const MaxPool2dGradient &) {
  return {"y[n, c, h, w] = sum of gradient[n, c, oh, ow] over the windows whose maximum, which "
          "positions names, is at h, w",
          "[n, c, oh, ow], [n, c, oh, ow] -> [n, c, sizes[0], sizes[1]]"};
}
Definition define(const ScatterAdd &) {
  return {"y[d.., j, e..] = sum of updates[d.., i.., e..] over all i.. with indices[i..] = j",
          "[d.., i.., e..], [i..] -> [d.., size, e..], size in the place of axis"};
}
Definition define(const CrossEntropy &) {
  return {"y = mean over n of -sum over c of t[n, c] * log_softmax(logits)[n, c], t = 1 - "
          "label_smoothing at labels[n], plus label_smoothing / classes everywhere",
          "[n, classes], [n] -> []"};
}
Definition define(const MeanSquaredError &) {
  return {"y = mean over all elements of (a - b)^2", "any, the same -> []"};
}
Definition define(const BinaryCrossEntropy &) {
  return {"y = mean over all elements of log(1 + exp(logits)) - targets * logits",
          "any, the same -> []"};
}
Definition define(const RandomUniform &) {
  return {"y[i] = a number in [0, 1) that follows from seed, counter and i, counted in row-major "
          "order",
          "one element -> shape"};
}
Definition define(const Resize2dGradient &) {
  return {"y[n, c, h, w] = sum of weight * gradient[n, c, oh, ow] over the elements that resize2d "
          "interpolates from x[n, c, h, w], with the weights that it has there",
          "[n, c, oh, ow] -> [n, c, input[0], input[1]]"};
}

// ---- what passes put in

Definition define(const Relayout &) { return {"y = x, in another order in memory", any_shape}; }
Definition define(const Call &) { return {"what the kernel computes", "those that are stated"}; }

struct RuleOf {
  GradientRule operator()(const OfCategory<Category::constant> auto &) const {
    return GradientRule::constant;
  }
  GradientRule operator()(const OfCategory<Category::internal> auto &) const {
    return GradientRule::missing;
  }
  GradientRule operator()(const Unary &unary) const {
    return unary.row->gradient == no_gradient ? GradientRule::zero : GradientRule::given;
  }
  GradientRule operator()(const Binary &binary) const {
    return binary.row->gradient_a || binary.row->gradient_b ? GradientRule::given
                                                            : GradientRule::zero;
  }
  GradientRule operator()(const OneOf<Hardmax, ArgMax, ArgMin, RandomUniform, Quantize, Dequantize,
                                      Lookup> auto &) const {
    return GradientRule::zero;
  }
  GradientRule operator()(
      const OneOf<Conv2d, ConvTranspose2d, Local2d, Dense, Matmul, MaxPool2d, MaxPool2dIndices,
                  MaxUnpool2d, AvgPool2d, GlobalAvgPool2d, Where, Cast, BatchNorm, LayerNorm,
                  InstanceNorm, GroupNorm, Lrn, Softmax, LogSoftmax, ReduceMean, ReduceSum,
                  ReduceMax, ReduceMin, ReduceProd, TopK, Concat, Split, Slice, Pad, Reshape,
                  Flatten, Transpose, Expand, DepthToSpace, SpaceToDepth, Gather, Resize2d,
                  Conv2dFilterGradient, MaxPool2dGradient, ScatterAdd, CrossEntropy,
                  MeanSquaredError, BinaryCrossEntropy, Resize2dGradient> auto &) const {
    return GradientRule::given;
  }
};

} // namespace

Definition definition_of(const Op &op) {
  return match(op, [](const auto &known) { return define(known); }); // each op has its own
}

std::string_view to_string(Category category) {
  switch (category) {
  case Category::constant:
    return "constant";
  case Category::convolution:
  case Category::transposed_convolution:
    return "convolution";
  case Category::matrix_product:
    return "matrix product";
  case Category::pool:
  case Category::max_position:
    return "pool";
  case Category::elementwise:
    return "element-wise";
  case Category::normalization:
    return "normalization";
  case Category::reduction:
    return "reduction";
  case Category::movement:
  case Category::view:
    return "movement";
  case Category::resize:
    return "resize";
  case Category::training:
  case Category::loss:
    return "training";
  case Category::internal:
    break;
  }
  return "internal";
}

GradientRule gradient_rule(const Op &op) { return match(op, RuleOf()); }

} // namespace cnnc
