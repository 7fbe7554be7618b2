/* The threads of a model. A pool of a few teams, each a caller and its workers; a run holds one
   team from its first parallel loop to its end, so that several application threads can each run
   the model with threads, and a run that finds no free team is serial.

   Each thread of a team has a slot with its share of the loop: one word with the range that is
   left. Threads take pieces off the front of their own slot and, when it is empty, off the back of
   the others', each time a quarter of what is left: neighbouring iterations stay on one core, and
   nobody waits for a core that is busy elsewhere, except for the piece it works on. A claim is one
   compare-and-swap; whoever succeeds holds unfinished work, which keeps the loop's body and data
   in place until that is reported. So no thread ever waits to enter or leave a loop.

   Who waits, spins for a moment and then sleeps; at once if it is in the way of whom it waits for.

   That one piece is the weak spot: a worker that loses its core in the middle of it holds the
   caller up for a whole time slice, longer than most loops. So the caller keeps an account of the
   time that threads saved, against an estimate of the loop on one thread. A team that used up its
   credit rests: loops are serial, for a time that is a large multiple of what was lost, so that a
   core that others use costs next to nothing against one thread. */
#include "account.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEAM_COUNT = 8, MAX_THREADS = 64 };

/* How long a thread without work stays awake. Longer than the gaps between kernels, far shorter
   than a person or a battery notices. */
static const uint64_t spin_nanoseconds = 50000;

/* Bits of a slot's word: begin and end of the range, and the highest thread that may take of it
   (a team can have more workers than the run asked for). */
enum { RANGE_BITS = 29 };
static const uint64_t range_mask = ((uint64_t)1 << RANGE_BITS) - 1;

struct slot {
  _Atomic uint64_t range;  /* the share that nobody took yet */
  _Atomic uint32_t parked; /* 1: the worker sleeps on this word, or is about to */
  _Atomic int core;        /* where the thread last began to work */
  uint32_t index;
  uint32_t done; /* iterations that the thread did of the last loop, and the time they took */
  uint64_t nanoseconds;
  struct cnnc_team *team;
  pthread_t thread;
} __attribute__((aligned(128)));

struct cnnc_team {
  struct slot slots[MAX_THREADS]; /* [0] is the caller's */
  /* The loop at work. Written while no iteration is outstanding. */
  cnnc_parallel_body body;
  void *data;
  uint32_t float_state;                                   /* all threads round and flush alike */
  struct account account;                                 /* of the holder */
  _Atomic uint32_t pending __attribute__((aligned(128))); /* iterations not yet reported done */
  _Atomic uint32_t caller_waits;                          /* 1: the caller sleeps on `pending` */
  _Atomic uint32_t stop __attribute__((aligned(128)));
  _Atomic pid_t holder; /* 0: free; else the process of the run that holds the team */
  pid_t worker_process; /* the process in which the workers live: fork does not copy them */
  uint32_t worker_count;
};

static struct cnnc_team teams[TEAM_COUNT];

