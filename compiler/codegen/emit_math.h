// Mathematical functions as straight-line LLVM IR on float or vectors of float.
#pragma once

namespace llvm {
class IRBuilderBase;
class Value;
} // namespace llvm

namespace cnnc::codegen {

/// Errors stay below these, in units in the last place; tests/unit/emit_math_test.cpp measures
/// them.
inline constexpr double exp_error_in_ulps = 2, expm1_error_in_ulps = 2, tanh_error_in_ulps = 3,
                        log_error_in_ulps = 2, erf_error_in_ulps = 3, pow_error_in_ulps = 1,
                        sine_error_in_ulps = 2, normcdf_error_in_ulps = 12;

/// a > b ? a : b, which is one instruction on x86 (also with NaN: then b).
llvm::Value *emit_max(llvm::IRBuilderBase &builder, llvm::Value *a, llvm::Value *b);
llvm::Value *emit_min(llvm::IRBuilderBase &builder, llvm::Value *a, llvm::Value *b);

/// e^x, infinities and NaN included; results below the smallest normal number are 0, since CPUs
/// take a hundred cycles for subnormal ones. 15 instructions with FMA: range reduction by ln 2 in
/// two parts, degree-6 polynomial (minimax on [-ln 2 / 2, ln 2 / 2]), n added to the exponent.
llvm::Value *emit_exp(llvm::IRBuilderBase &builder, llvm::Value *x);

/// e^x - 1 for x up to 88, NaN included: the same reduction; what is close to 1 is subtracted from
/// 2^n, exactly, before the rest is added.
llvm::Value *emit_expm1(llvm::IRBuilderBase &builder, llvm::Value *x);

/// sin x and cos x for every float, NaN for infinities: the argument is reduced exactly
/// (emit_trigonometry.cpp).
llvm::Value *emit_sin(llvm::IRBuilderBase &builder, llvm::Value *x);
llvm::Value *emit_cos(llvm::IRBuilderBase &builder, llvm::Value *x);

/// tanh x: odd polynomial below 0.625, from there 1 - 2 / (e^2x + 1) (Moshier, Cephes, tanhf).
llvm::Value *emit_tanh(llvm::IRBuilderBase &builder, llvm::Value *x);

/// ln x: -inf at 0 (and for subnormal x), NaN below. Exponent and mantissa apart, degree-8
/// polynomial (Moshier, Cephes, logf).
llvm::Value *emit_log(llvm::IRBuilderBase &builder, llvm::Value *x);

/// erf x: odd polynomial below 0.93, from there 1 - e^p(x) (Juffa, erff).
llvm::Value *emit_erf(llvm::IRBuilderBase &builder, llvm::Value *x);

/// (1 + erf(x / sqrt 2)) / 2, which keeps its digits below 0: the errors grow with x^2, to
/// normcdf_error_in_ulps at -3 and ten times that at -13, where the result leaves the normal floats.
llvm::Value *emit_normcdf(llvm::IRBuilderBase &builder, llvm::Value *x);

/// x^y as powf of C has it: 1 for y = 0 and for x = 1 whatever the other is, NaN for a negative x
/// and a y that is no integer, infinities and the sign of zero included; but subnormal results may
/// be 0. 2^(y log2 x) in double (emit_pow.cpp).
llvm::Value *emit_pow(llvm::IRBuilderBase &builder, llvm::Value *x, llvm::Value *y);

/// To integers; round takes the even one of two neighbours. Additions of 2^23, as the oldest x86-64
/// has no instruction for it and libm would be a dependency.
llvm::Value *emit_round(llvm::IRBuilderBase &builder, llvm::Value *x);
llvm::Value *emit_floor(llvm::IRBuilderBase &builder, llvm::Value *x);
llvm::Value *emit_ceil(llvm::IRBuilderBase &builder, llvm::Value *x);
llvm::Value *emit_abs(llvm::IRBuilderBase &builder, llvm::Value *x);

/// a * b + c, fused where the target has such an instruction. Only the oldest x86-64 has none, and
/// libm's fmaf would be slow and a dependency.
llvm::Value *emit_fma(llvm::IRBuilderBase &builder, llvm::Value *a, llvm::Value *b, llvm::Value *c);
llvm::Value *emit_sqrt(llvm::IRBuilderBase &builder, llvm::Value *x);

} // namespace cnnc::codegen
