/* The C interface of every compiled model. Stands alone: include this file (or the model's own
   generated header, which includes it) and link or dlopen the model.

   A model exports one symbol, `const cnnc_model_v1 *NAME_model(void)`. The table it returns
   describes the model and holds `run`. All memory belongs to the caller; nothing here aborts. */
#ifndef CNNC_RUNTIME_H
#define CNNC_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 2: models have `prepare` and `release`, and contexts have `flags`. Everything of version 1 is where
   it was. */
#define CNNC_ABI_VERSION 2u

typedef enum cnnc_status {
  CNNC_OK = 0,
  CNNC_INVALID_ARGUMENT = 1, /* a null tensor, or a misaligned workspace */
  CNNC_OUT_OF_MEMORY = 2,    /* no workspace was given and none could be allocated, or no copy */
  CNNC_UNSUPPORTED_CPU = 3,  /* the model was compiled for features that this CPU lacks */
  CNNC_INVALID_BATCH = 4,    /* a batch below 1 or too large for the address space */
  CNNC_FIXED_BATCH = 5,      /* a batch was asked for, but the shapes of the model say its size */
  CNNC_INVALID_LABEL = 6     /* a label of a training step is no class of the model */
} cnnc_status;

/* What a status means, as part of a sentence. */
static inline const char *cnnc_status_text(cnnc_status status) {
  switch (status) {
  case CNNC_OK:
    return "fine";
  case CNNC_INVALID_ARGUMENT:
    return "an input or output is null, or the workspace is not aligned";
  case CNNC_OUT_OF_MEMORY:
    return "no memory for the workspace, or for a copy of the weights";
  case CNNC_UNSUPPORTED_CPU:
    return "this CPU lacks features that the model was compiled for";
  case CNNC_INVALID_BATCH:
    return "the batch is below 1 or too large";
  case CNNC_FIXED_BATCH:
    return "the model's shapes fix its batch: leave the batch of the context at 0 or 1";
  case CNNC_INVALID_LABEL:
    return "a label is below 0, or not below the number of classes";
  }
  return "an unknown status";
}

typedef enum cnnc_dtype {
  CNNC_F32 = 0,
  CNNC_F64 = 1,
  CNNC_I32 = 2,
  CNNC_I64 = 3,
  CNNC_U8 = 4,
  CNNC_BOOL = 5,
  CNNC_I8 = 6,
  CNNC_I16 = 7
} cnnc_dtype;

/* A dimension of this value is the batch, chosen per call with `cnnc_context.batch`. */
#define CNNC_SYMBOLIC_BATCH ((int64_t)-1)

/* One input or output: dense, row-major, in the order of the shape (NCHW for images). */
typedef struct cnnc_tensor_v1 {
  const char *name;
  cnnc_dtype dtype;
  uint32_t rank;
  const int64_t *shape;
  size_t size; /* bytes; with a symbolic batch: bytes of one image */
} cnnc_tensor_v1;

/* A piece of a parallel loop: iterations [begin, end) done by `worker` (0 is the caller). */
typedef void (*cnnc_parallel_body)(void *data, int64_t begin, int64_t end, uint32_t worker);

/* A bit of `cnnc_context.flags`: the first run prepares the model's weights, as cnnc_prepare does, and
   goes on without when memory is short. */
#define CNNC_PREPARE_AT_FIRST_RUN 1u

/* Per-call settings. Zero-initialise, then set what you need; NULL means all defaults. */
typedef struct cnnc_context {
  uint32_t threads; /* 0 or 1: the calling thread alone; N: up to N threads of the model's pool */
  uint32_t flags;   /* 0, or CNNC_PREPARE_AT_FIRST_RUN */
  int64_t batch;    /* number of images when the batch is symbolic (f32[n, ..]); 0 means 1 */
  /* The caller's own threads, used instead of the pool when set: split [0, count) as you like, call
     `body(data, begin, end, worker)` for each part, with worker < threads, return when all are
     done. */
  void (*parallel_for)(void *parallel_user, int64_t count, cnnc_parallel_body body, void *data);
  void *parallel_user;
  /* Called after every kernel with its index in `kernel_names`, the wall time it took, and the
     workspace, in which the values that it wrote can still be read. */
  void (*profile)(void *profile_user, uint32_t kernel, uint64_t nanoseconds, const void *workspace);
  void *profile_user;
} cnnc_context;

