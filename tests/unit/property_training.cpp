// Random models of ops that only training needs.
#include "tests/unit/property_writer.h"

namespace cnnc::random_models {

/// A max pool with its positions, and its gradient, of all strides, windows and edges.
std::string max_pool2d_gradient(Choices &r) {
  Conv window{image(r)};
  window.kernel = r.flip() ? Shape{3, 3} : Shape{r.between(1, 5), r.between(1, 5)};
  window.stride = r.flip() ? Shape{2, 2} : Shape{r.between(1, 6), r.between(1, 6)};
  if (r.between(0, 4) == 0)
    window.dilation = {r.between(1, 3), r.between(1, 3)};
  const bool dilated = window.dilation != Shape{1, 1};
  for (size_t i = 0; i < 4 && !dilated; ++i)
    window.pad[i] = r.between(0, window.kernel[i % 2] - 1);
  for (size_t i = 0; i < 2; ++i) {
    window.widen(i, r.between(1, 4));
    while ((window.output(i) - 1) * window.stride[i] >= window.pad[i] + window.input[2 + i])
      --window.pad[2 + i];
  }
  Writer writer;
  std::string x = writer.input(window.input);
  if (r.flip()) // of blocks of channels
    x = writer.value(fmt::format("relu {}", x));
  const std::string attributes =
      fmt::format(" kernel={}{}", list(window.kernel), window.attributes());
  std::vector<std::string> pooled =
      writer.values(2, fmt::format("max_pool2d_indices {}{} positions=window{}", x, attributes,
                                   r.flip() ? " ceil_mode=true" : ""));
  const Shape &in = window.input;
  // ceil_mode may add a window; its gradient has no more than the windows of the gradient's op.
  const std::string least =
      fmt::format("starts=[0, 0] ends=[{}, {}] axes=[2, 3]", window.output(0), window.output(1));
  std::string gradient = writer.value(fmt::format("slice {} {}", pooled[0], least));
  std::string positions = writer.value(fmt::format("slice {} {}", pooled[1], least));
  pooled.push_back(writer.value(fmt::format("max_pool2d_gradient {}, {} sizes={}{}", gradient,
                                            positions, list({in[2], in[3]}), attributes)));
  return writer.model(pooled);
}

/// With indices beyond the result and many that are equal.
std::string scatter_add(Choices &r) {
  Shape shape = any_shape(r, 1);
  if (shape.empty())
    shape = {5};
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t axis = r.between(0, rank - 1),
                count = r.between(0, std::min<int64_t>(2, rank - axis));
  const Shape indices(shape.begin() + axis, shape.begin() + axis + count);
  Writer writer;
  std::string wide = writer.value(
      fmt::format("mul {}, {}", writer.input(indices), writer.value("splat 9 : f32[]")));
  std::string which = writer.value(fmt::format("cast {} to={}", wide, r.one_of({"i32", "i64"})));
  const int64_t result_rank = rank - count + 1;
  return one_op(writer, fmt::format("scatter_add {}, {} axis={} size={}", writer.input(shape),
                                    which, r.flip() ? axis : axis - result_rank, r.between(1, 20)));
}

/// All modes and coordinates, from and to all sizes, plain and in blocks.
std::string resize2d_gradient(Choices &r) {
  Shape shape = image(r);
  Writer writer;
  std::string g = writer.input(shape);
  if (r.flip()) // of a blocked value
    g = writer.value(
        fmt::format("conv2d {}, {}", g, writer.normal({r.between(1, 40), shape[1], 1, 1})));
  Shape input = {r.between(1, 20), r.between(1, 20)};
  for (size_t i = 0; i < 2; ++i) {
    const int64_t times = r.between(1, 3);
    if (r.flip() && shape[2 + i] % times == 0)
      input[i] = shape[2 + i] / times;
  }
  const std::string coordinates =
      r.one_of({"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric",
                "align_corners", "tf_crop_and_resize", "tf_half_pixel_for_nn"});
  const std::string mode = r.one_of({"nearest", "nearest", "linear", "linear", "cubic"});
  std::string attributes =
      fmt::format("input={} coordinates={} mode={} nearest={}", list(input), coordinates, mode,
                  r.one_of({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  const bool crops = coordinates == "tf_crop_and_resize";
  if (!crops && mode != "nearest" && r.flip())
    attributes += " antialias=true";
  if (crops)
    attributes += " roi=[0, 0, 0.125, -0.25, 1, 1, 0.75, 1.5]";
  if (r.between(0, 3) == 0)
    attributes += " exclude_outside=true";
  if (r.between(0, 3) == 0)
    attributes += " scales=[1.375, 0.8125]";
  return one_op(writer, fmt::format("resize2d_gradient {} {}", g, attributes));
}

std::string random_uniform(Choices &r) {
  Writer writer;
  std::string counter =
      writer.value(fmt::format("abs {}", writer.input(r.flip() ? Shape{1} : Shape{})));
  return one_op(writer, fmt::format("random_uniform {} seed={} shape={}", counter,
                                    r.between(0, 1 << 30), list(any_shape(r))));
}

} // namespace cnnc::random_models
