// Times of a program's kernels, by the profiling hook of the runtime.
#include "compiler/profile/machine_speed.h"
#include "compiler/profile/traced_threads.h"

#include <algorithm>
#include <new>

namespace cnnc {

namespace {

using Seconds = std::chrono::duration<double>;

/// One program on its inputs, into the same outputs and the same workspace each time.
class ProfiledProgram {
public:
  ProfiledProgram(const Program &program, std::span<const void *const> inputs,
                  const ProfileOptions &how)
      : program_(program), inputs_(inputs),
        workspace_(cnnc_workspace_size(&program.table(), how.threads) +
                   program.table().workspace_alignment),
        seconds_(program.table().kernel_count) {
    const cnnc_model_v1 &model = program.table();
    for (uint32_t i = 0; i < model.output_count; ++i) {
      const cnnc_tensor_v1 &output = model.outputs[i];
      const bool symbolic = output.rank > 0 && output.shape[0] == CNNC_SYMBOLIC_BATCH;
      outputs_.emplace_back(output.size * static_cast<size_t>(symbolic ? how.batch : 1));
    }
    for (std::vector<std::byte> &output : outputs_)
      output_pointers_.push_back(output.data());
    context_.threads = how.threads;
    context_.batch = how.batch;
  }

  Result<double> run() {
    std::ranges::fill(seconds_, 0);
    context_.profile_user = seconds_.data();
    context_.profile = [](void *seconds, uint32_t kernel, uint64_t nanoseconds, const void *) {
      static_cast<double *>(seconds)[kernel] += static_cast<double>(nanoseconds) * 1e-9;
    };
    const auto start = std::chrono::steady_clock::now();
    if (Result<void> ran = call(context_); !ran)
      return Error{std::string(ran.error())};
    return Seconds(std::chrono::steady_clock::now() - start).count();
  }
  /// Of the last run; of a symbolic batch, of all images.
  const std::vector<double> &kernel_seconds() const { return seconds_; }

  Result<std::vector<Profile::Span>> trace() {
    TracedThreads threads(std::max(1U, context_.threads));
    Tracer tracer{threads, {}};
    cnnc_context context = context_;
    threads.serve(context);
    context.profile_user = &tracer;
    context.profile = [](void *self, uint32_t kernel, uint64_t nanoseconds, const void *) {
      static_cast<Tracer *>(self)->add(kernel, std::chrono::nanoseconds(nanoseconds));
    };
    if (Result<void> ran = call(context); !ran)
      return Error{std::string(ran.error())};
    return std::move(tracer.spans);
  }

private:
  struct Tracer {
    TracedThreads &threads;
    std::vector<Profile::Span> spans;

    void add(uint32_t kernel, std::chrono::nanoseconds length) {
      const std::chrono::nanoseconds end = threads.now();
      spans.push_back({kernel, {}, Seconds(end - length).count(), Seconds(end).count()});
      for (const TracedPart &part : threads.take_parts())
        spans.push_back(
            {kernel, part.worker, Seconds(part.begin).count(), Seconds(part.end).count()});
    }
  };

  Result<void> call(const cnnc_context &context) {
    void *memory = workspace_.data();
    size_t room = workspace_.size();
    const cnnc_model_v1 &model = program_.table();
    const size_t size = cnnc_workspace_size(&model, context_.threads);
    std::align(model.workspace_alignment, size, memory, room);
    return program_.run(inputs_, output_pointers_, &context, memory);
  }

  const Program &program_;
  std::span<const void *const> inputs_;
  std::vector<std::byte> workspace_;
  std::vector<double> seconds_;
  std::vector<std::vector<std::byte>> outputs_;
  std::vector<void *> output_pointers_;
  cnnc_context context_ = {};
};

/// About three seconds of runs, at least 11.
int default_runs(double seconds_of_one) {
  return static_cast<int>(std::clamp(3 / seconds_of_one, 11.0, 1000.0));
}

} // namespace

Result<Profile> profile(const Program &program, std::span<const void *const> inputs,
                        const ProfileOptions &how, const Options &options) {
  ProfiledProgram profiled(program, inputs, how);
  FmaPeak peak(options, std::max(1U, how.threads));
  Profile result;
  result.bandwidth = read_bandwidth(options, std::max(1U, how.threads));
  if (Result<double> warm_up = profiled.run(); !warm_up)
    return Error{std::string(warm_up.error())};
  const int runs = how.runs > 0 ? how.runs : default_runs(*profiled.run());
  result.kernels.resize(program.table().kernel_count);
  for (int run = 0; run < runs; ++run) {
    result.peaks.push_back(peak.measure());
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
