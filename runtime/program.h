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

/* What changes in a program. Begins as zeros. */
typedef struct cnnc_program_state {
  const unsigned char *weights;    /* the copy that runs read; NULL: there is none. Atomic */
  uint64_t runs;                   /* that are at work. Atomic */
  struct cnnc_program_state *next; /* in the list of those that have one */
} cnnc_program_state;

typedef struct cnnc_program {
  const cnnc_model_v1 *model;
  const unsigned char *weights; /* constants as the library or the JIT holds them */
  cnnc_program_state *state;
  const cnnc_buffer *buffers;
  const cnnc_step *steps;
  uint32_t step_count;
  /* Instruction-set extensions, bits of the CPU's family (cpu_NAME.h), checked by every call: the
     CPU must have them and the operating system must save their registers. */
  uint32_t required_cpu;
  uint32_t symbolic_batch; /* 1: run the steps once per image, `cnnc_context.batch` times */
} cnnc_program;

/* The body of every generated `run`. */
CNNC_HIDDEN cnnc_status cnnc_program_run(const cnnc_program *program, const void *const *inputs,
                                         void *const *outputs, void *workspace,
                                         const cnnc_context *context);

/* The bodies of `prepare` and `release` (cnnc_runtime.h). */
CNNC_HIDDEN cnnc_status cnnc_program_prepare(const cnnc_program *program, void *workspace,
                                             const cnnc_context *context);
CNNC_HIDDEN void cnnc_program_release(const cnnc_program *program);

/* What a `parallel` loop calls: runs body over [0, count) on the threads of the task, every
   iteration once, in pieces whose number and place vary from call to call. A nested call runs its
   whole loop on the calling thread, as worker 0. */
CNNC_HIDDEN void cnnc_parallel_for(cnnc_task *task, cnnc_parallel_body body, void *data,
                                   int64_t count);

#ifdef __cplusplus
}
#endif
#endif