/* Everything about one compiled model. Constant, valid as long as the library is loaded. */
typedef struct cnnc_model_v1 {
  uint32_t abi_version; /* CNNC_ABI_VERSION of the compiler that made it */
  const char *name;
  const char *target_cpu;      /* LLVM's name of the CPU it was compiled for */
  const char *target_features; /* the instruction-set extensions it uses, comma-separated */
  uint32_t input_count;
  const cnnc_tensor_v1 *inputs;
  uint32_t output_count;
  const cnnc_tensor_v1 *outputs;
  uint32_t kernel_count;
  const char *const *kernel_names; /* in the order of execution */
  size_t workspace_size;           /* bytes with one thread */
  size_t workspace_per_thread;     /* bytes more for every further thread of cnnc_context */
  size_t workspace_alignment;      /* bytes, a power of two */
  size_t weights_size;             /* bytes of constants in the library */
  /* Runs the model. `inputs` and `outputs` hold one pointer per tensor, in the order of the tables,
     with any alignment of their element type. `workspace` has cnnc_workspace_size bytes, or is
     NULL: the call then allocates one.
     Thread-safe: any number of threads may run one model at a time, each with its own workspace.
     Numbers below 1.2e-38 (f64: 2.3e-308) count as 0, whatever the floating-point mode of the
     caller, which is the same again afterwards. */
  cnnc_status (*run)(const void *const *inputs, void *const *outputs, void *workspace,
                     const cnnc_context *context);
  /* Since version 2. Call cnnc_prepare and cnnc_release, which know of older models. */
  cnnc_status (*prepare)(void *workspace, const cnnc_context *context);
  void (*release)(void);
} cnnc_model_v1;

/* Does ahead of the first run what makes that run, and all others, fast:
   - copies weights of 2 MiB or more into memory on large pages (2 MiB instead of 4 KiB each, if the
     system has them), on all threads of the context: reading them through small pages costs a few
     percent of each run;
   - writes to every page of `workspace`, so that the system provides them (NULL: none is given); no
     run may be using it;
   - starts the threads that the context asks for.
   Costs model->weights_size bytes of memory, rounded up to 2 MiB, beside the pages of the file, which
   the system drops when it needs them. Any number of threads may call it at a time, beside runs as
   well; a second call copies nothing. Returns
     CNNC_OK                 also when there was nothing to do;
     CNNC_OUT_OF_MEMORY      for the copy: runs then read the weights from the file, as before;
     CNNC_INVALID_ARGUMENT   the workspace is not aligned: nothing was done;
     CNNC_UNSUPPORTED_CPU    nothing was done. */
static inline cnnc_status cnnc_prepare(const cnnc_model_v1 *model, void *workspace,
                                       const cnnc_context *context) {
  return model->abi_version >= 2 ? model->prepare(workspace, context) : CNNC_OK;
}

/* Frees what cnnc_prepare, or a first run, has allocated; runs read the weights from the file again.
   No run of the model may be at work. `dlclose` and the end of the process do it by themselves. */
static inline void cnnc_release(const cnnc_model_v1 *model) {
  if (model->abi_version >= 2)
    model->release();
}

/* Bytes of workspace for calls whose context asks for `threads` threads (0 counts as 1); 0 when
   there is no such size. */
static inline size_t cnnc_workspace_size(const cnnc_model_v1 *model, uint32_t threads) {
  const size_t more = threads > 1 ? threads - 1 : 0;
  if (more != 0 && model->workspace_per_thread > (SIZE_MAX - model->workspace_size) / more)
    return 0;
  return model->workspace_size + more * model->workspace_per_thread;
}

#ifdef __cplusplus
}
#endif
#endif
