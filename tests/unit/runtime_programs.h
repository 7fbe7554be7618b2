// Programs made by hand for the tests of the runtime: what the code generator emits, in C++.
#pragma once

#include "program.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <vector>

namespace runtime_programs {

constexpr size_t alignment = 64;
constexpr int64_t loop_count = 1000;
constexpr uint32_t max_threads = 64;

struct alignas(alignment) Workspace {
  float values[64] = {};
};

// One image is four floats. The workspace holds the doubled input, the weights are added to it.
const float weights[8] = {0, 0, 0, 0, 1, 2, 3, 4};
const int64_t static_shape[2] = {1, 4};
const int64_t symbolic_shape[2] = {CNNC_SYMBOLIC_BATCH, 4};
const char *const kernel_names[] = {"twice", "add"};

inline void twice(cnnc_task *, void *const *buffers) {
  for (int i = 0; i < 4; ++i)
    static_cast<float *>(buffers[1])[i] = 2 * static_cast<const float *>(buffers[0])[i];
}

inline void add(cnnc_task *, void *const *buffers) {
  for (int i = 0; i < 4; ++i)
    static_cast<float *>(buffers[2])[i] =
        static_cast<const float *>(buffers[0])[i] + static_cast<const float *>(buffers[1])[i];
}

// A program of two kernels that touches all four spaces: output = 2 * input + weights[4..8].
struct TwoKernels {
  cnnc_tensor_v1 input = {"x", CNNC_F32, 2, static_shape, 4 * sizeof(float)};
  cnnc_tensor_v1 output = {"y", CNNC_F32, 2, static_shape, 4 * sizeof(float)};
  cnnc_buffer buffers[5] = {{CNNC_SPACE_INPUT, 0, 0},
                            {CNNC_SPACE_WORKSPACE, 0, 128},
                            {CNNC_SPACE_WORKSPACE, 0, 128},
                            {CNNC_SPACE_WEIGHTS, 0, 4 * sizeof(float)},
                            {CNNC_SPACE_OUTPUT, 0, 0}};
  cnnc_step steps[2] = {{twice, 0, 2}, {add, 2, 3}};
  cnnc_model_v1 model = {};
  cnnc_program_state state = {};
  cnnc_program program = {};

  explicit TwoKernels(bool symbolic = false) {
    if (symbolic)
      input.shape = output.shape = symbolic_shape;
    model.abi_version = CNNC_ABI_VERSION;
    model.input_count = model.output_count = 1;
    model.inputs = &input;
    model.outputs = &output;
    model.kernel_count = 2;
    model.kernel_names = kernel_names;
    model.workspace_size = sizeof(Workspace);
    model.workspace_alignment = alignment;
    program = {&model, reinterpret_cast<const unsigned char *>(weights),
               &state, buffers,
               steps,  2,
               0,      symbolic ? 1u : 0u};
  }
  TwoKernels(const TwoKernels &) = delete;
  TwoKernels &operator=(const TwoKernels &) = delete;

  cnnc_status run(const float *x, float *y, void *workspace, const cnnc_context *context) const {
    const void *inputs[] = {x};
    void *outputs[] = {y};
    return cnnc_program_run(&program, inputs, outputs, workspace, context);
  }
};

// A program of one kernel without inputs and weights: the kernel sees the output only.
struct OneKernel {
  cnnc_tensor_v1 output = {"y", CNNC_F32, 0, nullptr, 1};
  cnnc_buffer buffer = {CNNC_SPACE_OUTPUT, 0, 0};
  cnnc_step step;
  cnnc_model_v1 model = {};
  cnnc_program_state state = {};
  cnnc_program program = {};

  explicit OneKernel(void (*kernel)(cnnc_task *, void *const *)) : step{kernel, 0, 1} {
    model.output_count = 1;
    model.outputs = &output;
    model.workspace_alignment = alignment;
    program = {&model, nullptr, &state, &buffer, &step, 1, 0, 0};
  }
  OneKernel(const OneKernel &) = delete;
  OneKernel &operator=(const OneKernel &) = delete;

  cnnc_status run(void *output_data, const cnnc_context *context) const {
    void *outputs[] = {output_data};
    return cnnc_program_run(&program, nullptr, outputs, nullptr, context);
  }
};

inline cnnc_context with_threads(uint32_t threads) {
  cnnc_context context = {};
  context.threads = threads;
  return context;
}

// What a parallel kernel did: how often each iteration ran, and on which workers.
struct Visits {
  int64_t count = loop_count;
  std::atomic<uint32_t> times[loop_count] = {};
  std::atomic<uint32_t> by_worker[max_threads] = {};
  std::atomic<uint32_t> bad_worker{0};
  uint32_t threads = 1;
  uint32_t spin = 0; // work per iteration

  bool all_once() const {
    for (int64_t i = 0; i < loop_count; ++i)
      if (times[i] != (i < count ? 1u : 0u))
        return false;
    return bad_worker == 0;
  }
};

inline void visit(void *data, int64_t begin, int64_t end, uint32_t worker) {
  auto *visits = static_cast<Visits *>(data);
  if (worker >= visits->threads)
    ++visits->bad_worker;
  for (int64_t i = begin; i < end; ++i) {
    for (volatile uint32_t s = 0; s < visits->spin;)
      s = s + 1;
    ++visits->times[i];
    ++visits->by_worker[worker % max_threads];
  }
}

inline void visit_kernel(cnnc_task *task, void *const *buffers) {
  auto *visits = static_cast<Visits *>(buffers[0]);
  cnnc_parallel_for(task, visit, visits, visits->count);
}

} // namespace runtime_programs
