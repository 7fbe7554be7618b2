#include "compiler/program/fit_registers.h"

#include "compiler/codegen/kernels.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

constexpr int most_attempts = 4;

std::string spell_tile(const Schedule &schedule) {
  Schedule tile;
  tile.tile = schedule.tile;
  return to_string(tile);
}

/// A kernel cut in one way, and its code.
struct Cut {
  loop::Kernel kernel;
  codegen::CompiledObject object;
  std::string tile;
};

class Fitter {
public:
  explicit Fitter(Session &session)
      : session_(session), machine_(codegen::machine_of(session.target())) {
    passes_ = default_pipeline();
    std::erase_if(passes_, [](const Pass *pass) { return !pass->kernel; });
  }

  bool fit(loop::Kernel &kernel, codegen::CompiledObject &object) {
    if (object.spilled_accumulators == 0)
      return true;
    const loop::Kernel *uncut = session_.uncut_kernel(kernel.name);
    if (!uncut) {
      remark(fmt::format("{}: the register tile does not fit the registers, {} of its "
                         "accumulators are spilled; a smaller one in its schedule would be faster",
                         kernel.name, object.spilled_accumulators));
      return true;
    }
    std::optional<Cut> best = smaller(*uncut, kernel.name, object.spilled_accumulators);
    if (!best)
      return !session_.has_errors();
    remark(fmt::format("{}: {} spills {} accumulators; compiled with {}, which spills {}",
                       kernel.name, spell_tile(uncut->schedule), object.spilled_accumulators,
                       best->tile, best->object.spilled_accumulators));
    kernel = std::move(best->kernel);
    object = std::move(best->object);
    return true;
  }

private:
  /// The best of smaller tiles. Empty when none spills less, or after an error.
  std::optional<Cut> smaller(loop::Kernel candidate, const std::string &symbol, unsigned spills) {
    std::optional<Cut> best;
    candidate.name = symbol;
    for (int attempt = 0; attempt < most_attempts && spills > 0; ++attempt) {
      if (!shrink_pixels(candidate.schedule))
        break;
      std::optional<Cut> cut = compile(candidate);
      if (!cut)
        return std::nullopt;
      if (cut->object.spilled_accumulators >= spills)
        continue;
      spills = cut->object.spilled_accumulators;
      best = std::move(cut);
    }
    return best;
  }

  std::optional<Cut> compile(const loop::Kernel &uncut) {
    Module module;
    module.kernels.push_back(uncut);
    PassContext context{session_.diagnostics(), machine_, {}};
    if (!run_passes(passes_, module, context))
      return std::nullopt;
    loop::Kernel &kernel = module.kernels.front();
    codegen::NamedKernel named{&kernel, kernel.name};
    auto objects = codegen::compile_kernels({&named, 1}, session_.target(), session_.diagnostics());
    if (!objects)
      return std::nullopt;
    return Cut{std::move(kernel), std::move(objects->front()), spell_tile(uncut.schedule)};
  }

  void remark(const std::string &text) {
    if (session_.options().remark)
      session_.options().remark(text);
  }

  Session &session_;
  Machine machine_;
  std::vector<const Pass *> passes_;
};

} // namespace

bool shrink_pixels(Schedule &schedule) {
  for (const char *loop : {"oh", "i", "ow"}) // i: rows of a product of matrices
    for (LoopFactor &tile : schedule.tile)
      if (tile.loop == loop && tile.size > 1) {
        tile.size -= tile.loop != "ow" ? 1 : std::max<int64_t>(1, tile.size / 6);
        return true;
      }
  return false;
}

bool fit_registers(Session &session, std::vector<loop::Kernel> &kernels,
                   std::vector<codegen::CompiledObject> &objects) {
  Fitter fitter(session);
  bool ok = true;
  for (size_t i = 0; i < kernels.size(); ++i)
    ok = fitter.fit(kernels[i], objects[i]) && ok;
  return ok;
}

} // namespace cnnc
