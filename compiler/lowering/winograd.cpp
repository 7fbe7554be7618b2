// A 3x3 convolution with Winograd's F(m x m, 3x3) (compiler/tensor/winograd.h). The result is split
// into tiles of m x m, counted t = 0, 1 ... over rows and columns of all images. Three steps, here
// for m = 4:
//
//   scratch transformed: f32[6, 6, ..], products: f32[6, 6, ..]
//   for icb, t, c {
//     transformed[:, :, t, icb * 16 + c] = B^T input[icb * 16 + c, the 6 x 6 inputs of t] B
//   }
//   for i, j, ob, p, oc {                                  a product of matrices per i, j
//     reg sum; for ic { sum += transformed[i, j, p, ic] * filter[ob, i, j, ic, oc] }
//     products[i, j, p, ob, oc] = sum
//   }
//   for ob, t, o {
//     result[ob, o, the 4 x 4 results of t] = A^T products[:, :, t, ob, o] A + bias[ob, o]
//   }
//
// Which of the matrices are in memory at a time is up to the schedule's stages:
//   stage=tb:28  the three steps for one block of 28 tiles after the other, which threads share
//   stage=ob:1   the first step for all tiles, the others for one block of output channels after
//                the other
//   none         each step for all tiles and channels
#include "compiler/tensor/winograd.h"
#include "compiler/layout/halo.h"
#include "compiler/lowering/dot.h"
#include "compiler/lowering/linear_map.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

using loop::Expression;
using loop::Index;
using loop::LoopKind;
using loop::Statement;

namespace {

Statement scope(const std::string &variable, int64_t extent, std::vector<Statement> body) {
  return loop::make_for(variable, extent, std::move(body));
}

Statement unrolled(const std::string &variable, int64_t extent, std::vector<Statement> body) {
  return loop::make_for(variable, extent, std::move(body), LoopKind::unroll);
}

class Winograd {
public:
  /// `dot`: the sum over the input's channels.
  Winograd(const Conv2d &conv, Lowering &lowering, Dot dot)
      : conv_(conv), lowering_(lowering), dot_(std::move(dot)), m_(conv.winograd),
        size_(conv.winograd + 2), matrices_(winograd_matrices(conv.winograd)),
        result_(lowering.result().shape), rows_((result_[2] + m_ - 1) / m_),
        columns_((result_[3] + m_ - 1) / m_), images_(loop_extents(lowering.result())[0]),
        tiles_(images_ * rows_ * columns_), channels_(lowering.operand(1).shape[1]),
        lanes_(lowering.operand(0).layout.block_of(1)),
        channel_blocks_((channels_ + lanes_ - 1) / lanes_),
        outputs_(lowering.operand(1).layout.block_of(0)),
        output_blocks_(loop_extents(lowering.result())[1] / outputs_) {}

  void lower_at_once() { lowering_.append(all_at_once(tiles_)); }
  void lower_by_outputs() { lowering_.append(by_outputs(tiles_)); }
  void lower_by_tiles(int64_t count) {
    const int64_t size = std::clamp<int64_t>(count, 1, tiles_), whole = tiles_ / size;
    lowering_.append(by_tiles(0, whole, size));
    if (tiles_ % size != 0)
      lowering_.append(by_tiles(whole * size, 1, tiles_ % size));
  }

private:
  std::vector<Statement> all_at_once(int64_t tiles) {
    count_ = tiles;
    const int64_t vectors = output_blocks_ * outputs_ / lanes_;
    std::vector<Statement> body = {declare_transformed(), declare_products(vectors),
                                   transform_inputs()};
    Statement product = scope("ob", output_blocks_, multiply(var("ob") * outputs_));
    body.push_back(
        std::move(loop::nest({{"i", size_}, {"j", size_}}, one(std::move(product))).front()));
    body.push_back(
        scope("ob", output_blocks_, transform_outputs(var("ob") * outputs_, var("ob") * outputs_)));
    return body;
  }

  /// Steps of `blocks` blocks of `count` tiles, from the tile `first` on.
  std::vector<Statement> by_tiles(int64_t first, int64_t blocks, int64_t count) {
    first_ = var("tb") * count + first;
    return one(scope("tb", blocks, by_outputs(count)));
  }

  std::vector<Statement> by_outputs(int64_t tiles) {
    count_ = tiles;
    std::vector<Statement> channels = {declare_products(outputs_ / lanes_)};
    append(channels, loop::nest({{"i", size_}, {"j", size_}}, multiply(0)));
    append(channels, transform_outputs(0, var("ob") * outputs_));
    return {declare_transformed(), transform_inputs(),
            scope("ob", output_blocks_, std::move(channels))};
  }

