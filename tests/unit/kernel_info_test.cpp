// What describe_kernels says of kernels, for profiles.
#include "compiler/cnnc.h"

#include <gtest/gtest.h>

namespace {

std::vector<cnnc::KernelInfo> describe(std::string_view text, std::string cpu = "skylake-avx512") {
  cnnc::Options options;
  options.cpu = std::move(cpu);
  cnnc::Result<cnnc::Model> model = cnnc::parse(text);
  EXPECT_TRUE(model) << model.error();
  if (!model)
    return {};
  cnnc::Result<std::vector<cnnc::KernelInfo>> kernels = cnnc::describe_kernels(*model, options);
  EXPECT_TRUE(kernels) << kernels.error();
  return kernels ? *kernels : std::vector<cnnc::KernelInfo>();
}

const cnnc::KernelInfo &kernel(const std::vector<cnnc::KernelInfo> &kernels,
                               std::string_view name) {
  static const cnnc::KernelInfo none;
  for (const cnnc::KernelInfo &info : kernels)
    if (info.name == name)
      return info;
  ADD_FAILURE() << "no kernel " << name;
  return none;
}

constexpr std::string_view network = R"(model @m(%x: f32[1, 16, 8, 8]) {
  %w1 = random(1, he) : f32[32, 16, 1, 3]
  %a = conv2d %x, %w1 stride=[2, 1] pad=[0, 1, 0, 1]
  %ar = relu %a
  %w2 = random(2, he) : f32[32, 1, 3, 3]
  %b = conv2d %ar, %w2 pad=[1, 1, 1, 1] groups=32
  %w3 = random(3, he) : f32[32, 1, 3, 3]
  %c = conv2d %b, %w3 pad=[1, 1, 1, 1] groups=32
  %w4 = random(4, he) : f32[32, 16, 3, 3]
  %d = conv2d %c, %w4 pad=[2, 2, 2, 2] dilation=[2, 2] groups=2
  %p = max_pool2d %d kernel=[2, 2] stride=[2, 2]
  %g = flatten %p
  %w5 = random(5, he) : f32[10, 256]
  %y = dense %g, %w5
  return %y
})";

TEST(kernel_info, ops_are_told_with_their_shapes) {
  std::vector<cnnc::KernelInfo> kernels = describe(network);
  EXPECT_EQ(kernel(kernels, "a").ops, "conv2d 16->32 1x3/2x1 4x8 + relu");
  EXPECT_EQ(kernel(kernels, "b").ops, "conv2d 32->32 3x3/1 4x8 groups 32");
  EXPECT_TRUE(kernel(kernels, "d").ops.starts_with("conv2d 32->32 3x3/1 4x8 groups 2 dilation 2"));
  EXPECT_EQ(kernel(kernels, "y").ops, "dense 256->10");
}

TEST(kernel_info, products_that_an_instruction_adds_up) {
  std::vector<cnnc::KernelInfo> kernels = describe(R"(
model @m(%x: u8[64, 64], %v: i8[64, 64], %q: u8[1, 16, 8, 8], %f: f32[1, 64]) {
  %m = matmul %x, %v
  %w = splat 3 : i8[32, 16, 1, 1]
  %c = conv2d %q, %w
  %u = random(1, he) : f32[8, 64]
  %d = dense %f, %u
  return %m, %c, %d
})",
                                                   "x86-64-v3");
  EXPECT_EQ(kernel(kernels, "m").products, 4);
  EXPECT_EQ(kernel(kernels, "c").products, 2); // of inputs of 16 bits
  EXPECT_EQ(kernel(kernels, "d").products, 1);
}

TEST(kernel_info, algorithms_and_schedules) {
  std::vector<cnnc::KernelInfo> kernels = describe(network);
  EXPECT_EQ(kernel(kernels, "a").algorithm, "direct");
  EXPECT_EQ(kernel(kernels, "b").algorithm, "depthwise");
  EXPECT_EQ(kernel(kernels, "d").algorithm, "grouped");
  EXPECT_EQ(kernel(kernels, "y").algorithm, "dense");
  EXPECT_NE(kernel(kernels, "a").schedule.find("vector=oc:16"), std::string::npos);
  EXPECT_TRUE(kernel(kernels, "a").tile.starts_with("oc:")) << kernel(kernels, "a").tile;
  EXPECT_NE(kernel(describe(network, "haswell"), "a").schedule.find("vector=oc:8"),
            std::string::npos);
}

