// What this machine can do at all, measured by code that the compiler makes from kernels of the
// loops text: fused multiply-adds and dot products on registers, and reading memory. Measure them
// in turn with what is compared with them, because a shared machine changes from second to second.
#pragma once

#include "compiler/cnnc.h"

namespace cnnc {

/// A program with memory for its tensors; its inputs are ones.
class MeasuredProgram {
public:
  /// For a text that compiles, for the CPU that the options name.
  MeasuredProgram(const std::string &text, const Options &options, uint32_t threads);
  /// Wall time of one run in seconds.
  double run();
  const cnnc_model_v1 &table() const { return program_.table(); }

private:
  Program program_;
  cnnc_context context_ = {};
  std::vector<std::vector<float>> tensors_;
  std::vector<const void *> inputs_;
  std::vector<void *> outputs_;
};

/// The highest rate of fused multiply-adds on f32 vectors of the CPU that the options name.
class FmaPeak {
public:
  explicit FmaPeak(const Options &options = {}, uint32_t threads = 1);
  /// Operations per second, two for each multiply-add; the best of three passes of 0.1 ms.
  double measure();

private:
  double operations_ = 0; // of a run
  MeasuredProgram program_;
};

/// The highest rate of sums of products of integers: of four bytes, or of two numbers of 16 bits.
class DotPeak {
public:
  explicit DotPeak(int64_t products, const Options &options = {}, uint32_t threads = 1);
  /// Operations per second, two for each product, as FmaPeak measures them.
  double measure();

private:
  double operations_ = 0; // of a run
  MeasuredProgram program_;
};

/// Bytes per second at which `threads` read what no cache holds (128 MiB); the best of five passes.
double read_bandwidth(const Options &options, uint32_t threads);

} // namespace cnnc
