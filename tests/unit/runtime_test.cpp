// The runtime of compiled models, on programs made by hand: what the code generator emits, in C++.
#include "program.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

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

void twice(cnnc_task *, void *const *buffers) {
  for (int i = 0; i < 4; ++i)
    static_cast<float *>(buffers[1])[i] = 2 * static_cast<const float *>(buffers[0])[i];
}

void add(cnnc_task *, void *const *buffers) {
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
    program = {&model,
               reinterpret_cast<const unsigned char *>(weights),
               buffers,
               steps,
               2,
               0,
               symbolic ? 1u : 0u};
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
  cnnc_program program = {};

  explicit OneKernel(void (*kernel)(cnnc_task *, void *const *)) : step{kernel, 0, 1} {
    model.output_count = 1;
    model.outputs = &output;
    model.workspace_alignment = alignment;
    program = {&model, nullptr, &buffer, &step, 1, 0, 0};
  }
  OneKernel(const OneKernel &) = delete;
  OneKernel &operator=(const OneKernel &) = delete;

  cnnc_status run(void *output_data, const cnnc_context *context) const {
    void *outputs[] = {output_data};
    return cnnc_program_run(&program, nullptr, outputs, nullptr, context);
  }
};

cnnc_context with_threads(uint32_t threads) {
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

void visit(void *data, int64_t begin, int64_t end, uint32_t worker) {
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

void visit_kernel(cnnc_task *task, void *const *buffers) {
  auto *visits = static_cast<Visits *>(buffers[0]);
  cnnc_parallel_for(task, visit, visits, visits->count);
}

TEST(Run, ResolvesBuffersInAllSpaces) {
  TwoKernels kernels;
  const float x[4] = {1, 10, 100, 1000};
  float y[4] = {};
  Workspace workspace;
  ASSERT_EQ(kernels.run(x, y, &workspace, nullptr), CNNC_OK);
  EXPECT_EQ(std::vector<float>(y, y + 4), (std::vector<float>{3, 22, 203, 2004}));
  EXPECT_EQ(workspace.values[32], 2.0f);
  EXPECT_EQ(workspace.values[31], 0.0f);
  EXPECT_EQ(workspace.values[36], 0.0f);
}

TEST(Run, ResolvesSecondInputAndOutput) {
  const cnnc_tensor_v1 tensors[2] = {{"a", CNNC_F32, 2, static_shape, 16},
                                     {"b", CNNC_F32, 2, static_shape, 16}};
  TwoKernels kernels;
  kernels.model.input_count = kernels.model.output_count = 2;
  kernels.model.inputs = kernels.model.outputs = tensors;
  kernels.buffers[0].index = 1;
  kernels.buffers[4] = {CNNC_SPACE_OUTPUT, 1, 4};
  const float a[4] = {}, b[4] = {1, 2, 3, 4};
  float c[5] = {}, d[5] = {};
  const void *inputs[] = {a, b};
  void *outputs[] = {c, d};
  ASSERT_EQ(cnnc_program_run(&kernels.program, inputs, outputs, nullptr, nullptr), CNNC_OK);
  EXPECT_EQ(c[0], 0.0f);
  EXPECT_EQ(std::vector<float>(d, d + 5), (std::vector<float>{0, 3, 6, 9, 12}));
}

TEST(Run, AllocatesAMissingWorkspace) {
  static uintptr_t address;
  static auto note_address = [](cnnc_task *, void *const *buffers) {
    address = reinterpret_cast<uintptr_t>(buffers[1]);
  };
  for (size_t size : {size_t{100}, size_t{3} << 20}) {
    TwoKernels kernels;
    kernels.model.workspace_size = size;
    kernels.model.workspace_alignment = 4096;
    kernels.buffers[1].offset = kernels.buffers[2].offset = 0;
    kernels.steps[0].kernel = note_address;
    float x[4] = {}, y[4] = {};
    ASSERT_EQ(kernels.run(x, y, nullptr, nullptr), CNNC_OK);
    EXPECT_NE(address, 0u);
    EXPECT_EQ(address % (size < 4096 ? 4096 : size_t{2} << 20), 0u);
  }
}

TEST(Run, ReportsAnImpossibleWorkspace) {
  TwoKernels kernels;
  kernels.model.workspace_size = std::numeric_limits<size_t>::max() / 2;
  float x[4] = {}, y[4] = {};
  EXPECT_EQ(kernels.run(x, y, nullptr, nullptr), CNNC_OUT_OF_MEMORY);
}

TEST(Run, RunsEveryImageOfASymbolicBatch) {
  TwoKernels kernels(true);
  float x[12], y[16];
  for (int i = 0; i < 12; ++i)
    x[i] = static_cast<float>(i);
  std::fill(y, y + 16, -1.0f);
  cnnc_context context = {};
  context.batch = 3;
  ASSERT_EQ(kernels.run(x, y, nullptr, &context), CNNC_OK);
  for (int i = 0; i < 12; ++i)
    EXPECT_EQ(y[i], 2.0f * static_cast<float>(i) + static_cast<float>(i % 4 + 1)) << i;
  EXPECT_EQ(y[12], -1.0f);

  std::fill(y, y + 16, -1.0f);
  ASSERT_EQ(kernels.run(x, y, nullptr, nullptr), CNNC_OK) << "batch 0 means one image";
  EXPECT_EQ(y[3], 10.0f);
  EXPECT_EQ(y[4], -1.0f);
}

TEST(Run, RejectsBadBatches) {
  float x[16] = {}, y[16] = {};
  cnnc_context context = {};
  TwoKernels symbolic(true), fixed;
  for (int64_t batch :
       {int64_t{-1}, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    context.batch = batch;
    EXPECT_EQ(symbolic.run(x, y, nullptr, &context), CNNC_INVALID_ARGUMENT) << batch;
    EXPECT_EQ(fixed.run(x, y, nullptr, &context), CNNC_INVALID_ARGUMENT) << batch;
  }
  context.batch = 2;
  EXPECT_EQ(fixed.run(x, y, nullptr, &context), CNNC_INVALID_ARGUMENT);
  context.batch = 1;
  EXPECT_EQ(fixed.run(x, y, nullptr, &context), CNNC_OK);
}

TEST(Run, RejectsMissingTensorsAndMisalignedWorkspaces) {
  TwoKernels kernels;
  float x[4] = {}, y[4] = {};
  const void *inputs[] = {x};
  void *outputs[] = {y};
  auto run = [&](const void *const *in, void *const *out) {
    return cnnc_program_run(&kernels.program, in, out, nullptr, nullptr);
  };
  EXPECT_EQ(run(inputs, outputs), CNNC_OK);
  EXPECT_EQ(run(nullptr, outputs), CNNC_INVALID_ARGUMENT);
  EXPECT_EQ(run(inputs, nullptr), CNNC_INVALID_ARGUMENT);
  EXPECT_EQ(kernels.run(nullptr, y, nullptr, nullptr), CNNC_INVALID_ARGUMENT);
  EXPECT_EQ(kernels.run(x, nullptr, nullptr, nullptr), CNNC_INVALID_ARGUMENT);

  Workspace workspaces[2];
  EXPECT_EQ(kernels.run(x, y, workspaces[0].values + 1, nullptr), CNNC_INVALID_ARGUMENT);
  EXPECT_EQ(kernels.run(x, y, workspaces[0].values + 8, nullptr), CNNC_INVALID_ARGUMENT);
}

TEST(Run, ChecksTheCpu) {
  TwoKernels kernels;
  float x[4] = {}, y[4] = {};
  kernels.program.required_cpu = 1u << 31; // no such extension
  EXPECT_EQ(kernels.run(x, y, nullptr, nullptr), CNNC_UNSUPPORTED_CPU);
  EXPECT_EQ(y[0], 0.0f) << "no kernel may have run";
  kernels.program.required_cpu = 0;
  EXPECT_EQ(kernels.run(x, y, nullptr, nullptr), CNNC_OK);
}

// The kernel's view (/proc/cpuinfo lists what the CPU has and the system enabled) is the oracle.
TEST(Run, FindsTheExtensionsThatTheSystemLists) {
  const std::pair<uint32_t, const char *> extensions[] = {
      {CNNC_CPU_AVX2, "avx2"},
      {CNNC_CPU_FMA, "fma"},
      {CNNC_CPU_AVX512F, "avx512f"},
      {CNNC_CPU_AVX512BW, "avx512bw"},
      {CNNC_CPU_AVX512DQ, "avx512dq"},
      {CNNC_CPU_AVX512VL, "avx512vl"},
      {CNNC_CPU_AVX512CD, "avx512cd"},
      {CNNC_CPU_BMI2, "bmi2"},
      {CNNC_CPU_AVX, "avx"},
      {CNNC_CPU_F16C, "f16c"},
      {CNNC_CPU_BMI, "bmi1"},
      {CNNC_CPU_LZCNT, "abm"},
      {CNNC_CPU_MOVBE, "movbe"},
      {CNNC_CPU_POPCNT, "popcnt"},
      {CNNC_CPU_SSE42, "sse4_2"},
      {CNNC_CPU_AVX512VBMI, "avx512vbmi"},
      {CNNC_CPU_AVX512VBMI2, "avx512_vbmi2"},
      {CNNC_CPU_AVX512VNNI, "avx512_vnni"},
      {CNNC_CPU_AVX512IFMA, "avx512ifma"},
      {CNNC_CPU_AVX512BITALG, "avx512_bitalg"},
      {CNNC_CPU_AVX512VPOPCNTDQ, "avx512_vpopcntdq"},
      {CNNC_CPU_AVX512BF16, "avx512_bf16"},
      {CNNC_CPU_AVX512FP16, "avx512_fp16"},
      {CNNC_CPU_AVXVNNI, "avx_vnni"},
      {CNNC_CPU_GFNI, "gfni"},
  };
  std::ifstream file("/proc/cpuinfo");
  std::set<std::string> words{std::istream_iterator<std::string>(file), {}};
  ASSERT_TRUE(words.count("sse2")) << "no flags in /proc/cpuinfo";
  TwoKernels kernels;
  float x[4] = {}, y[4] = {};
  for (auto [bit, name] : extensions) {
    kernels.program.required_cpu = bit;
    EXPECT_EQ(kernels.run(x, y, nullptr, nullptr),
              words.count(name) ? CNNC_OK : CNNC_UNSUPPORTED_CPU)
        << name;
  }
}

TEST(Run, CallsTheProfileHookOncePerKernelInOrder) {
  struct Seen {
    std::vector<uint32_t> kernels;
    std::vector<float> values;
    std::vector<const void *> workspaces;
    uint64_t nanoseconds = 0;
  } seen;
  cnnc_context context = {};
  context.batch = 2;
  context.profile_user = &seen;
  context.profile = [](void *user, uint32_t kernel, uint64_t nanoseconds, const void *workspace) {
    auto *s = static_cast<Seen *>(user);
    s->kernels.push_back(kernel);
    s->values.push_back(static_cast<const float *>(workspace)[32]);
    s->workspaces.push_back(workspace);
    s->nanoseconds += nanoseconds;
  };
  TwoKernels kernels(true);
  kernels.steps[1].kernel = [](cnnc_task *task, void *const *buffers) {
    timespec pause = {0, 2000000};
    nanosleep(&pause, nullptr);
    add(task, buffers);
  };
  const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  float y[8] = {};
  Workspace workspace;
  ASSERT_EQ(kernels.run(x, y, &workspace, &context), CNNC_OK);
  EXPECT_EQ(seen.kernels, (std::vector<uint32_t>{0, 1, 0, 1}));
  EXPECT_EQ(seen.values, (std::vector<float>{2, 2, 10, 10}));
  EXPECT_EQ(seen.workspaces, std::vector<const void *>(4, &workspace));
  EXPECT_GE(seen.nanoseconds, 4000000u);
  EXPECT_LT(seen.nanoseconds, 10000000000u);
}

TEST(Threads, EveryIterationRunsOnce) {
  OneKernel kernel(visit_kernel);
  for (uint32_t threads : {0u, 1u, 2u, 3u, 7u, 64u, 1000u, 2u})
    for (int64_t count : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{3}, int64_t{61}, loop_count})
      for (int repeat = 0; repeat < 20; ++repeat) {
        Visits visits;
        visits.count = count;
        visits.threads = std::clamp(threads, 1u, max_threads);
        cnnc_context context = with_threads(threads);
        ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
        ASSERT_TRUE(visits.all_once()) << threads << " threads, " << count << " iterations";
      }
}

TEST(Threads, OneThreadRunsTheLoopInOnePiece) {
  static std::atomic<int> calls;
  OneKernel kernel([](cnnc_task *task, void *const *) {
    auto body = [](void *, int64_t begin, int64_t end, uint32_t worker) {
      calls += begin == 0 && end == 500 && worker == 0 ? 1 : 100;
    };
    cnnc_parallel_for(task, body, nullptr, 500);
  });
  char unused = 0;
  cnnc_context context = with_threads(1);
  ASSERT_EQ(kernel.run(&unused, nullptr), CNNC_OK);
  ASSERT_EQ(kernel.run(&unused, &context), CNNC_OK);
  EXPECT_EQ(calls, 2);
}

// A team may rest for a second after loops that threads made slower.
bool shares_a_long_loop(const OneKernel &kernel) {
  for (int repeat = 0; repeat < 500; ++repeat) {
    Visits visits;
    visits.threads = 3;
    visits.spin = 20000;
    cnnc_context context = with_threads(3);
    EXPECT_EQ(kernel.run(&visits, &context), CNNC_OK);
    EXPECT_TRUE(visits.all_once());
    if (visits.by_worker[0] > 0 && visits.by_worker[1] + visits.by_worker[2] > 0)
      return true;
  }
  return false;
}

TEST(Threads, WorkersShareALongLoop) { EXPECT_TRUE(shares_a_long_loop(OneKernel(visit_kernel))); }

#ifndef CNNC_LONGEST_REST
// Workers that take 20 ms for what the caller does in less: as if their core was busy elsewhere.
TEST(Threads, LateWorkersAreLeftAloneForAWhile) {
  constexpr int loops = 100;
  static std::atomic<bool> helped;
  OneKernel kernel([](cnnc_task *task, void *const *) {
    auto body = [](void *, int64_t begin, int64_t end, uint32_t worker) {
      for (volatile int64_t s = 2000 * (end - begin); s > 0;)
        s = s - 1;
      if (worker == 0)
        return;
      helped = true;
      timespec pause = {0, 20000000};
      nanosleep(&pause, nullptr);
    };
    cnnc_parallel_for(task, body, nullptr, 60);
  });
  char unused = 0;
  cnnc_context context = with_threads(2);
  int with_help = 0;
  for (int loop = 0; loop < loops; ++loop) {
    helped = false;
    ASSERT_EQ(kernel.run(&unused, &context), CNNC_OK);
    with_help += helped ? 1 : 0;
  }
  EXPECT_LE(with_help, loops / 5);
  EXPECT_TRUE(shares_a_long_loop(OneKernel(visit_kernel))) << "they are tried again";
}
#endif

// A kernel with loops back to back, each of which reads what the one before wrote.
TEST(Threads, LoopsSeeTheResultsOfEarlierLoops) {
  struct State {
    int64_t values[128] = {};
  } state;
  OneKernel kernel([](cnnc_task *task, void *const *buffers) {
    auto body = [](void *data, int64_t begin, int64_t end, uint32_t) {
      auto *s = static_cast<State *>(data);
      for (int64_t i = begin; i < end; ++i) // the other half, as the loop before left it
        s->values[64 * (s->values[127] % 2) + i] =
            s->values[64 - 64 * (s->values[127] % 2) + i] + 1;
    };
    auto *s = static_cast<State *>(buffers[0]);
    for (int64_t loop = 0; loop < 5000; ++loop) {
      s->values[127] = loop;
      cnnc_parallel_for(task, body, s, 60);
    }
  });
  cnnc_context context = with_threads(3);
  ASSERT_EQ(kernel.run(&state, &context), CNNC_OK);
  for (int i = 0; i < 60; ++i)
    ASSERT_EQ(state.values[64 + i], 5000) << i;
}

TEST(Threads, UsesTheParallelForOfTheCaller) {
  struct Own {
    std::atomic<int> calls{0};
  } own;
  Visits visits;
  visits.threads = 4;
  visits.count = 100;
  cnnc_context context = with_threads(4);
  context.parallel_user = &own;
  context.parallel_for = [](void *user, int64_t count, cnnc_parallel_body body, void *data) {
    ++static_cast<Own *>(user)->calls;
    std::thread helper([&] { body(data, 0, count / 3, 3); });
    body(data, count / 3, count, 0);
    helper.join();
  };
  OneKernel kernel(visit_kernel);
  ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
  EXPECT_EQ(own.calls, 1);
  EXPECT_TRUE(visits.all_once());
  EXPECT_EQ(visits.by_worker[3], 33u);
}

TEST(Threads, ApplicationThreadsRunOneModelAtATime) {
  OneKernel kernel(visit_kernel);
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) // more than there are teams
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 30; ++repeat) {
        Visits visits;
        visits.threads = 3;
        visits.spin = 50;
        cnnc_context context = with_threads(3);
        if (kernel.run(&visits, &context) == CNNC_OK && visits.all_once())
          ++good;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(good, 12 * 30);
}

// The body starts a loop of its own over the ten iterations that belong to it.
TEST(Threads, NestedLoopsRunSerially) {
  static cnnc_task *outer_task;
  static std::atomic<int> pieces;
  OneKernel kernel([](cnnc_task *task, void *const *buffers) {
    outer_task = task;
    auto body = [](void *data, int64_t begin, int64_t end, uint32_t) {
      for (int64_t i = begin; i < end; ++i) {
        std::pair<Visits *, int64_t> inner = {static_cast<Visits *>(data), 10 * i};
        auto inner_body = [](void *d, int64_t first, int64_t last, uint32_t worker) {
          auto *part = static_cast<std::pair<Visits *, int64_t> *>(d);
          ++pieces;
          visit(part->first, part->second + first, part->second + last, worker);
        };
        cnnc_parallel_for(outer_task, inner_body, &inner, 10);
      }
    };
    cnnc_parallel_for(task, body, buffers[0], loop_count / 10);
  });
  Visits visits;
  visits.threads = 3;
  cnnc_context context = with_threads(3);
  ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
  EXPECT_TRUE(visits.all_once());
  EXPECT_EQ(pieces, loop_count / 10);
}

// What a kernel saw of the floating-point mode, over all iterations of a loop.
struct FloatMode {
  std::atomic<int> flushed{0}, kept{0}; // products of a subnormal operand, and subnormal quotients
  std::atomic<int> up{0}, down{0};      // how 1/3 was rounded
};

void float_mode_kernel(cnnc_task *task, void *const *buffers) {
  auto body = [](void *data, int64_t begin, int64_t end, uint32_t) {
    auto *mode = static_cast<FloatMode *>(data);
    for (int64_t i = begin; i < end; ++i) {
      volatile float operand = std::numeric_limits<float>::denorm_min(), large = 1e30f;
      volatile float product = operand * large;
      volatile float smallest = std::numeric_limits<float>::min(), quotient = smallest / 4;
      volatile float one = 1, three = 3, third = one / three;
      for (volatile int s = 0; s < 1000;)
        s = s + 1;
      ++(product == 0.0f && quotient == 0.0f ? mode->flushed : mode->kept);
      ++(third > 1.0 / 3 ? mode->up : mode->down);
    }
  };
  cnnc_parallel_for(task, body, buffers[0], loop_count);
}

TEST(Run, CountsSubnormalNumbersAsZero) {
  OneKernel kernel(float_mode_kernel);
  for (uint32_t threads : {1u, 3u})
    for (bool own : {false, true}) {
      static std::atomic<uint32_t> state_of_helper;
      FloatMode mode;
      cnnc_context context = with_threads(threads);
      if (own)
        context.parallel_for = [](void *, int64_t count, cnnc_parallel_body body, void *data) {
          EXPECT_EQ(_mm_getcsr() & 0x8040, 0u);
          std::thread helper([&] {
            body(data, 0, count / 3, 1);
            state_of_helper = _mm_getcsr();
          });
          body(data, count / 3, count, 0);
          EXPECT_EQ(_mm_getcsr() & 0x8040, 0u);
          helper.join();
        };
      state_of_helper = 0x1f80;
      ASSERT_EQ(kernel.run(&mode, &context), CNNC_OK);
      EXPECT_EQ(mode.flushed, loop_count) << threads << " threads";
      EXPECT_EQ(state_of_helper, 0x1f80u);
    }
}

TEST(Run, LeavesTheFloatingPointStateAsItWas) {
  const uint32_t before = _mm_getcsr();
  TwoKernels kernels;
  const float x[4] = {1, 10, 100, 1000};
  float y[4] = {};
  cnnc_context context = with_threads(2);
  static std::atomic<uint32_t> in_callback;
  context.profile = [](void *, uint32_t, uint64_t, const void *) { in_callback = _mm_getcsr(); };
  for (uint32_t state : {0x1f80u, 0x1fa0u, 0x5f80u, 0x9fc0u}) { // a flag, rounding up, flushing
    _mm_setcsr(state);
    cnnc_status good = kernels.run(x, y, nullptr, &context);
    uint32_t after = _mm_getcsr();
    cnnc_status bad = kernels.run(nullptr, y, nullptr, &context);
    uint32_t after_error = _mm_getcsr();
    _mm_setcsr(before);
    EXPECT_EQ(good, CNNC_OK);
    EXPECT_EQ(bad, CNNC_INVALID_ARGUMENT);
    EXPECT_EQ(after, state);
    EXPECT_EQ(after_error, state);
    EXPECT_EQ(in_callback, state);
  }
}

TEST(Threads, WorkersRoundLikeTheCaller) {
  OneKernel kernel(float_mode_kernel);
  cnnc_context context = with_threads(3);
  FloatMode nearest, downward;
  ASSERT_EQ(kernel.run(&nearest, &context), CNNC_OK);
  EXPECT_EQ(nearest.up, loop_count) << "1/3 in f32 is above 1/3";
  _MM_SET_ROUNDING_MODE(_MM_ROUND_DOWN);
  cnnc_status status = kernel.run(&downward, &context);
  _MM_SET_ROUNDING_MODE(_MM_ROUND_NEAREST);
  ASSERT_EQ(status, CNNC_OK);
  EXPECT_EQ(downward.down, loop_count);
}

TEST(Threads, WorkInAForkedChild) {
  OneKernel kernel(visit_kernel);
  cnnc_context context = with_threads(3);
  {
    Visits visits;
    visits.threads = 3;
    ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK); // the parent has workers
  }
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    bool good = true, shared = false;
    for (int repeat = 0; repeat < 2000 && !shared; ++repeat) {
      Visits visits;
      visits.threads = 3;
      visits.spin = 2000;
      good = good && kernel.run(&visits, &context) == CNNC_OK && visits.all_once();
      shared = shared || visits.by_worker[0] < loop_count;
    }
    _exit(!good ? 1 : !shared ? 2 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "1: wrong iterations, 2: the child had no workers";

  Visits visits;
  visits.threads = 3;
  ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
  EXPECT_TRUE(visits.all_once());
}

// exit must neither hang nor crash, with workers, in a child without them, and inside of a run.
TEST(Threads, ExitStopsTheWorkers) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto run_and_exit = [] {
    alarm(20);
    OneKernel kernel(visit_kernel);
    Visits visits;
    cnnc_context context = with_threads(4);
    kernel.run(&visits, &context);
    exit(7);
  };
  auto exit_inside = [] {
    alarm(20);
    OneKernel kernel(visit_kernel);
    Visits visits;
    cnnc_context context = with_threads(4);
    context.profile = [](void *, uint32_t, uint64_t, const void *) { exit(8); };
    kernel.run(&visits, &context);
  };
  auto exit_without_workers = [] { exit(9); };
  EXPECT_EXIT(run_and_exit(), testing::ExitedWithCode(7), "");
  EXPECT_EXIT(exit_inside(), testing::ExitedWithCode(8), "");
  EXPECT_EXIT(exit_without_workers(), testing::ExitedWithCode(9), "");
}

double process_seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

TEST(Threads, IdleWorkersSleep) {
  OneKernel kernel(visit_kernel);
  Visits visits;
  visits.threads = 2;
  cnnc_context context = with_threads(2);
  ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
  timespec settle = {0, 100000000}, idle = {0, 200000000};
  nanosleep(&settle, nullptr);
  double before = process_seconds();
  nanosleep(&idle, nullptr);
  EXPECT_LT(process_seconds() - before, 0.05);
}

} // namespace
