// Bounds checking: proves that every access stays inside its buffer, and changes nothing. Reports
// also results that are not written completely, and parallel loops whose iterations write the same
// elements (ir/loop/stores.h).
//
//   kernel @example(x: f32[58]) -> (y: f32[56]) {
//     for ow in 0..56, kw in 0..4 {
//       y[ow] = x[ow + kw]
//     }
//   }
// is refused
//   error: x[ow + kw] leaves its buffer: dimension 0 is in 0..58 but the subscript ow + kw runs
//     from 0 to 58
#include "compiler/loop_passes/loop_passes.h"
#include "ir/loop/stores.h"
#include "ir/loop/verifier.h"

namespace cnnc {

bool check_bounds(loop::Kernel &kernel, PassContext &context) {
  if (!loop::verify_bounds(kernel, context.diagnostics))
    return false;
  const bool written = loop::verify_results_written(kernel, context.diagnostics);
  return loop::verify_tasks_apart(kernel, context.diagnostics) && written;
}

} // namespace cnnc