TEST(kernel_info, work_and_bytes) {
  std::vector<cnnc::KernelInfo> kernels = describe(network);
  EXPECT_EQ(kernel(kernels, "a").multiplications, 32 * 16 * 3 * 4 * 8);
  EXPECT_EQ(kernel(kernels, "b").multiplications, 32 * 9 * 4 * 8);
  EXPECT_EQ(kernel(kernels, "a").weight_bytes, 4 * 32 * 16 * 3);
  EXPECT_EQ(kernel(kernels, "a").input_bytes, 4 * 16 * 8 * 10) << "with the halo of one pixel";
  EXPECT_EQ(kernel(kernels, "a").output_bytes, 4 * 32 * 6 * 10) << "with the halo of one pixel";
  EXPECT_EQ(kernel(kernels, "y").output_bytes, 4 * 10);
}

TEST(kernel_info, kernels_that_share_their_code_say_so) {
  std::string_view text = R"(model @m(%x: f32[1, 16, 8, 8]) {
  %w1 = random(1, he) : f32[16, 16, 3, 3]
  %w2 = random(2, he) : f32[16, 16, 3, 3]
  %w3 = random(3, he) : f32[16, 16, 1, 1]
  %a = conv2d %x, %w1 pad=[1, 1, 1, 1]
  %b = conv2d %a, %w2 pad=[1, 1, 1, 1]
  %c = conv2d %b, %w2 pad=[1, 1, 1, 1]
  %d = conv2d %c, %w3
  return %d
})";
  std::vector<cnnc::KernelInfo> kernels = describe(text);
  EXPECT_EQ(kernel(kernels, "a").code, kernel(kernels, "b").code);
  EXPECT_NE(kernel(kernels, "a").code, kernel(kernels, "d").code);
}

TEST(kernel_info, order_is_that_of_the_compiled_model) {
  cnnc::Result<cnnc::Model> model = cnnc::parse(network);
  ASSERT_TRUE(model);
  cnnc::Result<cnnc::Program> program = cnnc::jit(*model);
  cnnc::Result<std::vector<cnnc::KernelInfo>> kernels = cnnc::describe_kernels(*model);
  ASSERT_TRUE(program && kernels);
  ASSERT_EQ(kernels->size(), program->table().kernel_count);
  for (size_t i = 0; i < kernels->size(); ++i)
    EXPECT_EQ((*kernels)[i].name, program->table().kernel_names[i]);
}

TEST(kernel_info, loops_alone_have_sizes_but_no_ops) {
  std::vector<cnnc::KernelInfo> kernels = describe(R"(model @m(%x: f32[16]) {
  %y = call "k" %x : f32[16]
  return %y
}
kernel @k(x: f32[16]) -> (y: f32[16]) {
  vector i in 0..16 { y[i] = x[i] }
})");
  ASSERT_EQ(kernels.size(), 1u);
  EXPECT_EQ(kernels[0].ops, "");
  EXPECT_EQ(kernels[0].input_bytes, 64);
  EXPECT_EQ(kernels[0].output_bytes, 64);
}

TEST(kernel_info, mistakes_are_reported) {
  cnnc::Result<cnnc::Model> model = cnnc::parse("model @m(%x: f32[1, 4]) {\n"
                                                "  %w = random(1, he) : f32[2, 5]\n"
                                                "  %y = dense %x, %w\n  return %y\n}\n");
  ASSERT_TRUE(model);
  EXPECT_FALSE(cnnc::describe_kernels(*model));
}

/// A list of passes without what code generation needs is an error, not a crash.
TEST(Passes, NoneIsAnError) {
  cnnc::Options options;
  options.passes.emplace();
  cnnc::Result<cnnc::Model> model = cnnc::parse(network);
  ASSERT_TRUE(model) << model.error();
  EXPECT_NE(cnnc::jit(*model, options).error().find("run infer_shapes before code generation"),
            std::string_view::npos);
  EXPECT_NE(cnnc::describe_kernels(*model, options).error().find("run infer_shapes"),
            std::string_view::npos);
}

} // namespace
