// A model in this process with memory for its tensors, as the benchmarks run it.
#pragma once

#include "compiler/cnnc.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

/// The compiled model; ends the program with the diagnostics when there is an error.
inline cnnc::Program jit_or_exit(const cnnc::Result<cnnc::Model> &model) {
  cnnc::Result<cnnc::Program> program =
      model ? cnnc::jit(*model)
            : cnnc::Result<cnnc::Program>(cnnc::Error{std::string(model.error())});
  if (!program) {
    std::fprintf(stderr, "%s", std::string(program.error()).c_str());
    std::exit(1);
  }
  return *program;
}

inline cnnc::Program jit_text(const std::string &text) { return jit_or_exit(cnnc::parse(text)); }

class Runner {
public:
  /// With the name of a kernel, run() returns its time, else that of the whole model.
  explicit Runner(cnnc::Program program, std::string_view kernel = {}, uint32_t threads = 1)
      : program_(std::move(program)) {
    const cnnc_model_v1 &table = program_.table();
    input_.assign(table.inputs[0].size / sizeof(float), 0.001F);
    output_.resize(table.outputs[0].size / sizeof(float));
    workspace_.resize(table.workspace_size + table.workspace_alignment);
    context_.threads = threads;
    if (kernel.empty())
      return;
    while (table.kernel_names[kernel_] != kernel)
      ++kernel_;
    context_.profile_user = this;
    context_.profile = [](void *self, uint32_t index, uint64_t nanoseconds, const void *) {
      auto *runner = static_cast<Runner *>(self);
      if (index == runner->kernel_)
        runner->seconds_ = static_cast<double>(nanoseconds) * 1e-9;
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
    if (!program_.run({input_.data()}, {output_.data()}, &context_, workspace))
      std::abort();
    std::chrono::duration<double> whole = std::chrono::steady_clock::now() - start;
    return context_.profile ? seconds_ : whole.count();
  }

private:
  cnnc::Program program_;
  cnnc_context context_ = {};
  uint32_t kernel_ = 0;
  double seconds_ = 0;
  std::vector<float> input_, output_;
  std::vector<unsigned char> workspace_;
};

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}
