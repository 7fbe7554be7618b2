// Pools as loops. Windows at the border are clipped to the input:
//
//   for n, c, oh_top in 0..1, ow_left in 0..1 {
//     reg m: f32
//     m = -inf
//     for kh in max(0, 1 - oh_top * 2)..min(3, 57 - oh_top * 2), kw in ... {
//       m = max(input[n, c, oh_top * 2 + kh - 1, ow_left * 2 + kw - 1], m)
//     }
//     result[n, c, oh_top, ow_left] = m
//   }
//
// and have nests of their own: top, inner and bottom rows times left, inner and right columns. The
// windows of the inner ones are whole, `for n, c, oh, ow { ... for kh in 0..3, kw in 0..3 ... }`,
// so that tiles of them can share what they read. A pool whose result stays in the kernel is one
// nest, which fuse_loops can join to the next; all its windows are clipped.
//
// With the positions of the maxima in their windows, the same loops have a second register:
//
//   at = select(m < x, value(kh * 3 + kw), at)
//
// Of integers of 8 bits the register is an i32 where no float is on the way, and begins with the least
// number of the type.
//
// Bounds that cannot matter are left out. max(x, m) is x > m ? x : m, one instruction, which passes
// over a NaN in the input (ir/README.md, "Element types"); to keep it would take three.
#include "compiler/layout/halo.h"
#include "compiler/lowering/extents.h"
#include "compiler/lowering/line.h"

#include <cmath>

namespace cnnc {

using loop::Index;
using loop::Statement;

namespace {

/// A range of output positions in one dimension, and its windows.
struct PoolAxis {
  std::string out, tap; // names of the loops over these positions and over elements of the window
  int64_t first, count; // the positions
  bool clipped;         // whether windows can reach beyond the input
  int64_t input, output, kernel, stride, before, after, dilation;

  Index position() const { return Index::variable(out) + first; }
  Index place() const { return position() * stride + Index::variable(tap) * dilation - before; }
  /// Output position, counted from the first element of the window, of element `position` of the
  /// input.
  Index tap_at(int64_t element) const { return Index(element + before) - position() * stride; }
  int64_t last_end() const { return (output - 1) * stride + dilation * (kernel - 1) + 1 - before; }
  /// Whether ceil_mode lets windows reach beyond the padding.
  bool overhangs() const { return clipped && last_end() > input + after; }

