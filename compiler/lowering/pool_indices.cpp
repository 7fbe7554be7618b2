// Pools that tell where the maximum stands, and their inverse:
//
//   for n, c, oh, ow {
//     reg m: f32, at: f32
//     for kh in 0..2, ih in max(0, oh * 2 + kh)..min(h, oh * 2 + kh + 1), kw .., iw .. {
//       at = select(m < x[n, c, ih, iw], value(ih * w + iw), at)
//       m = max(x[n, c, ih, iw], m)
//     }
//     values[n, c, oh, ow] = m
//     indices[n, c, oh, ow] = at + value(n * c * h * w + ...)
//   }
//
// A loop of one iteration or none leaves out what lies in the padding. Positions in the window are
// found by the loops of a max pool (pool.cpp), unless it is dilated. The inverse stores where
// lookups in the indices say, in order: two windows may have the same maximum.
#include "compiler/lowering/extents.h"

#include <cmath>

namespace cnnc {

using loop::Index;
using loop::Statement;

namespace {

/// Element `tap` of the window, as a loop over positions of the input: that one, or none in the
/// padding.
loop::For inside(const char *variable, const Index &position, int64_t size) {
  loop::For result;
  result.variable = variable;
  result.lower = {Index(0), position};
  result.upper = {Index(size), position + 1};
  return result;
}

Statement around(loop::For loop, std::vector<Statement> body) {
  loop.body = std::move(body);
  return {std::move(loop), {}};
}

} // namespace

bool like_pool(const MaxPool2dIndices &op) {
  return op.positions == PoolPositions::window && op.dilation == std::array<int64_t, 2>{1, 1};
}

Loops pool_indices_loops(const MaxPool2dIndices &pool) {
  if (like_pool(pool))
    return pool_loops();
  return {{"n", Role::images},  {"c", Role::channels}, {"oh", Role::rows},
          {"ow", Role::pixels}, {"kh", Role::window},  {"kw", Role::window}};
}

bool lower(const MaxPool2dIndices &pool, Lowering &lowering) {
  if (like_pool(pool))
    return lower_window_positions(pool, lowering);
  const bool in_window = pool.positions == PoolPositions::window;
  const std::vector<int64_t> &in = lowering.operand(0).shape;
  auto variable = [](const char *name) { return Index::variable(name); };
  auto set = [](const char *name, loop::Expression value) {
    return loop::make_assign({name, {}}, std::move(value));
  };
  const Index ih = variable("ih"), iw = variable("iw");
  const Index at = in_window           ? variable("kh") * pool.kernel[1] + variable("kw")
                   : pool.column_major ? iw * in[2] + ih
                                       : ih * in[3] + iw;
  const loop::Expression m = loop::load("m", {}), place = loop::load("at", {});
  const loop::Expression x = lowering.read(0, {variable("n"), variable("c"), ih, iw});
  std::vector<Statement> taps;
  taps.push_back(
      set("at", loop::call(loop::Function::select_less, {m, x, loop::value(at), place})));
  taps.push_back(set("m", loop::call(loop::Function::max, {x, m}))); // passes over NaN
  for (size_t i : {1, 0}) {
    const char *out = i == 0 ? "oh" : "ow", *tap = i == 0 ? "kh" : "kw";
    Index position =
        variable(out) * pool.stride[i] + variable(tap) * pool.dilation[i] - pool.pad[i];
    std::vector<Statement> body;
    body.push_back(around(inside(i == 0 ? "ih" : "iw", position, in[2 + i]), std::move(taps)));
    taps = loop::nest({{tap, pool.kernel[i]}}, std::move(body));
  }
  std::vector<Statement> body;
  body.push_back(loop::make_register("m"));
  body.push_back(loop::make_register("at"));
  body.push_back(set("m", loop::number(-INFINITY)));
  body.push_back(set("at", loop::number(0)));
  body.push_back(std::move(taps.front()));
  const Subscripts result = variables({"n", "c", "oh", "ow"});
  body.push_back(lowering.write(result, m));
  if (in_window) {
    body.push_back(lowering.write(result, place, 1));
  } else {
    const Index plane = (variable("n") * in[1] + variable("c")) * (in[2] * in[3]);
    body.push_back(lowering.write(result, place + loop::value(plane), 1));
  }
  std::vector<int64_t> extents = loop_extents(lowering.result());
  extents[1] = lowering.result().shape[1];
  append_loops(lowering, {"n", "c", "oh", "ow"}, extents, std::move(body));
  for (size_t i : {0, 1})
    append_zero_lanes(lowering, extents, i);
  return true;
}

bool lower(const MaxUnpool2d &, Lowering &lowering) {
  const std::vector<int64_t> &out = lowering.result().shape;
  const Subscripts element = variables({"n", "c", "h", "w"});
  std::vector<Statement> zero;
  zero.push_back(lowering.write(element, loop::number(0)));
  append_loops(lowering, {"n", "c", "h", "w"}, loop_extents(lowering.result()), std::move(zero));
  const loop::Access indices = lowering.operand_access(1, element);
  const Index at =
      Index::lookup(indices.buffer, indices.subscripts, element_count(out).value_or(0));
  std::vector<Statement> store;
  store.push_back(lowering.write({at / (out[1] * out[2] * out[3]), at / (out[2] * out[3]) % out[1],
                                  at / out[3] % out[2], at % out[3]},
                                 lowering.read(0, element)));
  append_loops(lowering, {"n", "c", "h", "w"}, lowering.operand(0).shape, std::move(store));
  return true;
}

} // namespace cnnc
