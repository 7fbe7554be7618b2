#include "tests/unit/property_writer.h"

namespace cnnc {

using namespace random_models;

namespace {

std::string dense(Choices &r) {
  int64_t ic = r.one_of({r.between(1, 40), r.between(41, 400)}), oc = r.between(1, 70);
  Writer writer;
  std::string text =
      "dense " + writer.input({r.between(1, 5), ic}) + ", " + parameter(r, writer, {oc, ic});
  if (r.flip())
    text += ", " + parameter(r, writer, {oc});
  return one_op(writer, text);
}

std::string global_avg_pool2d(Choices &r) {
  Writer writer;
  return one_op(writer, "global_avg_pool2d " + writer.input(image(r)));
}

std::string any_unary(Choices &r) {
  Writer writer;
  std::string x = writer.input(any_shape(r));
  if (r.between(0, 4) == 0)
    return one_op(writer, "exp " + x);
  if (r.between(0, 4) == 0) // of positive numbers
    return one_op(writer,
                  r.one_of({"log ", "reciprocal "}) + writer.value(fmt::format("softplus {}", x)));
  if (r.between(0, 4) == 0) // of the input itself: a rounding error may decide
    return one_op(writer, random_unary(r, x));
  if (r.between(0, 4) == 0)
    return one_op(writer, "sqrt " + writer.value(fmt::format("mul {}, {}", x, x)));
  std::string y = writer.value(random_continuous_unary(r, x));
  return writer.model({r.flip() ? y : writer.value(random_continuous_unary(r, y))});
}

/// Two shapes that broadcast, in all forms: missing dimensions, dimensions of one on either side.
std::string any_binary(Choices &r) {
  Shape x = any_shape(r), y = x;
  std::string op = r.one_of({"add", "sub", "mul", "div", "min", "max", "prelu", "pow"});
  for (size_t i = 0; i < x.size(); ++i) {
    if (r.between(0, 2) == 0)
      y[i] = 1;
    else if (op != "prelu" && op != "pow" && r.between(0, 3) == 0)
      x[i] = 1;
  }
  if (r.flip())
    y.erase(y.begin(), y.begin() + r.between(0, static_cast<int64_t>(y.size())));
  Writer writer;
  std::string a = writer.input(x), b;
  if (op == "pow")
    a = writer.value("softplus " + a);
  if (op == "div")
    b = writer.uniform(y);
  else
    b = r.between(0, 2) ? writer.input(y) : writer.normal(y);
  if (r.between(0, 9) == 0 && op != "div")
    b = a;
  if (r.flip() && op != "prelu" && op != "div" && op != "pow")
    std::swap(a, b);
  return one_op(writer, fmt::format("{} {}, {}", op, a, b));
}

/// Comparisons, logic and what depends on them; bools that stay in a kernel or leave it.
std::string condition(Choices &r) {
  Shape x = any_shape(r), y = x;
  for (int64_t &dim : y)
    if (r.between(0, 3) == 0)
      dim = 1;
  Writer writer;
  std::string a = writer.input(x), b = r.flip() ? writer.input(y) : writer.normal(y);
  auto compared = [&] {
    return writer.value(fmt::format(
        "{} {}, {}", r.one_of({"less", "less_or_equal", "greater", "greater_or_equal", "equal"}), a,
        b));
  };
  std::string flags = compared();
  if (r.flip())
    flags =
        writer.value(fmt::format("{} {}, {}", r.one_of({"and", "or", "xor"}), flags, compared()));
  if (r.flip())
    flags = writer.value("not " + flags);
  std::string number = writer.value(fmt::format("cast {} to=f32", flags));
  if (r.flip())
    return one_op(writer, fmt::format("where {}, {}, {}", flags, r.flip() ? a : b, number));
  return one_op(writer, fmt::format("sub {}, {}", a, number));
}

/// Through another element type and back.
std::string cast(Choices &r) {
  Writer writer;
  std::string x = writer.input(any_shape(r));
  std::string large = writer.value(fmt::format("mul {}, {}", x, writer.value("splat 100 : f32[]")));
  std::string other =
      writer.value(fmt::format("cast {} to={}", large, r.one_of({"i32", "i64", "u8", "bool"})));
  if (r.flip())
    other = writer.value(fmt::format("cast {} to={}", other, r.one_of({"i32", "i64", "u8"})));
  return one_op(writer, fmt::format("cast {} to=f32", other));
}

/// With indices that the model computes, many of them beyond the input, or constants.
std::string gather(Choices &r) {
  Shape shape = any_shape(r, 1), indices = any_shape(r);
  if (shape.empty())
    shape = {5};
  if (indices.size() > 2)
    indices.resize(2);
  Writer writer;
  std::string x = writer.input(shape), which;
  if (r.flip())
    x = writer.value("abs " + x);
  auto axis = r.between(0, static_cast<int64_t>(shape.size()) - 1);
  if (r.flip()) {
    std::string wide = writer.value(
        fmt::format("mul {}, {}", writer.input(indices), writer.value("splat 20 : f32[]")));
    which = writer.value(fmt::format("cast {} to={}", wide, r.one_of({"i32", "i64"})));
  } else {
    int64_t size = shape[static_cast<size_t>(axis)];
    Shape values;
    for (int64_t i = r.between(1, 9); i > 0; --i)
      values.push_back(r.between(-size, size - 1));
    which = writer.value(
        fmt::format("literal {} : {}[{}]", list(values), r.one_of({"i32", "i64"}), values.size()));
  }
  return one_op(writer, fmt::format("gather {}, {} axis={}", x, which, axis));
}

/// All modes and coordinates, from and to all sizes, plain and in blocks.
std::string resize2d(Choices &r) {
  Shape shape = image(r);
  Writer writer;
  std::string x = writer.input(shape);
  if (r.flip()) // of a blocked value
    x = writer.value(
        fmt::format("conv2d {}, {}", x, writer.normal({r.between(1, 40), shape[1], 1, 1})));
  Shape sizes = {r.between(1, 20), r.between(1, 20)};
  if (r.flip())
    sizes = {shape[2] * r.between(1, 3), shape[3] * r.between(1, 3)};
  const char *coordinates =
      r.one_of({"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric",
                "align_corners", "tf_crop_and_resize", "tf_half_pixel_for_nn"});
  const std::string mode = r.one_of({"nearest", "linear", "linear", "cubic"});
  std::string attributes =
      fmt::format("sizes={} coordinates={} mode={} nearest={}", list(sizes), coordinates, mode,
                  r.one_of({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  const bool crops = std::string_view(coordinates) == "tf_crop_and_resize";
  if (!crops && mode != "nearest" && r.flip())
    attributes += " antialias=true";
  if (crops)
    attributes += " roi=[0, 0, 0.125, -0.25, 1, 1, 0.75, 1.5] extrapolation_value=0.5";
  if (r.between(0, 3) == 0)
    attributes += " exclude_outside=true";
  if (r.between(0, 3) == 0)
    attributes += " scales=[1.375, 0.8125]";
  std::string y = writer.value(fmt::format("resize2d {} {}", x, attributes));
  return writer.model({r.flip() ? y : writer.value(random_continuous_unary(r, y))});
}

std::string batch_norm(Choices &r) {
  Shape shape = any_shape(r, 2);
  if (shape.size() < 2)
    shape = {2, 5};
  Writer writer;
  std::string x = writer.input(shape);
  return writer.model({batch_norm_of(r, writer, x, shape[1])});
}

std::string softmax(Choices &r) {
  Shape shape = any_shape(r, 1);
  auto rank = static_cast<int64_t>(shape.size());
  Writer writer;
  return one_op(writer, fmt::format("{} {} axis={}", r.one_of({"softmax", "log_softmax"}),
                                    writer.input(shape), r.between(-rank, rank - 1)));
}

std::string reduce_mean(Choices &r) {
  Shape shape = any_shape(r, 1), axes;
  auto rank = static_cast<int64_t>(shape.size());
  int64_t always = r.between(0, rank - 1);
  for (int64_t i = 0; i < rank; ++i)
    if (i == always || r.between(0, 2) == 0)
      axes.push_back(r.flip() ? i : i - rank);
  Writer writer;
  return one_op(writer, fmt::format("reduce_mean {} axes={}{}", writer.input(shape), list(axes),
                                    r.flip() ? " keep_dims=false" : ""));
}

std::string concat(Choices &r) {
  Shape shape = any_shape(r, 1);
  auto axis = static_cast<size_t>(r.between(0, static_cast<int64_t>(shape.size()) - 1));
  Writer writer;
  std::vector<std::string> names;
  for (int64_t i = r.between(1, 4); i > 0; --i) {
    Shape other = shape;
    other[axis] = r.between(1, 33);
    bool variable = names.empty() || r.between(0, 5);
    names.push_back(variable ? writer.input(other) : writer.normal(other));
  }
  if (r.between(0, 4) == 0)
    names.push_back(names.front());
  return one_op(writer, fmt::format("concat {} axis={}", fmt::join(names, ", "), axis));
}

std::string split(Choices &r) {
  Shape shape = any_shape(r, 1), sizes;
  auto axis = static_cast<size_t>(r.between(0, static_cast<int64_t>(shape.size()) - 1));
  shape[axis] = 0;
  for (int64_t i = r.between(1, 4); i > 0; --i) {
    sizes.push_back(r.between(1, 20));
    shape[axis] += sizes.back();
  }
  Writer writer;
  std::vector<std::string> parts =
      writer.values(sizes.size(), fmt::format("split {} axis={} sizes={}", writer.input(shape),
                                              axis, list(sizes)));
  if (parts.size() > 1 && r.flip())
    parts.pop_back();
  return writer.model(parts);
}

std::string slice(Choices &r) {
  Shape shape = any_shape(r, 1);
  if (shape.empty())
    shape = {7};
  Writer writer;
  return one_op(writer, slice_of(r, writer.input(shape), shape, 0));
}

std::string pad(Choices &r) {
  Shape shape = any_shape(r, 1);
  Writer writer;
  return one_op(writer, pad_of(r, writer.input(shape), shape, 0));
}

std::string reshape(Choices &r) {
  Shape shape = image(r);
  Writer writer;
  std::string x = writer.input(shape);
  int64_t area = shape[2] * shape[3];
  Shape other = r.one_of<Shape>({{-1},
                                 {0, -1},
                                 {0, 0, area},
                                 {shape[0] * shape[1], area},
                                 {1, 0, -1, 1},
                                 {0, shape[2], shape[1], shape[3]},
                                 {shape[3], shape[2], shape[1], shape[0]}});
  if (other[0] == 1 && shape[0] > 1)
    other = {1, -1, 1, shape[3]};
  std::string y = writer.value(fmt::format("reshape {} shape={}", x, list(other)));
  if (r.flip()) // of a blocked value
    y = writer.value(
        fmt::format("reshape {} shape={}",
                    writer.value(random_continuous_unary(r, batch_norm_of(r, writer, x, shape[1]))),
                    list(other)));
  return writer.model({y});
}

std::string flatten(Choices &r) {
  Shape shape = any_shape(r);
  Writer writer;
  return one_op(writer, fmt::format("flatten {} axis={}", writer.input(shape),
                                    r.between(0, static_cast<int64_t>(shape.size()))));
}

std::string transpose(Choices &r) {
  Shape shape = any_shape(r), permutation;
  for (size_t i = 0; i < shape.size(); ++i)
    permutation.push_back(static_cast<int64_t>(i));
  for (size_t i = shape.size(); i-- > 1;)
    std::swap(permutation[i],
              permutation[static_cast<size_t>(r.between(0, static_cast<int64_t>(i)))]);
  Writer writer;
  return one_op(writer,
                fmt::format("transpose {} permutation={}", writer.input(shape), list(permutation)));
}

std::string depth_to_space(Choices &r) {
  Shape block = {r.between(1, 4), r.between(1, 4)};
  int64_t c = r.one_of({r.between(1, 5), int64_t(16), int64_t(24), int64_t(32)});
  Shape shape = {r.between(1, 2), c * block[0] * block[1], r.between(1, 5), r.between(1, 9)};
  Writer writer;
  std::string x = writer.input(shape);
  if (r.flip()) // of blocks of channels
    x = writer.value(fmt::format("conv2d {}, {}", x, writer.normal({shape[1], shape[1], 1, 1})));
  std::string text =
      fmt::format("depth_to_space {} block={} mode={}", x, list(block), r.one_of({"dcr", "crd"}));
  if (r.flip()) {
    Shape crop(4);
    for (size_t i = 0; i < 2; ++i) {
      int64_t size = shape[2 + i] * block[i];
      crop[i] = r.between(0, std::min(size - 1, block[i]));
      crop[2 + i] = r.between(0, std::min(size - 1 - crop[i], block[i]));
    }
    text += " crop=" + list(crop);
  }
  std::string y = writer.value(text);
  return writer.model({r.flip() ? y : writer.value(random_continuous_unary(r, y))});
}

std::string space_to_depth(Choices &r) {
  Shape block = {r.between(1, 4), r.between(1, 4)};
  int64_t c = r.one_of({r.between(1, 5), int64_t(16), int64_t(24), int64_t(32)});
  Shape shape = {r.between(1, 2), c, block[0] * r.between(1, 5), block[1] * r.between(1, 9)};
  Writer writer;
  std::string x = writer.input(shape);
  if (r.flip())
    x = writer.value(fmt::format("conv2d {}, {}", x, writer.normal({c, c, 1, 1})));
  std::string y = writer.value(fmt::format("space_to_depth {} block={}", x, list(block)));
  if (r.flip())
    y = writer.value(
        fmt::format("conv2d {}, {}", y, writer.normal({16, c * block[0] * block[1], 1, 1})));
  return writer.model({y});
}

/// Ops with so much work that they are given to several threads.
std::string large(Choices &r) {
  Shape shape = {r.between(1, 2), r.between(40, 70), r.between(60, 70), r.between(80, 90)};
  Writer writer;
  std::string x = writer.input(shape);
  switch (r.between(0, 9)) {
  case 0:
    return one_op(writer, random_continuous_unary(r, x));
  case 1:
    return one_op(writer, fmt::format("mul {}, {}", x, writer.uniform({shape[1], 1, 1})));
  case 2:
    return one_op(writer,
                  fmt::format("max_pool2d {} kernel=[3, 3] stride=[2, 2] pad=[1, 1, 1, 1]", x));
  case 3:
    return one_op(writer, fmt::format("avg_pool2d {} kernel=[2, 2] ceil_mode=true", x));
  case 4:
    return one_op(writer, "global_avg_pool2d " + x);
  case 5:
    return one_op(writer, fmt::format("concat {}, {} axis={}", x, x, r.between(0, 3)));
  case 6:
    return one_op(writer, fmt::format("conv2d {}, {} pad=[1, 1, 1, 1] groups={}", x,
                                      writer.normal({shape[1], 1, 3, 3}), shape[1]));
  case 7:
    return one_op(writer, fmt::format("softmax {} axis={}", x, r.between(0, 3)));
  case 8:
    return one_op(writer, slice_of(r, x, shape, 2));
  default:
    return writer.model({batch_norm_of(r, writer, x, shape[1])});
  }
}

std::string large_dense(Choices &r) {
  int64_t ic = r.between(900, 1100), oc = r.between(300, 400);
  Writer writer;
  std::string x = writer.input({r.between(1, 3), ic});
  return one_op(writer, fmt::format("dense {}, {}", x, writer.normal({oc, ic})));
}

std::string batched_network(Choices &r) { return network(r, true); }

std::string batched_dense(Choices &r) {
  int64_t ic = r.between(1, 90), oc = r.between(1, 70);
  Writer writer(true);
  std::string x = writer.input({1, ic});
  return one_op(writer,
                fmt::format("dense {}, {}, {}", x, writer.normal({oc, ic}), writer.uniform({oc})));
}

/// An op for which dimension 0 is one like others, with a batch there.
std::string batched_op(Choices &r) {
  Shape shape = image(r);
  Writer writer(true);
  std::string x = writer.input(shape);
  std::string shared = writer.input({shape[1], 1, 1}, false);
  switch (r.between(0, 8)) {
  case 0:
    return one_op(writer, random_continuous_unary(r, x));
  case 1:
    return one_op(writer, fmt::format("mul {}, {}", shared, x));
  case 2:
    return one_op(writer, slice_of(r, x, shape, 1));
  case 3:
    return one_op(writer, pad_of(r, x, shape, 1));
  case 4:
    return one_op(writer, fmt::format("concat {}, {}, {} axis={}", x, writer.value("relu " + x), x,
                                      r.between(1, 3)));
  case 5:
    return one_op(writer, fmt::format("softmax {} axis={}", x, r.between(1, 3)));
  case 6:
    return one_op(writer, fmt::format("transpose {} permutation=[0, 2, 3, 1]", x));
  case 7:
    return one_op(writer, fmt::format("reshape {} shape=[0, {}, -1]", x, shape[3]));
  default:
    return one_op(writer, fmt::format("reduce_mean {} axes=[{}]", x, r.between(1, 3)));
  }
}

} // namespace

const std::vector<ModelMaker> &op_model_makers() {
  static const std::vector<ModelMaker> makers = {
      {"conv2d", conv2d},
      {"conv2d_tiles", conv2d_tiles},
      {"conv2d_3x3", conv2d_3x3},
      {"winograd_conv2d", winograd_conv2d},
      {"grouped_conv2d", grouped_conv2d},
      {"conv2d_filter_gradient", conv2d_filter_gradient, true},
      {"depthwise_conv2d", depthwise_conv2d},
      {"conv_transpose2d", conv_transpose2d},
      {"local2d", local2d},
      {"dense", dense},
      {"max_pool2d", max_pool2d},
      {"avg_pool2d", avg_pool2d},
      {"max_pool2d_indices", max_pool2d_indices},
      {"global_avg_pool2d", global_avg_pool2d},
      {"unary", any_unary},
      {"binary", any_binary},
      {"condition", condition},
      {"cast", cast},
      {"gather", gather},
      {"max_pool2d_gradient", max_pool2d_gradient, true},
      {"scatter_add", scatter_add, true},
      {"resize2d_gradient", resize2d_gradient, true},
      {"random_uniform", random_uniform, true},
      {"resize2d", resize2d},
      {"batch_norm", batch_norm},
      {"softmax", softmax},
      {"reduce_mean", reduce_mean},
      {"reduce", reduce},
      {"arg", arg},
      {"top_k", top_k},
      {"matmul", matmul},
      {"large_matmul", large_matmul},
      {"layer_norm", layer_norm},
      {"instance_norm", instance_norm},
      {"group_norm", group_norm},
      {"lrn", lrn},
      {"expand", expand},
      {"concat", concat},
      {"split", split},
      {"slice", slice},
      {"pad", pad},
      {"reshape", reshape},
      {"flatten", flatten},
      {"transpose", transpose},
      {"depth_to_space", depth_to_space},
      {"space_to_depth", space_to_depth},
      {"large", large},
      {"large_dense", large_dense}};
  return makers;
}

const std::vector<ModelMaker> &batch_model_makers() {
  static const std::vector<ModelMaker> makers = {
      {"conv2d", batched_conv2d},       {"conv_transpose2d", batched_conv_transpose2d},
      {"dense", batched_dense},         {"op", batched_op},
      {"reduction", batched_reduction}, {"network", batched_network}};
  return makers;
}

} // namespace cnnc
