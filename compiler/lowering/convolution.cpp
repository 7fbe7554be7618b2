// Convolutions as loops, with a register for the sum (dot.h):
//
//   for n, oc, oh, ow {
//     reg sum: f32
//     sum = 0
//     for icb, kh, kw, ic {
//       sum += input[n, icb * 16 + ic, oh * stride + kh, ow * stride + kw] * filter[oc, ..]
//     }
//     result[n, oc, oh, ow] = sum + bias[oc]
//   }
//
// Of integers the sum is an i32, and where four input channels lie side by side it takes them at a
// time: sum += dot4(input[.., ic * 4], filter[.., ic * 4, ..]); of 16 bits two, in a dot2.
//
// The bias comes last: in a sum that begins with it every addition rounds at the size of the bias.
// Sums of integers, which do not round, begin with it.
// Padding is the halo of the input. dense is the same with a 1x1 window. Where the rows of a window
// are so far apart that many of them see padding alone (padded_rows=skip), these are left out by a
// loop of one iteration or none:
//
//   for kh, ih in max(0, oh - 12 + kh * 12)..min(14, oh - 11 + kh * 12)
#include "compiler/layout/dot_filters.h"
#include "compiler/layout/halo.h"
#include "compiler/layout/small_groups.h"
#include "compiler/lowering/dot.h"
#include "compiler/lowering/extents.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>
#include <functional>

namespace cnnc {

using loop::Expression;
using loop::Index;
using loop::Statement;

namespace {

/// Whether a sum begins with the bias.
bool begins_with_bias(const Lowering &lowering) {
  return lowering.has_operand(2) && lowering.result().dtype == DType::i32;
}

/// What a sum begins with; the bias, if there is one, stands at `bias_place`.
Expression beginning(const Lowering &lowering, const Subscripts &bias_place) {
  return begins_with_bias(lowering) ? lowering.read(2, bias_place) : loop::number(0);
}

/// Ends the body of an element: what becomes of its sum.
void append_result(std::vector<Statement> &body, const Lowering &lowering, Expression sum,
                   const Subscripts &place, const Subscripts &bias_place) {
  if (lowering.has_operand(2) && !begins_with_bias(lowering))
    sum = std::move(sum) + lowering.read(2, bias_place);
  body.push_back(lowering.write(place, std::move(sum)));
}

struct Window2d {
  std::array<int64_t, 2> stride, dilation, kernel;
  std::array<int64_t, 4> pad;
  Index h() const { return var("oh") * stride[0] + var("kh") * dilation[0] - pad[0]; }
  Index w() const { return var("ow") * stride[1] + var("kw") * dilation[1] - pad[1]; }
  /// The loops of the window around statements.
  std::vector<Statement> around(std::vector<Statement> body) const {
    return loop::nest({{"kh", kernel[0]}, {"kw", kernel[1]}}, std::move(body));
  }

  /// The same with a loop over `ih` in that over kh: the row of the input, or none where it is
  /// padding.
  std::vector<Statement> around_inside(std::vector<Statement> body, int64_t input_rows) const {
    loop::For row;
    row.variable = "ih";
    row.lower = {Index(0), h()};
    row.upper = {Index(input_rows), h() + 1};
    row.body = loop::nest({{"kw", kernel[1]}}, std::move(body));
    return loop::nest({{"kh", kernel[0]}}, one({std::move(row), {}}));
  }

