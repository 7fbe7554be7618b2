#include "ir/loop/integers.h"
#include "ir/loop/functions.h"

#include <algorithm>
#include <cmath>

namespace cnnc::loop {

namespace {

bool is_short_integer(DType dtype) { return is_integer(dtype) && size_of(dtype) <= 4; }

bool made_of_integers(const Expression &value, const DTypeOf &dtype_of) {
  switch (value.kind) {
  case Expression::Kind::number:
    return value.number == std::floor(value.number) && std::abs(value.number) < 0x1p31;
  case Expression::Kind::load: {
    const std::optional<DType> dtype = dtype_of(value.access.buffer);
    return dtype && is_short_integer(*dtype);
  }
  case Expression::Kind::value:
  case Expression::Kind::uniform:
    return false;
  case Expression::Kind::call:
    break;
  }
  const bool exact = value.function == Function::add || value.function == Function::sub ||
                     value.function == Function::mul || value.function == Function::min ||
                     value.function == Function::max || dot_width(value) > 0;
  return exact && std::ranges::all_of(value.arguments, [&](const Expression &argument) {
           return made_of_integers(argument, dtype_of);
         });
}

} // namespace

bool computes_integers(const Assign &assign, const DTypeOf &dtype_of) {
  return dtype_of(assign.target.buffer) == DType::i32 && made_of_integers(assign.value, dtype_of);
}

int64_t dot_width(const Expression &value) {
  if (value.kind != Expression::Kind::call)
    return 0;
  return value.function == Function::dot4 ? 4 : value.function == Function::dot2 ? 2 : 0;
}

std::string_view dot_in(const Expression &value) {
  if (dot_width(value) > 0)
    return name_of(value.function);
  for (const Expression &argument : value.arguments)
    if (const std::string_view inner = dot_in(argument); !inner.empty())
      return inner;
  return {};
}

} // namespace cnnc::loop
