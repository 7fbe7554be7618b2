// The rules of the loops text, checked after lowering and after every loop pass.
//
//  Names
//   1. Buffers have different names.
//   2. A register lives until its block ends, and has neither the name of a buffer nor that of a
//      register alive.
//   3. A loop variable differs from those of the loops around it.
//   4. Only buffers, registers and variables in scope are used.
//   5. Names can be read back by the parser and are no words of the text (words.h).
//  Accesses
//   6. There are as many subscripts as dimensions, each proved to stay inside its dimension by the
//      ranges of the loops around (range.h).
//   7. Inputs are never assigned; registers are assigned before they are read.
//   8. Lookups read tables of i32, or inputs of i32 or i64 with a limit.
//  Loops
//   9. Constant bounds do not run backwards.
//  10. `vector` and `unroll` have a constant extent of at least one, `vector` of 64 at most.
//  11. A vector loop holds assignments only.
//  12. Unrolling writes out no more than 65536 assignments.
//  13. `parallel` stands inside no other loop, and no register lives across its braces.
//  Types and sizes
//  14. Registers are f32, tables i32 or f32.
//  15. The bytes of a buffer fit in 48 bits; a register has up to 65536 elements, a table 2^20.
//  16. No number in an index is beyond 2^40, and value(index) fits 32 bits.
#pragma once

#include "ir/loop/loop.h"

namespace cnnc::loop {

/// Reports every violation at its statement, or at the kernel when a pass made the statement.
bool verify(const Kernel &kernel, Diagnostics &diagnostics);

/// Reports every loop that the schedule of a text names but that the kernel does not have. Not a
/// part of verify(): passes may join loops that a schedule still names.
bool verify_schedule(const Kernel &kernel, Diagnostics &diagnostics);

/// The part of verify() that proves every access inside its buffer. Accesses that break the other
/// rules (unknown names, wrong number of subscripts) are passed over.
bool verify_bounds(const Kernel &kernel, Diagnostics &diagnostics);

} // namespace cnnc::loop
