// cnnc_prepare and cnnc_release: weights on large pages, memory touched, threads started.
#include "tests/unit/runtime_programs.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <sys/mman.h>
#include <thread>

namespace {

using namespace runtime_programs;

constexpr size_t large_page = size_t(2) << 20;

/// A program whose kernel notes where the weights lie and copies them to the output.
struct WithWeights {
  size_t size;
  std::vector<unsigned char> bytes;
  unsigned char *weights; // in `bytes`
  cnnc_tensor_v1 output;
  cnnc_buffer buffers[2] = {{CNNC_SPACE_WEIGHTS, 0, 0}, {CNNC_SPACE_OUTPUT, 0, 0}};
  cnnc_step step;
  cnnc_model_v1 model = {};
  cnnc_program_state state = {};
  cnnc_program program = {};

  static inline size_t size_at_work;
  static inline const void *place;

  static void note_place(cnnc_task *, void *const *buffers) {
    place = buffers[0];
    std::memcpy(buffers[1], buffers[0], size_at_work);
  }

  /// Weights that begin so many bytes behind the begin of a large page.
  WithWeights(size_t weights_size, size_t misaligned)
      : size(weights_size), bytes(size + 2 * large_page),
        weights(bytes.data() + large_page - reinterpret_cast<uintptr_t>(bytes.data()) % large_page +
                misaligned),
        output{"y", CNNC_U8, 0, nullptr, size}, step{note_place, 0, 2} {
    for (size_t i = 0; i < size; ++i)
      weights[i] = static_cast<unsigned char>(i * 2654435761u >> 24);
    model.output_count = 1;
    model.outputs = &output;
    model.workspace_alignment = alignment;
    model.weights_size = size;
    program = {&model, weights, &state, buffers, &step, 1, 0, 0};
  }
  ~WithWeights() { cnnc_program_release(&program); }
  WithWeights(const WithWeights &) = delete;
  WithWeights &operator=(const WithWeights &) = delete;

