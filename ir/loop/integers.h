// Which assignments are computed in i32 rather than in f32: loop.h, "All arithmetic".
#pragma once

#include "ir/loop/loop.h"

#include <functional>

namespace cnnc::loop {

/// The element type of a buffer, table or register; empty when there is none of this name.
using DTypeOf = std::function<std::optional<DType>(const std::string &name)>;

/// Whether the value of an assignment is made of integers of at most 32 bits alone (elements, whole
/// numbers, their sums, differences and products, dot4), and its target is an i32.
bool computes_integers(const Assign &assign, const DTypeOf &dtype_of);

/// Whether a value has a dot4 somewhere.
bool has_dot4(const Expression &value);

} // namespace cnnc::loop
