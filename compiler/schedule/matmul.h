// Schedules of products of matrices: register tiles and blocks for the cache. A part of
// choose_schedule.
#pragma once

#include "compiler/codegen/target/machine.h"
#include "compiler/pass/decisions.h"
#include "ir/text/schedule.h"
#include "ir/type/type.h"

namespace cnnc {

/// The schedule of a kernel that begins with a product of matrices. A tile is rows of a times
/// vectors of columns of b: every vector of b is used for all rows, every element of a for all
/// vectors. One column has no neighbours: lanes are the products of its sums then.
Schedule schedule_matmul(const TensorType &a, const TensorType &result, const Machine &machine,
                         const Recorder &recorder = {});

} // namespace cnnc
