// Targets, and machine code out of LLVM IR.
#include "compiler/codegen/object.h"
#include "compiler/codegen/target/target.h"
#include "runtime/cpu_x86_64.h"
#include "tests/unit/codegen_test_helpers.h"

#include <atomic>
#include <gtest/gtest.h>
#include <llvm/IR/Module.h>
#include <new>
#include <stdexcept>

namespace cnnc::codegen {
namespace {

TEST(ObjectTest, InvalidCodeNamesTheFunction) {
  llvm::LLVMContext context;
  llvm::Module module("bad", context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), false);
  auto *function =
      llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, "conv1", module);
  llvm::BasicBlock::Create(context, "no_terminator", function);
  Diagnostics diagnostics;
  EXPECT_FALSE(compile_to_object(module, native_target(), diagnostics));
  EXPECT_NE(diagnostics.to_string().find("internal error: invalid code for function 'conv1'"),
            std::string::npos)
      << diagnostics.to_string();
}

/// A loop that adds to `count` vectors of four numbers, which are stored behind it.
std::string sums(int count) {
  std::string phis, adds, stores;
  for (int i = 0; i < count; ++i) {
    std::string a = "%a" + std::to_string(i), next = "%n" + std::to_string(i);
    phis += "  " + a + " = phi <4 x float> [ zeroinitializer, %entry ], [ " + next + ", %loop ]\n";
    adds += "  " + next + " = fadd <4 x float> " + a + ", %v\n";
    std::string to = "%p" + std::to_string(i);
    stores += "  " + to + " = getelementptr i8, ptr %out, i64 " + std::to_string(16 * i) +
              "\n  store <4 x float> " + next + ", ptr " + to + "\n";
  }
  return "define void @sums(ptr %in, ptr %out, i64 %count) {\nentry:\n  br label %loop\nloop:\n"
         "  %i = phi i64 [ 0, %entry ], [ %inext, %loop ]\n" +
         phis + "  %p = getelementptr float, ptr %in, i64 %i\n  %v = load <4 x float>, ptr %p\n" +
         adds +
         "  %inext = add i64 %i, 4\n  %more = icmp ult i64 %inext, %count\n"
         "  br i1 %more, label %loop, label %end\nend:\n" +
         stores + "  ret void\n}\n";
}

TEST(ObjectTest, SpilledAccumulatorsAreCounted) {
  Diagnostics diagnostics;
  auto sse = resolve_target("x86-64", "", diagnostics); // 16 registers
  ASSERT_TRUE(sse);
  for (int count : {8, 15, 20}) {
    llvm::LLVMContext context;
    auto module = parse_ir(sums(count), context);
    auto object = compile_to_object(*module, *sse, diagnostics);
    ASSERT_TRUE(object) << diagnostics.to_string();
    if (count <= 15)
      EXPECT_EQ(object->numbers.spilled_accumulators, 0u) << count;
    else
      EXPECT_GE(object->numbers.spilled_accumulators, 4u) << count;
  }
}

