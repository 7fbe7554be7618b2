// Random models of convolutions and pools.
#include "tests/unit/property_writer.h"

namespace cnnc::random_models {

namespace {

std::string conv_model(Choices &r, Conv conv, Writer &&writer = Writer()) {
  choose_window(r, conv);
  std::string x = writer.input(conv.input);
  return one_op(writer, conv.write(r, writer, x));
}

/// Attributes of a pool on this input, which may grow, such that every window touches the input.
std::string pool_attributes(Choices &r, Shape &input, bool dilate, bool average) {
  Conv window{input};
  window.kernel = {r.between(1, 4), r.between(1, 4)};
  window.stride = {r.between(1, 5), r.between(1, 5)};
  if (dilate)
    window.dilation = {r.between(1, 3), r.between(1, 3)};
  for (size_t i = 0; i < 4 && !dilate; ++i)
    window.pad[i] = r.between(0, window.kernel[i % 2] - 1);
  for (size_t i = 0; i < 2; ++i) {
    // A last window behind the input is what a stride larger than the kernel would need.
    window.pad[2 + i] = std::min(window.pad[2 + i], window.kernel[i] - 1);
    window.widen(i, 1);
    while ((window.output(i) - 1) * window.stride[i] >= window.pad[i] + window.input[2 + i])
      --window.pad[2 + i];
  }
  bool ceil_mode = r.flip();
  input = window.input;
  return fmt::format(" kernel={}{}{}{}", list(window.kernel), window.attributes(),
                     ceil_mode ? " ceil_mode=true" : "",
                     average && r.flip() ? " count_padding=true" : "");
}

std::string pool_model(Choices &r, const char *op, bool dilate, bool average) {
  Shape input = image(r);
  std::string attributes = pool_attributes(r, input, dilate, average);
  Writer writer;
  return one_op(writer, fmt::format("{} {}{}", op, writer.input(input), attributes));
}

/// Filters are constants, seldom inputs; pads leave at least a row and a column.
std::string conv_transpose_model(Choices &r, Writer &&writer) {
  int64_t groups = r.one_of<int64_t>({1, 1, 1, 2, 5});
  bool depthwise = groups > 1 && r.flip();
  int64_t ic = groups * (depthwise ? 1 : r.between(1, 20));
  int64_t each = depthwise ? 1 : r.one_of<int64_t>({1, 3, 16, 17, 32});
  Shape input = {writer.symbolic() ? 1 : r.between(1, 2), ic, r.between(1, 7), r.between(1, 12)};
  Shape kernel, stride, dilation, output_padding, pad(4);
  for (size_t i = 0; i < 2; ++i) {
    kernel.push_back(r.between(1, 5));
    stride.push_back(r.one_of({r.between(1, 4), kernel[i]}));
    dilation.push_back(r.one_of<int64_t>({1, 1, 1, 2, 3}));
    output_padding.push_back(r.one_of<int64_t>({0, 0, 1, 3}));
    int64_t size = (input[2 + i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1);
    pad[i] = std::min(size, r.between(0, kernel[i]));
    pad[2 + i] = std::min(size - pad[i], r.between(0, kernel[i]));
  }
  std::string text = fmt::format("conv_transpose2d {}, {}", writer.input(input),
                                 parameter(r, writer, {ic, each, kernel[0], kernel[1]}));
  if (r.flip())
    text += ", " + parameter(r, writer, {groups * each});
  text += fmt::format(" stride={} pad={} dilation={} groups={} output_padding={}", list(stride),
                      list(pad), list(dilation), groups, list(output_padding));
  return one_op(writer, r.flip() ? text : "relu " + writer.value(text));
}

} // namespace

std::string conv2d(Choices &r) {
  int64_t ic = r.between(1, 70);
  return conv_model(r,
                    {{r.between(1, 3), ic, r.between(1, 8), r.between(1, 14)}, r.between(1, 70)});
}

/// One row of every width and every number of channels: all remainders of tiles.
std::string conv2d_tiles(Choices &r) {
  Conv conv{{1, r.between(1, 9), r.between(1, 3), 1}, r.between(1, 70)};
  conv.kernel = {1, r.one_of<int64_t>({1, 3})};
  conv.stride = {1, r.one_of<int64_t>({1, 1, 2})};
  conv.widen(1, r.between(1, 40));
  Writer writer;
  std::string x = writer.input(conv.input);
  return one_op(writer, conv.write(r, writer, x));
}

/// The commonest layer: 3 x 3, padded by one.
std::string conv2d_3x3(Choices &r) {
  Conv conv{{r.between(1, 2), r.between(1, 40), r.between(1, 12), r.between(1, 34)},
            r.between(1, 40)};
  conv.kernel = {3, 3};
  conv.pad = {1, 1, 1, 1};
  conv.stride = r.flip() ? Shape{1, 1} : Shape{2, 2};
  Writer writer;
  std::string x = writer.input(conv.input);
  return one_op(writer, conv.write(r, writer, x));
}

/// Winograd's method on planes that the tiles cut in every way. 16 is a multiple of the lanes of
/// all targets. Behind it nothing that saturates: errors count relative to the largest element. The
/// largest tiles are left to winograd_test: their greatest error can exceed the bound of this test.
std::string winograd_conv2d(Choices &r) {
  Conv conv{{r.between(1, 3), r.between(16, 50), r.between(3, 26), r.between(3, 26)},
            16 * r.between(1, 4)};
  conv.kernel = {3, 3};
  for (int64_t &pad : conv.pad)
    pad = r.between(0, 2);
  Writer writer;
  std::string x = writer.input(conv.input);
  const std::string filter = r.flip() ? writer.normal(conv.filter()) : writer.input(conv.filter());
  std::string operands = fmt::format("{}, {}", x, filter);
  if (r.flip())
    operands += ", " + parameter(r, writer, {conv.oc});
  std::string c = writer.value(
      fmt::format("conv2d {}{} winograd={}", operands, conv.attributes(), r.between(2, 5)));
  if (r.flip())
    c = writer.value(fmt::format(
        "add {}, {}", c, writer.input({conv.input[0], conv.oc, conv.output(0), conv.output(1)})));
  return one_op(writer, (r.flip() ? "relu " : "hard_swish ") + c);
}

std::string grouped_conv2d(Choices &r) {
  int64_t groups = r.between(2, 6), ic = groups * r.one_of<int64_t>({1, 2, 3, 8, 16});
  Conv conv{{r.between(1, 2), ic, r.between(1, 7), r.between(1, 14)},
            groups * r.one_of<int64_t>({1, 2, 5, 8, 16, 17}),
            groups};
  return conv_model(r, conv);
}

std::string depthwise_conv2d(Choices &r) {
  int64_t c = r.between(2, 70), multiplier = r.flip() ? 1 : r.between(2, 4);
  Conv conv{{r.between(1, 2), c, r.between(1, 9), r.between(1, 18)}, c * multiplier, c};
  return conv_model(r, conv);
}

/// Of all kinds of convolutions: as a rule for all results, else for the first rows and columns.
std::string conv2d_filter_gradient(Choices &r) {
  const int64_t kind = r.between(0, 5); // 0, 1: grouped, 2: depthwise
  const int64_t groups = kind < 2 ? r.between(2, 6) : kind == 2 ? r.between(2, 70) : 1;
  const int64_t ic = kind < 2    ? r.one_of<int64_t>({1, 2, 3, 8, 16})
                     : kind == 2 ? 1
                                 : r.between(1, 70);
  const int64_t oc = kind < 2    ? r.one_of<int64_t>({1, 2, 5, 8, 16, 17})
                     : kind == 2 ? r.one_of<int64_t>({1, 1, 2})
                                 : r.between(1, 70);
  Conv conv{{r.between(1, 5), groups * ic, r.between(1, 9), r.between(1, 18)}, groups * oc, groups};
  choose_window(r, conv);
  Shape gradient = {conv.input[0], conv.oc, conv.output(0), conv.output(1)};
  for (size_t i : {2, 3})
    if (r.between(0, 3) == 0)
      gradient[i] = r.between(1, gradient[i]);
  Writer writer;
  const std::string x = writer.input(conv.input), g = writer.input(gradient);
  return one_op(writer, fmt::format("conv2d_filter_gradient {}, {} kernel={}{}", x, g,
                                    list(conv.kernel), conv.attributes()));
}

std::string conv_transpose2d(Choices &r) { return conv_transpose_model(r, Writer()); }

std::string local2d(Choices &r) {
  Conv conv{{r.between(1, 2), r.between(1, 20), r.between(1, 6), r.between(1, 9)},
            r.between(1, 20)};
  choose_window(r, conv);
  int64_t oh = conv.output(0), ow = conv.output(1);
  Writer writer;
  std::string text =
      "local2d " + writer.input(conv.input) + ", " +
      parameter(r, writer, {oh, ow, conv.oc, conv.input[1], conv.kernel[0], conv.kernel[1]});
  if (r.flip())
    text += ", " + parameter(r, writer, {conv.oc, oh, ow});
  return one_op(writer, text + conv.attributes());
}

/// Indices, and the elements put back.
std::string max_pool2d_indices(Choices &r) {
  Shape input = image(r);
  std::string attributes = pool_attributes(r, input, r.flip(), false);
  Writer writer;
  std::string x = writer.input(input);
  if (r.flip()) // of blocks of channels
    x = writer.value(fmt::format("conv2d {}, {}", x, writer.normal({input[1], input[1], 1, 1})));
  std::vector<std::string> pooled =
      writer.values(2, fmt::format("max_pool2d_indices {}{}{}", x, attributes,
                                   r.flip() ? " column_major=true" : ""));
  pooled.push_back(
      writer.value(fmt::format("max_unpool2d {}, {} shape={}", pooled[0], pooled[1], list(input))));
  return writer.model(pooled);
}

std::string batched_conv2d(Choices &r) {
  return conv_model(r, {{1, r.between(1, 40), r.between(1, 9), r.between(1, 14)}, r.between(1, 40)},
                    Writer(true));
}

std::string batched_conv_transpose2d(Choices &r) { return conv_transpose_model(r, Writer(true)); }

std::string max_pool2d(Choices &r) { return pool_model(r, "max_pool2d", r.flip(), false); }
std::string avg_pool2d(Choices &r) { return pool_model(r, "avg_pool2d", false, true); }

} // namespace cnnc::random_models
