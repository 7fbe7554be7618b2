// The functions of the loops text that are spelt name(arguments): one list for parser, printer and
// verifier.
#pragma once

#include "ir/loop/loop.h"

#include <span>

namespace cnnc::loop {

struct FunctionRow {
  std::string_view name;
  Function function;
  size_t arguments;
};

/// min, max, pow, exp ...; not the infix operators and `select`, which have a syntax of their own.
std::span<const FunctionRow> named_functions();

/// The name in the list; empty for the others.
std::string_view name_of(Function function);

/// How many arguments a function has, operators and select included.
size_t argument_count(Function function);

} // namespace cnnc::loop
