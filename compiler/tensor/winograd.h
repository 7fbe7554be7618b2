// Winograd's minimal filtering F(m x m, 3x3): an m x m tile of a convolution's result from the
// (m + 2) x (m + 2) inputs that its windows cover, with (m + 2)^2 multiplications instead of 9 m^2.
//
//   Y = A^T [ (G g G^T) * (B^T d B) ] A          g: filter, d: inputs, Y: results
//
// Source: A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016; the matrices
// after the construction of Cook and Toom from the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity.
#pragma once

#include "compiler/tensor/tensor.h"

#include <vector>

namespace cnnc {

using Matrix = std::vector<std::vector<double>>; // rows

/// For tiles of m in [smallest_winograd, largest_winograd]. All elements of `output` and `input`
/// are exact as floats.
struct WinogradMatrices {
  Matrix output; // A^T: m rows, m + 2 columns
  Matrix filter; // G: m + 2 rows, 3 columns
  Matrix input;  // B^T: m + 2 rows and columns
};
WinogradMatrices winograd_matrices(int64_t m);

/// G g G^T for every filter of a tensor [oc, ic, 3, 3]: [oc, ic, m + 2, m + 2]. In double, rounded
/// once to f32, and from there to the type of a filter of 16 bits.
Tensor winograd_filter(const Tensor &filter, int64_t m);

} // namespace cnnc
