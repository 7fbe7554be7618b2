/* What the files of the runtime share. Every function is hidden, and the linker makes it local:
   each model has a runtime of its own. */
#ifndef CNNC_INTERNAL_H
#define CNNC_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cpu.h"
#include "program.h"

#include <stdbool.h>
#include <time.h>

struct cnnc_team;

struct cnnc_task {
  const cnnc_context *context; /* may be NULL: all defaults */
  struct cnnc_team *team;      /* the pool's threads held by this run; NULL: none yet, or serial */
  bool team_wanted;            /* no team was asked for yet */
  bool in_parallel;            /* inside a parallel loop: a nested one runs serially */
  uint32_t caller_float;       /* the caller's floating-point state, also for its callbacks */
  uint32_t model_float;        /* the model's, on all threads */
};

/* The state at the start of a run, whose thread changes to the mode of the model. `cnnc_task_end`
   changes back and gives the team back. Never fails. */
CNNC_HIDDEN void cnnc_task_begin(cnnc_task *task, const cnnc_context *context);
CNNC_HIDDEN void cnnc_task_end(cnnc_task *task);

/* The CNNC_CPU_ bits that this CPU and its operating system support. Cached, thread-safe. */
CNNC_HIDDEN uint32_t cnnc_cpu_features(void);

/* Memory in large pages where it is large and the system has them. NULL: out of memory. */
CNNC_HIDDEN void *cnnc_allocate(size_t size, size_t alignment);

/* Where a run reads the weights. A copy stays until the reading ends: what frees it takes it out of
   the state first and then looks for runs, which come into the count before they look for it. */
static inline const unsigned char *cnnc_begin_reading(const cnnc_program *program) {
  __atomic_add_fetch(&program->state->runs, 1, __ATOMIC_SEQ_CST);
  const unsigned char *copy = __atomic_load_n(&program->state->weights, __ATOMIC_SEQ_CST);
  return copy ? copy : program->weights;
}

static inline void cnnc_end_reading(const cnnc_program *program) {
  __atomic_sub_fetch(&program->state->runs, 1, __ATOMIC_RELEASE);
}

/* Copies the weights to large pages, unless that was done or is of no use. False: out of memory. */
CNNC_HIDDEN bool cnnc_prepare_weights(const cnnc_program *program, cnnc_task *task);

static inline uint64_t cnnc_nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

#endif
