#include "compiler/driver/time_run.h"

#include "compiler/driver/tensors.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace cnnc::driver {

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

/// Calls for that long, and at least that many: a median of a few says nothing.
constexpr Milliseconds warm_up{200}, duration{1000};
constexpr size_t least_calls = 5;

/// The times of calls for `length`, in milliseconds.
Result<std::vector<double>> times_of(const std::function<Result<void>()> &call,
                                     Milliseconds length) {
  std::vector<double> times;
  Clock::time_point begin = Clock::now(), now = begin;
  while (now - begin < length || times.size() < least_calls) {
    Clock::time_point start = now;
    if (Result<void> ran = call(); !ran)
      return Error{std::string(ran.error())};
    now = Clock::now();
    times.push_back(Milliseconds(now - start).count());
  }
  return times;
}

std::string format_time(double milliseconds) {
  return milliseconds < 1 ? fmt::format("{:.1f} us", milliseconds * 1000)
                          : fmt::format("{:.3g} ms", milliseconds);
}

} // namespace

Result<std::string> time_run(const CommandLine &line, const Model &model) {
  Result<Program> program = jit(model, line.options);
  if (!program)
    return Error{std::string(program.error())};
  Budget budget(line.options);
  Result<void> weights = budget.take("the weights", program->table().weights_size);
  if (!weights)
    return Error{std::string(weights.error())};
  Result<Inputs> inputs = make_inputs(line, program->table(), budget);
  if (!inputs)
    return Error{std::string(inputs.error())};
  Result<PreparedCall> call = PreparedCall::make(*program, *inputs, line.threads, budget);
  if (!call)
    return Error{std::string(call.error())};
  const auto run = [&] { return call->run(); };
  if (Result<std::vector<double>> ignored = times_of(run, warm_up); !ignored)
    return Error{std::string(ignored.error())};
  Result<std::vector<double>> times = times_of(run, duration);
  if (!times)
    return Error{std::string(times.error())};
  std::sort(times->begin(), times->end());
  return fmt::format("{}: median {}, least {} of {} runs on {} thread{}, batch {}, code for {}\n",
                     program->table().name, format_time((*times)[times->size() / 2]),
                     format_time(times->front()), times->size(), line.threads,
                     line.threads == 1 ? "" : "s", inputs->batch, program->table().target_cpu);
}

} // namespace cnnc::driver
