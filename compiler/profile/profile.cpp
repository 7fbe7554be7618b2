// Times of a program's kernels, in turn with what the machine can do.
#include "compiler/profile/machine_speed.h"
#include "compiler/profile/profiled_program.h"

#include <algorithm>
#include <optional>

namespace cnnc {

namespace {

/// About three seconds of runs, at least 11.
int default_runs(double seconds_of_one) {
  return static_cast<int>(std::clamp(3 / seconds_of_one, 11.0, 1000.0));
}

} // namespace

Result<Profile> profile(const Program &program, std::span<const void *const> inputs,
                        const ProfileOptions &how, const Options &options) {
  ProfiledProgram profiled(program, inputs, how.threads, how.batch);
  FmaPeak peak(options, std::max(1U, how.threads));
  std::optional<DotPeak> integer_peak;
  if (how.products > 1)
    integer_peak.emplace(how.products, options, std::max(1U, how.threads));
  Profile result;
  result.bandwidth = read_bandwidth(options, std::max(1U, how.threads));
  if (Result<double> warm_up = profiled.run(); !warm_up)
    return Error{std::string(warm_up.error())};
  const int runs = how.runs > 0 ? how.runs : default_runs(*profiled.run());
  result.kernels.resize(program.table().kernel_count);
  for (int run = 0; run < runs; ++run) {
    result.peaks.push_back(peak.measure());
    if (integer_peak)
      result.integer_peaks.push_back(integer_peak->measure());
    const Result<double> seconds = profiled.run();
    if (!seconds)
      return Error{std::string(seconds.error())};
    result.runs.push_back(*seconds);
    for (size_t i = 0; i < result.kernels.size(); ++i)
      result.kernels[i].push_back(profiled.kernel_seconds()[i]);
    if (options.progress)
      options.progress("runs measured", static_cast<size_t>(run) + 1, static_cast<size_t>(runs));
  }
  if (how.trace) {
    Result<std::vector<Profile::Span>> trace = profiled.trace();
    if (!trace)
      return Error{std::string(trace.error())};
    result.trace = std::move(*trace);
  }
  return result;
}

} // namespace cnnc
