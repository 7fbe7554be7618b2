// The CPU that kernels are compiled for: options resolved to LLVM's names, and what the passes may
// know of it.
#pragma once

#include "compiler/codegen/target/machine.h"
#include "ir/text/diagnostics.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cnnc::codegen {

struct Family; // family.h

/// The CPUs that this compiler itself runs on.
const Family &host_family();

/// A CPU of a family, on Linux. Kernels use the baseline of the family plus `features`, which holds
/// only extensions that a compiled model can check for when it runs; everything else that the CPU
/// has only guides instruction scheduling.
struct Target {
  const Family *family = &host_family();
  std::string cpu;           ///< LLVM's name: "haswell", "x86-64-v3"; the host's for native
  std::string features;      ///< LLVM's syntax: "+avx2,+fma"; empty for the baseline
  uint32_t required_cpu = 0; ///< `features` as bits that the runtime of the family knows

  /// `features` for people and for cnnc_model_v1.target_features: "avx2,fma".
  std::string feature_summary() const;
};

/// Resolves the options --cpu= and --features=. `cpu`: "" or "native" for this machine, or a name
/// that LLVM knows. `features`: comma-separated "+avx2", "-fma" or plain "avx2", applied after what
/// the CPU has. Reports an error with the nearest name for an unknown CPU or feature.
std::optional<Target> resolve_target(std::string_view cpu, std::string_view features,
                                     Diagnostics &diagnostics);

Machine machine_of(const Target &target);

/// True if this machine can run code compiled for the target.
bool runs_on_host(const Target &target);

} // namespace cnnc::codegen
