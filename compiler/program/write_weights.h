// The values of a model's constants, computed on several threads, in their layouts.
#pragma once

#include "compiler/program/program.h"
#include "compiler/support/jobs.h"

#include <cstdlib>
#include <memory>

namespace cnnc {

/// What the constants of a model are computed from.
struct WeightsSource {
  const ProgramLayout &program;
  const Graph &model;
  const Constants &constants;
  JobOptions jobs = {};
};

struct FreeMemory {
  void operator()(void *memory) const { std::free(memory); }
};
using WeightsMemory = std::unique_ptr<void, FreeMemory>;

/// The constants in one block of memory, each at its offset; nothing is written into the gaps
/// between them. Null after an error has been reported.
WeightsMemory compute_weights(const WeightsSource &source, Diagnostics &diagnostics);

/// Takes one constant's bytes, which begin at `offset`. Called on several threads at a time.
/// Returns false after it has reported an error.
using WeightsSink = std::function<bool(uint64_t offset, std::span<const std::byte> bytes,
                                       Diagnostics &diagnostics)>;

/// Hands the constants to `sink`, in any order. Besides what one constant needs, those in memory at
/// a time take at most 128 MiB.
bool write_weights(const WeightsSource &source, const WeightsSink &sink, Diagnostics &diagnostics);

} // namespace cnnc