TEST(ObjectTest, CompileAllKeepsTheOrder) {
  Target target = native_target();
  std::vector<ModuleMaker> makers;
  for (int i = 0; i < 12; ++i)
    makers.push_back(
        {"f", [i](llvm::LLVMContext &context, Diagnostics &diagnostics) {
           if (i % 5 == 4)
             diagnostics.warning({}, "module " + std::to_string(i));
           return parse_ir("define i32 @f" + std::to_string(i) + "() {\n  ret i32 7\n}\n", context);
         }});
  Diagnostics diagnostics;
  std::vector<size_t> done;
  auto parallel = compile_all(makers, target, diagnostics, {4, [&](size_t count, size_t total) {
                                                              EXPECT_EQ(total, 12u);
                                                              done.push_back(count);
                                                            }});
  EXPECT_EQ(done, std::vector<size_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  ASSERT_TRUE(parallel && parallel->size() == makers.size());
  ASSERT_EQ(diagnostics.all().size(), 2u);
  EXPECT_EQ(diagnostics.all()[0].message, "module 4");
  auto serial = compile_all(makers, target, diagnostics, {1});
  for (size_t i = 0; i < makers.size(); ++i)
    EXPECT_EQ((*parallel)[i].code, (*serial)[i].code);
  EXPECT_NE((*serial)[0].code, (*serial)[1].code);

  makers[3].make = [](llvm::LLVMContext &, Diagnostics &d) -> std::unique_ptr<llvm::Module> {
    d.error("no module 3");
    return nullptr;
  };
  EXPECT_FALSE(compile_all(makers, target, diagnostics));
  EXPECT_EQ(diagnostics.error_count(), 1u);
}

/// What is thrown on a worker thread is an error with a name, not the end of the process.
TEST(ObjectTest, OutOfMemory) {
  std::vector<ModuleMaker> makers;
  for (const char *name : {"the kernel @a", "the kernel @b", "the kernel @c"})
    makers.push_back(
        {name, [](llvm::LLVMContext &, Diagnostics &) -> std::unique_ptr<llvm::Module> {
           throw std::bad_alloc();
         }});
  Diagnostics diagnostics;
  EXPECT_FALSE(compile_all(makers, native_target(), diagnostics, {3}));
  ASSERT_EQ(diagnostics.error_count(), 3u);
  EXPECT_EQ(diagnostics.all()[1].message, "out of memory while compiling the kernel @b");
}

TEST(ObjectTest, Exceptions) {
  std::atomic<size_t> begun = 0;
  EXPECT_THROW(run_jobs(100000, {4},
                        [&](size_t i) {
                          ++begun;
                          if (i % 100 == 99)
                            throw std::runtime_error("job");
                        }),
               std::runtime_error);
  EXPECT_GE(begun, 100u);
  EXPECT_LT(begun, 100000u);
}

TEST(ObjectTest, VectorWidthFollowsTheTarget) {
  const char *ir = "define void @f(ptr %p) {\n  %x = load <16 x float>, ptr %p, align 4\n"
                   "  %y = fadd <16 x float> %x, %x\n  store <16 x float> %y, ptr %p, align 4\n"
                   "  ret void\n}\n";
  auto assembly = [&](const char *cpu) {
    Diagnostics diagnostics;
    llvm::LLVMContext context;
    auto text = compile_to_assembly(*parse_ir(ir, context), *resolve_target(cpu, "", diagnostics),
                                    diagnostics);
    return text.value_or(diagnostics.to_string());
  };
  EXPECT_NE(assembly("skylake-avx512").find("%zmm"), std::string::npos);
  EXPECT_NE(assembly("znver4").find("%zmm"), std::string::npos);
  EXPECT_NE(assembly("haswell").find("%ymm"), std::string::npos);
  EXPECT_EQ(assembly("haswell").find("%zmm"), std::string::npos);
  EXPECT_EQ(assembly("x86-64").find("%ymm"), std::string::npos);
}

TEST(ObjectTest, AddressingStaysAsWritten) {
  const char *ir = "define void @k(ptr %a, ptr %b, i64 %n) {\nentry:\n  br label %loop\nloop:\n"
                   "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]\n  %j = mul i64 %i, 12\n"
                   "  %p = getelementptr float, ptr %a, i64 %j\n"
                   "  %x = load <8 x float>, ptr %p, align 4\n"
                   "  %q = getelementptr float, ptr %b, i64 %i\n"
                   "  store <8 x float> %x, ptr %q, align 4\n  %next = add i64 %i, 8\n"
                   "  %more = icmp slt i64 %next, %n\n"
                   "  br i1 %more, label %loop, label %done\ndone:\n  ret void\n}\n";
  Diagnostics diagnostics;
  llvm::LLVMContext context;
  auto text = compile_to_assembly(*parse_ir(ir, context),
                                  *resolve_target("haswell", "", diagnostics), diagnostics);
  ASSERT_TRUE(text) << diagnostics.to_string();
  // Loop strength reduction would keep a second induction variable with a step of 8 * 12 floats.
  EXPECT_EQ(text->find("$384"), std::string::npos) << *text;
  EXPECT_NE(text->find("addq\t$8"), std::string::npos) << *text;
}

TEST(TargetTest, ResolvesNames) {
  Diagnostics diagnostics;
  auto v3 = resolve_target("x86-64-v3", "", diagnostics);
  auto v4 = resolve_target("x86-64-v4", "", diagnostics);
  auto baseline = resolve_target("x86-64", "", diagnostics);
  auto no_fma = resolve_target("haswell", "-fma", diagnostics);
  auto narrowed = resolve_target("znver4", "-avx512f", diagnostics);
  auto widened = resolve_target("x86-64", "avx2,+fma", diagnostics);
  ASSERT_TRUE(v3 && v4 && baseline && no_fma && narrowed && widened) << diagnostics.to_string();
  EXPECT_EQ(machine_of(*v3).vector_lanes, 8);
  EXPECT_EQ(machine_of(*v3).vector_registers, 16);
  EXPECT_TRUE(machine_of(*v3).fused_multiply_add);
  EXPECT_EQ(machine_of(*v4).vector_lanes, 16);
  EXPECT_EQ(machine_of(*v4).vector_registers, 32);
  EXPECT_TRUE(machine_of(*v4).wide_tiles && !machine_of(*v3).wide_tiles);
  EXPECT_EQ(machine_of(*v4).tile_registers, 28);
  EXPECT_EQ(machine_of(*v3).tile_registers, 15);
  EXPECT_EQ(machine_of(*no_fma).tile_registers, 14); // one holds a product
  EXPECT_EQ(machine_of(*baseline).vector_lanes, 4);
  EXPECT_EQ(baseline->features, "");
  EXPECT_EQ(baseline->required_cpu, 0u);
  EXPECT_TRUE(runs_on_host(*baseline));
  EXPECT_FALSE(machine_of(*no_fma).fused_multiply_add);
  EXPECT_EQ(machine_of(*narrowed).vector_lanes, 8);
  EXPECT_EQ(machine_of(*widened).vector_lanes, 8);
  EXPECT_TRUE(widened->required_cpu & CNNC_CPU_AVX);
  EXPECT_TRUE(runs_on_host(native_target()));
}

TEST(TargetTest, UnknownNamesAreErrorsWithTheNearestName) {
  Diagnostics diagnostics;
  EXPECT_FALSE(resolve_target("haswel", "", diagnostics));
  EXPECT_FALSE(resolve_target("haswell", "+avx52", diagnostics));
  EXPECT_FALSE(resolve_target("pentium", "", diagnostics));
  EXPECT_TRUE(resolve_target("haswell", "+amx-tile", diagnostics));
  ASSERT_EQ(diagnostics.all().size(), 4u);
  EXPECT_EQ(diagnostics.all()[0].message, "unknown CPU 'haswel'; did you mean 'haswell'?");
  EXPECT_NE(diagnostics.all()[1].message.find("unknown CPU feature 'avx52'; did you mean 'avx"),
            std::string::npos);
  EXPECT_EQ(diagnostics.all()[3].severity, Severity::warning);
}

} // namespace
} // namespace cnnc::codegen
