// The trained LeNet as users run it: as a library, as a JIT program, twice at a time, on several
// threads.
#include "compiler/cnnc.h"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

namespace {

constexpr size_t pixels = 784, classes = 10;
using Probabilities = std::array<float, classes>;

std::filesystem::path lenet_folder() {
  return std::filesystem::path(CNNC_SOURCE_DIR) / "examples" / "lenet";
}

struct Digits {
  std::vector<uint8_t> labels;
  std::vector<std::array<float, pixels>> images;
};

/// The format is described in examples/lenet/digits.py.
Digits read_digits() {
  std::ifstream file(lenet_folder() / "held_out_digits.bin", std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  Digits digits;
  uint32_t count = 0;
  if (bytes.size() < 16)
    return digits;
  std::memcpy(&count, bytes.data() + 8, 4);
  for (size_t at = 16; at + pixels < bytes.size() && digits.labels.size() < count;
       at += 1 + pixels) {
    digits.labels.push_back(static_cast<uint8_t>(bytes[at]));
    for (std::array<float, pixels> &image = digits.images.emplace_back(); float &pixel : image)
      pixel =
          static_cast<float>(static_cast<uint8_t>(bytes[at + 1 + (&pixel - image.data())])) / 255;
  }
  return digits;
}

std::vector<Probabilities> run_all(const cnnc_model_v1 &model, const Digits &digits,
                                   uint32_t threads) {
  std::vector<Probabilities> result(digits.images.size());
  std::vector<char> memory(cnnc_workspace_size(&model, threads) + model.workspace_alignment);
  auto address = reinterpret_cast<uintptr_t>(memory.data());
  char *workspace =
      memory.data() + (model.workspace_alignment - address % model.workspace_alignment);
  cnnc_context context = {};
  context.threads = threads;
  for (size_t i = 0; i < result.size(); ++i) {
    const void *inputs[] = {digits.images[i].data()};
    void *outputs[] = {result[i].data()};
    EXPECT_EQ(model.run(inputs, outputs, workspace, &context), CNNC_OK);
  }
  return result;
}

size_t correct(const std::vector<Probabilities> &probabilities, const Digits &digits) {
  size_t count = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    auto largest = std::max_element(probabilities[i].begin(), probabilities[i].end());
    count += largest - probabilities[i].begin() == digits.labels[i];
  }
  return count;
}

class LeNet : public testing::Test {
protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("cnnc_lenet_" + std::to_string(getpid()) + "_" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    digits_ = read_digits();
    ASSERT_EQ(digits_.labels.size(), 2000U);
  }
  void TearDown() override {
    for (void *library : libraries_)
      dlclose(library);
    std::filesystem::remove_all(folder_);
  }

  cnnc::Model load(const std::filesystem::path &file) {
    cnnc::Result<cnnc::Model> model = cnnc::load(file);
    EXPECT_TRUE(model) << model.error();
    return *model;
  }

  /// Compiles to a library of this name and loads it.
  const cnnc_model_v1 *open(const std::filesystem::path &model, const std::string &name,
                            const char *symbol) {
    std::filesystem::path file = folder_ / name;
    auto written = cnnc::write_shared_library(load(model), file);
    EXPECT_TRUE(written) << written.error();
    void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_TRUE(library) << dlerror();
    if (!library)
      return nullptr;
    libraries_.push_back(library);
    auto table = reinterpret_cast<const cnnc_model_v1 *(*)()>(dlsym(library, symbol));
    return table ? table() : nullptr;
  }

  std::filesystem::path folder_;
  Digits digits_;
  std::vector<void *> libraries_;
};

TEST_F(LeNet, ReadsHeldOutDigitsAlikeAsLibraryAndInTheProcess) {
  const cnnc_model_v1 *library = open(lenet_folder() / "lenet.ir", "lenet.so", "lenet_model");
  ASSERT_TRUE(library);
  cnnc::Result<cnnc::Program> program = cnnc::jit(load(lenet_folder() / "lenet.ir"));
  ASSERT_TRUE(program) << program.error();
  std::vector<Probabilities> from_library = run_all(*library, digits_, 1);
  EXPECT_GE(correct(from_library, digits_), 1970U); // 98.5 %
  EXPECT_EQ(from_library, run_all(program->table(), digits_, 1));
  EXPECT_EQ(from_library, run_all(*library, digits_, 2));
}

TEST_F(LeNet, CopiesAndOtherModelsRunAtTheSameTime) {
  std::filesystem::path other_text = folder_ / "other.ir";
  std::ofstream(other_text) << "model @other(%x: f32[1, 1, 28, 28]) {\n"
                               "  %w = random(1, he) : f32[32, 1, 5, 5]\n"
                               "  %c = conv2d %x, %w pad=[2, 2, 2, 2]\n"
                               "  %m = global_avg_pool2d %c\n  %f = flatten %m\n"
                               "  %v = random(2, he) : f32[10, 32]\n  %y = dense %f, %v\n"
                               "  return %y\n}\n";
  const cnnc_model_v1 *models[] = {open(lenet_folder() / "lenet.ir", "one.so", "lenet_model"),
                                   open(lenet_folder() / "lenet.ir", "two.so", "lenet_model"),
                                   open(other_text, "other.so", "other_model")};
  for (const cnnc_model_v1 *model : models)
    ASSERT_TRUE(model);
  ASSERT_NE(models[0], models[1]);
  std::vector<std::vector<Probabilities>> alone, together(6);
  for (const cnnc_model_v1 *model : models)
    alone.push_back(run_all(*model, digits_, 1));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < together.size(); ++i)
    threads.emplace_back([&, i] {
      together[i] = run_all(*models[i % 3], digits_, 1 + static_cast<uint32_t>(i % 2));
    });
  for (std::thread &thread : threads)
    thread.join();
  for (size_t i = 0; i < together.size(); ++i)
    EXPECT_EQ(together[i], alone[i % 3]) << "thread " << i;
}

} // namespace
