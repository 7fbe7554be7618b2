// Sums of products: of convolutions over channels and windows, of matrices along k. One register
// takes all of them, or the schedule says partial=ic:32:
//
//   scratch total: f32
//   total = 0
//   for ic.p in 0..16 {
//     reg sum: f32
//     sum = 0
//     for icb in 0..2, kh in 0..3, kw in 0..3, ic in 0..16 {
//       sum += input[..] * filter[..]
//     }
//     total += sum
//   }
//
// A long sum rounds at the size that it has reached: its error grows with the root of the number of
// terms. Sums of a few hundred, added up, lose about as much as one of a few hundred. The total is
// in memory, since a register tile fills the registers: it is read and written once for hundreds of
// products. Sums of integers lose nothing, and are in one register.
#pragma once

#include "compiler/lowering/lowering.h"

namespace cnnc {

class Dot {
public:
  /// Puts the loops of a window around statements.
  using Window = std::function<std::vector<loop::Statement>(std::vector<loop::Statement>)>;

  /// Over [0, count) of a loop called `name`; of blocks, if there are any, one after the other in a
  /// loop `name`b, and what is left of the last one. The window's loops stand between the two.
  Dot(std::string name, int64_t count, int64_t block = 1, Window window = {},
      DType dtype = DType::f32);

  /// Takes `partial` of the loop from the schedule. False after an error.
  bool take_partial(Lowering &lowering);

  /// Appends the statements that add up `start` and `product` of every position, and returns the sum.
  loop::Expression append_to(std::vector<loop::Statement> &body,
                             const std::function<loop::Expression(const loop::Index &)> &product,
                             loop::Expression start = loop::number(0)) const;

private:
  /// `blocks` blocks and `rest` elements from `first` on, added to a register.
  std::vector<loop::Statement>
  add_up(const std::string &sum, const loop::Index &first, int64_t blocks, int64_t rest,
         const std::function<loop::Expression(const loop::Index &)> &product) const;

  std::string name_;
  int64_t count_, block_;
  Window window_;
  int64_t part_; // elements of a partial sum
  DType dtype_;  // of the sum
};

} // namespace cnnc
