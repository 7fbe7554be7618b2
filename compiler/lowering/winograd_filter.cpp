// The transform of a filter for Winograd's method (compiler/tensor/winograd.h), of filters that are
// known only when the model runs; here for m = 4:
//
//   for n, c {
//     reg half: f32[6, 3]
//     unroll j in 0..3 { half[:, j] = G filter[n, c, :, j] }
//     unroll i in 0..6 { result[n, c, i, :] = G half[i, :] }
//   }
#include "compiler/lowering/linear_map.h"
#include "compiler/lowering/lowering.h"

namespace cnnc {

using loop::Expression;
using loop::Index;
using loop::Statement;

bool lower_winograd_filter(Lowering &lowering) {
  constexpr int64_t taps = 3;
  const std::vector<int64_t> &filter = lowering.operand(0).shape;
  const Layout &layout = lowering.result().layout;
  if (lowering.operand(0).layout.winograd > 0 || filter[0] % layout.block_of(0) != 0 ||
      filter[1] % layout.block_of(1) != 0)
    return lowering.error("filters are transformed for Winograd from taps, into whole blocks of "
                          "channels; leave layouts to the compiler");
  const Matrix g = winograd_matrices(layout.winograd).filter;
  const auto size = static_cast<int64_t>(g.size());
  std::vector<Statement> columns, rows;
  std::vector<Expression> column, row;
  for (int64_t i = 0; i < taps; ++i) {
    column.push_back(lowering.read(0, {var("n"), var("c"), Index(i), var("j")}));
    row.push_back(loop::load("half", {var("i"), Index(i)}));
  }
  std::vector<Expression> y = LinearMap(columns).by_row_pairs(g, column);
  for (int64_t i = 0; i < size; ++i)
    columns.push_back(
        loop::make_assign({"half", {Index(i), var("j")}}, std::move(y[static_cast<size_t>(i)])));
  y = LinearMap(rows).by_row_pairs(g, row);
  for (int64_t j = 0; j < size; ++j)
    rows.push_back(lowering.write({var("n"), var("c"), var("i"), Index(j)},
                                  std::move(y[static_cast<size_t>(j)])));
  std::vector<Statement> body = {
      loop::make_register("half", {size, taps}),
      loop::make_for("j", taps, std::move(columns), loop::LoopKind::unroll),
      loop::make_for("i", size, std::move(rows), loop::LoopKind::unroll)};
  lowering.append(loop::nest({{"n", filter[0]}, {"c", filter[1]}}, std::move(body)));
  return true;
}

} // namespace cnnc
