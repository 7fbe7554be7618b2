// The threads of the runtime: loops that are shared, floating-point modes, forks and exits.
#include "tests/unit/runtime_programs.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <thread>

namespace {

using namespace runtime_programs;

TEST(Threads, EveryIterationRunsOnce) {
  OneKernel kernel(visit_kernel);
  for (uint32_t threads : {0u, 1u, 2u, 3u, 7u, 64u, 1000u, 2u})
    for (int64_t count : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{3}, int64_t{61}, loop_count})
      for (int repeat = 0; repeat < 20; ++repeat) {
        Visits visits;
        visits.count = count;
        visits.threads = std::clamp(threads, 1u, max_threads);
        cnnc_context context = with_threads(threads);
        ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
        ASSERT_TRUE(visits.all_once()) << threads << " threads, " << count << " iterations";
      }
}

TEST(Threads, OneThreadRunsTheLoopInOnePiece) {
  static std::atomic<int> calls;
  OneKernel kernel([](cnnc_task *task, void *const *) {
    auto body = [](void *, int64_t begin, int64_t end, uint32_t worker) {
      calls += begin == 0 && end == 500 && worker == 0 ? 1 : 100;
    };
    cnnc_parallel_for(task, body, nullptr, 500);
  });
  char unused = 0;
  cnnc_context context = with_threads(1);
  ASSERT_EQ(kernel.run(&unused, nullptr), CNNC_OK);
  ASSERT_EQ(kernel.run(&unused, &context), CNNC_OK);
  EXPECT_EQ(calls, 2);
}

// A team may rest for a second after loops that threads made slower.
bool shares_a_long_loop(const OneKernel &kernel) {
  for (int repeat = 0; repeat < 500; ++repeat) {
    Visits visits;
    visits.threads = 3;
    visits.spin = 20000;
    cnnc_context context = with_threads(3);
    EXPECT_EQ(kernel.run(&visits, &context), CNNC_OK);
    EXPECT_TRUE(visits.all_once());
    if (visits.by_worker[0] > 0 && visits.by_worker[1] + visits.by_worker[2] > 0)
      return true;
  }
  return false;
}

TEST(Threads, WorkersShareALongLoop) { EXPECT_TRUE(shares_a_long_loop(OneKernel(visit_kernel))); }

#ifndef CNNC_LONGEST_REST
// Workers that take 20 ms for what the caller does in less: as if their core was busy elsewhere.
TEST(Threads, LateWorkersAreLeftAloneForAWhile) {
  constexpr int loops = 100;
  static std::atomic<bool> helped;
  OneKernel kernel([](cnnc_task *task, void *const *) {
    auto body = [](void *, int64_t begin, int64_t end, uint32_t worker) {
      for (volatile int64_t s = 2000 * (end - begin); s > 0;)
        s = s - 1;
      if (worker == 0)
        return;
      helped = true;
      timespec pause = {0, 20000000};
      nanosleep(&pause, nullptr);
    };
    cnnc_parallel_for(task, body, nullptr, 60);
  });
  char unused = 0;
  cnnc_context context = with_threads(2);
  int with_help = 0;
  for (int loop = 0; loop < loops; ++loop) {
    helped = false;
    ASSERT_EQ(kernel.run(&unused, &context), CNNC_OK);
    with_help += helped ? 1 : 0;
  }
  EXPECT_LE(with_help, loops / 5);
  EXPECT_TRUE(shares_a_long_loop(OneKernel(visit_kernel))) << "they are tried again";
}
#endif

// A kernel with loops back to back, each of which reads what the one before wrote.
TEST(Threads, LoopsSeeTheResultsOfEarlierLoops) {
  struct State {
    int64_t values[128] = {};
  } state;
  OneKernel kernel([](cnnc_task *task, void *const *buffers) {
    auto body = [](void *data, int64_t begin, int64_t end, uint32_t) {
      auto *s = static_cast<State *>(data);
      for (int64_t i = begin; i < end; ++i) // the other half, as the loop before left it
        s->values[64 * (s->values[127] % 2) + i] =
            s->values[64 - 64 * (s->values[127] % 2) + i] + 1;
    };
    auto *s = static_cast<State *>(buffers[0]);
    for (int64_t loop = 0; loop < 5000; ++loop) {
      s->values[127] = loop;
      cnnc_parallel_for(task, body, s, 60);
    }
  });
  cnnc_context context = with_threads(3);
  ASSERT_EQ(kernel.run(&state, &context), CNNC_OK);
  for (int i = 0; i < 60; ++i)
    ASSERT_EQ(state.values[64 + i], 5000) << i;
}

TEST(Threads, UsesTheParallelForOfTheCaller) {
  struct Own {
    std::atomic<int> calls{0};
  } own;
  Visits visits;
  visits.threads = 4;
  visits.count = 100;
  cnnc_context context = with_threads(4);
  context.parallel_user = &own;
  context.parallel_for = [](void *user, int64_t count, cnnc_parallel_body body, void *data) {
    ++static_cast<Own *>(user)->calls;
    std::thread helper([&] { body(data, 0, count / 3, 3); });
    body(data, count / 3, count, 0);
    helper.join();
  };
  OneKernel kernel(visit_kernel);
  ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
  EXPECT_EQ(own.calls, 1);
  EXPECT_TRUE(visits.all_once());
  EXPECT_EQ(visits.by_worker[3], 33u);
}

