/* What the runtime must know of x86-64, cpu_x86_64.c aside. The compiler includes this file for the
   names of the bits, whatever it runs on itself. */
#ifndef CNNC_CPU_X86_64_H
#define CNNC_CPU_X86_64_H

#include <stdint.h>

/* Instruction-set extensions: bits of cnnc_program.required_cpu. A bit that is not listed here
   counts as missing. */
enum {
  CNNC_CPU_AVX2 = 1u << 0,
  CNNC_CPU_FMA = 1u << 1,
  CNNC_CPU_AVX512F = 1u << 2,
  CNNC_CPU_AVX512BW = 1u << 3,
  CNNC_CPU_AVX512DQ = 1u << 4,
  CNNC_CPU_AVX512VL = 1u << 5,
  CNNC_CPU_AVX512CD = 1u << 6,
  CNNC_CPU_BMI2 = 1u << 7,
  CNNC_CPU_AVX = 1u << 8,
  CNNC_CPU_F16C = 1u << 9,
  CNNC_CPU_BMI = 1u << 10,
  CNNC_CPU_LZCNT = 1u << 11,
  CNNC_CPU_MOVBE = 1u << 12,
  CNNC_CPU_POPCNT = 1u << 13,
  CNNC_CPU_SSE42 = 1u << 14,
  CNNC_CPU_AVX512VBMI = 1u << 15,
  CNNC_CPU_AVX512VBMI2 = 1u << 16,
  CNNC_CPU_AVX512VNNI = 1u << 17,
  CNNC_CPU_AVX512IFMA = 1u << 18,
  CNNC_CPU_AVX512BITALG = 1u << 19,
  CNNC_CPU_AVX512VPOPCNTDQ = 1u << 20,
  CNNC_CPU_AVX512BF16 = 1u << 21,
  CNNC_CPU_AVX512FP16 = 1u << 22,
  CNNC_CPU_AVXVNNI = 1u << 23,
  CNNC_CPU_GFNI = 1u << 24
};

#if defined(__x86_64__)

#include <xmmintrin.h>

/* How this thread rounds and flushes, and its sticky exception flags: MXCSR. The mode of a model is
   that of its caller, except that subnormal numbers, as operands (bit 6) and as results (bit 15),
   are 0: each costs hundreds of cycles otherwise. */
static inline uint32_t cnnc_float_state(void) { return _mm_getcsr(); }
static inline void cnnc_set_float_state(uint32_t state) { _mm_setcsr(state); }
static inline uint32_t cnnc_model_float_state(uint32_t caller) {
  return (caller & ~0x3fu) | 0x8040u;
}

static inline void cnnc_pause(void) { _mm_pause(); }

#endif
#endif
