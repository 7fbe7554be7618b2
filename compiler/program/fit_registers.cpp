#include "compiler/program/fit_registers.h"

#include "compiler/codegen/kernels.h"

namespace cnnc {

namespace {

constexpr int most_attempts = 4;

std::optional<codegen::CompiledObject>
compile(const loop::Kernel &kernel, const codegen::Target &target, Diagnostics &diagnostics) {
  const loop::Kernel *one[] = {&kernel};
  auto objects = codegen::compile_kernels(one, target, diagnostics);
  return objects ? std::optional(std::move(objects->front())) : std::nullopt;
}

} // namespace

const UntiledKernel *Retiling::find(const std::string &kernel) const {
  auto found = untiled.find(kernel);
  return found == untiled.end() ? nullptr : &found->second;
}

std::string tile_text(const Schedule &schedule) {
  Schedule tile;
  tile.tile = schedule.tile;
  return to_string(tile);
}

bool shrink_pixels(Schedule &schedule, const Loops &loops) {
  for (Role role : {Role::rows, Role::pixels})
    for (LoopFactor &tile : schedule.tile)
      if (const LoopSpec *loop = find_loop(loops, tile.loop);
          loop && loop->role == role && tile.size > 1) {
        tile.size -= role == Role::rows ? 1 : std::max<int64_t>(1, tile.size / 6);
        return true;
      }
  return false;
}

std::optional<loop::Kernel> run_loop_passes(loop::Kernel untiled, const std::string &name,
                                            const Schedule &schedule, const Retiling &retiling) {
  Module module;
  module.kernels.push_back(std::move(untiled));
  module.kernels.front().name = name;
  module.kernels.front().schedule = schedule;
  PassContext context = retiling.context;
  if (!run_passes(retiling.passes, module, context))
    return std::nullopt;
  return std::move(module.kernels.front());
}

std::optional<FittedTile> fit_registers(const UntiledKernel &untiled, const std::string &symbol,
                                        unsigned spills, const Retiling &retiling,
                                        const codegen::Target &target, Record &record) {
  std::optional<FittedTile> best;
  Schedule schedule = untiled.kernel.schedule;
  for (int attempt = 0; attempt < most_attempts && spills > 0; ++attempt) {
    if (!shrink_pixels(schedule, untiled.loops))
      break;
    std::optional<loop::Kernel> tiled = run_loop_passes(untiled.kernel, symbol, schedule, retiling);
    std::optional<codegen::CompiledObject> object;
    if (tiled)
      object = compile(*tiled, target, retiling.context.diagnostics);
    if (!object)
      return std::nullopt;
    const unsigned now = object->numbers.spilled_accumulators;
    record.candidate(tile_text(schedule), now);
    if (now >= spills)
      continue;
    spills = now;
    best = FittedTile{schedule, std::move(*object)};
  }
  return best;
}

} // namespace cnnc
