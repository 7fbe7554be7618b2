/* What the compiler hands to the runtime: the steps of one model as constant tables. Private: the
   code generator emits these tables (compiler/codegen/model_table.cpp), runtime/run.c walks them.
 */
#ifndef CNNC_PROGRAM_H
#define CNNC_PROGRAM_H

#include "cnnc_runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Hidden: linked into every model, never visible outside of it. */
#define CNNC_HIDDEN __attribute__((visibility("hidden")))

/* Where a buffer lives. */
enum {
  CNNC_SPACE_WEIGHTS = 0,
  CNNC_SPACE_WORKSPACE = 1,
  CNNC_SPACE_INPUT = 2,
  CNNC_SPACE_OUTPUT = 3
};

typedef struct cnnc_buffer {
  uint32_t space;
  uint32_t index;  /* which input or output */
  uint64_t offset; /* bytes into weights or workspace, or into one image of the input or output */
} cnnc_buffer;

/* State of one call of `run`, seen by kernels only as an opaque pointer. */
typedef struct cnnc_task cnnc_task;

typedef struct cnnc_step {
  void (*kernel)(cnnc_task *task, void *const *buffers);
  uint32_t first_buffer; /* into cnnc_program.buffers: inputs, then outputs of the kernel */
  uint32_t buffer_count; /* at most CNNC_MAX_KERNEL_BUFFERS */
} cnnc_step;

enum { CNNC_MAX_KERNEL_BUFFERS = 256 };

/* Instruction-set extensions a model may need, checked by every call: the CPU must have them and
   the operating system must save their registers. A bit that is not listed here counts as missing.
 */
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

typedef struct cnnc_program {
  const cnnc_model_v1 *model;
  const unsigned char *weights;
  const cnnc_buffer *buffers;
  const cnnc_step *steps;
  uint32_t step_count;
  uint32_t required_cpu;   /* CNNC_CPU_ bits */
  uint32_t symbolic_batch; /* 1: run the steps once per image, `cnnc_context.batch` times */
} cnnc_program;

/* The body of every generated `run`. */
CNNC_HIDDEN cnnc_status cnnc_program_run(const cnnc_program *program, const void *const *inputs,
                                         void *const *outputs, void *workspace,
                                         const cnnc_context *context);

/* What a `parallel` loop calls: runs body over [0, count) on the threads of the task, every
   iteration once, in pieces whose number and place vary from call to call. A nested call runs its
   whole loop on the calling thread, as worker 0. */
CNNC_HIDDEN void cnnc_parallel_for(cnnc_task *task, cnnc_parallel_body body, void *data,
                                   int64_t count);

#ifdef __cplusplus
}
#endif
#endif