TEST(Threads, ApplicationThreadsRunOneModelAtATime) {
  OneKernel kernel(visit_kernel);
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) // more than there are teams
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 30; ++repeat) {
        Visits visits;
        visits.threads = 3;
        visits.spin = 50;
        cnnc_context context = with_threads(3);
        if (kernel.run(&visits, &context) == CNNC_OK && visits.all_once())
          ++good;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(good, 12 * 30);
}

// The body starts a loop of its own over the ten iterations that belong to it.
TEST(Threads, NestedLoopsRunSerially) {
  static cnnc_task *outer_task;
  static std::atomic<int> pieces;
  OneKernel kernel([](cnnc_task *task, void *const *buffers) {
    outer_task = task;
    auto body = [](void *data, int64_t begin, int64_t end, uint32_t) {
      for (int64_t i = begin; i < end; ++i) {
        std::pair<Visits *, int64_t> inner = {static_cast<Visits *>(data), 10 * i};
        auto inner_body = [](void *d, int64_t first, int64_t last, uint32_t worker) {
          auto *part = static_cast<std::pair<Visits *, int64_t> *>(d);
          ++pieces;
          visit(part->first, part->second + first, part->second + last, worker);
        };
        cnnc_parallel_for(outer_task, inner_body, &inner, 10);
      }
    };
    cnnc_parallel_for(task, body, buffers[0], loop_count / 10);
  });
  Visits visits;
  visits.threads = 3;
  cnnc_context context = with_threads(3);
  ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
  EXPECT_TRUE(visits.all_once());
  EXPECT_EQ(pieces, loop_count / 10);
}

// What a kernel saw of the floating-point mode, over all iterations of a loop.
struct FloatMode {
  std::atomic<int> flushed{0}, kept{0}; // products of a subnormal operand, and subnormal quotients
  std::atomic<int> up{0}, down{0};      // how 1/3 was rounded
};

void float_mode_kernel(cnnc_task *task, void *const *buffers) {
  auto body = [](void *data, int64_t begin, int64_t end, uint32_t) {
    auto *mode = static_cast<FloatMode *>(data);
    for (int64_t i = begin; i < end; ++i) {
      volatile float operand = std::numeric_limits<float>::denorm_min(), large = 1e30f;
      volatile float product = operand * large;
      volatile float smallest = std::numeric_limits<float>::min(), quotient = smallest / 4;
      volatile float one = 1, three = 3, third = one / three;
      for (volatile int s = 0; s < 1000;)
        s = s + 1;
      ++(product == 0.0f && quotient == 0.0f ? mode->flushed : mode->kept);
      ++(third > 1.0 / 3 ? mode->up : mode->down);
    }
  };
  cnnc_parallel_for(task, body, buffers[0], loop_count);
}

TEST(Run, CountsSubnormalNumbersAsZero) {
  OneKernel kernel(float_mode_kernel);
  for (uint32_t threads : {1u, 3u})
    for (bool own : {false, true}) {
      static std::atomic<uint32_t> state_of_helper;
      FloatMode mode;
      cnnc_context context = with_threads(threads);
      if (own)
        context.parallel_for = [](void *, int64_t count, cnnc_parallel_body body, void *data) {
          EXPECT_EQ(_mm_getcsr() & 0x8040, 0u);
          std::thread helper([&] {
            body(data, 0, count / 3, 1);
            state_of_helper = _mm_getcsr() & ~0x3fu; // without the flags of past exceptions
          });
          body(data, count / 3, count, 0);
          EXPECT_EQ(_mm_getcsr() & 0x8040, 0u);
          helper.join();
        };
      state_of_helper = 0x1f80;
      ASSERT_EQ(kernel.run(&mode, &context), CNNC_OK);
      EXPECT_EQ(mode.flushed, loop_count) << threads << " threads";
      EXPECT_EQ(state_of_helper, 0x1f80u);
    }
}

TEST(Run, LeavesTheFloatingPointStateAsItWas) {
  const uint32_t before = _mm_getcsr();
  TwoKernels kernels;
  const float x[4] = {1, 10, 100, 1000};
  float y[4] = {};
  cnnc_context context = with_threads(2);
  static std::atomic<uint32_t> in_callback;
  context.profile = [](void *, uint32_t, uint64_t, const void *) { in_callback = _mm_getcsr(); };
  for (uint32_t state : {0x1f80u, 0x1fa0u, 0x5f80u, 0x9fc0u}) { // a flag, rounding up, flushing
    _mm_setcsr(state);
    cnnc_status good = kernels.run(x, y, nullptr, &context);
    uint32_t after = _mm_getcsr();
    cnnc_status bad = kernels.run(nullptr, y, nullptr, &context);
    uint32_t after_error = _mm_getcsr();
    _mm_setcsr(before);
    EXPECT_EQ(good, CNNC_OK);
    EXPECT_EQ(bad, CNNC_INVALID_ARGUMENT);
    EXPECT_EQ(after, state);
    EXPECT_EQ(after_error, state);
    EXPECT_EQ(in_callback, state);
  }
}

