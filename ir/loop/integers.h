// Which assignments are computed in i32 rather than in f32: loop.h, "All arithmetic".
#pragma once

#include "ir/loop/loop.h"

#include <functional>

namespace cnnc::loop {

/// The element type of a buffer, table or register; empty when there is none of this name.
using DTypeOf = std::function<std::optional<DType>(const std::string &name)>;

/// Whether the value of an assignment is made of integers of at most 32 bits alone (elements, whole
/// numbers, their sums, differences, products and extremes, dot2, dot4), and its target is an i32.
bool computes_integers(const Assign &assign, const DTypeOf &dtype_of);

/// The neighbours of each buffer that an expression multiplies: 4 of a dot4, 2 of a dot2, else 0.
int64_t dot_width(const Expression &value);

/// The name of the first dot product in a value, empty when it has none.
std::string_view dot_in(const Expression &value);

} // namespace cnnc::loop
