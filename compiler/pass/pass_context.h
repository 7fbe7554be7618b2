// What passes share: where errors go, and what they may know of the machine.
#pragma once

#include "ir/text/diagnostics.h"

#include <cstdint>
#include <functional>

namespace cnnc {

/// The target, as far as algorithms, layouts and schedules depend on it.
struct Machine {
  int64_t vector_lanes = 16;     // f32 elements of a vector register
  int64_t vector_registers = 32; // architectural vector registers
  /// Bytes that one core reads from memory in the time of one floating-point operation at peak.
  double bytes_per_operation = 0.15;
  int64_t cache_bytes = int64_t(1) << 20; // second-level cache of one core
};

struct PassContext {
  Diagnostics &diagnostics;
  Machine machine;
  /// Called for notes a user wants to see (the workspace size, a fallback to a slow path). May be
  /// empty.
  std::function<void(std::string)> remark;
  bool strict_arithmetic = false; // only algorithms that round no worse than the definition
};

} // namespace cnnc