  /// Whether the windows stay inside the input and its halo.
  bool inside(const TensorType &input, const TensorType &result) const {
    Halo needed = halo_of_windows(pad, stride, dilation, kernel, input.shape, result.shape);
    return std::equal(needed.begin(), needed.end(), input.layout.halo.begin(), std::less_equal<>());
  }
};

/// How many input channels lie side by side in filter and input, of integers, whose products are one
/// dot4 or dot2: 4, 2, or 1, which is none of these.
int64_t channels_of_product(const Lowering &lowering) {
  const TensorType &input = lowering.operand(0);
  const int64_t width = dot_width(lowering.operand(1).layout);
  if (width == 0 || width * size_of(input.dtype) != 4)
    return 1;
  const bool side_by_side = input.rank() == 2 ? input.layout.plain() && input.shape[1] % width == 0
                                              : input.layout.block_of(1) % width == 0;
  return side_by_side ? width : 1;
}

/// Of so many channels.
Expression product(int64_t channels, Expression x, Expression w) {
  if (channels == 1)
    return std::move(x) * std::move(w);
  return loop::call(channels == 4 ? loop::Function::dot4 : loop::Function::dot2,
                    {std::move(x), std::move(w)});
}

constexpr const char *no_halo =
    "the input has no halo as wide as the padding; run assign_layouts before lower_loops";

} // namespace

Loops convolution_loops() {
  return {{"n", Role::images},  {"oc", Role::channels},   {"oh", Role::rows},
          {"ow", Role::pixels}, {"icb", Role::reduction}, {"kh", Role::window},
          {"kw", Role::window}, {"ic", Role::reduction}};
}

Loops conv_transpose_loops() {
  return {{"n", Role::images},    {"oc", Role::channels}, {"oh", Role::rows},
          {"ow", Role::pixels},   {"kh", Role::window},   {"kw", Role::window},
          {"ic", Role::reduction}};
}

Loops dense_loops() {
  return {{"n", Role::images},
          {"oc", Role::channels},
          {"icb", Role::reduction},
          {"ic", Role::reduction}};
}

bool lower(const Conv2d &conv, Lowering &lowering) {
  if (conv.winograd > 0)
    return lower_winograd(conv, lowering);
  const TensorType &result = lowering.result();
  const std::vector<int64_t> &filter = lowering.operand(1).shape;
  Window2d window{conv.stride, conv.dilation, {filter[2], filter[3]}, conv.pad};
  const TensorType &input = lowering.operand(0);
  const Halo needed = halo_of(conv, input.shape, filter, result.shape);
  if (!std::equal(needed.begin(), needed.end(), input.layout.halo.begin(), std::less_equal<>()))
    return lowering.error(no_halo);
  std::vector<int64_t> extents = loop_extents(result);
  // A depthwise convolution has one input channel per output channel: its channel loop is both.
  bool depthwise = conv.groups > 1 && filter[1] == 1 && filter[0] == conv.groups;
  Index oc = var("oc");
  Index group = conv.groups == 1 ? Index(0) : oc / (filter[0] / conv.groups);
  const bool sparse = conv.padded_rows == PaddedRows::skip;
  const int64_t step = channels_of_product(lowering);
  auto term = [&](const Index &input_channel, const Index &ic) {
    const Index row = sparse ? var("ih") : window.h();
    Expression x = lowering.read(0, {var("n"), input_channel, row, window.w()});
    Expression w = lowering.read(1, {oc, ic, var("kh"), var("kw")});
    return product(step, std::move(x), std::move(w));
  };
  auto taps = [&](std::vector<Statement> body) {
    return sparse ? window.around_inside(std::move(body), input.shape[2])
                  : window.around(std::move(body));
  };
  std::vector<Statement> body;
  Expression sum = scalar("sum");
  if (depthwise) {
    body.push_back(loop::make_register("sum", {}, loop::register_type(result.dtype)));
    body.push_back(set("sum", beginning(lowering, {oc})));
    append(body, taps(one(loop::make_assign({"sum", {}}, term(oc, 0), true))));
  } else {
    // Small groups: each lane has its own place in the blocks, and the loop is written out.
    const bool small = vectors_of_small_groups(conv, filter, result.layout.block_of(1)).has_value();
    Dot dot("ic", ceil_div(filter[1], step), small ? 1 : input.layout.block_of(1) / step, taps,
            loop::register_type(result.dtype));
    if (!dot.take_partial(lowering))
      return false;
    sum = dot.append_to(
        body, [&](const Index &ic) { return term(group * filter[1] + ic * step, ic * step); },
        beginning(lowering, {oc}));
  }
  append_result(body, lowering, std::move(sum), {var("n"), oc, var("oh"), var("ow")}, {oc});
  lowering.append(
      loop::nest({{"n", extents[0]}, {"oc", extents[1]}, {"oh", extents[2]}, {"ow", extents[3]}},
                 std::move(body)));
  return true;
}

/// The definition as a sum over what reaches an output element. In each dimension that is, for
/// every element of the window, one element of the input or none: a loop of one iteration or none.
///
///   for kh in 0..3, ih in max(0, q)..min(4, q + 1 - (r + 1) / 2) ...   stride 2: q = (oh + pad -
///   kh) / 2, r = (oh + pad - kh) % 2
bool lower(const ConvTranspose2d &conv, Lowering &lowering) {
  const std::vector<int64_t> &input = lowering.operand(0).shape;
  const std::vector<int64_t> &filter = lowering.operand(1).shape;
  const int64_t channels = input[1] / conv.groups;
  const Index oc = var("oc"), group = oc / filter[1];
  auto position = [&](size_t i, const char *in, const char *out, const char *tap) {
    Index distance = var(out) + conv.pad[i] - var(tap) * conv.dilation[i];
    Index first = distance / conv.stride[i];
    Index beyond = (distance % conv.stride[i] + (conv.stride[i] - 1)) / conv.stride[i];
    loop::For result;
    result.variable = in;
    result.lower = {Index(0), first};
    result.upper = {Index(input[2 + i]), first + 1 - beyond};
    return result;
  };
  auto taps = [&](std::vector<Statement> body) {
    for (size_t i : {1, 0}) {
      loop::For inside = i == 0 ? position(0, "ih", "oh", "kh") : position(1, "iw", "ow", "kw");
      inside.body = std::move(body);
      body = loop::nest({{i == 0 ? "kh" : "kw", filter[2 + i]}}, one({std::move(inside), {}}));
    }
    return body;
  };
  Dot dot("ic", channels, 1, taps);
  if (!dot.take_partial(lowering))
    return false;
  std::vector<Statement> body;
  Expression sum = dot.append_to(body, [&](const Index &ic) {
    return lowering.read(0, {var("n"), group * channels + ic, var("ih"), var("iw")}) *
           lowering.read(1, {group * channels + ic, conv.groups == 1 ? oc : oc % filter[1],
                             var("kh"), var("kw")});
  });
  append_result(body, lowering, std::move(sum), {var("n"), oc, var("oh"), var("ow")}, {oc});
  std::vector<int64_t> extents = loop_extents(lowering.result());
  extents[1] = lowering.result().shape[1];
  append_loops(lowering, {"n", "oc", "oh", "ow"}, extents, std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

bool lower(const Local2d &local, Lowering &lowering) {
  const std::vector<int64_t> &filter = lowering.operand(1).shape;
  Window2d window{local.stride, local.dilation, {filter[4], filter[5]}, local.pad};
  if (!window.inside(lowering.operand(0), lowering.result()))
    return lowering.error(no_halo);
  std::vector<int64_t> extents = loop_extents(lowering.result());
  Dot dot("ic", filter[3], lowering.operand(0).layout.block_of(1),
          [&](std::vector<Statement> body) { return window.around(std::move(body)); });
  if (!dot.take_partial(lowering))
    return false;
  std::vector<Statement> body;
  Expression sum = dot.append_to(body, [&](const Index &ic) {
    return lowering.read(0, {var("n"), ic, window.h(), window.w()}) *
           lowering.read(1, {var("oh"), var("ow"), var("oc"), ic, var("kh"), var("kw")});
  });
  append_result(body, lowering, std::move(sum), {var("n"), var("oc"), var("oh"), var("ow")},
                {var("oc"), var("oh"), var("ow")});
  lowering.append(
      loop::nest({{"n", extents[0]}, {"oc", extents[1]}, {"oh", extents[2]}, {"ow", extents[3]}},
                 std::move(body)));
  return true;
}

bool lower(const Dense &, Lowering &lowering) {
  std::vector<int64_t> extents = loop_extents(lowering.result());
  const int64_t step = channels_of_product(lowering);
  Dot dot("ic", ceil_div(lowering.operand(1).shape[1], step),
          lowering.operand(0).layout.block_of(1) / step, {},
          loop::register_type(lowering.result().dtype));
  if (!dot.take_partial(lowering))
    return false;
  std::vector<Statement> body;
  Expression sum = dot.append_to(
      body,
      [&](const Index &ic) {
        Expression x = lowering.read(0, {var("n"), ic * step});
        Expression w = lowering.read(1, {var("oc"), ic * step});
        return product(step, std::move(x), std::move(w));
      },
      beginning(lowering, {var("oc")}));
  append_result(body, lowering, std::move(sum), {var("n"), var("oc")}, {var("oc")});
  lowering.append(loop::nest({{"n", extents[0]}, {"oc", extents[1]}}, std::move(body)));
  return true;
}

} // namespace cnnc
