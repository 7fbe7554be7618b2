// Pools as loops whose windows are clipped to the input:
//
//   for n, c, oh, ow {
//     reg m: f32
//     m = -inf
//     for kh in max(0, 1 - oh * 2)..min(3, 57 - oh * 2), kw in ... {
//       m = max(m, input[n, c, oh * 2 + kh - 1, ow * 2 + kw - 1])
//     }
//     result[n, c, oh, ow] = m
//   }
//
// Bounds that cannot matter are left out. max(m, x) is m > x ? m : x: a NaN in the input becomes
// the maximum, but the next element of the window replaces it. The reference keeps it; that would
// take three instructions per element instead of one.
#include "compiler/lowering/extents.h"

#include <cmath>

namespace cnnc {

using loop::Index;
using loop::Statement;

namespace {

/// One dimension of the window.
struct PoolAxis {
  std::string out, tap; // names of the loops over output positions and elements of the window
  int64_t input, count, kernel, stride, before, after, dilation;

  Index place() const {
    return Index::variable(out) * stride + Index::variable(tap) * dilation - before;
  }
  /// Output position, counted from the first element of the window, of element `position` of the
  /// input.
  Index tap_at(int64_t position) const {
    return Index(position + before) - Index::variable(out) * stride;
  }
  int64_t last_end() const { return (count - 1) * stride + dilation * (kernel - 1) + 1 - before; }
  bool starts_outside() const { return before > 0; }
  bool ends_outside() const { return last_end() > input; }
  bool clipped() const { return starts_outside() || ends_outside(); }
  /// Whether ceil_mode lets windows reach beyond the padding.
  bool overhangs() const { return last_end() > input + after; }

  /// The elements of the window, or with `padded` only those that do not overhang.
  loop::For taps() const { return loop(starts_outside(), ends_outside(), input); }
  loop::For padded_taps() const { return loop(false, overhangs(), input + after); }

private:
  loop::For loop(bool clip_lower, bool clip_upper, int64_t end) const {
    loop::For result;
    result.variable = tap;
    result.upper = {Index(kernel)};
    if (clip_lower)
      result.lower.push_back(tap_at(0));
    if (clip_upper)
      result.upper.push_back(tap_at(end));
    return result;
  }
};

using PoolWindow = std::array<PoolAxis, 2>;

template <class Pool>
PoolWindow window_of(const Pool &pool, const Lowering &lowering, std::array<int64_t, 2> dilation) {
  auto axis = [&](size_t i, std::string out, std::string tap) {
    return PoolAxis{std::move(out),
                    std::move(tap),
                    lowering.operand(0).shape[2 + i],
                    lowering.result().shape[2 + i],
                    pool.kernel[i],
                    pool.stride[i],
                    pool.pad[i],
                    pool.pad[2 + i],
                    dilation[i]};
  };
  return {axis(0, "oh", "kh"), axis(1, "ow", "kw")};
}

/// Loops of kh and kw around the body.
Statement window_loops(loop::For rows, loop::For columns, std::vector<Statement> body) {
  columns.body = std::move(body);
  rows.body.push_back({std::move(columns), {}});
  return {std::move(rows), {}};
}

Statement set(const std::string &name, loop::Expression value) {
  return loop::make_assign({name, {}}, std::move(value));
}

Statement add(const std::string &name, loop::Expression value) {
  return loop::make_assign({name, {}}, std::move(value), true);
}

loop::Expression element(const Lowering &lowering, const PoolWindow &window) {
  return lowering.read(
      0, {Index::variable("n"), Index::variable("c"), window[0].place(), window[1].place()});
}

/// Loops over the result, the body innermost, which ends with the store of `value`.
bool append_pool(Lowering &lowering, std::vector<Statement> body, loop::Expression value) {
  std::vector<std::string> names = {"n", "c", "oh", "ow"};
  std::vector<int64_t> extents = loop_extents(lowering.result());
  limit_extent(extents[1], lowering.operand(0), 1);
  body.push_back(lowering.write(variables(names), std::move(value)));
  append_loops(lowering, names, extents, std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace

bool lower(const MaxPool2d &pool, Lowering &lowering) {
  PoolWindow window = window_of(pool, lowering, pool.dilation);
  for (const PoolAxis &axis : window)
    if (axis.dilation != 1 && axis.clipped())
      return lowering.error("internal error: a dilated pool with padding");
  std::vector<Statement> inner;
  inner.push_back(
      set("m", loop::call(loop::Function::max, {loop::load("m", {}), element(lowering, window)})));
  std::vector<Statement> body;
  body.push_back(loop::make_register("m"));
  body.push_back(set("m", loop::number(-INFINITY)));
  body.push_back(window_loops(window[0].taps(), window[1].taps(), std::move(inner)));
  return append_pool(lowering, std::move(body), loop::load("m", {}));
}

bool lower(const AvgPool2d &pool, Lowering &lowering) {
  PoolWindow window = window_of(pool, lowering, {1, 1});
  bool varies = pool.count_padding ? window[0].overhangs() || window[1].overhangs()
                                   : window[0].clipped() || window[1].clipped();
  std::vector<Statement> body, inner;
  body.push_back(loop::make_register("sum"));
  body.push_back(set("sum", loop::number(0)));
  inner.push_back(add("sum", element(lowering, window)));
  if (varies) {
    body.push_back(loop::make_register("count"));
    body.push_back(set("count", loop::number(0)));
  }
  if (varies && !pool.count_padding)
    inner.push_back(add("count", loop::number(1)));
  body.push_back(window_loops(window[0].taps(), window[1].taps(), std::move(inner)));
  if (varies && pool.count_padding) {
    std::vector<Statement> counting;
    counting.push_back(add("count", loop::number(1)));
    body.push_back(
        window_loops(window[0].padded_taps(), window[1].padded_taps(), std::move(counting)));
  }
  loop::Expression sum = loop::load("sum", {});
  double size = static_cast<double>(pool.kernel[0]) * static_cast<double>(pool.kernel[1]);
  return append_pool(lowering, std::move(body),
                     varies ? sum / loop::load("count", {}) : sum * loop::number(1 / size));
}

bool lower(const GlobalAvgPool2d &, Lowering &lowering) {
  const std::vector<int64_t> &input = lowering.operand(0).shape;
  std::vector<Statement> inner;
  inner.push_back(add("sum", lowering.read(0, variables({"n", "c", "h", "w"}))));
  std::vector<Statement> body;
  body.push_back(loop::make_register("sum"));
  body.push_back(set("sum", loop::number(0)));
  for (Statement &statement : loop::nest({{"h", input[2]}, {"w", input[3]}}, std::move(inner)))
    body.push_back(std::move(statement));
  double size = static_cast<double>(input[2]) * static_cast<double>(input[3]);
  body.push_back(lowering.write({Index::variable("n"), Index::variable("c"), 0, 0},
                                loop::load("sum", {}) * loop::number(1 / size)));
  std::vector<int64_t> extents = loop_extents(lowering.result());
  limit_extent(extents[1], lowering.operand(0), 1);
  append_loops(lowering, {"n", "c"}, {extents[0], extents[1]}, std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace cnnc
