// How long kernels should take on one core: from shapes, register tiles and the machine. An
// operation at peak is half of a fused multiply-add of one lane, as in profiles.
//
// Three things take time: the arithmetic, with lanes and parts of tiles that nothing needs; waiting
// for loads, for sums and for a kernel to begin; and the bytes that no cache has. These are read and
// written while the core computes, but for a part of the shorter of both (convolution_work.h). The
// constants were measured on the kernels of the networks in examples/nets (BENCHMARKS.md).
#pragma once

#include "compiler/codegen/target/machine.h"
#include "ir/graph/graph.h"

namespace cnnc {

struct KernelTime {
  double arithmetic = 0;   // operations at peak
  double waiting = 0;      // as many of them would take as long
  double memory_bytes = 0; // beyond the caches

  /// In operations at peak, by the bandwidth that the machine is known for.
  double operations(const Machine &machine) const;
  /// In seconds, with so many operations and bytes a second.
  double seconds(double peak, double bandwidth) const;
};

/// A register tile: vectors of channels, or of what else is in lanes, times rows times pixels.
struct TileSize {
  int64_t vectors = 0, rows = 0, pixels = 0; // all 0 where there is none

  int64_t accumulators() const { return vectors * rows * pixels; }
};

/// The times of a graph's kernels, whose values have types and layouts. A symbolic batch is one
/// image.
class KernelTimes {
public:
  KernelTimes(const Graph &graph, const Machine &machine);

  /// `tile`: of its schedule. `in_lanes`: whether this vectorises the kernel at all.
  KernelTime of(KernelId kernel, const TileSize &tile, bool in_lanes) const;

private:
  /// Bytes of the constants that a kernel reads.
  double weights_of(KernelId kernel) const;
  /// Whether the second cache has nothing left of a value when it is read.
  bool is_driven_out(ValueId value) const;

  const Graph &graph_;
  Machine machine_;
  std::vector<std::vector<NodeId>> members_;
  std::vector<KernelInterface> interfaces_;
  bool weights_stay_ = false; // in the cache, from run to run
};

} // namespace cnnc
