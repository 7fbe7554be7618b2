// The gradient of a max pool as loops over its input: each element gathers from the windows that it
// is in. Where these are whole, rows and columns run in groups of as many as the stride, all of
// whose elements lie in the same windows, and each has a register:
//
//   for n, c, h in 1..56, w in 1..56 {                    kernel 3x3, stride 2, pad 1
//     reg sum_0_0: f32, sum_0_1: f32 ..
//     sum_0_0 = 0
//     for kh in 0..2, kw in 0..2 {
//       sum_0_0 += select(positions[n, c, h - kh, w - kw] == value(kh * 6 + kw * 2),
//         gradient[n, c, h - kh, w - kw], 0)
//     }
//     ..
//     result[n, c, h * 2 - 1, w * 2 - 1] = sum_0_0
//     result[n, c, h * 2 - 1, w * 2] = sum_0_1 ..
//   }
//
// Rows and columns at the edges have nests of their own, as those of pools have. There each element
// of the window has one window that it may lie in, or none: a loop of one iteration or none, as in a
// transposed convolution.
#include "compiler/layout/halo.h"
#include "compiler/lowering/extents.h"

#include <fmt/format.h>

namespace cnnc {

using loop::Index;
using loop::Statement;

namespace {

/// One dimension of the pool: 0 rows, 1 columns.
struct Dimension {
  size_t axis;
  int64_t kernel, stride, pad, dilation, windows, elements;

  std::string name(const char *rows, const char *columns) const {
    return axis == 0 ? rows : columns;
  }
};

/// An element of the result in one dimension, and the windows that it may lie in.
struct Element {
  Index place;  // in the result
  Index tap;    // its place in the window
  Index window; // that window
  std::string suffix;
  std::function<std::vector<Statement>(std::vector<Statement>)> around; // loops over windows
  bool none = false;                                                    // it lies in no window
};

/// A range of rows or columns of the result, with a loop over them or over groups of them.
struct Part {
  std::string loop;
  int64_t count;
  std::vector<Element> elements;
};

Part edge(const Dimension &d, std::string loop, int64_t first, int64_t end) {
  const std::string tap = d.name("kh_edge", "kw_edge"), window = d.name("oh", "ow");
  Element element;
  element.place = var(loop) + first;
  element.tap = var(tap);
  element.window = var(window);
  element.around = [=](std::vector<Statement> body) {
    const Index distance = element.place + d.pad - element.tap * d.dilation;
    const Index begin = distance / d.stride;
    const Index beyond = (distance % d.stride + (d.stride - 1)) / d.stride;
    loop::For inside;
    inside.variable = window;
    inside.lower = {Index(0), begin};
    inside.upper = {Index(d.windows), begin + 1 - beyond};
    inside.body = std::move(body);
    return loop::nest({{tap, d.kernel}}, one({std::move(inside), {}}));
  };
  return {std::move(loop), end - first, {std::move(element)}};
}

Part groups(const Dimension &d, PositionRange range) {
  Part part = {d.name("h", "w"), range.end - range.first, {}};
  const Index group = var(part.loop) + range.first;
  const std::string variable = d.name("kh", "kw");
  for (int64_t i = 0; i < d.stride; ++i) {
    const int64_t windows = i < d.kernel ? (d.kernel - i + d.stride - 1) / d.stride : 0;
    const Index before = windows > 1 ? var(variable) : Index(0);
    Element element;
    element.place = group * d.stride + (i - d.pad);
    element.tap = before * d.stride + i;
    element.window = group - before;
    element.suffix = fmt::format("_{}", i);
    element.none = windows == 0;
    element.around = [=](std::vector<Statement> body) {
      return windows > 1 ? loop::nest({{variable, windows}}, std::move(body)) : std::move(body);
    };
    part.elements.push_back(std::move(element));
  }
  return part;
}

std::vector<Part> parts_of(const MaxPool2dGradient &op, size_t axis, int64_t windows) {
  const Dimension d = {axis,    op.kernel[axis], op.stride[axis], op.pad[axis], op.dilation[axis],
                       windows, op.sizes[axis]};
  const PositionRange whole = groups_in_windows(op, axis, windows);
  const std::string name = d.name("h", "w");
  if (whole.first == whole.end)
    return {edge(d, name, 0, d.elements)};
  const int64_t first = whole.first * d.stride - d.pad, end = whole.end * d.stride - d.pad;
  std::vector<Part> parts;
  if (first > 0)
    parts.push_back(edge(d, name + d.name("_top", "_left"), 0, first));
  parts.push_back(groups(d, whole));
  if (end < d.elements)
    parts.push_back(edge(d, name + d.name("_bottom", "_right"), end, d.elements));
  return parts;
}

/// The sums of all elements first, so that no store stands between loads of the same vector.
std::vector<Statement> body_of(const Lowering &lowering, const Part &rows, const Part &columns,
                               int64_t row_of_window) {
  std::vector<Statement> sums, stores;
  for (const Element &row : rows.elements)
    for (const Element &column : columns.elements) {
      const std::string sum = "sum" + row.suffix + column.suffix;
      const Subscripts window = {var("n"), var("c"), row.window, column.window};
      define(sums, sum, loop::number(0));
      if (!row.none && !column.none) {
        const loop::Expression own =
            loop::call(loop::Function::select_equal,
                       {lowering.read(1, window), loop::value(row.tap * row_of_window + column.tap),
                        lowering.read(0, window), loop::number(0)});
        append(sums, row.around(column.around(one(loop::make_assign({sum, {}}, own, true)))));
      }
      stores.push_back(lowering.write({var("n"), var("c"), row.place, column.place}, scalar(sum)));
    }
  append(sums, std::move(stores));
  return sums;
}

} // namespace

Loops pool_gradient_loops() {
  return {{"n", Role::images},       {"c", Role::channels},     {"h", Role::rows},
          {"h_top", Role::rows},     {"h_bottom", Role::rows},  {"w", Role::pixels},
          {"w_left", Role::pixels},  {"w_right", Role::pixels}, {"kh", Role::window},
          {"kh_edge", Role::window}, {"kw", Role::window},      {"kw_edge", Role::window}};
}

bool lower(const MaxPool2dGradient &op, Lowering &lowering) {
  const std::vector<int64_t> &gradient = lowering.operand(0).shape;
  std::vector<int64_t> extents = loop_extents(lowering.result());
  for (size_t operand : {0, 1})
    limit_extent(extents[1], lowering.operand(operand), 1);
  for (const Part &rows : parts_of(op, 0, gradient[2]))
    for (const Part &columns : parts_of(op, 1, gradient[3]))
      append_loops(lowering, {"n", "c", rows.loop, columns.loop},
                   {extents[0], extents[1], rows.count, columns.count},
                   body_of(lowering, rows, columns, op.kernel[1]));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace cnnc
