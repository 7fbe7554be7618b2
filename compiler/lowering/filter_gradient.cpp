// The gradient of a convolution's filter. Every element is a long sum, over the positions of all
// images, but few rows of input and gradient at a time are in the cache, and serve all elements of
// the window and many channels there. So the sums are cut into parts of some rows, which are added
// to totals in memory. With partial=[n:4, oh:2] and block=icb:2, for 16 images of 14 rows and 64
// input channels in blocks of 16:
//
//   scratch total: f32[4, 4, 64, 3, 3, 16]
//   for np in 0..4, oc in 0..64, ic in 0..64, kh in 0..3, kw in 0..3 { total[..] = 0 }
//   for np in 0..4, oc in 0..64, icb in 0..2 {           what may be parallel
//     for n in 0..4, oh.p in 0..7, ic in 0..32, kh in 0..3, kw in 0..3 {
//       reg sum: f32
//       sum = 0
//       for oh in 0..2, ow in 0..14 {
//         sum += gradient[np * 4 + n, oc, oh.p * 2 + oh, ow] * input[.., icb * 32 + ic, ..]
//       }
//       total[np, oc / 16, icb * 32 + ic, kh, kw, oc % 16] += sum
//     }
//   }
//   for o in 0..64, i in 0..64, y in 0..3, x in 0..3 {
//     reg sum: f32
//     sum = 0
//     for np in 0..4 { sum += total[np, ..] }
//     result[o, i, y, x] = sum
//   }
//
// Each part of the images has totals of its own: they can be added up at the same time, and no sum
// has as many terms as there are images and rows. The totals lie in blocks of output channels as
// the gradient does, so that they are read and written in vectors.
#include "compiler/layout/halo.h"
#include "compiler/lowering/lowering.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>

namespace cnnc {

using loop::Expression;
using loop::Index;
using loop::Statement;

namespace {

/// `count` iterations of a loop in parts of `size`, the last of which may be shorter.
struct Parts {
  std::string part, loop; // the names of the loops over parts and in a part
  int64_t count, size;

  int64_t parts() const { return ceil_div(count, size); }
  Index position() const { return var(part) * size + var(loop); }
  std::vector<Statement> outer(std::vector<Statement> body) const {
    return one(loop::make_for(part, parts(), std::move(body)));
  }
  std::vector<Statement> inner(std::vector<Statement> body) const {
    Statement result = loop::make_for(loop, size, std::move(body));
    if (count % size != 0)
      std::get<loop::For>(result.node).upper.push_back(Index(count) - var(part) * size);
    return one(std::move(result));
  }
};

class FilterGradient {
public:
  FilterGradient(const Conv2dFilterGradient &op, Lowering &lowering)
      : op_(op), lowering_(lowering), result_(lowering.result().shape),
        gradient_(loop_extents(lowering.operand(1))), outputs_(gradient_[1]),
        lanes_(lowering.operand(1).layout.block_of(1)), images_{"np", "n", gradient_[0],
                                                                partial("n", gradient_[0])},
        rows_{"oh.p", "oh", gradient_[2], partial("oh", gradient_[2])} {
    // All channels are one block where they lie in none.
    const int64_t block = lowering.operand(0).layout.block_of(1);
    const std::optional<LoopFactor> together = lowering.take(&Schedule::block, "icb");
    channels_ = block > 1 ? block * (together ? together->size : 1) : result_[1];
    channels_ = std::min(channels_, result_[1]);
  }

  void lower() {
    lowering_.append({loop::make_scratch("total", {images_.parts(), outputs_ / lanes_, result_[1],
                                                   result_[2], result_[3], lanes_})});
    lowering_.append(images_.outer(
        loop::nest({{"oc", outputs_}, {"ic", result_[1]}, {"kh", result_[2]}, {"kw", result_[3]}},
                   one(loop::make_assign(total(var("ic")), loop::number(0))))));
    const int64_t whole = result_[1] / channels_ * channels_;
    add_products(0, channels_, whole / channels_);
    if (whole < result_[1])
      add_products(whole, result_[1] - whole, 1);
    lowering_.append(add_totals());
  }

private:
  int64_t partial(const char *name, int64_t count) {
    const std::optional<LoopFactor> size = lowering_.take(&Schedule::partial, name);
    return size ? std::clamp<int64_t>(size->size, 1, count) : count;
  }

