/* What makes runs fast and is done once: weights on large pages, memory that the system has
   provided, threads that wait. */
#include "internal.h"

#include <stdlib.h>
#include <sys/mman.h>

static const size_t page = 4096, large_page = (size_t)2 << 20;

void *cnnc_allocate(size_t size, size_t alignment) {
  const bool large = size >= large_page;
  if (alignment < 64)
    alignment = 64;
  if (large && alignment < large_page)
    alignment = large_page;
  void *memory = NULL;
  if (posix_memalign(&memory, alignment, size) != 0)
    return NULL;
  if (large)
    (void)madvise(memory, size / large_page * large_page, MADV_HUGEPAGE); /* only a hint */
  return memory;
}

/* Where large pages pay, and the weights do not begin on one already, as those of the JIT do. */
static bool wants_copy(const cnnc_program *program) {
  return program->model->weights_size >= large_page &&
         (uintptr_t)program->weights % large_page != 0;
}

struct memory {
  unsigned char *to;
  const unsigned char *from;
  size_t size;
};

static void copy_pages(void *data, int64_t begin, int64_t end, uint32_t worker) {
  const struct memory *memory = data;
  const size_t first = (size_t)begin * large_page, last = (size_t)end * large_page;
  (void)worker;
  for (size_t at = first; at < last && at < memory->size; at += 64) {
    /* The last bytes are copied with some in front of them: there is no copy of a part. */
    const size_t from = at + 64 <= memory->size ? at : memory->size - 64;
    __builtin_memcpy(memory->to + from, memory->from + from, 64);
    __asm__ volatile("" ::: "memory"); /* else the loop becomes a call of memcpy, from libc */
  }
}

static void touch_pages(void *data, int64_t begin, int64_t end, uint32_t worker) {
  const struct memory *memory = data;
  const size_t first = (size_t)begin * large_page, last = (size_t)end * large_page;
  (void)worker;
  for (size_t at = first; at < last && at < memory->size; at += page)
    *(volatile unsigned char *)(memory->to + at) = 0;
  if (last >= memory->size && memory->size != 0)
    *(volatile unsigned char *)(memory->to + memory->size - 1) = 0; /* the page may begin there */
}

static void start_thread(void *data, int64_t begin, int64_t end, uint32_t worker) {
  (void)data, (void)begin, (void)end, (void)worker;
}

static int64_t large_pages(size_t size) { return (int64_t)((size + large_page - 1) / large_page); }

/* The states that own a copy, which the end of the library frees. */
static cnnc_program_state *copies;
static bool copies_locked;

static void lock_copies(void) {
  while (__atomic_test_and_set(&copies_locked, __ATOMIC_ACQUIRE))
    cnnc_pause();
}

static void unlock_copies(void) { __atomic_clear(&copies_locked, __ATOMIC_RELEASE); }

/* Gives a state its copy; false: it has one. */
static bool own_copy(cnnc_program_state *state, const unsigned char *copy) {
  lock_copies();
  const bool first = !state->weights;
  if (first) {
    __atomic_store_n(&state->weights, copy, __ATOMIC_RELEASE);
    state->next = copies;
    copies = state;
  }
  unlock_copies();
  return first;
}

/* Leaves it where runs are at work: at the end of a process they may be, on other threads. */
static void free_copy(cnnc_program_state *state) {
  const unsigned char *copy = __atomic_exchange_n(&state->weights, NULL, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&state->runs, __ATOMIC_SEQ_CST) == 0)
    free((void *)copy);
}

static void disown_copy(cnnc_program_state *state) {
  lock_copies();
  cnnc_program_state **place = &copies;
  while (*place && *place != state)
    place = &(*place)->next;
  if (*place)
    *place = state->next;
  free_copy(state);
  unlock_copies();
}

bool cnnc_prepare_weights(const cnnc_program *program, cnnc_task *task) {
  cnnc_program_state *state = program->state;
  if (!wants_copy(program) || __atomic_load_n(&state->weights, __ATOMIC_ACQUIRE))
    return true;
  const size_t size = program->model->weights_size;
  unsigned char *copy = cnnc_allocate(size, large_page);
  if (!copy)
    return false;
  struct memory memory = {copy, program->weights, size};
  cnnc_parallel_for(task, copy_pages, &memory, large_pages(size));
  if (!own_copy(state, copy))
    free(copy); /* another thread was faster */
  return true;
}

cnnc_status cnnc_program_prepare(const cnnc_program *program, void *workspace,
                                 const cnnc_context *context) {
  const cnnc_model_v1 *model = program->model;
  const uint32_t threads = context ? context->threads : 1;
  if (program->required_cpu & ~cnnc_cpu_features())
    return CNNC_UNSUPPORTED_CPU;
  if ((uintptr_t)workspace % model->workspace_alignment != 0)
    return CNNC_INVALID_ARGUMENT;
  cnnc_task task;
  cnnc_task_begin(&task, context);
  cnnc_parallel_for(&task, start_thread, NULL, threads);
  const bool prepared = cnnc_prepare_weights(program, &task);
  if (workspace) {
    struct memory memory = {workspace, NULL, cnnc_workspace_size(model, threads)};
    cnnc_parallel_for(&task, touch_pages, &memory, large_pages(memory.size));
  }
  cnnc_task_end(&task);
  return prepared ? CNNC_OK : CNNC_OUT_OF_MEMORY;
}

void cnnc_program_release(const cnnc_program *program) { disown_copy(program->state); }

/* Without the lock, which may have been held when the process was forked. */
__attribute__((destructor)) static void free_copies(void) {
  for (; copies; copies = copies->next)
    free_copy(copies);
}
