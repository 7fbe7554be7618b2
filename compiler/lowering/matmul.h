// The loops of a product of matrices, by the names that schedules use.
#pragma once

#include <string>
#include <vector>

namespace cnnc {

/// Names of the loops over the result of a product of this rank: b0, b1 ... for the dimensions in
/// front, i for rows, j for columns. The loop over the products of a sum is k.
std::vector<std::string> matmul_loops(size_t rank);

} // namespace cnnc
