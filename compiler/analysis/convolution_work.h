// What convolutions cost, in operations at the peak of one core: constants that were measured, and
// what Winograd's method is made of. choose_algorithms decides by it, kernel_time.h estimates by it.
#pragma once

#include "compiler/codegen/target/machine.h"

#include <cstdint>
#include <vector>

namespace cnnc {

/// Part of the peak that direct convolution reaches, and the products of Winograd.
inline constexpr double direct_efficiency = 0.9;
inline constexpr double winograd_efficiency = 0.85;

/// Part of the time for reading weights from memory that adds to the time of the products.
inline constexpr double exposed_reads = 0.5;

/// A convolution with F(m x m, 3x3), of all images.
struct WinogradWork {
  double tiles = 0;
  double products = 0;          // two operations each multiply-add
  double transforms = 0;        // of inputs and results
  double filter_transforms = 0; // none where the compiler does that
  double weights = 0;           // elements of the transformed filter
};

/// `filter` and `result` are the logical shapes; a symbolic batch is one image. `known`: whether the
/// filter is a constant.
WinogradWork winograd_work(int64_t m, const std::vector<int64_t> &filter,
                           const std::vector<int64_t> &result, bool known, const Machine &machine);

} // namespace cnnc