  /// Where a run reads the weights; null unless it reads what they are.
  const unsigned char *place_in_run(const cnnc_context *context = nullptr) {
    std::vector<unsigned char> read(size);
    void *outputs[] = {read.data()};
    size_at_work = size;
    if (cnnc_program_run(&program, nullptr, outputs, nullptr, context) != CNNC_OK ||
        !std::equal(read.begin(), read.end(), weights))
      return nullptr;
    return static_cast<const unsigned char *>(place);
  }
};

bool on_large_page(const unsigned char *weights) {
  return weights && reinterpret_cast<uintptr_t>(weights) % large_page == 0;
}

TEST(Prepare, CopiesWeightsUntilTheyAreReleased) {
  for (size_t size : {large_page, large_page + 1, 2 * large_page + 63, 2 * large_page + 64})
    for (uint32_t threads : {0u, 1u, 3u}) {
      SCOPED_TRACE(testing::Message() << size << " bytes, " << threads << " threads");
      WithWeights program(size, 64);
      const cnnc_context context = with_threads(threads);
      EXPECT_EQ(program.place_in_run(), program.weights);
      ASSERT_EQ(cnnc_program_prepare(&program.program, nullptr, &context), CNNC_OK);
      const unsigned char *copy = program.place_in_run();
      EXPECT_NE(copy, program.weights);
      EXPECT_TRUE(on_large_page(copy));
      ASSERT_EQ(cnnc_program_prepare(&program.program, nullptr, nullptr), CNNC_OK);
      EXPECT_EQ(program.place_in_run(), copy);
      cnnc_program_release(&program.program);
      EXPECT_EQ(program.place_in_run(), program.weights);
      ASSERT_EQ(cnnc_program_prepare(&program.program, nullptr, &context), CNNC_OK);
      EXPECT_TRUE(on_large_page(program.place_in_run()));
    }
}

TEST(Prepare, LeavesWeightsThatLargePagesDoNotHelp) {
  WithWeights small(large_page - 1, 64), jit(large_page, 0);
  for (WithWeights *program : {&small, &jit}) {
    ASSERT_EQ(cnnc_program_prepare(&program->program, nullptr, nullptr), CNNC_OK);
    EXPECT_EQ(program->place_in_run(), program->weights);
  }
}

TEST(Prepare, HappensAtTheFirstRunOnRequest) {
  WithWeights program(large_page, 4096);
  cnnc_context context = with_threads(2);
  EXPECT_EQ(program.place_in_run(&context), program.weights);
  context.flags = CNNC_PREPARE_AT_FIRST_RUN;
  const unsigned char *copy = program.place_in_run(&context);
  EXPECT_TRUE(on_large_page(copy));
  EXPECT_EQ(program.place_in_run(&context), copy);
  EXPECT_EQ(program.place_in_run(), copy);
}

TEST(Prepare, GoesOnFromTheFileWhenMemoryIsShort) {
  WithWeights program(large_page, 64);
  program.model.weights_size = std::numeric_limits<size_t>::max() / 2;
  EXPECT_EQ(cnnc_program_prepare(&program.program, nullptr, nullptr), CNNC_OUT_OF_MEMORY);
  cnnc_context context = {};
  context.flags = CNNC_PREPARE_AT_FIRST_RUN;
  EXPECT_EQ(program.place_in_run(&context), program.weights);
}

TEST(Prepare, OneCopyForAllThreads) {
  WithWeights program(3 * large_page, 64);
  std::vector<std::thread> threads;
  std::atomic<int> prepared{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      const cnnc_context context = with_threads(2);
      prepared += cnnc_program_prepare(&program.program, nullptr, &context) == CNNC_OK;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(prepared, 4);
  EXPECT_TRUE(on_large_page(program.place_in_run())); // a leak is found by the sanitizer
}

TEST(Prepare, TouchesTheWorkspace) {
  constexpr size_t size = 64 * 4096, per_thread = 16 * 4096;
  TwoKernels kernels;
  kernels.model.workspace_size = size;
  kernels.model.workspace_per_thread = per_thread;
  kernels.model.workspace_alignment = 4096;
  for (uint32_t threads : {1u, 3u}) {
    void *memory = mmap(nullptr, size + 3 * per_thread, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    const cnnc_context context = with_threads(threads);
    ASSERT_EQ(cnnc_program_prepare(&kernels.program, memory, &context), CNNC_OK);
    std::vector<unsigned char> resident((size + 3 * per_thread) / 4096);
    ASSERT_EQ(mincore(memory, size + 3 * per_thread, resident.data()), 0);
    EXPECT_EQ(std::count_if(resident.begin(), resident.end(), [](int page) { return page & 1; }),
              (size + (threads - 1) * per_thread) / 4096);
    munmap(memory, size + 3 * per_thread);
  }
}

TEST(Prepare, StartsThreads) {
  auto tasks = [] {
    const std::filesystem::directory_iterator list("/proc/self/task");
    return std::distance(begin(list), end(list));
  };
  TwoKernels kernels;
  const cnnc_context context = with_threads(max_threads);
  ASSERT_EQ(cnnc_program_prepare(&kernels.program, nullptr, &context), CNNC_OK);
  EXPECT_GE(tasks(), max_threads);
}

TEST(Prepare, RefusesWhatARunRefuses) {
  TwoKernels kernels;
  Workspace workspace;
  EXPECT_EQ(cnnc_program_prepare(&kernels.program, &workspace.values[1], nullptr),
            CNNC_INVALID_ARGUMENT);
  kernels.program.required_cpu = uint32_t(1) << 31;
  EXPECT_EQ(cnnc_program_prepare(&kernels.program, &workspace, nullptr), CNNC_UNSUPPORTED_CPU);
}

/// As at the end of a process, while other threads run the model.
TEST(Prepare, AReleaseLeavesWhatARunReads) {
  static WithWeights *released;
  static const unsigned char *last;
  WithWeights program(large_page, 64);
  released = &program;
  program.step.kernel = [](cnnc_task *, void *const *buffers) {
    cnnc_program_release(&released->program);
    const auto *weights = static_cast<const unsigned char *>(buffers[0]);
    last = weights;
    std::memcpy(buffers[1], weights, large_page); // a use after free is found by the sanitizer
  };
  ASSERT_EQ(cnnc_program_prepare(&program.program, nullptr, nullptr), CNNC_OK);
  std::vector<unsigned char> read(large_page);
  void *outputs[] = {read.data()};
  ASSERT_EQ(cnnc_program_run(&program.program, nullptr, outputs, nullptr, nullptr), CNNC_OK);
  EXPECT_TRUE(std::equal(read.begin(), read.end(), program.weights));
  EXPECT_TRUE(on_large_page(last));
  std::free(const_cast<unsigned char *>(last)); // which nobody owns any more
  program.step.kernel = WithWeights::note_place;
  EXPECT_EQ(program.place_in_run(), program.weights);
}

TEST(Prepare, OlderModelsHaveNothingToPrepare) {
  cnnc_model_v1 model = {};
  model.abi_version = 1;
  EXPECT_EQ(cnnc_prepare(&model, nullptr, nullptr), CNNC_OK);
  cnnc_release(&model);
}

} // namespace
