// Walks over statements: those that look, and those that change accesses and indices in place. The
// tools of the loop passes.
#pragma once

#include "ir/loop/loop.h"

#include <set>
#include <span>

namespace cnnc::loop {

/// Calls `look` on every statement at any depth, on a loop before what is inside of it.
void for_each_statement(std::span<const Statement> body,
                        const std::function<void(const Statement &)> &look);

/// Calls `look` or `change` on every access, targets of assignments included, and on value(index)
/// as if it were an access without a name. Not on lookups, which are parts of the subscripts.
void for_each_access(std::span<const Statement> body,
                     const std::function<void(const Access &)> &look);
void for_each_access(std::vector<Statement> &body, const std::function<void(Access &)> &change);
void for_each_access(Expression &expression, const std::function<void(Access &)> &change);

/// Names of the buffers and registers that statements load from, or add to.
std::set<std::string> reads(std::span<const Statement> body);
/// Names of those that they assign or add to.
std::set<std::string> writes(std::span<const Statement> body);

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

/// The loops that a schedule can name, in the order of the text: `oc` also where passes have cut it
/// into oc.o and oc.i.
std::vector<std::string> schedulable_loops(const std::vector<Statement> &body);

/// Renames registers until none shares its name with another or with a buffer.
void make_registers_unique(Kernel &kernel);

} // namespace cnnc::loop