  /// Both hold a matrix of tiles and channels for each element of the transform. One row more sets
  /// these matrices apart, lest all of them map to the same places of the cache.
  Statement declare_transformed() const {
    return loop::make_scratch("transformed", {size_, size_, channel_blocks_ * count_ + 1, lanes_});
  }
  Statement declare_products(int64_t vectors) const {
    return loop::make_scratch("products", {size_, size_, vectors * count_ + 1, lanes_});
  }
  loop::Access transformed_at(Index i, Index j, const Index &tile, const Index &channel) const {
    return {"transformed",
            {std::move(i), std::move(j), channel / lanes_ * count_ + tile, channel % lanes_}};
  }
  loop::Access products_at(Index i, Index j, const Index &tile, const Index &channel) const {
    return {"products",
            {std::move(i), std::move(j), channel / lanes_ * count_ + tile, channel % lanes_}};
  }

  struct Place {
    Index image, row, column; // of the tile's first result
  };
  Place place() const {
    const Index tile = first_ + var("t");
    const int64_t plane = rows_ * columns_;
    return {images_ == 1 ? Index(0) : tile / plane,
            (images_ == 1 ? tile : tile % plane) / columns_ * m_, tile % columns_ * m_};
  }

  Statement transform_inputs() const {
    const Place at = place();
    const Index channel = var("icb") * lanes_ + var("c");
    std::vector<Statement> columns, rows;
    std::vector<Expression> x, e;
    for (int64_t i = 0; i < size_; ++i) {
      x.push_back(lowering_.read(
          0, {at.image, channel, at.row + i - conv_.pad[0], at.column + var("j") - conv_.pad[1]}));
      e.push_back(loop::load("half", {var("i"), Index(i)}));
    }
    std::vector<Expression> y = LinearMap(columns).by_row_pairs(matrices_.input, x);
    for (int64_t i = 0; i < size_; ++i)
      columns.push_back(
          loop::make_assign({"half", {Index(i), var("j")}}, std::move(y[static_cast<size_t>(i)])));
    y = LinearMap(rows).by_row_pairs(matrices_.input, e);
    for (int64_t j = 0; j < size_; ++j)
      rows.push_back(loop::make_assign(transformed_at(var("i"), j, var("t"), channel),
                                       std::move(y[static_cast<size_t>(j)])));
    std::vector<Statement> body = {loop::make_register("half", {size_, size_}),
                                   unrolled("j", size_, std::move(columns)),
                                   unrolled("i", size_, std::move(rows))};
    return std::move(
        loop::nest({{"icb", channel_blocks_}, {"t", count_}, {"c", lanes_}}, std::move(body))
            .front());
  }

  /// The products for the output channels from ob * outputs_ on; in `products` they begin at
  /// `first`.
  std::vector<Statement> multiply(const Index &first) const {
    const Index channel = var("ob") * outputs_ + var("oc");
    std::vector<Statement> body;
    loop::Expression sum = dot_.append_to(body, [&](const Index &ic) {
      const loop::Access input = transformed_at(var("i"), var("j"), var("p"), ic);
      return load(input) * lowering_.read(1, {channel, ic, var("i"), var("j")});
    });
    body.push_back(loop::make_assign(products_at(var("i"), var("j"), var("p"), first + var("oc")),
                                     std::move(sum)));
    return loop::nest({{"p", count_}, {"oc", outputs_}}, std::move(body));
  }

  /// Results of the output channels from `channel` on, which stand in `products` from `first` on.
  std::vector<Statement> transform_outputs(const Index &first, const Index &channel) const {
    const Index out = channel + var("o");
    std::vector<Statement> columns, rows;
    std::vector<Expression> x, e;
    for (int64_t i = 0; i < size_; ++i) {
      loop::Access product = products_at(i, var("j"), var("t"), first + var("o"));
      x.push_back(loop::load(product.buffer, product.subscripts));
      e.push_back(loop::load("half", {var("i"), Index(i)}));
    }
    std::vector<Expression> y = LinearMap(columns).by_column_pairs(matrices_.output, x);
    for (int64_t i = 0; i < m_; ++i)
      columns.push_back(
          loop::make_assign({"half", {Index(i), var("j")}}, std::move(y[static_cast<size_t>(i)])));
    y = LinearMap(rows).by_column_pairs(matrices_.output, e);
    for (int64_t j = 0; j < m_; ++j) {
      Expression value = std::move(y[static_cast<size_t>(j)]);
      if (lowering_.has_operand(2))
        value = std::move(value) + lowering_.read(2, {out});
      rows.push_back(loop::make_assign({"tile", {var("i"), Index(j)}}, std::move(value)));
    }
    std::vector<Statement> body = {
        loop::make_register("half", {m_, size_}), loop::make_register("tile", {m_, m_}),
        unrolled("j", size_, std::move(columns)), unrolled("i", m_, std::move(rows))};
    const bool whole = result_[2] % m_ == 0 && result_[3] % m_ == 0;
    append(body, whole ? store(out) : store_edges(out));
    std::vector<Statement> result;
    if (!whole)
      result.push_back(loop::make_scratch("edge", {m_, m_, outputs_}));
    append(result, loop::nest({{"t", count_}, {"o", outputs_}}, std::move(body)));
    return result;
  }

