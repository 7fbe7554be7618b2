#include "compiler/reference/winograd.h"

#include "compiler/reference/floats.h"
#include "compiler/tensor/winograd.h"

#include <algorithm>

namespace cnnc::reference {

namespace {

/// rows * tile * the transpose of rows.
Matrix transformed(const Matrix &rows, const Matrix &tile) {
  Matrix half(rows.size(), std::vector<double>(tile.size(), 0.0));
  Matrix result(rows.size(), std::vector<double>(rows.size(), 0.0));
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < tile.size(); ++j)
      for (size_t k = 0; k < tile.size(); ++k)
        half[i][j] += rows[i][k] * tile[k][j];
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < rows.size(); ++j)
      for (size_t k = 0; k < tile.size(); ++k)
        result[i][j] += half[i][k] * rows[j][k];
  return result;
}

class Tiles {
public:
  Tiles(const Conv2d &op, const Operands &operands, const Types &types)
      : op_(op), input_(*operands[0]), m_(op.winograd), size_(m_ + 2),
        matrices_(winograd_matrices(m_)), filter_(winograd_filter(*operands[1], m_)),
        weights_(filter_), result_(types[0]) {
    if (operands.size() > 2)
      bias_ = operands[2]->floats();
  }

  Tensor run() {
    const std::vector<int64_t> &shape = result_.shape();
    for (int64_t n = 0; n < shape[0]; ++n)
      for (int64_t y = 0; y < shape[2]; y += m_)
        for (int64_t x = 0; x < shape[3]; x += m_)
          compute_tile(n, y, x);
    return std::move(result_);
  }

private:
  /// An element of the input, 0 beyond it.
  double input(int64_t n, int64_t channel, int64_t y, int64_t x) const {
    const std::vector<int64_t> &shape = input_.shape();
    const bool inside = y >= 0 && y < shape[2] && x >= 0 && x < shape[3];
    const int64_t at = ((n * shape[1] + channel) * shape[2] + y) * shape[3] + x;
    return inside ? static_cast<double>(input_.floats()[static_cast<size_t>(at)]) : 0;
  }

  /// The m x m results from the row y and the column x on, of all channels.
  void compute_tile(int64_t n, int64_t y, int64_t x) {
    const int64_t channels = input_.shape()[1];
    const auto size = static_cast<size_t>(size_);
    std::vector<Matrix> tiles;
    for (int64_t channel = 0; channel < channels; ++channel) {
      Matrix tile(size, std::vector<double>(size));
      for (int64_t i = 0; i < size_; ++i)
        for (int64_t j = 0; j < size_; ++j)
          tile[static_cast<size_t>(i)][static_cast<size_t>(j)] =
              input(n, channel, y + i - op_.pad[0], x + j - op_.pad[1]);
      tiles.push_back(transformed(matrices_.input, tile));
    }
    for (int64_t out = 0; out < result_.shape()[1]; ++out) {
      Matrix sums(size, std::vector<double>(size, 0.0));
      int64_t weight = out * channels * size_ * size_;
      for (const Matrix &tile : tiles)
        for (size_t i = 0; i < size; ++i)
          for (size_t j = 0; j < size; ++j)
            sums[i][j] += tile[i][j] * weights_[weight++];
      store(n, out, y, x, transformed(matrices_.output, sums));
    }
  }

  void store(int64_t n, int64_t out, int64_t y, int64_t x, const Matrix &tile) {
    const std::vector<int64_t> &shape = result_.shape();
    const double bias = bias_.empty() ? 0 : bias_[static_cast<size_t>(out)];
    for (int64_t i = 0; i < std::min(m_, shape[2] - y); ++i)
      for (int64_t j = 0; j < std::min(m_, shape[3] - x); ++j)
        result_.mutable_floats()[static_cast<size_t>(
            ((n * shape[1] + out) * shape[2] + y + i) * shape[3] + x + j)] =
            static_cast<float>(tile[static_cast<size_t>(i)][static_cast<size_t>(j)] + bias);
  }

  const Conv2d &op_;
  const Tensor &input_;
  const int64_t m_, size_;
  const WinogradMatrices matrices_;
  const Tensor filter_;
  const Floats weights_;
  std::span<const float> bias_;
  Tensor result_;
};

} // namespace

Tensors winograd(const Conv2d &op, const Operands &operands, const Types &types) {
  return {Tiles(op, operands, types).run()};
}

} // namespace cnnc::reference
