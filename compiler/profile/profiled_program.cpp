#include "compiler/profile/profiled_program.h"

#include "compiler/profile/traced_threads.h"

#include <algorithm>
#include <memory>

namespace cnnc {

namespace {

using Seconds = std::chrono::duration<double>;

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

} // namespace

ProfiledProgram::ProfiledProgram(const Program &program, std::span<const void *const> inputs,
                                 uint32_t threads, int64_t batch)
    : program_(program), inputs_(inputs),
      workspace_(cnnc_workspace_size(&program.table(), threads) +
                 program.table().workspace_alignment),
      seconds_(program.table().kernel_count) {
  const cnnc_model_v1 &model = program.table();
  for (uint32_t i = 0; i < model.output_count; ++i) {
    const cnnc_tensor_v1 &output = model.outputs[i];
    const bool symbolic = output.rank > 0 && output.shape[0] == CNNC_SYMBOLIC_BATCH;
    outputs_.emplace_back(output.size * static_cast<size_t>(symbolic ? batch : 1));
  }
  for (std::vector<std::byte> &output : outputs_)
    output_pointers_.push_back(output.data());
  context_.threads = threads;
  context_.batch = batch;
}

Result<double> ProfiledProgram::run() {
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

Result<std::vector<Profile::Span>> ProfiledProgram::trace() {
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

Result<void> ProfiledProgram::call(const cnnc_context &context) {
  void *memory = workspace_.data();
  size_t room = workspace_.size();
  const cnnc_model_v1 &model = program_.table();
  const size_t size = cnnc_workspace_size(&model, context_.threads);
  std::align(model.workspace_alignment, size, memory, room);
  return program_.run(inputs_, output_pointers_, &context, memory);
}

} // namespace cnnc
