// Kernels on several threads. Under ThreadSanitizer (preset tsan) a race between iterations of a
// parallel loop fails, in any build other bits than those of one thread do.
#include "compiler/cnnc.h"
#include "compiler/codegen/object.h"
#include "compiler/codegen/target/target.h"
#include "compiler/codegen/thread_sanitizer.h"
#include "tests/unit/codegen_test_helpers.h"
#include "tests/unit/property_models.h"

#include <gtest/gtest.h>
#include <llvm/IR/Module.h>

namespace cnnc {
namespace {

using Outputs = std::vector<std::vector<std::byte>>;

size_t count_of(const cnnc_tensor_v1 &tensor) { return tensor.size / sizeof(float); }

Outputs run(const Program &program, uint32_t threads) {
  const cnnc_model_v1 &model = program.table();
  std::vector<std::vector<float>> inputs;
  std::vector<const void *> input_pointers;
  for (uint32_t i = 0; i < model.input_count; ++i) {
    std::vector<float> &input = inputs.emplace_back(count_of(model.inputs[i]));
    for (size_t k = 0; k < input.size(); ++k)
      input[k] = static_cast<float>((k * 37 + i) % 101) / 50 - 1;
    input_pointers.push_back(input.data());
  }
  Outputs outputs;
  std::vector<void *> output_pointers;
  for (uint32_t i = 0; i < model.output_count; ++i)
    output_pointers.push_back(outputs.emplace_back(model.outputs[i].size).data());
  cnnc_context context = {};
  context.threads = threads;
  EXPECT_TRUE(program.run(input_pointers, output_pointers, &context));
  return outputs;
}

/// Vectors of 16 bytes: ThreadSanitizer knows of no longer ones.
TEST(KernelThreads, GiveTheBitsOfOneThread) {
  Options options;
  options.cpu = "x86-64";
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    Choices choices(seed);
    const std::string text = random_network(choices);
    SCOPED_TRACE(text);
    Result<Model> model = parse(text);
    ASSERT_TRUE(model) << model.error();
    Result<Program> program = jit(*model, options);
    ASSERT_TRUE(program) << program.error();
    const Outputs expected = run(*program, 1);
    for (uint32_t threads : {2u, 3u})
      EXPECT_EQ(run(*program, threads), expected) << threads << " threads";
  }
}

/// What the test above relies on: stores are reported where a sanitizer listens.
TEST(KernelThreads, SanitizerIsToldOfStores) {
  llvm::LLVMContext context;
  auto module = codegen::parse_ir("define void @f(ptr %p) {\n  store <4 x float> "
                                  "zeroinitializer, ptr %p\n  ret void\n}\n",
                                  context);
  Diagnostics diagnostics;
  auto target = codegen::resolve_target("x86-64", "", diagnostics);
  ASSERT_TRUE(target);
  auto object = codegen::compile_to_object(*module, *target, diagnostics);
  ASSERT_TRUE(object) << diagnostics.to_string();
  const std::string_view code(object->code.data(), object->code.size());
  EXPECT_EQ(code.find("__tsan_write16") != std::string_view::npos, codegen::sanitizes_threads);
}

} // namespace
} // namespace cnnc
