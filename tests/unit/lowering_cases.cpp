#include "tests/unit/lowering_cases.h"

#include "tests/unit/elementwise_cases.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

using Shape = std::vector<int64_t>;

std::string list(const Shape &numbers) { return fmt::format("[{}]", fmt::join(numbers, ", ")); }

/// A layout for activations of rank 4 that both operands and result may have: blocks or none, and a
/// halo of its own for each.
class Layouts {
public:
  explicit Layouts(Choices &choices)
      : choices_(choices), blocks_(choices.one_of({"", " nchw16c", " nchw8c", " nchw16c"})) {}
  /// ` nchw16c halo=[1, 0, 2, 1]`. Seldom other blocks than the others.
  std::string next() {
    bool odd = choices_.between(0, 7) == 0;
    std::string text = odd ? choices_.one_of({"", " nchw16c", " nchw4c"}) : blocks_;
    if (choices_.flip())
      text += " halo=" + list({choices_.between(0, 2), choices_.between(0, 2),
                               choices_.between(0, 2), choices_.between(0, 2)});
    return text;
  }
  bool blocked() const { return *blocks_ != 0; }

private:
  Choices &choices_;
  const char *blocks_;
};

std::string f32(const Shape &shape, const std::string &layout = "") {
  return "f32" + list(shape) + layout;
}
std::string activation(Choices &r, Layouts &layouts, Shape &shape) {
  shape = {r.between(1, 2), r.between(1, 37), r.between(1, 9), r.between(1, 9)};
  return "%x: " + f32(shape, layouts.next());
}