static void futex_wait(_Atomic uint32_t *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

struct spin {
  uint32_t steps;
  uint64_t deadline;
};

/* One step of a busy wait for one of the threads of the slots [first, last]. False: sleep instead,
   because the time is over or it is this very core that such a thread needs. */
static bool spin_once(struct spin *spin, const struct slot *first, const struct slot *last) {
  cnnc_pause();
  if (++spin->steps % 16 != 0)
    return true;
  const int core = sched_getcpu();
  for (const struct slot *slot = first; slot <= last; ++slot)
    if (atomic_load_explicit(&slot->core, memory_order_relaxed) == core)
      return false;
  uint64_t now = cnnc_nanoseconds();
  if (spin->deadline == 0)
    spin->deadline = now + spin_nanoseconds;
  return now < spin->deadline;
}

static uint64_t pack_range(uint64_t begin, uint64_t end, uint64_t last_thread) {
  return begin | end << RANGE_BITS | last_thread << (2 * RANGE_BITS);
}

static uint32_t range_begin(uint64_t word) { return (uint32_t)(word & range_mask); }
static uint32_t range_end(uint64_t word) { return (uint32_t)(word >> RANGE_BITS & range_mask); }
static uint32_t range_last_thread(uint64_t word) { return (uint32_t)(word >> (2 * RANGE_BITS)); }

/* Takes a piece of the slot for `thread`. False: nothing there for it. */
static bool claim(struct slot *slot, uint32_t thread, uint32_t *begin, uint32_t *end) {
  uint64_t word = atomic_load_explicit(&slot->range, memory_order_relaxed);
  for (;;) {
    uint32_t first = range_begin(word), last = range_end(word);
    if (first >= last || thread > range_last_thread(word))
      return false;
    uint32_t piece = (last - first + 3) / 4;
    bool own = slot->index == thread;
    *begin = own ? first : last - piece;
    *end = *begin + piece;
    uint64_t rest = own ? pack_range(*end, last, range_last_thread(word))
                        : pack_range(first, *begin, range_last_thread(word));
    if (atomic_compare_exchange_weak_explicit(&slot->range, &word, rest, memory_order_acquire,
                                              memory_order_relaxed))
      return true;
  }
}

/* Own slot first, then those of the others, beginning with the next one, each until it is empty.
   Returns the number of iterations done, which are not yet reported: so that the loop cannot end,
   and all of them belong to one loop. */
static uint32_t work(struct cnnc_team *team, uint32_t thread) {
  struct slot *own = &team->slots[thread];
  uint32_t threads = range_last_thread(atomic_load_explicit(&own->range, memory_order_relaxed)) + 1;
  uint32_t done = 0, begin, end;
  uint64_t start = 0;
  for (uint32_t i = 0; i < threads; ++i)
    while (claim(&team->slots[(thread + i) % threads], thread, &begin, &end)) {
      if (done == 0) {
        start = cnnc_nanoseconds();
        atomic_store_explicit(&own->core, sched_getcpu(), memory_order_relaxed);
        cnnc_set_float_state(team->float_state);
      }
      team->body(team->data, begin, end, thread);
      done += end - begin;
    }
  if (done != 0) {
    own->nanoseconds = cnnc_nanoseconds() - start;
    own->done = done;
  }
  return done;
}

static bool has_work(struct slot *slot) {
  uint64_t word = atomic_load(&slot->range);
  return range_begin(word) < range_end(word);
}

/* Moves the calling thread off the core, if it may run on others, to stay free to move afterwards.
   The system likes to wake a worker beside the caller, whom it then keeps from running. */
static void leave_core(int core) {
  enum { WORDS = 128 };
  uint64_t all[WORDS] = {0}, others[WORDS];
  const long size = syscall(SYS_sched_getaffinity, 0, sizeof all, all);
  if (size <= 0 || core < 0 || core / 64 >= WORDS)
    return;
  uint64_t any = 0;
  for (int i = 0; i < WORDS; ++i)
    any |= others[i] = i == core / 64 ? all[i] & ~((uint64_t)1 << core % 64) : all[i];
  if (any != 0 && syscall(SYS_sched_setaffinity, 0, size, others) == 0)
    syscall(SYS_sched_setaffinity, 0, size, all);
}

/* Returns when the worker's slot has work or the team stops. */
static void wait_for_work(struct cnnc_team *team, struct slot *slot) {
  for (;;) {
    struct spin spin = {0};
    do {
      if (has_work(slot) || atomic_load(&team->stop))
        return;
    } while (spin_once(&spin, team->slots, team->slots));
    atomic_store(&slot->parked, 1);
    while (!has_work(slot) && !atomic_load(&team->stop) && atomic_load(&slot->parked))
      futex_wait(&slot->parked, 1);
    atomic_store(&slot->parked, 0);
    const int core = sched_getcpu();
    if (core == atomic_load_explicit(&team->slots[0].core, memory_order_relaxed))
      leave_core(core);
  }
}

static void wake_if_parked(struct slot *slot) {
  if (!atomic_load(&slot->parked))
    return;
  atomic_store(&slot->parked, 0);
  futex_wake(&slot->parked);
}

static void *worker_main(void *argument) {
  struct slot *slot = argument;
  struct cnnc_team *team = slot->team;
  for (;;) {
    wait_for_work(team, slot);
    if (atomic_load(&team->stop))
      return NULL;
    uint32_t done = work(team, slot->index);
    if (done != 0 && atomic_fetch_sub(&team->pending, done) == done &&
        atomic_load(&team->caller_waits))
      futex_wake(&team->pending);
  }
}

/* Gives every thread its share of [0, count) and wakes those that sleep. */
static void publish(struct cnnc_team *team, uint32_t count, uint32_t threads) {
  atomic_store_explicit(&team->pending, count, memory_order_relaxed);
  for (uint32_t i = 0; i < threads; ++i)
    team->slots[i].done = 0;
  for (uint32_t i = threads; i-- > 0;) {
    uint64_t begin = (uint64_t)count * i / threads, end = (uint64_t)count * (i + 1) / threads;
    atomic_store(&team->slots[i].range, pack_range(begin, end, threads - 1));
  }
  for (uint32_t i = 1; i < threads; ++i)
    wake_if_parked(&team->slots[i]);
}

static void wait_for_workers(struct cnnc_team *team, uint32_t threads) {
  struct spin spin = {0};
  do {
    if (atomic_load_explicit(&team->pending, memory_order_acquire) == 0)
      return;
  } while (spin_once(&spin, team->slots + 1, team->slots + threads - 1));
  atomic_store(&team->caller_waits, 1);
  uint32_t pending;
  while ((pending = atomic_load(&team->pending)) != 0)
    futex_wait(&team->pending, pending);
  atomic_store(&team->caller_waits, 0);
}

/* How long one thread would have taken: at the best pace of those that did much of the loop. A
   thread that lost its core seems slow, but then others did more. */
static double nanoseconds_alone(const struct cnnc_team *team, uint32_t threads, uint32_t count) {
  uint32_t most = 1;
  for (uint32_t i = 0; i < threads; ++i)
    most = team->slots[i].done > most ? team->slots[i].done : most;
  double best = 1e18;
  for (uint32_t i = 0; i < threads; ++i) {
    const struct slot *slot = &team->slots[i];
    double pace = slot->done > most / 2 ? (double)slot->nanoseconds / slot->done : best;
    best = pace < best ? pace : best;
  }
  return best * count;
}

static void run_on_team(struct cnnc_team *team, uint32_t threads, cnnc_parallel_body body,
                        void *data, uint32_t count) {
  team->body = body;
  team->data = data;
  team->float_state = cnnc_float_state();
  threads = threads < count ? threads : count;
  atomic_store_explicit(&team->slots[0].core, sched_getcpu(), memory_order_relaxed);
  const uint64_t start = cnnc_nanoseconds();
  publish(team, count, threads);
  const uint32_t done = work(team, 0);
  if (done != 0)
    atomic_fetch_sub(&team->pending, done);
  wait_for_workers(team, threads);
  const uint64_t end = cnnc_nanoseconds();
  settle(&team->account, (int64_t)nanoseconds_alone(team, threads, count) - (int64_t)(end - start),
         end);
}

/* In a forked child: the workers stayed behind, whatever they were doing. */
static void forget_workers(struct cnnc_team *team, pid_t process) {
  for (uint32_t i = 0; i < MAX_THREADS; ++i) {
    atomic_store(&team->slots[i].range, 0);
    atomic_store(&team->slots[i].parked, 0);
    team->slots[i].index = i;
    team->slots[i].team = team;
  }
  atomic_store(&team->pending, 0);
  atomic_store(&team->caller_waits, 0);
  team->worker_count = 0;
  team->worker_process = process;
}

/* Workers block the application's signals, so that its handlers run on its own threads. Left open:
   faults, the profiling timer, and the two signals that libc itself sends to all threads. */
static void block_signals(uint64_t *saved) {
  static const uint8_t open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF, 32, 33};
  uint64_t blocked = ~(uint64_t)0;
  for (size_t i = 0; i < sizeof open; ++i)
    blocked &= ~((uint64_t)1 << (open[i] - 1));
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, saved, sizeof blocked);
}

