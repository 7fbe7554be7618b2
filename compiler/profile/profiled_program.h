// One program whose kernels are timed, by the profiling hook of the runtime.
#pragma once

#include "compiler/cnnc.h"

namespace cnnc {

/// A program on its inputs, into the same outputs and the same workspace each time. Refers to the
/// program and the inputs.
class ProfiledProgram {
public:
  ProfiledProgram(const Program &program, std::span<const void *const> inputs, uint32_t threads,
                  int64_t batch);

  /// Seconds of one run.
  Result<double> run();
  /// Of the last run; of a symbolic batch, of all images.
  const std::vector<double> &kernel_seconds() const { return seconds_; }
  /// What the last run computed.
  const std::vector<std::vector<std::byte>> &outputs() const { return outputs_; }

  size_t workspace_size() const { return workspace_.size(); }

  /// What kernels and threads do when, in a run of its own.
  Result<std::vector<Profile::Span>> trace();

private:
  Result<void> call(const cnnc_context &context);

  const Program &program_;
  std::span<const void *const> inputs_;
  std::vector<std::byte> workspace_;
  std::vector<double> seconds_;
  std::vector<std::vector<std::byte>> outputs_;
  std::vector<void *> output_pointers_;
  cnnc_context context_ = {};
};

} // namespace cnnc
