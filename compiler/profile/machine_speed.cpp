#include "compiler/profile/machine_speed.h"

#include "compiler/codegen/target/target.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// Texts that stand in this file compile for every target.
Program compile(const std::string &text, const Options &options) {
  Options target;
  target.cpu = options.cpu;
  target.features = options.features;
  Result<Program> program = jit(*parse(text, "<machine speed>"), target);
  assert(program);
  return std::move(*program);
}

constexpr int64_t length = 5000; // multiply-adds of a chain

/// `tasks` times so many independent chains of multiply-adds on vectors.
std::string peak_text(int64_t lanes, int64_t chains, int64_t tasks) {
  const std::string tile = fmt::format("unroll i in 0..{}, vector j in 0..{}", chains, lanes);
  return fmt::format(R"(model @peak(%x: f32[{0}]) {{
  %y = call "peak" %x : f32[{2}, {1}, {0}]
  return %y
}}
kernel @peak(x: f32[{0}]) -> (y: f32[{2}, {1}, {0}]) {{
  parallel t in 0..{2} {{
    reg c: f32[{1}, {0}]
    {4} {{ c[i, j] = x[j] }}
    for k in 0..{3}, {4} {{ c[i, j] += x[j] * x[j] }}
    {4} {{ y[t, i, j] = c[i, j] }}
  }}
}}
)",
                     lanes, chains, tasks, length, tile);
}

/// Reads `tasks` parts of `rows` rows of 8 vectors of 16 elements.
std::string read_text(int64_t tasks, int64_t rows) {
  return fmt::format(R"(model @read(%x: f32[{0}, {1}, 8, 16]) {{
  %y = call "read" %x : f32[{0}, 8, 16]
  return %y
}}
kernel @read(x: f32[{0}, {1}, 8, 16]) -> (y: f32[{0}, 8, 16]) {{
  parallel t in 0..{0} {{
    reg c: f32[8, 16]
    unroll i in 0..8, vector j in 0..16 {{ c[i, j] = 0 }}
    for k in 0..{1}, unroll i in 0..8, vector j in 0..16 {{ c[i, j] = c[i, j] + x[t, k, i, j] }}
    unroll i in 0..8, vector j in 0..16 {{ y[t, i, j] = c[i, j] }}
  }}
}}
)",
                     tasks, rows);
}

} // namespace

MeasuredProgram::MeasuredProgram(const std::string &text, const Options &options, uint32_t threads)
    : program_(compile(text, options)) {
  context_.threads = threads;
  const cnnc_model_v1 &model = program_.table();
  auto add = [&](const cnnc_tensor_v1 &tensor) {
    tensors_.emplace_back(tensor.size / sizeof(float), 1.0F);
    return tensors_.back().data();
  };
  for (uint32_t i = 0; i < model.input_count; ++i)
    inputs_.push_back(add(model.inputs[i]));
  for (uint32_t i = 0; i < model.output_count; ++i)
    outputs_.push_back(add(model.outputs[i]));
}

double MeasuredProgram::run() {
  const auto start = std::chrono::steady_clock::now();
  [[maybe_unused]] const Result<void> ran = program_.run(inputs_, outputs_, &context_);
  assert(ran);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

FmaPeak::FmaPeak(const Options &options, uint32_t threads) : program_(make(options, threads)) {
  program_.run();
}

/// The vectors of the target, and about as many independent chains as it has registers: more than
/// latency times throughput of any core.
MeasuredProgram FmaPeak::make(const Options &options, uint32_t threads) {
  constexpr int64_t tasks_per_thread = 4;
  Diagnostics diagnostics;
  const auto target = codegen::resolve_target(options.cpu, options.features, diagnostics);
  assert(target && "a model was compiled for it");
  const Machine machine = codegen::machine_of(*target);
  tasks_ = threads * tasks_per_thread;
  lanes_ = machine.vector_lanes;
  chains_ = machine.many_registers() ? 24 : 12;
  return {peak_text(lanes_, chains_, tasks_), options, threads};
}

double FmaPeak::measure() {
  const double operations = 2.0 * static_cast<double>(tasks_ * chains_ * length * lanes_);
  return operations / std::min({program_.run(), program_.run(), program_.run()});
}

double read_bandwidth(const Options &options, uint32_t threads) {
  constexpr int64_t tasks = 64, rows = 4096;
  MeasuredProgram program(read_text(tasks, rows), options, threads);
  double least = program.run();
  for (int i = 0; i < 4; ++i)
    least = std::min(least, program.run());
  return static_cast<double>(tasks * rows * 8 * 16) * sizeof(float) / least;
}

} // namespace cnnc