Case random_conv(Choices &r, const Shape &groups_ic_oc) {
  Layouts layouts(r);
  int64_t groups = groups_ic_oc[0], ic = groups_ic_oc[1] * groups, oc = groups_ic_oc[2] * groups;
  Shape kernel = {r.between(1, 3), r.between(1, 3)}, stride = {r.between(1, 3), r.between(1, 3)};
  Shape dilation = {r.between(1, 2), r.between(1, 2)};
  Shape pad = {r.between(0, 2), r.between(0, 2), r.between(0, 2), r.between(0, 2)}, out;
  Shape input = {r.between(1, 2), ic, r.between(5, 8), r.between(5, 8)};
  for (size_t i = 0; i < 2; ++i)
    out.push_back(
        (input[2 + i] + pad[i] + pad[2 + i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1);
  Shape filter = {oc, ic / groups, kernel[0], kernel[1]};
  std::string blocks = layouts.blocked() ? r.one_of({" nchw16c", " nchw8c"}) : "";
  int64_t size = blocks.empty() ? 1 : std::stoll(blocks.substr(5));
  // A group of channels that is not a multiple of the block would be split across the lanes of a
  // block of the filter.
  bool pack = size > 1 && (groups == 1 || groups_ic_oc[2] % size == 0);
  bool depthwise = groups > 1 && groups_ic_oc[1] == 1 && groups_ic_oc[2] == 1;
  std::string filter_layout, bias_layout, result_layout;
  if (pack || (depthwise && size > 1)) {
    filter_layout = depthwise ? fmt::format(" oihw{}o", size)
                              : fmt::format(" oihw{}i{}o", r.one_of({1, 8, 16}), size);
    bias_layout = fmt::format(" c{}c", size);
    result_layout = blocks;
  }
  bool bias = r.flip();
  return {fmt::format("%x: {}, %w: {}{}", f32(input, blocks + fmt::format(" halo={}", list(pad))),
                      f32(filter, filter_layout), bias ? ", %b: " + f32({oc}, bias_layout) : ""),
          fmt::format("conv2d %x, %w{} stride={} pad={} dilation={} groups={} : {}",
                      bias ? ", %b" : "", list(stride), list(pad), list(dilation), groups,
                      f32({input[0], oc, out[0], out[1]}, result_layout))};
}

Case conv2d(Choices &r) { return random_conv(r, {1, r.between(1, 35), r.between(1, 35)}); }
Case grouped_conv2d(Choices &r) {
  return random_conv(r, {r.between(2, 4), r.between(1, 18), r.one_of<int64_t>({1, 3, 8, 16, 32})});
}
Case depthwise_conv2d(Choices &r) { return random_conv(r, {r.between(2, 35), 1, 1}); }

/// The gradient may have fewer rows and columns than there are windows.
Case conv2d_filter_gradient(Choices &r) {
  Layouts layouts(r);
  const bool depthwise = r.between(0, 3) == 0;
  int64_t groups = depthwise ? r.between(2, 35) : 1;
  int64_t ic = depthwise ? groups : r.between(1, 35), oc = depthwise ? groups : r.between(1, 35);
  if (!layouts.blocked() && !depthwise && r.flip()) {
    groups = r.between(2, 4);
    ic *= groups, oc *= groups;
  }
  Shape kernel = {r.between(1, 3), r.between(1, 3)}, stride = {r.between(1, 3), r.between(1, 3)};
  Shape dilation = {r.between(1, 2), r.between(1, 2)};
  Shape pad = {r.between(0, 2), r.between(0, 2), r.between(0, 2), r.between(0, 2)}, out;
  Shape input = {r.between(1, 3), ic, r.between(5, 8), r.between(5, 8)};
  for (size_t i = 0; i < 2; ++i)
    out.push_back(r.between(
        1,
        (input[2 + i] + pad[i] + pad[2 + i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1));
  std::string blocks = layouts.blocked() ? r.one_of({" nchw16c", " nchw8c"}) : "";
  std::string input_blocks = depthwise || r.flip() ? blocks : "";
  return {fmt::format("%x: {}, %g: {}", f32(input, input_blocks + " halo=" + list(pad)),
                      f32({input[0], oc, out[0], out[1]}, blocks)),
          fmt::format("conv2d_filter_gradient %x, %g kernel={} stride={} pad={} dilation={} "
                      "groups={} : {}",
                      list(kernel), list(stride), list(pad), list(dilation), groups,
                      f32({oc, ic / groups, kernel[0], kernel[1]}))};
}

Case local2d(Choices &r) {
  Layouts layouts(r);
  Shape kernel = {r.between(1, 3), r.between(1, 3)}, pad = {1, r.between(0, 1), 0, 1};
  Shape input = {1, r.between(1, 20), r.between(3, 5), r.between(3, 5)};
  int64_t oc = r.between(1, 5), oh = input[2] + 1 - kernel[0] + 1;
  int64_t ow = input[3] + pad[1] + 1 - kernel[1] + 1;
  std::string blocks = layouts.blocked() ? " nchw8c" : "";
  return {fmt::format("%x: {}, %w: {}, %b: {}", f32(input, blocks + " halo=" + list(pad)),
                      f32({oh, ow, oc, input[1], kernel[0], kernel[1]}), f32({oc, oh, ow})),
          fmt::format("local2d %x, %w, %b pad={} : {}", list(pad), f32({1, oc, oh, ow}))};
}

Case dense(Choices &r) {
  int64_t n = r.between(1, 3), ic = r.between(1, 40), oc = r.between(1, 40);
  bool pack = r.flip();
  return {fmt::format("%x: {}, %w: {}, %b: {}", f32({n, ic}, r.one_of({"", " nc16c"})),
                      f32({oc, ic}, pack ? " oi16o" : ""), f32({oc}, pack ? " c16c" : "")),
          "dense %x, %w, %b : " + f32({n, oc}, pack ? " nc16c" : "")};
}

/// A pool whose windows all touch the input. Plain attributes of ours, ONNX's rules for the size.
Case pool(Choices &r, const std::string &op, const std::string &more, bool dilate) {
  Layouts layouts(r);
  bool ceil_mode = !dilate && r.flip();
  Shape x, kernel, stride, pad(4), out, dilation;
  std::string input;
  auto size = [&](size_t i) {
    int64_t span = x[2 + i] + pad[i] + pad[2 + i] - dilation[i] * (kernel[i] - 1) - 1;
    int64_t count = (span + (ceil_mode ? stride[i] - 1 : 0)) / stride[i] + 1;
    bool starts_behind = ceil_mode && (count - 1) * stride[i] >= x[2 + i] + pad[i];
    return span < 0 ? 0 : count - (starts_behind ? 1 : 0);
  };
  do {
    input = activation(r, layouts, x);
    kernel = {r.between(1, 4), r.between(1, 4)}, stride = {r.between(1, 3), r.between(1, 3)};
    dilation = dilate ? Shape{2, r.between(1, 3)} : Shape{1, 1};
    for (size_t i = 0; i < 4; ++i)
      pad[i] = dilate ? 0 : r.between(0, kernel[i % 2] - 1);
    out = {size(0), size(1)};
  } while (out[0] < 1 || out[1] < 1 || (out[0] - 1) * stride[0] - pad[0] >= x[2] ||
           (out[1] - 1) * stride[1] - pad[1] >= x[3]);
  return {input, fmt::format("{} %x kernel={} stride={} pad={}{}{}{} : {}", op, list(kernel),
                             list(stride), list(pad), ceil_mode ? " ceil_mode=true" : "", more,
                             dilate ? " dilation=" + list(dilation) : "",
                             f32({x[0], x[1], out[0], out[1]}, layouts.next()))};
}

Case max_pool2d(Choices &r) { return pool(r, "max_pool2d", "", false); }
Case dilated_max_pool2d(Choices &r) { return pool(r, "max_pool2d", "", true); }
Case avg_pool2d(Choices &r) { return pool(r, "avg_pool2d", "", false); }
Case padded_avg_pool2d(Choices &r) { return pool(r, "avg_pool2d", " count_padding=true", false); }

Case global_avg_pool2d(Choices &r) {
  Layouts layouts(r);
  Shape x;
  std::string input = activation(r, layouts, x);
  return {input, "global_avg_pool2d %x : " + f32({x[0], x[1], 1, 1}, layouts.next())};
}

Case any_unary(Choices &r) {
  Layouts layouts(r);
  Shape x;
  std::string input = activation(r, layouts, x);
  std::string op = r.between(0, 9) == 0 ? "exp %x" : random_unary(r, "%x");
  return {input, op + " : " + f32(x, layouts.next())};
}

Case unary_of_other_rank(Choices &r) {
  Shape shape;
  for (int64_t i = r.one_of<int64_t>({0, 1, 2, 3, 5}); i > 0; --i)
    shape.push_back(r.between(1, 5));
  return {"%x: " + f32(shape), "relu %x : " + f32(shape)};
}

Case symbolic_batch(Choices &r) {
  std::string channels = std::to_string(r.between(1, 20)), block = r.one_of({"", " nchw8c"});
  std::string type = fmt::format("f32[n, {}, 3, 4]{}", channels, block);
  return {fmt::format("%x: {}, %c: f32[{}, 1, 1]", type, channels),
          r.one_of({"add %x, %c", "mul %c, %x", "relu %x", "transpose %x permutation=[0, 3, 2, 1]",
                    "concat %x, %x, %x axis=1", "softmax %x axis=1",
                    "slice %x starts=[1] ends=[9] axes=[2]",
                    "pad %x before=[0, 1, 0, 0] after=[0, 0, 2, 0]", "reduce_mean %x axes=[1]",
                    "global_avg_pool2d %x"})};
}

Case any_binary(Choices &r) {
  Layouts layouts(r);
  Shape x, y;
  std::string input = activation(r, layouts, x);
  std::string kind = r.one_of({"add", "sub", "mul", "min", "max", "prelu"});
  int64_t missing = r.one_of<int64_t>({0, 0, 1, 2, 3, 4});
  bool same = missing == 0 && r.flip();
  for (size_t i = static_cast<size_t>(missing); i < 4; ++i)
    y.push_back(same || r.flip() ? x[i] : 1);
  std::string layout = y.size() == 4                           ? layouts.next()
                       : y.size() == 3 && r.between(0, 1) == 1 ? " abc16a"
                                                               : "";
  bool swap = kind != "prelu" && r.flip();
  return {input + ", %z: " + f32(y, layout),
          fmt::format("{} {} : {}", kind, swap ? "%z, %x" : "%x, %z", f32(x, layouts.next()))};
}

Case batch_norm(Choices &r) {
  Layouts layouts(r);
  Shape x;
  std::string input = activation(r, layouts, x), vectors;
  for (const char *name : {"s", "b", "m", "v"})
    vectors += fmt::format(", %{}: {}", name, f32({x[1]}, r.one_of({"", " c16c", " c16c"})));
  return {input + vectors, fmt::format("batch_norm %x, %s, %b, %m, %v epsilon={} : {}",
                                       r.one_of({"0.001", "0"}), f32(x, layouts.next()))};
}

Case softmax(Choices &r) {
  Layouts layouts(r);
  Shape x;
  std::string input = activation(r, layouts, x);
  std::string op = r.one_of({"softmax", "log_softmax", "hardmax"});
  if (r.flip())
    return {input, fmt::format("{} %x axis={} : {}", op, r.between(-4, 3), f32(x, layouts.next()))};
  std::string layout = r.one_of({"", " nc8c"});
  return {"%x: " + f32({x[0], x[1]}, layout), op + " %x : " + f32({x[0], x[1]}, layout)};
}

Case reduce_mean(Choices &r) {
  Layouts layouts(r);
  Shape x, axes, kept, squeezed;
  std::string input = activation(r, layouts, x);
  for (int64_t i = 0; i < 4; ++i) {
    bool reduced = r.flip() || (i == 3 && axes.empty());
    if (reduced)
      axes.push_back(r.flip() ? i : i - 4);
    else
      squeezed.push_back(x[static_cast<size_t>(i)]);
    kept.push_back(reduced ? 1 : x[static_cast<size_t>(i)]);
  }
  bool keep = r.flip();
  return {input, fmt::format("reduce_mean %x axes={} keep_dims={} : {}", list(axes), keep,
                             keep ? f32(kept, layouts.next()) : f32(squeezed))};
}

Case concat(Choices &r) {
  Layouts layouts(r);
  Shape x, sum;
  std::string inputs = activation(r, layouts, x), operands = "%x";
  sum = x;
  auto axis = static_cast<size_t>(r.between(0, 3));
  for (int64_t i = r.between(0, 2); i > 0; --i) {
    Shape other = x;
    other[axis] = r.between(1, 20);
    sum[axis] += other[axis];
    inputs += fmt::format(", %z{}: {}", i, f32(other, layouts.next()));
    operands += fmt::format(", %z{}", i);
  }
  return {inputs, fmt::format("concat {} axis={} : {}", operands, axis, f32(sum, layouts.next()))};
}

Case split(Choices &r) {
  Layouts layouts(r);
  Shape x;
  activation(r, layouts, x);
  auto axis = static_cast<size_t>(r.between(1, 3));
  Shape first = x, second = x, whole = x;
  second[axis] = r.between(1, 20);
  whole[axis] += second[axis];
  return {"%x: " + f32(whole, layouts.next()),
          fmt::format("split %x axis={} sizes={} : {}, {}", axis, list({first[axis], second[axis]}),
                      f32(first, layouts.next()), f32(second, layouts.next())),
          "%y, %z"};
}

Case slice(Choices &r) {
  Layouts layouts(r);
  Shape x, starts, ends, axes, steps;
  std::string input = activation(r, layouts, x);
  Shape y = x;
  for (int64_t axis = 0; axis < 4; ++axis) {
    if (r.flip())
      continue;
    int64_t size = x[static_cast<size_t>(axis)], step = r.one_of<int64_t>({1, 2, 3, -1, -2});
    int64_t low = r.between(0, size - 1), high = r.between(low, size - 1);
    axes.push_back(axis);
    steps.push_back(step);
    starts.push_back(step > 0 ? low : high);
    ends.push_back(step > 0 ? high + 1 : low == 0 ? -1 - size : low - 1);
    y[static_cast<size_t>(axis)] = (high - low) / std::abs(step) + 1;
  }
  return {input, fmt::format("slice %x starts={} ends={} axes={} steps={} : {}", list(starts),
                             list(ends), list(axes), list(steps), f32(y, layouts.next()))};
}

Case pad(Choices &r) {
  Layouts layouts(r);
  Shape x, before, after;
  std::string input = activation(r, layouts, x);
  std::string mode = r.one_of({"constant", "constant value=-2.5", "reflect", "edge", "wrap"});
  Shape y = x;
  for (size_t i = 0; i < 4; ++i) {
    int64_t most = mode == "reflect" ? std::min<int64_t>(3, x[i] - 1) : 3;
    before.push_back(r.flip() ? r.between(0, most) : 0);
    after.push_back(r.flip() ? r.between(0, most) : 0);
    y[i] += before[i] + after[i];
  }
  return {input, fmt::format("pad %x before={} after={} mode={} : {}", list(before), list(after),
                             mode, f32(y, layouts.next()))};
}

Case transpose(Choices &r) {
  Layouts layouts(r);
  Shape x, permutation = {0, 1, 2, 3}, y;
  std::string input = activation(r, layouts, x);
  for (size_t i = 3; i > 0; --i)
    std::swap(permutation[i],
              permutation[static_cast<size_t>(r.between(0, static_cast<int64_t>(i)))]);
  for (int64_t axis : permutation)
    y.push_back(x[static_cast<size_t>(axis)]);
  return {input, fmt::format("transpose %x permutation={} : {}", list(permutation),
                             f32(y, layouts.next()))};
}

Case conv_transpose2d(Choices &r) {
  Layouts layouts(r);
  int64_t groups = r.between(1, 3), ic = groups * r.between(1, 9), each = r.between(1, 9);
  Shape input = {r.between(1, 2), ic, r.between(2, 4), r.between(2, 4)}, out;
  Shape kernel = {r.between(1, 4), r.between(1, 4)}, stride = {r.between(1, 4), r.between(1, 4)};
  Shape dilation = {r.between(1, 3), r.between(1, 3)}, more = {r.between(0, 2), r.between(0, 2)};
  Shape pad = {r.between(0, 1), 0, 0, r.between(0, 1)};
  for (size_t i = 0; i < 2; ++i)
    out.push_back((input[2 + i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 + more[i] -
                  pad[i] - pad[2 + i]);
  return {fmt::format("%x: {}, %w: {}, %b: {}", f32(input, layouts.next()),
                      f32({ic, each, kernel[0], kernel[1]}), f32({groups * each})),
          fmt::format("conv_transpose2d %x, %w, %b stride={} pad={} dilation={} groups={} "
                      "output_padding={} : {}",
                      list(stride), list(pad), list(dilation), groups, list(more),
                      f32({input[0], groups * each, out[0], out[1]}, layouts.next()))};
}

Case depth_to_space(Choices &r) {
  Layouts layouts(r);
  Shape block = {r.between(1, 3), r.between(1, 3)}, crop(4);
  int64_t c = r.one_of({r.between(1, 9), int64_t(16)});
  Shape x = {r.between(1, 2), c * block[0] * block[1], r.between(1, 4), r.between(1, 4)};
  Shape y = {x[0], c, x[2] * block[0], x[3] * block[1]};
  for (size_t i = 0; i < 2; ++i) {
    crop[i] = r.between(0, y[2 + i] - 1);
    crop[2 + i] = r.between(0, y[2 + i] - 1 - crop[i]);
    y[2 + i] -= crop[i] + crop[2 + i];
  }
  return {"%x: " + f32(x, layouts.next()),
          fmt::format("depth_to_space %x block={} mode={} crop={} : {}", list(block),
                      r.one_of({"dcr", "crd"}), list(crop), f32(y, layouts.next()))};
}

Case space_to_depth(Choices &r) {
  Layouts layouts(r);
  Shape block = {r.between(1, 3), r.between(1, 3)};
  int64_t c = r.one_of({r.between(1, 9), int64_t(16)});
  Shape y = {r.between(1, 2), c * block[0] * block[1], r.between(1, 4), r.between(1, 4)};
  return {"%x: " + f32({y[0], c, y[2] * block[0], y[3] * block[1]}, layouts.next()),
          fmt::format("space_to_depth %x block={} : {}", list(block), f32(y, layouts.next()))};
}

Case relayout(Choices &r) {
  Layouts layouts(r), others(r);
  Shape x;
  std::string input = activation(r, layouts, x);
  return {input, "relayout %x : " + f32(x, others.next())};
}

Case relayout_of_filter(Choices &r) {
  Shape filter = {r.between(1, 20), r.between(1, 20), r.between(1, 3), r.between(1, 3)};
  return {"%x: " + f32(filter), "relayout %x : " + f32(filter, " oihw8i16o")};
}

} // namespace

const std::vector<CaseMaker> &case_makers() {
  static const std::vector<CaseMaker> makers = {{"conv2d", conv2d},
                                                {"grouped_conv2d", grouped_conv2d},
                                                {"depthwise_conv2d", depthwise_conv2d},
                                                {"conv2d_filter_gradient", conv2d_filter_gradient},
                                                {"local2d", local2d},
                                                {"dense", dense},
                                                {"max_pool2d", max_pool2d},
                                                {"dilated_max_pool2d", dilated_max_pool2d},
                                                {"avg_pool2d", avg_pool2d},
                                                {"padded_avg_pool2d", padded_avg_pool2d},
                                                {"global_avg_pool2d", global_avg_pool2d},
                                                {"unary", any_unary},
                                                {"unary_of_other_rank", unary_of_other_rank},
                                                {"symbolic_batch", symbolic_batch},
                                                {"binary", any_binary},
                                                {"batch_norm", batch_norm},
                                                {"softmax", softmax},
                                                {"reduce_mean", reduce_mean},
                                                {"concat", concat},
                                                {"split", split},
                                                {"slice", slice},
                                                {"pad", pad},
                                                {"transpose", transpose},
                                                {"conv_transpose2d", conv_transpose2d},
                                                {"depth_to_space", depth_to_space},
                                                {"space_to_depth", space_to_depth},
                                                {"relayout", relayout},
                                                {"relayout_of_filter", relayout_of_filter}};
  return makers;
}

} // namespace cnnc
