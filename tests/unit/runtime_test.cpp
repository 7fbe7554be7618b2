// Calls of compiled models by the runtime: arguments, buffers, batches, profiles.
#include "cpu_x86_64.h"

// How it finds what only other machines have.
#include "cpu_x86_64.c" // NOLINT(bugprone-suspicious-include)
#include "tests/unit/runtime_programs.h"

#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <malloc.h>
#include <set>
#include <string>

namespace {

using namespace runtime_programs;

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

TEST(Run, FreesTheWorkspaceThatItAllocates) {
  constexpr size_t size = size_t{1} << 20, runs = 64;
  TwoKernels kernels;
  kernels.model.workspace_size = size;
  auto allocated = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  float x[4] = {}, y[4] = {};
  ASSERT_EQ(kernels.run(x, y, nullptr, nullptr), CNNC_OK);
  const size_t before = allocated();
  for (size_t run = 0; run < runs; ++run)
    ASSERT_EQ(kernels.run(x, y, nullptr, nullptr), CNNC_OK);
  EXPECT_LT(allocated(), before + size);
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

TEST(Run, GivesAllImagesAnInputWithoutABatch) {
  TwoKernels kernels(true);
  kernels.input.shape = static_shape;
  const float x[12] = {1, 10, 100, 1000, 7, 7, 7, 7, 7, 7, 7, 7};
  float y[12] = {};
  cnnc_context context = {};
  context.batch = 3;
  ASSERT_EQ(kernels.run(x, y, nullptr, &context), CNNC_OK);
  for (int image = 0; image < 3; ++image)
    EXPECT_EQ(std::vector<float>(y + 4 * image, y + 4 * image + 4),
              (std::vector<float>{3, 22, 203, 2004}));
}

TEST(Run, RejectsBadBatches) {
  float x[16] = {}, y[16] = {};
  cnnc_context context = {};
  TwoKernels symbolic(true), fixed;
  for (int64_t batch :
       {int64_t{-1}, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    context.batch = batch;
    EXPECT_EQ(symbolic.run(x, y, nullptr, &context), CNNC_INVALID_BATCH) << batch;
    EXPECT_EQ(fixed.run(x, y, nullptr, &context), batch < 1 ? CNNC_INVALID_BATCH : CNNC_FIXED_BATCH)
        << batch;
  }
  context.batch = 2;
  EXPECT_EQ(fixed.run(x, y, nullptr, &context), CNNC_FIXED_BATCH);
  context.batch = 1;
  EXPECT_EQ(fixed.run(x, y, nullptr, &context), CNNC_OK);
}

TEST(Run, EveryStatusHasItsText) {
  std::set<std::string> texts;
  for (int status = CNNC_OK; status <= CNNC_INVALID_LABEL; ++status)
    texts.insert(cnnc_status_text(static_cast<cnnc_status>(status)));
  EXPECT_EQ(texts.size(), CNNC_INVALID_LABEL + 1u);
  EXPECT_FALSE(texts.contains("an unknown status"));
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

// A CPU with all extensions, on systems that save the registers of some: XCR0 has a bit for each kind.
TEST(Run, UsesNoRegistersThatTheSystemDoesNotSave) {
  constexpr uint32_t sse = 0x02, ymm = 0x04, masks = 0x20, zmm = 0x40, zmm_16_to_31 = 0x80;
  constexpr uint32_t avx =
      CNNC_CPU_AVX | CNNC_CPU_AVX2 | CNNC_CPU_FMA | CNNC_CPU_F16C | CNNC_CPU_AVXVNNI;
  constexpr uint32_t no_state = CNNC_CPU_BMI | CNNC_CPU_BMI2 | CNNC_CPU_LZCNT | CNNC_CPU_MOVBE |
                                CNNC_CPU_POPCNT | CNNC_CPU_SSE42 | CNNC_CPU_GFNI;
  uint32_t cpuid[LEAF_COUNT][4];
  std::memset(cpuid, 0xff, sizeof cpuid);
  EXPECT_EQ(usable_features(cpuid, 0), no_state);
  EXPECT_EQ(usable_features(cpuid, sse), no_state);
  EXPECT_EQ(usable_features(cpuid, sse | ymm), no_state | avx);
  EXPECT_EQ(usable_features(cpuid, sse | ymm | masks | zmm), no_state | avx);
  EXPECT_EQ(usable_features(cpuid, sse | masks | zmm | zmm_16_to_31), no_state);
  constexpr uint32_t all = (CNNC_CPU_GFNI << 1) - 1;
  EXPECT_EQ(usable_features(cpuid, sse | ymm | masks | zmm | zmm_16_to_31), all);
  EXPECT_EQ(enabled_state(0), 0u) << "a system that does not let programs ask saves none";
  TwoKernels kernels;
  float x[4] = {}, y[4] = {};
  kernels.program.required_cpu = detect_features();
  EXPECT_EQ(kernels.run(x, y, nullptr, nullptr), CNNC_OK);
}

// Each bit alone, with its name in the compiler's <cpuid.h>.
TEST(Run, KnowsTheBitOfEachExtension) {
  struct Bit {
    uint32_t feature;
    int leaf, reg;
    uint32_t mask;
  };
  const Bit bits[] = {{CNNC_CPU_SSE42, LEAF_1, ECX, bit_SSE4_2},
                      {CNNC_CPU_MOVBE, LEAF_1, ECX, bit_MOVBE},
                      {CNNC_CPU_POPCNT, LEAF_1, ECX, bit_POPCNT},
                      {CNNC_CPU_AVX, LEAF_1, ECX, bit_AVX},
                      {CNNC_CPU_F16C, LEAF_1, ECX, bit_F16C},
                      {CNNC_CPU_FMA, LEAF_1, ECX, bit_FMA},
                      {CNNC_CPU_BMI, LEAF_7, EBX, bit_BMI},
                      {CNNC_CPU_BMI2, LEAF_7, EBX, bit_BMI2},
                      {CNNC_CPU_AVX2, LEAF_7, EBX, bit_AVX2},
                      {CNNC_CPU_AVX512F, LEAF_7, EBX, bit_AVX512F},
                      {CNNC_CPU_AVX512DQ, LEAF_7, EBX, bit_AVX512DQ},
                      {CNNC_CPU_AVX512CD, LEAF_7, EBX, bit_AVX512CD},
                      {CNNC_CPU_AVX512BW, LEAF_7, EBX, bit_AVX512BW},
                      {CNNC_CPU_AVX512VL, LEAF_7, EBX, bit_AVX512VL},
                      {CNNC_CPU_AVX512VNNI, LEAF_7, ECX, bit_AVX512VNNI},
                      {CNNC_CPU_GFNI, LEAF_7, ECX, bit_GFNI},
                      {CNNC_CPU_AVX512BF16, LEAF_7_1, EAX, bit_AVX512BF16},
                      {CNNC_CPU_LZCNT, LEAF_EXTENDED, ECX, bit_LZCNT}};
  for (const Bit &bit : bits) {
    uint32_t cpuid[LEAF_COUNT][4] = {};
    cpuid[bit.leaf][bit.reg] = bit.mask;
    EXPECT_EQ(usable_features(cpuid, AVX512_STATE), bit.feature) << std::hex << bit.feature;
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

} // namespace
