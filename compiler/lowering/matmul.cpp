// Products of matrices as loops, with a register for the sum:
//
//   for b0, i, j {
//     reg sum: f32
//     sum = 0
//     for k { sum += a[b0, i, k] * b[b0, k, j] }
//     result[b0, i, j] = sum
//   }
//
// Lanes run along j, where the elements of b are neighbours, or along k when the schedule says so:
// a sum as in reduction.cpp then, else one as in dot.h. Of integers of 8 bits, four rows of b lie
// together: sum += dot4(a[.., k * 4], b[.., k * 4, j]), and the rows that are left one by one.
#include "compiler/layout/dot_filters.h"
#include "compiler/lowering/dot.h"
#include "compiler/lowering/extents.h"
#include "compiler/lowering/line.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

using loop::Index;
using loop::Statement;

Loops matmul_loops(size_t rank) {
  Loops loops;
  for (size_t i = 0; i + 2 < rank; ++i)
    loops.push_back({fmt::format("b{}", i), Role::images});
  loops.insert(loops.end(), {{"i", Role::rows}, {"j", Role::channels}, {"k", Role::reduction}});
  return loops;
}

namespace {

/// The batch dimensions of an operand at those of the result, broadcast, and then `row`, `column`.
Subscripts place_in(const TensorType &operand, const Subscripts &result, Index row, Index column) {
  const size_t batch = operand.rank() - 2;
  Subscripts place(result.end() - 2 - static_cast<std::ptrdiff_t>(batch), result.end() - 2);
  for (size_t i = 0; i < batch; ++i)
    if (operand.shape[i] == 1)
      place[i] = 0;
  place.push_back(std::move(row));
  place.push_back(std::move(column));
  return place;
}

bool has_lanes(const Schedule &schedule, std::string_view loop) {
  return std::ranges::any_of(schedule.vector,
                             [&](const LoopFactor &vector) { return vector.loop == loop; });
}

/// A sum over [0, length) in integers, whose `four` multiplies four numbers from a position on and
/// `product` one: in the lanes of a vector as long as there are enough, which are added up at last.
std::vector<Statement> sum_of_fours(int64_t length, int64_t most_lanes,
                                    const std::function<loop::Expression(const Index &)> &four,
                                    const std::function<loop::Expression(const Index &)> &product) {
  int64_t lanes = most_lanes;
  while (lanes > 1 && lanes * 4 > length)
    lanes /= 2;
  auto in_lanes = [&](loop::Statement statement) {
    return loop::make_for("k.v", lanes, one(std::move(statement)), loop::LoopKind::vector);
  };
  const loop::Access part = {"parts", {var("k.v")}};
  std::vector<Statement> body = one(loop::make_register("parts", {lanes}, DType::i32));
  body.push_back(in_lanes(loop::make_assign(part, loop::number(0))));
  const int64_t step = lanes * 4, whole = length / step;
  append(body,
         loop::nest({{"k", whole}}, one(in_lanes(loop::make_assign(
                                        part, four(var("k") * step + var("k.v") * 4), true)))));
  body.push_back(loop::make_register("sum", {}, DType::i32));
  body.push_back(set("sum", loop::number(0)));
  auto add = [&](int64_t count, loop::LoopKind kind, loop::Expression term) {
    if (count > 0)
      body.push_back(loop::make_for(
          "k", count, one(loop::make_assign({"sum", {}}, std::move(term), true)), kind));
  };
  const int64_t fours = (length - whole * step) / 4, left = length % 4;
  add(fours, loop::LoopKind::serial, four(var("k") * 4 + whole * step));
  add(left, loop::LoopKind::serial, product(var("k") + (length - left)));
  add(lanes, loop::LoopKind::unroll, loop::load("parts", {var("k")}));
  return body;
}

/// Whether the schedule takes all rows of some columns before the next columns.
bool columns_first(const Schedule &schedule) {
  const std::vector<LoopName> &order = schedule.parallel;
  auto columns = std::find(order.begin(), order.end(), "j");
  return std::find(columns, order.end(), "i") != order.end();
}

} // namespace

bool lower(const Matmul &, Lowering &lowering) {
  const TensorType &a = lowering.operand(0), &b = lowering.operand(1), &result = lowering.result();
  std::vector<std::string> names = names_of(matmul_loops(result.rank()));
  names.pop_back(); // k
  const Subscripts place = variables(names);
  auto product = [&](const Index &k) {
    return lowering.read(0, place_in(a, place, var("i"), k)) *
           lowering.read(1, place_in(b, place, k, var("j")));
  };
  std::vector<Statement> body;
  loop::Expression sum = scalar("sum");
  const bool fours = result.dtype == DType::i32 && holds_fours_of_rows(b);
  auto four = [&](const Index &k) {
    return loop::call(loop::Function::dot4, product(k).arguments);
  };
  if (fours && has_lanes(lowering.schedule(), "k")) {
    body = sum_of_fours(a.shape.back(), take_lanes(lowering, "k")->lanes, four, product);
  } else if (fours) {
    const int64_t whole = a.shape.back() / 4, left = a.shape.back() % 4;
    Dot dot("k", whole, 1, {}, DType::i32);
    sum = dot.append_to(body, [&](const Index &k) { return four(k * 4); });
    if (left > 0)
      append(body,
             loop::nest({{"k", left}},
                        one(loop::make_assign({"sum", {}}, product(var("k") + whole * 4), true))));
  } else if (has_lanes(lowering.schedule(), "k")) {
    const Line line("k", a.shape.back(), take_lanes(lowering, "k"));
    body = line.sum({"sum"}, {}, [&](const Line::Step &step, const Line::Part &part) {
      return one(loop::make_assign(part("sum"), product(step.position), true));
    });
  } else {
    Dot dot("k", a.shape.back(), 1, {}, loop::register_type(result.dtype));
    if (!dot.take_partial(lowering))
      return false;
    sum = dot.append_to(body, product);
  }
  body.push_back(lowering.write(place, std::move(sum)));
  std::vector<int64_t> extents = loop_extents(result);
  if (columns_first(lowering.schedule())) {
    std::swap(names[names.size() - 2], names.back());
    std::swap(extents[extents.size() - 2], extents.back());
  }
  append_loops(lowering, names, extents, std::move(body));
  return true;
}

} // namespace cnnc
