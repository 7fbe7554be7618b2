/* Which extensions of x86-64 may be used here: cpuid says what the CPU has, xgetbv which registers
   the system saves. Without __builtin_cpu_supports, which needs libgcc. A part of cpu.c. */
#include <cpuid.h>
#include <stddef.h>

/* Register files that the operating system must save, as bits of XCR0. */
enum { NO_STATE = 0, AVX_STATE = 0x06, AVX512_STATE = 0xe6 };

/* Rows of results of cpuid in `read_cpuid`. */
enum { LEAF_1 = 0, LEAF_7 = 1, LEAF_7_1 = 2, LEAF_EXTENDED = 3, LEAF_COUNT = 4 };
enum { EAX = 0, EBX = 1, ECX = 2, EDX = 3 };

struct feature {
  uint32_t bit;
  uint8_t leaf, reg, position, state;
};

static const struct feature features[] = {
    {CNNC_CPU_AVX2, LEAF_7, EBX, 5, AVX_STATE},
    {CNNC_CPU_FMA, LEAF_1, ECX, 12, AVX_STATE},
    {CNNC_CPU_AVX512F, LEAF_7, EBX, 16, AVX512_STATE},
    {CNNC_CPU_AVX512BW, LEAF_7, EBX, 30, AVX512_STATE},
    {CNNC_CPU_AVX512DQ, LEAF_7, EBX, 17, AVX512_STATE},
    {CNNC_CPU_AVX512VL, LEAF_7, EBX, 31, AVX512_STATE},
    {CNNC_CPU_AVX512CD, LEAF_7, EBX, 28, AVX512_STATE},
    {CNNC_CPU_BMI2, LEAF_7, EBX, 8, NO_STATE},
    {CNNC_CPU_AVX, LEAF_1, ECX, 28, AVX_STATE},
    {CNNC_CPU_F16C, LEAF_1, ECX, 29, AVX_STATE},
    {CNNC_CPU_BMI, LEAF_7, EBX, 3, NO_STATE},
    {CNNC_CPU_LZCNT, LEAF_EXTENDED, ECX, 5, NO_STATE},
    {CNNC_CPU_MOVBE, LEAF_1, ECX, 22, NO_STATE},
    {CNNC_CPU_POPCNT, LEAF_1, ECX, 23, NO_STATE},
    {CNNC_CPU_SSE42, LEAF_1, ECX, 20, NO_STATE},
    {CNNC_CPU_AVX512VBMI, LEAF_7, ECX, 1, AVX512_STATE},
    {CNNC_CPU_AVX512VBMI2, LEAF_7, ECX, 6, AVX512_STATE},
    {CNNC_CPU_AVX512VNNI, LEAF_7, ECX, 11, AVX512_STATE},
    {CNNC_CPU_AVX512IFMA, LEAF_7, EBX, 21, AVX512_STATE},
    {CNNC_CPU_AVX512BITALG, LEAF_7, ECX, 12, AVX512_STATE},
    {CNNC_CPU_AVX512VPOPCNTDQ, LEAF_7, ECX, 14, AVX512_STATE},
    {CNNC_CPU_AVX512BF16, LEAF_7_1, EAX, 5, AVX512_STATE},
    {CNNC_CPU_AVX512FP16, LEAF_7, EDX, 23, AVX512_STATE},
    {CNNC_CPU_AVXVNNI, LEAF_7_1, EAX, 4, AVX_STATE},
    {CNNC_CPU_GFNI, LEAF_7, ECX, 8, NO_STATE},
};

/* Leaves that the CPU does not have stay zero. */
static void read_cpuid(uint32_t result[LEAF_COUNT][4]) {
  static const uint32_t leaves[LEAF_COUNT][2] = {{1, 0}, {7, 0}, {7, 1}, {0x80000001u, 0}};
  for (int i = 0; i < LEAF_COUNT; ++i) {
    uint32_t *row = result[i];
    row[EAX] = row[EBX] = row[ECX] = row[EDX] = 0;
    if (i == LEAF_7_1 && result[LEAF_7][EAX] < 1) /* the number of sub-leaves */
      continue;
    __get_cpuid_count(leaves[i][0], leaves[i][1], &row[EAX], &row[EBX], &row[ECX], &row[EDX]);
  }
}

static uint32_t enabled_state(uint32_t leaf_1_ecx) {
  if (!(leaf_1_ecx & 1u << 27)) /* OSXSAVE: xgetbv exists */
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/* The extensions that the CPU has and whose registers the system saves. */
static uint32_t usable_features(uint32_t cpuid[LEAF_COUNT][4], uint32_t state) {
  uint32_t found = 0;
  for (size_t i = 0; i < sizeof features / sizeof features[0]; ++i) {
    const struct feature *f = &features[i];
    if ((cpuid[f->leaf][f->reg] >> f->position & 1u) && (state & f->state) == f->state)
      found |= f->bit;
  }
  return found;
}

static uint32_t detect_features(void) {
  uint32_t cpuid[LEAF_COUNT][4];
  read_cpuid(cpuid);
  return usable_features(cpuid, enabled_state(cpuid[LEAF_1][ECX]));
}
