// Mathematical functions as straight-line LLVM IR on float or vectors of float.
#pragma once

namespace llvm {
class IRBuilderBase;
class Value;
} // namespace llvm

namespace cnnc::codegen {

/// Errors stay below these, in units in the last place; tests/unit/emit_math_test.cpp measures
/// them.
inline constexpr double exp_error_in_ulps = 2, tanh_error_in_ulps = 3;

/// a > b ? a : b, which is one instruction on x86 (also with NaN: then b).
llvm::Value *emit_max(llvm::IRBuilderBase &builder, llvm::Value *a, llvm::Value *b);
llvm::Value *emit_min(llvm::IRBuilderBase &builder, llvm::Value *a, llvm::Value *b);

/// e^x, infinities and NaN included; results below the smallest normal number are 0, since CPUs
/// take a hundred cycles for subnormal ones. 15 instructions with FMA: range reduction by ln 2 in
/// two parts, degree-6 polynomial (minimax on [-ln 2 / 2, ln 2 / 2]), n added to the exponent.
llvm::Value *emit_exp(llvm::IRBuilderBase &builder, llvm::Value *x);

/// tanh x: odd polynomial below 0.625, from there 1 - 2 / (e^2x + 1) (Moshier, Cephes, tanhf).
llvm::Value *emit_tanh(llvm::IRBuilderBase &builder, llvm::Value *x);

/// a * b + c, fused where the target has such an instruction. Only the oldest x86-64 has none, and
/// libm's fmaf would be slow and a dependency.
llvm::Value *emit_fma(llvm::IRBuilderBase &builder, llvm::Value *a, llvm::Value *b, llvm::Value *c);
llvm::Value *emit_sqrt(llvm::IRBuilderBase &builder, llvm::Value *x);

} // namespace cnnc::codegen
