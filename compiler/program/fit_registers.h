// The guard against register tiles that are too large: choose_schedule counts registers, but LLVM
// may need more of them and spill accumulators. Such a kernel is tiled again with fewer pixels.
#pragma once

#include "compiler/codegen/object.h"
#include "compiler/lowering/loops.h"
#include "compiler/pipeline/pipeline.h"

#include <map>

namespace cnnc {

/// A kernel as lower_loops made it, and what its loops are.
struct UntiledKernel {
  loop::Kernel kernel;
  Loops loops;
};

/// How kernels are tiled again.
struct Retiling {
  /// By name, those whose tile the compiler chose, not the user.
  const std::map<std::string, UntiledKernel> &untiled;
  std::vector<const Pass *> passes; // the loop passes
  PassContext context;              // what they ran with before

  /// Null for a kernel whose tile is not to be changed.
  const UntiledKernel *find(const std::string &kernel) const;
};

/// Reduces the pixels of a tile by a row, or by a sixth of a row. Its channels stay, since the
/// weights are packed for them. False when there is only one pixel.
bool shrink_pixels(Schedule &schedule, const Loops &loops);

/// A kernel of that name with that schedule; empty after an error.
std::optional<loop::Kernel> run_loop_passes(loop::Kernel untiled, const std::string &name,
                                            const Schedule &schedule, const Retiling &retiling);

/// A smaller tile, and the code that has it.
struct FittedTile {
  Schedule schedule;
  codegen::CompiledObject object;
};

/// Of a few smaller tiles, candidates of the record, the one whose code spills the fewest
/// accumulators. Empty when none spills fewer than `spills`, or after an error.
std::optional<FittedTile> fit_registers(const UntiledKernel &untiled, const std::string &symbol,
                                        unsigned spills, const Retiling &retiling,
                                        const codegen::Target &target, Record &record);

/// Of a schedule the tile alone, for messages.
std::string tile_text(const Schedule &schedule);

} // namespace cnnc
