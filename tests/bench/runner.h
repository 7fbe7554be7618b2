// A model in this process with memory for its tensors, as the benchmarks run it.
#pragma once

#include "compiler/cnnc.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

/// The value, or the end of the program with the diagnostics.
template <class T> T value_or_exit(cnnc::Result<T> result) {
  if (result)
    return std::move(*result);
  std::fprintf(stderr, "%s", std::string(result.error()).c_str());
  std::exit(1);
}

inline cnnc::Program jit_text(const std::string &text, const cnnc::Options &options = {}) {
  return value_or_exit(cnnc::jit(value_or_exit(cnnc::parse(text)), options));
}

inline double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

inline double least(const std::vector<double> &values) {
  return *std::min_element(values.begin(), values.end());
}

/// Runs one model on the same inputs, uniform in [-1, 1), each time into the same outputs and the
/// same workspace, all allocated once. One image when the batch is symbolic, f32 inputs only.
class Runner {
public:
  /// With `profile`, run() also takes the time of each kernel.
  explicit Runner(cnnc::Program program, uint32_t threads = 1, bool profile = false)
      : program_(std::move(program)) {
    const cnnc_model_v1 &table = program_.table();
    std::minstd_rand generator(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (uint32_t i = 0; i < table.input_count; ++i) {
      inputs_.emplace_back(table.inputs[i].size / sizeof(float));
      std::generate(inputs_.back().begin(), inputs_.back().end(),
                    [&] { return uniform(generator); });
    }
    for (uint32_t i = 0; i < table.output_count; ++i)
      outputs_.emplace_back(table.outputs[i].size);
    for (const std::vector<float> &input : inputs_)
      input_pointers_.push_back(input.data());
    for (std::vector<std::byte> &output : outputs_)
      output_pointers_.push_back(output.data());
    workspace_.resize(table.workspace_size + table.workspace_alignment);
    context_.threads = threads;
    if (!profile)
      return;
    kernel_seconds_.resize(table.kernel_count);
    context_.profile_user = kernel_seconds_.data();
    context_.profile = [](void *seconds, uint32_t kernel, uint64_t nanoseconds, const void *) {
      static_cast<double *>(seconds)[kernel] = static_cast<double>(nanoseconds) * 1e-9;
    };
  }
  Runner(const Runner &) = delete;
  Runner &operator=(const Runner &) = delete;

  /// Runs the model once; wall time in seconds.
  double run() {
    auto address = reinterpret_cast<uintptr_t>(workspace_.data());
    size_t alignment = program_.table().workspace_alignment;
    void *workspace = workspace_.data() + (alignment - address % alignment) % alignment;
    auto start = std::chrono::steady_clock::now();
    if (!program_.run(input_pointers_, output_pointers_, &context_, workspace))
      std::abort();
    std::chrono::duration<double> whole = std::chrono::steady_clock::now() - start;
    return whole.count();
  }

  const cnnc_model_v1 &table() const { return program_.table(); }
  std::vector<float> &input(size_t index) { return inputs_[index]; }
  const std::vector<std::byte> &output(size_t index) const { return outputs_[index]; }

  /// In the last run, with `profile`.
  const std::vector<double> &kernel_seconds() const { return kernel_seconds_; }
  double kernel_seconds(std::string_view name) const {
    size_t kernel = 0;
    while (program_.table().kernel_names[kernel] != name)
      ++kernel;
    return kernel_seconds_[kernel];
  }

private:
  cnnc::Program program_;
  cnnc_context context_ = {};
  std::vector<double> kernel_seconds_;
  std::vector<std::vector<float>> inputs_;
  std::vector<std::vector<std::byte>> outputs_;
  std::vector<const void *> input_pointers_;
  std::vector<void *> output_pointers_;
  std::vector<unsigned char> workspace_;
};
