// Random models of products of matrices, normalizations, reductions and broadcasts.
#include "tests/unit/property_writer.h"

namespace cnnc::random_models {

namespace {

/// Axes of a shape, at least one, from the front or from the end; the first only if `first_too`.
Shape some_axes(Choices &r, const Shape &shape, bool first_too = true) {
  Shape axes;
  auto rank = static_cast<int64_t>(shape.size()), first = static_cast<int64_t>(first_too ? 0 : 1);
  int64_t always = r.between(first, rank - 1);
  for (int64_t i = first; i < rank; ++i)
    if (i == always || r.between(0, 2) == 0)
      axes.push_back(r.flip() ? i : i - rank);
  return axes;
}

/// A shape that broadcasts to this one.
Shape broadcasting(Choices &r, Shape shape) {
  for (int64_t &dim : shape)
    if (r.between(0, 3) == 0)
      dim = 1;
  shape.erase(shape.begin(), shape.begin() + r.between(0, static_cast<int64_t>(shape.size()) - 1));
  return shape;
}

/// What may follow in one kernel with the product.
std::string with_epilogue(Choices &r, Writer &writer, std::string y, int64_t columns) {
  if (r.flip())
    y = writer.value(fmt::format("add {}, {}", y, writer.uniform({columns})));
  if (r.flip())
    y = writer.value(random_continuous_unary(r, y));
  return writer.model({y});
}

/// Behind a convolution values lie in blocks of channels.
std::string blocked(Choices &r, Writer &writer, const Shape &shape) {
  std::string x = writer.input(shape);
  if (r.flip())
    return x;
  return writer.value(fmt::format("conv2d {}, {}", x, writer.normal({shape[1], shape[1], 1, 1})));
}

std::string scale_and_bias(Choices &r, Writer &writer, const Shape &shape, bool needed) {
  std::string text;
  for (int64_t i = needed ? 2 : r.between(0, 2); i > 0; --i)
    text += ", " + parameter(r, writer, shape);
  return text;
}

std::string channel_norm(Choices &r, bool groups, Writer &&writer) {
  Shape shape = {r.between(1, 2), r.one_of<int64_t>({r.between(1, 20), 32, 48}), r.between(2, 9),
                 r.between(2, 39)};
  std::string x = blocked(r, writer, shape);
  std::string operands = x + scale_and_bias(r, writer, {shape[1]}, !groups);
  if (!groups)
    return one_op(writer, "instance_norm " + operands + " epsilon=0.01");
  int64_t count = r.between(1, shape[1]);
  while (shape[1] % count != 0)
    --count;
  return one_op(writer, fmt::format("group_norm {} groups={} epsilon=0.01", operands, count));
}

} // namespace

std::string matmul(Choices &r) {
  const int64_t rows = r.between(1, 45), length = r.between(1, 70);
  const int64_t columns = r.one_of<int64_t>({1, r.between(2, 40), r.between(41, 300)});
  Shape batch;
  for (int64_t i = r.between(0, 2); i > 0; --i)
    batch.push_back(r.between(1, 4));
  Shape a = batch, b = batch;
  if (!batch.empty()) // one of them has fewer dimensions in front, or repeats some
    (r.flip() ? a : b) = r.between(0, 2) ? broadcasting(r, batch) : Shape{};
  a.insert(a.end(), {rows, length});
  b.insert(b.end(), {length, columns});
  Writer writer;
  std::string left = writer.input(a);
  std::string right = r.flip() ? writer.input(b) : writer.normal(b);
  return with_epilogue(r, writer, writer.value(fmt::format("matmul {}, {}", left, right)), columns);
}

/// So much work that several threads share it; matrices that do not fit a cache.
std::string large_matmul(Choices &r) {
  const int64_t rows = r.between(1, 60), length = r.between(90, 140);
  const int64_t columns = r.one_of<int64_t>({r.between(300, 500), r.between(2000, 3000)});
  Writer writer;
  std::string left = writer.input({1, rows, length});
  std::string right = r.flip() ? writer.input({length, columns}) : writer.normal({length, columns});
  return with_epilogue(r, writer, writer.value(fmt::format("matmul {}, {}", left, right)), columns);
}

std::string layer_norm(Choices &r) {
  Shape shape = any_shape(r, 1);
  if (r.flip())
    shape.back() = r.between(1, 300);
  auto rank = static_cast<int64_t>(shape.size());
  int64_t axis = r.flip() ? rank - 1 : r.between(0, rank - 1);
  Shape dims(shape.begin() + axis, shape.end());
  Writer writer;
  std::string text = "layer_norm " + writer.input(shape);
  for (int64_t i = r.between(0, 2); i > 0; --i)
    text += ", " + parameter(r, writer, broadcasting(r, dims));
  return one_op(writer,
                fmt::format("{} axis={} epsilon=0.01", text, r.flip() ? axis : axis - rank));
}

std::string instance_norm(Choices &r) { return channel_norm(r, false, Writer()); }

std::string group_norm(Choices &r) { return channel_norm(r, true, Writer()); }

std::string lrn(Choices &r) {
  Writer writer;
  std::string x = blocked(r, writer, image(r));
  return one_op(writer, fmt::format("lrn {} size={} alpha={} beta={} bias={}", x, r.between(1, 7),
                                    r.one_of({0.01, 0.5, 2.0}), r.one_of({0.75, 0.5, 1.0}),
                                    r.one_of({1.0, 2.0})));
}

std::string reduce(Choices &r) {
  Shape shape = any_shape(r, 1);
  const std::string op = r.one_of({"sum", "max", "min", "prod"});
  if (op == "prod") // products of many numbers overflow
    for (int64_t &dim : shape)
      dim = std::min<int64_t>(dim, 5);
  Writer writer;
  return one_op(writer, fmt::format("reduce_{} {} axes={}{}", op, writer.input(shape),
                                    list(some_axes(r, shape)), r.flip() ? " keep_dims=false" : ""));
}

/// Where the largest or smallest element stands; relu makes many of them equal.
std::string arg(Choices &r) {
  Shape shape = any_shape(r, 1);
  auto rank = static_cast<int64_t>(shape.size());
  Writer writer;
  std::string x = writer.input(shape);
  if (r.flip())
    x = writer.value("relu " + x);
  return one_op(writer, fmt::format("{} {} axis={}{}{}", r.one_of({"arg_max", "arg_min"}), x,
                                    r.between(-rank, rank - 1), r.flip() ? " keep_dims=false" : "",
                                    r.flip() ? " select_last=true" : ""));
}

std::string top_k(Choices &r) {
  Shape shape = any_shape(r, 1);
  auto rank = static_cast<int64_t>(shape.size()), axis = r.between(0, rank - 1);
  int64_t size = shape[static_cast<size_t>(axis)];
  Writer writer;
  std::string x = writer.input(shape);
  if (r.flip())
    x = writer.value("relu " + x);
  return writer.model(writer.values(
      2, fmt::format("top_k {} k={} axis={}{}", x, r.between(1, std::min<int64_t>(size, 9)),
                     r.flip() ? axis : axis - rank, r.flip() ? " largest=false" : "")));
}

std::string expand(Choices &r) {
  Shape shape = any_shape(r, 1), from = broadcasting(r, shape);
  for (int64_t &dim : shape)
    if (r.between(0, 4) == 0)
      dim = 1; // an operand's dimension stays
  Writer writer;
  return one_op(writer, fmt::format("expand {} shape={}", writer.input(from), list(shape)));
}

/// These ops with a batch, which they leave alone.
std::string batched_reduction(Choices &r) {
  Shape shape = {r.between(1, 3), r.between(1, 40), r.between(2, 9), r.between(2, 39)};
  Writer writer(true);
  std::string x = writer.input(shape);
  switch (r.between(0, 7)) {
  case 0:
    return one_op(writer, fmt::format("matmul {}, {}", x, writer.normal({shape[3], 33})));
  case 1:
    return one_op(
        writer, fmt::format("matmul {}, {}", x, writer.input({shape[0], shape[1], shape[3], 20})));
  case 2:
    return one_op(writer, fmt::format("layer_norm {} axis={} epsilon=0.01", x, r.between(1, 3)));
  case 3:
    return one_op(writer, fmt::format("instance_norm {}, {}, {} epsilon=0.01", x,
                                      writer.uniform({shape[1]}), writer.uniform({shape[1]})));
  case 4:
    return one_op(writer, fmt::format("lrn {} size=5 alpha=0.1", x));
  case 5:
    return one_op(writer,
                  fmt::format("reduce_max {} axes={}", x, list(some_axes(r, shape, false))));
  case 6:
    return one_op(writer, fmt::format("group_norm {} groups=1 epsilon=0.01", x));
  default:
    x = writer.value(fmt::format("reduce_sum {} axes=[2]", x));
    return one_op(writer, fmt::format("expand {} shape=[1, 1, 3, 1]", x));
  }
}

} // namespace cnnc::random_models