/* Best effort: with fewer workers the loop only takes longer. */
static void add_workers(struct cnnc_team *team, uint32_t wanted) {
  if (team->worker_count >= wanted)
    return;
  uint64_t signals = 0;
  block_signals(&signals);
  while (team->worker_count < wanted) {
    struct slot *slot = &team->slots[team->worker_count + 1];
    if (pthread_create(&slot->thread, NULL, worker_main, slot) != 0)
      break;
    ++team->worker_count;
  }
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &signals, NULL, sizeof signals);
}

/* A team that no run of this process holds, or NULL. */
static struct cnnc_team *acquire_team(pid_t process) {
  for (int i = 0; i < TEAM_COUNT; ++i) {
    pid_t holder = atomic_load_explicit(&teams[i].holder, memory_order_relaxed);
    if (holder != process &&
        atomic_compare_exchange_strong_explicit(&teams[i].holder, &holder, process,
                                                memory_order_acquire, memory_order_relaxed))
      return &teams[i];
  }
  return NULL;
}

static uint32_t wanted_threads(const cnnc_task *task) {
  uint32_t threads = task->context ? task->context->threads : 1;
  return threads < MAX_THREADS ? threads : MAX_THREADS;
}

static void join_team(cnnc_task *task) {
  task->team_wanted = false;
  const pid_t process = getpid();
  struct cnnc_team *team = acquire_team(process);
  if (!team)
    return;
  task->team = team;
  if (team->worker_process != process)
    forget_workers(team, process);
  add_workers(team, wanted_threads(task) - 1);
}