  std::vector<Statement> store(const Index &channel) const {
    const Place at = place();
    Statement write = lowering_.write({at.image, channel, at.row + var("i"), at.column + var("j")},
                                      loop::load("tile", {var("i"), var("j")}));
    return one(unrolled("i", m_, one(unrolled("j", m_, one(std::move(write))))));
  }

  /// The last tiles reach beyond the plane: loops over what is inside. They cannot count registers,
  /// hence the way through memory.
  std::vector<Statement> store_edges(const Index &channel) const {
    const Place at = place();
    Statement keep = loop::make_assign({"edge", {var("i"), var("j"), var("o")}},
                                       loop::load("tile", {var("i"), var("j")}));
    Statement write = lowering_.write({at.image, channel, at.row + var("i"), at.column + var("j")},
                                      loop::load("edge", {var("i"), var("j"), var("o")}));
    Statement columns = loop::make_for("j", m_, one(std::move(write)));
    std::get<loop::For>(columns.node).upper.push_back(Index(result_[3]) - at.column);
    Statement rows = loop::make_for("i", m_, one(std::move(columns)));
    std::get<loop::For>(rows.node).upper.push_back(Index(result_[2]) - at.row);
    std::vector<Statement> result =
        one(unrolled("i", m_, one(unrolled("j", m_, one(std::move(keep))))));
    result.push_back(std::move(rows));
    return result;
  }

  const Conv2d &conv_;
  Lowering &lowering_;
  const Dot dot_;
  const int64_t m_, size_; // tile of results, of inputs
  const WinogradMatrices matrices_;
  const std::vector<int64_t> result_;               // shape
  const int64_t rows_, columns_;                    // tiles of one image
  const int64_t images_, tiles_;                    // tiles of all images
  const int64_t channels_, lanes_, channel_blocks_; // of the input
  const int64_t outputs_, output_blocks_;           // channels of a block, blocks
  int64_t count_ = 0;                               // tiles of a block
  Index first_;                                     // tile of a block
};

} // namespace

Loops winograd_loops() {
  return {{"tb", Role::stage},     {"icb", Role::transform}, {"t", Role::transform},
          {"c", Role::transform},  {"i", Role::transform},   {"j", Role::transform},
          {"ob", Role::stage},     {"p", Role::pixels},      {"oc", Role::channels},
          {"ic", Role::reduction}, {"o", Role::transform}};
}

bool lower_winograd(const Conv2d &conv, Lowering &lowering) {
  const TensorType &input = lowering.operand(0), &filter = lowering.operand(1);
  if (filter.layout.winograd != conv.winograd)
    return lowering.error("the filter is not transformed for Winograd; run pack_weights");
  const int64_t lanes = lowering.result().layout.block_of(1);
  if (lanes < 2 || input.layout.block_of(1) != lanes || filter.layout.block_of(0) % lanes != 0 ||
      loop_extents(lowering.result())[1] % filter.layout.block_of(0) != 0)
    return lowering.error("Winograd needs channels in blocks of vectors, in input, result and "
                          "filter; leave layouts and schedule to the compiler");
  const Halo halo = halo_of(conv, input.shape, filter.shape, lowering.result().shape);
  if (!std::equal(halo.begin(), halo.end(), input.layout.halo.begin(), std::less_equal<>()))
    return lowering.error("the input has no halo as wide as the tiles of Winograd reach; run "
                          "assign_layouts before lower_loops");
  const std::optional<LoopFactor> tiles = lowering.take(&Schedule::stage, "tb");
  const std::optional<LoopFactor> outputs = lowering.take(&Schedule::stage, "ob");
  if (outputs && (tiles || outputs->size != 1))
    return lowering.error(outputs->range, "Winograd is done in stages of tiles, as in tb:28, or of "
                                          "one block of output channels, ob:1, not of both");
  Dot dot("ic", filter.shape[1], lanes);
  if (!dot.take_partial(lowering))
    return false;
  Winograd winograd(conv, lowering, std::move(dot));
  if (tiles)
    winograd.lower_by_tiles(tiles->size);
  else if (outputs)
    winograd.lower_by_outputs();
  else
    winograd.lower_at_once();
  return true;
}

} // namespace cnnc
