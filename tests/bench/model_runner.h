// One model with memory for its tensors, as the benchmarks run it. Needs nothing of the compiler.
#pragma once

#include <cnnc_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string_view>
#include <sys/mman.h>
#include <vector>

inline double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

inline double least(const std::vector<double> &values) {
  return *std::min_element(values.begin(), values.end());
}

/// A workspace as the runtime itself allocates them: in large pages when it is large.
class Workspace {
public:
  Workspace(const cnnc_model_v1 &table, uint32_t threads) {
    constexpr size_t large_page = size_t(2) << 20;
    size_t size = std::max<size_t>(cnnc_workspace_size(&table, threads), 1);
    size_t alignment = size >= large_page ? large_page : table.workspace_alignment;
    size_t rounded = (size + alignment - 1) / alignment * alignment;
    memory_.reset(std::aligned_alloc(alignment, rounded));
    if (alignment == large_page)
      madvise(memory_.get(), rounded, MADV_HUGEPAGE); // a wish
  }
  void *get() const { return memory_.get(); }

private:
  struct Free {
    void operator()(void *memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
};

/// Runs one model on the same inputs, uniform in [-1, 1), each time into the same outputs and the
/// same workspace, all allocated once. One image when the batch is symbolic, f32 inputs only.
class ModelRunner {
public:
  /// With `profile`, run() also takes the time of each kernel. The table must outlive this.
  explicit ModelRunner(const cnnc_model_v1 &table, uint32_t threads = 1, bool profile = false)
      : table_(table) {
    set_threads(threads);
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
    for (std::vector<unsigned char> &output : outputs_)
      output_pointers_.push_back(output.data());
    if (!profile)
      return;
    kernel_seconds_.resize(table.kernel_count);
    context_.profile_user = kernel_seconds_.data();
    context_.profile = [](void *seconds, uint32_t kernel, uint64_t nanoseconds, const void *) {
      static_cast<double *>(seconds)[kernel] = static_cast<double>(nanoseconds) * 1e-9;
    };
  }
  ModelRunner(const ModelRunner &) = delete;
  ModelRunner &operator=(const ModelRunner &) = delete;

  /// With a workspace for so many: kernels have scratch memory for each thread.
  void set_threads(uint32_t threads) {
    if (!workspace_ || threads > context_.threads)
      workspace_.emplace(table_, threads);
    context_.threads = threads;
  }

  /// Runs the model once; wall time in seconds.
  double run() {
    auto start = std::chrono::steady_clock::now();
    if (table_.run(input_pointers_.data(), output_pointers_.data(), workspace_->get(), &context_) !=
        CNNC_OK) {
      std::fprintf(stderr, "error: the model @%s does not run\n", table_.name);
      std::exit(1);
    }
    std::chrono::duration<double> whole = std::chrono::steady_clock::now() - start;
    return whole.count();
  }

  const cnnc_model_v1 &table() const { return table_; }
  const std::vector<std::vector<float>> &inputs() const { return inputs_; }
  std::vector<float> &input(size_t index) { return inputs_[index]; }
  const std::vector<unsigned char> &output(size_t index) const { return outputs_[index]; }

  /// In the last run, with `profile`.
  const std::vector<double> &kernel_seconds() const { return kernel_seconds_; }
  double kernel_seconds(std::string_view name) const {
    size_t kernel = 0;
    while (table_.kernel_names[kernel] != name)
      ++kernel;
    return kernel_seconds_[kernel];
  }

private:
  const cnnc_model_v1 &table_;
  std::optional<Workspace> workspace_;
  cnnc_context context_ = {};
  std::vector<double> kernel_seconds_;
  std::vector<std::vector<float>> inputs_;
  std::vector<std::vector<unsigned char>> outputs_;
  std::vector<const void *> input_pointers_;
  std::vector<void *> output_pointers_;
};
