// A family of CPUs: those that one triple of LLVM covers, and everything about them that the
// compiler must know. Nothing outside of this folder, and of the family's file in the runtime,
// depends on which it is. A family more is
//
//   codegen/target/NAME.cpp     its Family, as x86_64.cpp has it, declared below
//   runtime/cpu_NAME.h and .c   what a model asks its CPU for when it runs, chosen in runtime/cpu.h
//   a row                       in `families` (target.cpp), and in runtime/CMakeLists.txt and
//                               embedded.{h,c} for the runtime's object file
#pragma once

#include "compiler/codegen/target/machine.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace llvm {
class IRBuilderBase;
class Value;
} // namespace llvm

namespace cnnc::codegen {

/// An extension that generated code may use.
struct Feature {
  const char *name; ///< LLVM's
  uint32_t bit;     ///< the runtime's, of which a model checks that its CPU has it
};

struct Family {
  const char *triple;           ///< LLVM's name of CPU, system and calling convention
  uint16_t elf_machine;         ///< e_machine of its object files
  const char *linker_emulation; ///< what the linker calls its object files (-m)
  const char *baseline_cpu;     ///< LLVM's name of the CPU without extensions
  const char *required_feature; ///< what LLVM's CPUs that run code of this triple have in common
  std::span<const Feature> features;
  /// The runtime as an object file (runtime/embedded.h).
  const unsigned char *runtime_begin, *runtime_end;
  /// Makes LLVM's code generator for the family known to it.
  void (*initialize)();
  /// `bits`: the extensions at hand; `cpu`: LLVM's name.
  Machine (*machine)(uint32_t bits, std::string_view cpu);
  /// sum + the products of four u8 (x) and i8 (w) in every lane of 32 bits, exact, as one
  /// instruction of these extensions; null where they have none for so many lanes.
  llvm::Value *(*dot4)(llvm::IRBuilderBase &builder, uint32_t bits, llvm::Value *sum,
                       llvm::Value *x, llvm::Value *w);
  /// Whether these extensions convert vectors between f16 and f32.
  bool (*converts_f16)(uint32_t bits);
  /// The bytes behind `table`, which are 256, at the lowest 8 bits of each lane of x, in lanes of 32
  /// bits; null where these extensions have nothing faster than a load for each lane.
  llvm::Value *(*entry)(llvm::IRBuilderBase &builder, uint32_t bits, llvm::Value *table,
                        llvm::Value *x);
  /// The CPU whose scheduling model LLVM should use.
  std::string (*tuning)(const Machine &machine, const std::string &cpu);
};

extern const Family x86_64;

} // namespace cnnc::codegen