  loop::Access total(const Index &ic) const {
    const Index oc = var("oc");
    return {"total", {var("np"), oc / lanes_, ic, var("kh"), var("kw"), oc % lanes_}};
  }

  /// The sums for `blocks` times `count` input channels of each group, from channel `first` on.
  void add_products(int64_t first, int64_t count, int64_t blocks) {
    const Index ic = var("icb") * count + var("ic") + first;
    std::vector<Statement> body;
    define(body, "sum", loop::number(0));
    append(body, rows_.inner(loop::nest({{"ow", gradient_[3]}},
                                        one(loop::make_assign({"sum", {}}, product(ic), true)))));
    body.push_back(loop::make_assign(total(ic), scalar("sum"), true));
    body = loop::nest({{"ic", count}, {"kh", result_[2]}, {"kw", result_[3]}}, std::move(body));
    body = images_.inner(rows_.outer(std::move(body)));
    lowering_.append(
        images_.outer(loop::nest({{"oc", outputs_}, {"icb", blocks}}, std::move(body))));
  }

  Expression product(const Index &ic) const {
    const Index n = images_.position(), oc = var("oc"), oh = rows_.position(), ow = var("ow");
    const Index group = op_.groups == 1 ? Index(0) : oc / (result_[0] / op_.groups);
    const Index row = oh * op_.stride[0] + var("kh") * op_.dilation[0] - op_.pad[0];
    const Index column = ow * op_.stride[1] + var("kw") * op_.dilation[1] - op_.pad[1];
    return lowering_.read(1, {n, oc, oh, ow}) *
           lowering_.read(0, {n, group * result_[1] + ic, row, column});
  }

  /// In the order of the result, whose rows are far apart for the lanes.
  std::vector<Statement> add_totals() const {
    const Index o = var("o"), i = var("i"), y = var("y"), x = var("x");
    const loop::Access total = {"total", {var("np"), o / lanes_, i, y, x, o % lanes_}};
    std::vector<Statement> body;
    define(body, "sum", loop::number(0));
    append(body, images_.outer(one(loop::make_assign({"sum", {}}, load(total), true))));
    body.push_back(lowering_.write({o, i, y, x}, scalar("sum")));
    return loop::nest({{"o", result_[0]}, {"i", result_[1]}, {"y", result_[2]}, {"x", result_[3]}},
                      std::move(body));
  }

  const Conv2dFilterGradient &op_;
  Lowering &lowering_;
  const std::vector<int64_t> result_, gradient_; // shapes, that of the gradient in whole blocks
  const int64_t outputs_, lanes_;
  const Parts images_, rows_;
  int64_t channels_; // of the input, that share rows in the cache
};

} // namespace

Loops filter_gradient_loops() {
  return {{"np", Role::images},   {"oc", Role::channels},  {"icb", Role::dimension},
          {"n", Role::reduction}, {"ic", Role::dimension}, {"kh", Role::window},
          {"kw", Role::window},   {"oh", Role::reduction}, {"ow", Role::reduction},
          {"o", Role::dimension}, {"i", Role::dimension},  {"y", Role::dimension},
          {"x", Role::dimension}};
}

bool lower(const Conv2dFilterGradient &op, Lowering &lowering) {
  const TensorType &input = lowering.operand(0), &gradient = lowering.operand(1);
  const Halo needed =
      halo_of_windows(op.pad, op.stride, op.dilation, op.kernel, input.shape, gradient.shape);
  if (!std::equal(needed.begin(), needed.end(), input.layout.halo.begin(), std::less_equal<>()))
    return lowering.error("the input has no halo as wide as the padding; run assign_layouts before "
                          "lower_loops");
  FilterGradient(op, lowering).lower();
  return true;
}

} // namespace cnnc