  /// The elements of the window, or with `padded` only those that do not overhang.
  loop::For taps() const {
    return loop(clipped && before > 0, clipped && last_end() > input, input);
  }
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

/// The parts of one dimension: windows that begin before the input, inner ones, those that end
/// behind it.
std::vector<PoolAxis> parts_of(PoolAxis whole, bool split, const char *begin, const char *end) {
  PositionRange inner = inner_positions(whole.before, whole.stride, whole.dilation, whole.kernel,
                                        whole.input, whole.output);
  whole.clipped = inner.first > 0 || inner.end < whole.output;
  if (!whole.clipped || !split)
    return {whole};
  std::vector<PoolAxis> parts;
  auto add = [&](const std::string &name, int64_t first, int64_t limit, bool clipped) {
    PoolAxis part = whole;
    part.out = name, part.first = first, part.count = limit - first, part.clipped = clipped;
    if (part.count > 0)
      parts.push_back(std::move(part));
  };
  add(whole.out + begin, 0, inner.first, true);
  add(whole.out, inner.first, inner.end, false);
  add(whole.out + end, inner.end, whole.output, true);
  return parts;
}

/// All combinations of parts of the rows and of the columns.
template <class Pool>
std::vector<PoolWindow> windows_of(const Pool &pool, const Lowering &lowering,
                                   std::array<int64_t, 2> dilation) {
  auto axis = [&](size_t i, std::string out, std::string tap) {
    int64_t output = lowering.result().shape[2 + i];
    return PoolAxis{std::move(out), std::move(tap),  0,
                    output,         false,           lowering.operand(0).shape[2 + i],
                    output,         pool.kernel[i],  pool.stride[i],
                    pool.pad[i],    pool.pad[2 + i], dilation[i]};
  };
  bool split = lowering.result_leaves_kernel();
  std::vector<PoolWindow> windows;
  for (const PoolAxis &rows : parts_of(axis(0, "oh", "kh"), split, "_top", "_bottom"))
    for (const PoolAxis &columns : parts_of(axis(1, "ow", "kw"), split, "_left", "_right"))
      windows.push_back({rows, columns});
  return windows;
}

/// Loops of kh and kw around the body.
Statement window_loops(loop::For rows, loop::For columns, std::vector<Statement> body) {
  columns.body = std::move(body);
  rows.body.push_back({std::move(columns), {}});
  return {std::move(rows), {}};
}

Statement add(const std::string &name, loop::Expression value) {
  return loop::make_assign({name, {}}, std::move(value), true);
}

loop::Expression element(const Lowering &lowering, const PoolWindow &window) {
  return lowering.read(
      0, {Index::variable("n"), Index::variable("c"), window[0].place(), window[1].place()});
}

/// How far the loops over n and c run; lanes of the result that the input lacks stay zero.
std::vector<int64_t> pool_extents(const Lowering &lowering) {
  std::vector<int64_t> extents = loop_extents(lowering.result());
  limit_extent(extents[1], lowering.operand(0), 1);
  return extents;
}

/// Loops over the positions of a window, the body innermost, which ends with the store of `value`.
void append_pool(Lowering &lowering, const PoolWindow &window, std::vector<Statement> body,
                 loop::Expression value) {
  std::vector<int64_t> extents = pool_extents(lowering);
  body.push_back(lowering.write(
      {Index::variable("n"), Index::variable("c"), window[0].position(), window[1].position()},
      std::move(value)));
  append_loops(lowering, {"n", "c", window[0].out, window[1].out},
               {extents[0], extents[1], window[0].count, window[1].count}, std::move(body));
}

/// Of a window in one register. A larger one is added up row by row (line.h).
constexpr double most_terms = 64;

void append_mean(const AvgPool2d &pool, Lowering &lowering, const PoolWindow &window) {
  bool varies = pool.count_padding ? window[0].overhangs() || window[1].overhangs()
                                   : window[0].clipped || window[1].clipped;
  const double size = static_cast<double>(pool.kernel[0]) * static_cast<double>(pool.kernel[1]);
  const bool by_rows = size > most_terms;
  std::vector<Statement> body, inner, row;
  define(body, "sum", loop::number(0));
  if (varies)
    define(body, "count", loop::number(0));
  inner.push_back(add(by_rows ? "row" : "sum", element(lowering, window)));
  if (varies && !pool.count_padding)
    inner.push_back(add("count", loop::number(1)));
  if (by_rows) {
    define(body, "lost", loop::number(0));
    define(row, "row", loop::number(0));
    loop::For columns = window[1].taps(), rows = window[0].taps();
    columns.body = std::move(inner);
    row.push_back({std::move(columns), {}});
    row.push_back(loop::make_register("next"));
    append(row, add_compensated({"sum", {}}, {"lost", {}}, {"row", {}}, {"next", {}}));
    rows.body = std::move(row);
    body.push_back({std::move(rows), {}});
  } else {
    body.push_back(window_loops(window[0].taps(), window[1].taps(), std::move(inner)));
  }
  if (varies && pool.count_padding) {
    std::vector<Statement> counting;
    counting.push_back(add("count", loop::number(1)));
    body.push_back(
        window_loops(window[0].padded_taps(), window[1].padded_taps(), std::move(counting)));
  }
  loop::Expression sum = scalar("sum");
  // Sums of integers are exact, and so is their mean rounded once.
  loop::Expression mean = varies                                ? sum / loop::load("count", {})
                          : is_float(lowering.operand(0).dtype) ? sum * loop::number(1 / size)
                                                                : sum / loop::number(size);
  append_pool(lowering, window, std::move(body), std::move(mean));
}

} // namespace

Loops pool_loops() {
  return {{"n", Role::images},       {"c", Role::channels},      {"oh", Role::rows},
          {"oh_top", Role::rows},    {"oh_bottom", Role::rows},  {"ow", Role::pixels},
          {"ow_left", Role::pixels}, {"ow_right", Role::pixels}, {"kh", Role::window},
          {"kw", Role::window}};
}

bool lower(const MaxPool2d &pool, Lowering &lowering) {
  const DType element_type = lowering.operand(0).dtype;
  const bool integers = is_integer(element_type) && !lowering.operand_is_local();
  for (const PoolWindow &window : windows_of(pool, lowering, pool.dilation)) {
    for (const PoolAxis &axis : window)
      if (axis.dilation != 1 && axis.clipped)
        return lowering.error("internal error: a dilated pool with padding");
    std::vector<Statement> inner;
    // The order of the operands passes over NaN.
    inner.push_back(set(
        "m", loop::call(loop::Function::max, {element(lowering, window), loop::load("m", {})})));
    std::vector<Statement> body;
    body.push_back(loop::make_register("m", {}, integers ? DType::i32 : DType::f32));
    body.push_back(
        set("m", loop::number(integers ? static_cast<double>(least_of(element_type)) : -INFINITY)));
    body.push_back(window_loops(window[0].taps(), window[1].taps(), std::move(inner)));
    append_pool(lowering, window, std::move(body), loop::load("m", {}));
  }
  append_zero_lanes(lowering, pool_extents(lowering));
  return true;
}

bool lower_window_positions(const MaxPool2dIndices &pool, Lowering &lowering) {
  for (const PoolWindow &window : windows_of(pool, lowering, pool.dilation)) {
    const loop::Expression x = element(lowering, window), m = scalar("m"), at = scalar("at");
    const Index tap = var(window[0].tap) * pool.kernel[1] + var(window[1].tap);
    std::vector<Statement> body, inner;
    inner.push_back(
        set("at", loop::call(loop::Function::select_less, {m, x, loop::value(tap), at})));
    inner.push_back(set("m", loop::call(loop::Function::max, {x, m})));
    define(body, "m", loop::number(-INFINITY));
    define(body, "at", loop::number(0));
    body.push_back(window_loops(window[0].taps(), window[1].taps(), std::move(inner)));
    body.push_back(
        lowering.write({var("n"), var("c"), window[0].position(), window[1].position()}, at, 1));
    append_pool(lowering, window, std::move(body), m);
  }
  for (size_t result : {0, 1})
    append_zero_lanes(lowering, pool_extents(lowering), result);
  return true;
}

bool lower(const AvgPool2d &pool, Lowering &lowering) {
  for (const PoolWindow &window : windows_of(pool, lowering, {1, 1}))
    append_mean(pool, lowering, window);
  append_zero_lanes(lowering, pool_extents(lowering));
  return true;
}

bool lower(const GlobalAvgPool2d &, Lowering &lowering) {
  const std::vector<int64_t> &input = lowering.operand(0).shape;
  const Line line("w", input[3], take_lanes(lowering, "w"));
  std::vector<Statement> body =
      line.sum({"sum"}, {{"h", input[2]}}, [&](const Line::Step &step, const Line::Part &sum) {
        return one(loop::make_assign(
            sum("sum"), lowering.read(0, {var("n"), var("c"), var("h"), step.position}), true));
      });
  const double size = static_cast<double>(input[2]) * static_cast<double>(input[3]);
  body.push_back(lowering.write({var("n"), var("c"), 0, 0}, scalar("sum") / loop::number(size)));
  std::vector<int64_t> extents = loop_extents(lowering.result());
  limit_extent(extents[1], lowering.operand(0), 1);
  append_loops(lowering, {"n", "c"}, {extents[0], extents[1]}, std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace cnnc