void cnnc_task_begin(cnnc_task *task, const cnnc_context *context) {
  task->context = context;
  task->team = NULL;
  task->team_wanted = true;
  task->in_parallel = false;
  task->caller_float = cnnc_float_state();
  task->model_float = cnnc_model_float_state(task->caller_float);
  cnnc_set_float_state(task->model_float);
}

void cnnc_task_end(cnnc_task *task) {
  cnnc_set_float_state(task->caller_float);
  if (task->team)
    atomic_store_explicit(&task->team->holder, 0, memory_order_release);
}

struct callers_loop {
  cnnc_parallel_body body;
  void *data;
  uint32_t float_state;
};

static void callers_body(void *data, int64_t begin, int64_t end, uint32_t worker) {
  const struct callers_loop *loop = data;
  const uint32_t saved = cnnc_float_state();
  cnnc_set_float_state(loop->float_state);
  loop->body(loop->data, begin, end, worker);
  cnnc_set_float_state(saved);
}

/* The application's code runs with its own floating-point state, the body with the model's. */
static void run_on_callers_threads(cnnc_task *task, cnnc_parallel_body body, void *data,
                                   int64_t count) {
  struct callers_loop loop = {body, data, task->model_float};
  cnnc_set_float_state(task->caller_float);
  task->context->parallel_for(task->context->parallel_user, count, callers_body, &loop);
  cnnc_set_float_state(task->model_float);
}

/* False: the loop is to run on this thread alone. */
static bool run_on_pool(cnnc_task *task, uint32_t threads, cnnc_parallel_body body, void *data,
                        int64_t count) {
  if (task->team_wanted)
    join_team(task);
  struct cnnc_team *team = task->team;
  if (!team || (uint64_t)count > range_mask || team->worker_count == 0 ||
      resting(&team->account, cnnc_nanoseconds()))
    return false;
  if (threads > team->worker_count + 1)
    threads = team->worker_count + 1;
  run_on_team(team, threads, body, data, (uint32_t)count);
  return true;
}

void cnnc_parallel_for(cnnc_task *task, cnnc_parallel_body body, void *data, int64_t count) {
  if (count <= 0)
    return;
  const uint32_t threads = wanted_threads(task);
  if (threads <= 1 || count == 1 || task->in_parallel) {
    body(data, 0, count, 0);
    return;
  }
  task->in_parallel = true;
  if (task->context->parallel_for)
    run_on_callers_threads(task, body, data, count);
  else if (!run_on_pool(task, threads, body, data, count))
    body(data, 0, count, 0);
  task->in_parallel = false;
}

/* At exit and at dlclose: no thread may run code that goes away. A team that is still held is left
   alone: its holder called exit from a callback, or breaks the rule that a run ends before dlclose.
   The teams stay held, so that a run from a later exit handler is serial. */
__attribute__((destructor)) static void stop_workers(void) {
  const pid_t process = getpid();
  for (struct cnnc_team *team; (team = acquire_team(process));) {
    if (team->worker_process != process)
      continue;
    atomic_store(&team->stop, 1);
    for (uint32_t i = 1; i <= team->worker_count; ++i)
      wake_if_parked(&team->slots[i]);
    for (uint32_t i = 1; i <= team->worker_count; ++i)
      pthread_join(team->slots[i].thread, NULL);
    team->worker_count = 0;
  }
}