TEST(Threads, WorkersRoundLikeTheCaller) {
  OneKernel kernel(float_mode_kernel);
  cnnc_context context = with_threads(3);
  FloatMode nearest, downward;
  ASSERT_EQ(kernel.run(&nearest, &context), CNNC_OK);
  EXPECT_EQ(nearest.up, loop_count) << "1/3 in f32 is above 1/3";
  _MM_SET_ROUNDING_MODE(_MM_ROUND_DOWN);
  cnnc_status status = kernel.run(&downward, &context);
  _MM_SET_ROUNDING_MODE(_MM_ROUND_NEAREST);
  ASSERT_EQ(status, CNNC_OK);
  EXPECT_EQ(downward.down, loop_count);
}

TEST(Threads, WorkInAForkedChild) {
  OneKernel kernel(visit_kernel);
  cnnc_context context = with_threads(3);
  {
    Visits visits;
    visits.threads = 3;
    ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK); // the parent has workers
  }
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    bool good = true, shared = false;
    for (int repeat = 0; repeat < 2000 && !shared; ++repeat) {
      Visits visits;
      visits.threads = 3;
      visits.spin = 2000;
      good = good && kernel.run(&visits, &context) == CNNC_OK && visits.all_once();
      shared = shared || visits.by_worker[0] < loop_count;
    }
    _exit(!good ? 1 : !shared ? 2 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "1: wrong iterations, 2: the child had no workers";

  Visits visits;
  visits.threads = 3;
  ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
  EXPECT_TRUE(visits.all_once());
}

// exit must neither hang nor crash, with workers, in a child without them, and inside of a run.
TEST(Threads, ExitStopsTheWorkers) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto run_and_exit = [] {
    alarm(20);
    OneKernel kernel(visit_kernel);
    Visits visits;
    cnnc_context context = with_threads(4);
    kernel.run(&visits, &context);
    exit(7);
  };
  auto exit_inside = [] {
    alarm(20);
    OneKernel kernel(visit_kernel);
    Visits visits;
    cnnc_context context = with_threads(4);
    context.profile = [](void *, uint32_t, uint64_t, const void *) { exit(8); };
    kernel.run(&visits, &context);
  };
  auto exit_without_workers = [] { exit(9); };
  EXPECT_EXIT(run_and_exit(), testing::ExitedWithCode(7), "");
  EXPECT_EXIT(exit_inside(), testing::ExitedWithCode(8), "");
  EXPECT_EXIT(exit_without_workers(), testing::ExitedWithCode(9), "");
}

double process_seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

TEST(Threads, IdleWorkersSleep) {
  OneKernel kernel(visit_kernel);
  Visits visits;
  visits.threads = 2;
  cnnc_context context = with_threads(2);
  ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
  timespec settle = {0, 100000000}, idle = {0, 200000000};
  nanosleep(&settle, nullptr);
  double before = process_seconds();
  nanosleep(&idle, nullptr);
  EXPECT_LT(process_seconds() - before, 0.05);
}

/// The signals that threads of this process block, bit by bit from signal 1 on, by thread.
std::map<int, uint64_t> blocked_signals() {
  std::map<int, uint64_t> result;
  for (const auto &entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(entry.path() / "status");
    for (std::string word; file >> word;)
      if (word == "SigBlk:" && file >> word)
        result[std::stoi(entry.path().filename())] = std::stoull(word, nullptr, 16);
  }
  return result;
}

TEST(Threads, WorkersLeaveSignalsToTheApplication) {
  auto bit = [](int signal) { return uint64_t{1} << (signal - 1); };
  const uint64_t before = blocked_signals()[getpid()];
  OneKernel kernel(visit_kernel);
  Visits visits;
  visits.threads = 3;
  cnnc_context context = with_threads(3);
  ASSERT_EQ(kernel.run(&visits, &context), CNNC_OK);
  const uint64_t blocked = bit(SIGTERM) | bit(SIGINT) | bit(SIGALRM) | bit(SIGUSR1) | bit(SIGCHLD);
  const uint64_t open = bit(SIGSEGV) | bit(SIGFPE) | bit(SIGPROF);
  auto workers = [&] {
    int count = 0;
    for (const auto &[thread, signals] : blocked_signals())
      count += (signals & (blocked | open)) == blocked ? 1 : 0;
    return count;
  };
  // libc blocks all signals of a thread until it runs, which may be after the call.
  const timespec moment = {0, 1000000};
  for (int i = 0; i < 5000 && workers() < 2; ++i)
    nanosleep(&moment, nullptr);
  EXPECT_GE(workers(), 2);
  EXPECT_EQ(blocked_signals()[getpid()], before) << "the caller's are as they were";
}

} // namespace
