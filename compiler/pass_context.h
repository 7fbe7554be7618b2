// What passes share: where errors go, and what they may know of the machine.
#pragma once

#include "ir/text/diagnostics.h"

#include <cstdint>
#include <functional>

namespace cnnc {

/// The vector unit of the target, as far as layouts and schedules depend on it.
struct Machine {
  int64_t vector_lanes = 16;     // f32 elements of a vector register
  int64_t vector_registers = 32; // architectural vector registers
};

struct PassContext {
  Diagnostics &diagnostics;
  Machine machine;
  /// Called for notes a user wants to see (the workspace size, a fallback to a slow path). May be
  /// empty.
  std::function<void(std::string)> remark;
};

} // namespace cnnc
