// Walks over statements that change accesses and indices in place. The tools of the loop passes.
#pragma once

#include "ir/loop/loop.h"

namespace cnnc::loop {

/// Calls `change` on every access, targets of assignments included, and on value(index) as if it
/// were an access without a name. Not on lookups, which are parts of the subscripts.
void for_each_access(std::vector<Statement> &body, const std::function<void(Access &)> &change);
void for_each_access(Expression &expression, const std::function<void(Access &)> &change);

/// Replaces every subscript and loop bound.
void rewrite_indices(std::vector<Statement> &body,
                     const std::function<Index(const Index &)> &change);

/// Replaces a variable in every subscript and bound; not where it is bound by a loop.
void substitute(std::vector<Statement> &body, const std::string &variable, const Index &value);

/// Replaces several variables at once: a value may mention a variable that is replaced, too.
using Replacements = std::vector<std::pair<std::string, Index>>;
Index substitute(const Index &index, const Replacements &replacements);
void substitute(std::vector<Statement> &body, const Replacements &replacements);

/// The chain of loops in which each holds nothing but the next, the first outermost.
std::vector<const For *> perfect_band(const Statement &statement);

/// Writes out the loops of this variable: registers have constant subscripts.
void unroll_loop(std::vector<Statement> &body, const std::string &variable);

/// Renames registers until none shares its name with another or with a buffer.
void make_registers_unique(Kernel &kernel);

} // namespace cnnc::loop
