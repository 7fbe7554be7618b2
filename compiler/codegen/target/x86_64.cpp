// The CPUs of x86-64.
#include "compiler/codegen/target/family.h"
#include "runtime/cpu_x86_64.h"
#include "runtime/embedded.h"

#include <array>
#include <llvm/BinaryFormat/ELF.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/Support/TargetSelect.h>

namespace cnnc::codegen {

namespace {

/// All extensions that generated code uses. Each is checked before a model runs, so that a model on
/// the wrong CPU is an error code and not an illegal instruction.
constexpr auto features = std::to_array<Feature>({
    {"sse4.2", CNNC_CPU_SSE42},
    {"popcnt", CNNC_CPU_POPCNT},
    {"avx", CNNC_CPU_AVX},
    {"f16c", CNNC_CPU_F16C},
    {"lzcnt", CNNC_CPU_LZCNT},
    {"movbe", CNNC_CPU_MOVBE},
    {"bmi", CNNC_CPU_BMI},
    {"bmi2", CNNC_CPU_BMI2},
    {"fma", CNNC_CPU_FMA},
    {"avx2", CNNC_CPU_AVX2},
    {"avxvnni", CNNC_CPU_AVXVNNI},
    {"gfni", CNNC_CPU_GFNI},
    {"avx512f", CNNC_CPU_AVX512F},
    {"avx512cd", CNNC_CPU_AVX512CD},
    {"avx512bw", CNNC_CPU_AVX512BW},
    {"avx512dq", CNNC_CPU_AVX512DQ},
    {"avx512vl", CNNC_CPU_AVX512VL},
    {"avx512ifma", CNNC_CPU_AVX512IFMA},
    {"avx512vbmi", CNNC_CPU_AVX512VBMI},
    {"avx512vbmi2", CNNC_CPU_AVX512VBMI2},
    {"avx512vnni", CNNC_CPU_AVX512VNNI},
    {"avx512bitalg", CNNC_CPU_AVX512BITALG},
    {"avx512vpopcntdq", CNNC_CPU_AVX512VPOPCNTDQ},
    {"avx512bf16", CNNC_CPU_AVX512BF16},
    {"avx512fp16", CNNC_CPU_AVX512FP16},
});

void initialize() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser();
}

Machine machine(uint32_t bits, std::string_view cpu) {
  auto has = [&](uint32_t wanted) { return (bits & wanted) == wanted; };
  Machine result;
  result.fused_multiply_add = has(CNNC_CPU_FMA);
  if (has(CNNC_CPU_AVX512F | CNNC_CPU_AVX512VL)) {
    result.vector_lanes = 16;
    result.vector_registers = 32;
    result.tile_registers = 28;
    result.wide_tiles = true; // with broadcasts as operands
  } else {
    result.vector_lanes = has(CNNC_CPU_AVX2) ? 8 : 4;
    result.vector_registers = 16;
    result.tile_registers = result.fused_multiply_add ? 15 : 14;
    result.wide_tiles = false;
  }
  result.byte_products = has(CNNC_CPU_AVX512VNNI) || has(CNNC_CPU_AVXVNNI);
  result.dot_registers = result.byte_products      ? result.tile_registers
                         : result.many_registers() ? result.tile_registers - 1
                                                   : 14;
  // Measured, one core: Zen 4 25 to 30 GB/s at 117 GFLOP/s, server Xeons 10 to 15 at 135.
  result.bytes_per_operation = cpu.starts_with("znver") ? 0.23 : 0.1;
  return result;
}

/// vpdpbusd, of AVX-512 for 16 lanes, and for 8 and 4 of that or of AVX-VNNI.
llvm::Value *dot4(llvm::IRBuilderBase &builder, uint32_t bits, llvm::Value *sum, llvm::Value *x,
                  llvm::Value *w) {
  auto has = [&](uint32_t wanted) { return (bits & wanted) == wanted; };
  auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(sum->getType());
  const unsigned lanes = vector ? vector->getNumElements() : 1;
  const bool any = has(CNNC_CPU_AVX512VNNI | CNNC_CPU_AVX512VL) ||
                   (has(CNNC_CPU_AVXVNNI) && (lanes == 4 || lanes == 8));
  llvm::Intrinsic::ID instruction = llvm::Intrinsic::not_intrinsic;
  if (lanes == 16)
    instruction = llvm::Intrinsic::x86_avx512_vpdpbusd_512;
  else if (lanes == 8)
    instruction = llvm::Intrinsic::x86_avx512_vpdpbusd_256;
  else if (lanes == 4)
    instruction = llvm::Intrinsic::x86_avx512_vpdpbusd_128;
  if (!any || instruction == llvm::Intrinsic::not_intrinsic)
    return nullptr;
  auto *bytes = llvm::FixedVectorType::get(builder.getInt8Ty(), 4 * lanes);
  return builder.CreateIntrinsic(
      instruction, {sum, builder.CreateBitCast(x, bytes), builder.CreateBitCast(w, bytes)});
}

bool converts_f16(uint32_t bits) { return (bits & CNNC_CPU_F16C) != 0; }

/// Of AVX-512, in 16 lanes: two vpermi2d, each of half of the table in two registers, give the four
/// bytes among which it is. A gather of AVX2 takes longer than loads.
llvm::Value *entry(llvm::IRBuilderBase &builder, uint32_t bits, llvm::Value *table,
                   llvm::Value *x) {
  auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
  if (!vector || vector->getNumElements() != 16 || (bits & CNNC_CPU_AVX512F) == 0)
    return nullptr;
  auto all = [&](uint64_t number) { return llvm::ConstantInt::get(vector, number); };
  llvm::Value *place = builder.CreateLShr(x, all(2)); // of which the lowest five bits count
  auto half = [&](uint64_t first) {
    auto part = [&](uint64_t offset) {
      return builder.CreateAlignedLoad(
          vector, builder.CreateConstGEP1_64(builder.getInt8Ty(), table, offset), llvm::Align(1));
    };
    return builder.CreateIntrinsic(llvm::Intrinsic::x86_avx512_vpermi2var_d_512,
                                   {part(first), place, part(first + 64)});
  };
  llvm::Value *low = half(0), *high = half(128);
  llvm::Value *is_high = builder.CreateICmpNE(builder.CreateAnd(x, all(128)), all(0));
  llvm::Value *four = builder.CreateSelect(is_high, high, low);
  llvm::Value *shift = builder.CreateShl(builder.CreateAnd(x, all(3)), all(3));
  return builder.CreateAnd(builder.CreateLShr(four, shift), all(255));
}

/// With LLVM's model of Zen 4 loads are placed well before their use. With those of Intel's CPUs
/// they come right before it, which is 1 to 6 % slower in the loops of convolutions, on Intel's,
/// too.
std::string tuning(const Machine &machine, const std::string &cpu) {
  return machine.wide_tiles ? "znver4" : cpu;
}

} // namespace

constinit const Family x86_64 = {
    .triple = "x86_64-unknown-linux-gnu",
    .elf_machine = llvm::ELF::EM_X86_64,
    .linker_emulation = "elf_x86_64",
    .baseline_cpu = "x86-64",
    .required_feature = "+64bit",
    .features = features,
    .runtime_begin = cnnc_embedded_runtime_x86_64_begin,
    .runtime_end = cnnc_embedded_runtime_x86_64_end,
    .initialize = initialize,
    .machine = machine,
    .dot4 = dot4,
    .converts_f16 = converts_f16,
    .entry = entry,
    .tuning = tuning,
};

} // namespace cnnc::codegen
