// A reduction along one dimension, in the lanes of vectors when the schedule says so:
//
//   reg sum: f32                                 define("sum", 0); with `vector` also
//   reg sum.v: f32[4, 16]
//   for c in 0..15, unroll c.u in 0..4 {         loops(): whole vectors, four at a time as `unroll`
//     vector c.v in 0..16 { sum.v[c.u, c.v] += x[c * 64 + c.u * 16 + c.v] }
//   }
//   unroll c.u in 0..2 { vector .. }             vectors that are left
//   for c in 0..8 { sum += x[c + 992] }          elements that are left
//   reg sum.half: f32[8]                         combine(): one half with the other, again
//   ...                                          and again, in an order of the schedule alone
//   sum = sum + sum.half[0]
//
// Where the schedule has lanes elsewhere, `unroll` alone gives the line several elements at a time,
// each with a part of its own: reg sum.v: f32[4].
//
// sum() adds up a line and the loops around it without losing digits, however long they are: see
// there.
#pragma once

#include "compiler/lowering/lowering.h"

namespace cnnc {

/// What a schedule says of the loop along a line: lanes of a vector, and vectors at a time.
struct LineLanes {
  int64_t lanes, vectors;
};
/// Takes it from the schedule's `vector` and `unroll`, as lines are written in lanes at once and
/// leave nothing of that to the loop passes. Empty where neither names the loop; one lane where
/// `vector` does not.
std::optional<LineLanes> take_lanes(Lowering &lowering, const std::string &loop);

/// Loops by name and extent, the outermost first.
using Nest = std::vector<std::pair<std::string, int64_t>>;

/// sum += part, less what former additions have rounded off, which is in `lost`. `part` and `next`
/// are lost themselves.
std::vector<loop::Statement> add_compensated(const loop::Access &sum, const loop::Access &lost,
                                             const loop::Access &part, const loop::Access &next);

class Line {
public:
  /// A loop called `name` from 0 to `extent`: a plain one, or one that runs in vectors of the
  /// largest power of two of lanes that is not above those wanted and `extent`, several at a time.
  Line(std::string name, int64_t extent, std::optional<LineLanes> wanted);

  /// Where the body of the loop stands.
  struct Step {
    loop::Index position;
    std::optional<std::string> lane; // the vector loop
    int64_t lanes = 0;               // of it
    std::optional<loop::Index> row;  // which of the vectors that are computed at a time

    /// The part of the register `name`, made by define(), that this step accumulates.
    loop::Access partial(const std::string &name) const;
    /// A register with an element for each lane, and the element of this one.
    loop::Statement make_register(const std::string &name) const;
    loop::Access element(const std::string &name) const;
  };

  /// Declares the scalar register `name` and its parts, and sets all of them to a value.
  std::vector<loop::Statement> define(const std::string &name, double value) const;
  /// The loops; `body` makes registers first, then assignments.
  std::vector<loop::Statement>
  loops(const std::function<std::vector<loop::Statement>(const Step &)> &body) const;
  /// The part of a register of this name.
  using Part = std::function<loop::Access(const std::string &name)>;
  using Names = std::vector<std::string>;
  /// Makes what a step adds to sums: registers first, then assignments.
  using Addition = std::function<std::vector<loop::Statement>(const Step &, const Part &sum)>;
  /// Declares scalar registers of these names and makes them sums over the line and the loops
  /// `around` it. A register takes no more than a few dozen terms. Where there are more, such parts
  /// are added to the whole together with what the last such addition rounded off:
  ///
  ///   for h {
  ///     reg sum.part: f32                          a row, say
  ///     sum.part = 0
  ///     for w { sum.part += x[h, w] }
  ///     sum.part = sum.part - sum.lost
  ///     sum.part.next = sum + sum.part
  ///     sum.lost = (sum.part.next - sum) - sum.part     0 where that is no number
  ///     sum = sum.part.next
  ///   }
  std::vector<loop::Statement> sum(const Names &names, const Nest &around,
                                   const Addition &add) const;

  /// Combines the parts of a register with max or add, into the scalar.
  std::vector<loop::Statement> combine(const std::string &name, loop::Function function) const;

  /// The same for several registers at a time: `body` makes statements that set `into` from a and
  /// b. `into` may be a.
  std::vector<loop::Statement>
  combine(const std::vector<std::string> &names,
          const std::function<std::vector<loop::Statement>(const Part &into, const Part &a,
                                                           const Part &b)> &body) const;

private:
  /// loops() in two pieces: what an iteration of the loop does, and what is left behind it.
  struct Pieces {
    int64_t iterations;
    std::vector<loop::Statement> iteration, rest;
  };
  Pieces pieces(const std::function<std::vector<loop::Statement>(const Step &)> &body) const;
  std::vector<loop::Statement> in_lanes(std::vector<loop::Statement> body) const;
  loop::Statement unrolled(int64_t count, std::vector<loop::Statement> body) const;
  loop::Access part(const std::string &name, const loop::Index &row) const;
  /// Adds the rows of a register's parts up in the first.
  std::vector<loop::Statement> combine_rows(
      const std::function<std::vector<loop::Statement>(const loop::Index &into,
                                                       const loop::Index &other)> &body) const;
  /// This line with its rows added up.
  Line one_row() const;
  /// What sum() does with the statements that make parts, which are called like this.
  std::vector<loop::Statement> add_part(const Names &names, const std::string &part_suffix,
                                        std::vector<loop::Statement> making) const;
  loop::Statement in_parts(const Names &names, const std::string &loop, int64_t extent,
                           int64_t most, std::vector<loop::Statement> body) const;

  std::string name_;
  int64_t extent_;
  int64_t lanes_ = 0, rows_ = 0; // powers of two; 0 without vectors, or without parts
};

} // namespace cnnc
