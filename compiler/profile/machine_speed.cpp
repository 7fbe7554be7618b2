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
constexpr int64_t different_inputs = 20;

/// What a peak is measured with: vectors of the target, and about as many independent chains as it
/// has registers, more than latency times throughput of any core.
struct Chains {
  int64_t lanes = 0, count = 0, tasks = 0;

  Chains(const Options &options, uint32_t threads) {
    constexpr int64_t tasks_per_thread = 4;
    Diagnostics diagnostics;
    const auto target = codegen::resolve_target(options.cpu, options.features, diagnostics);
    assert(target && "a model was compiled for it");
    const Machine machine = codegen::machine_of(*target);
    tasks = threads * tasks_per_thread;
    lanes = machine.vector_lanes;
    count = machine.many_registers() ? 24 : 12;
  }

  /// Of a run, each of which makes so many products in every lane.
  double operations(int64_t products) const {
    return 2.0 * static_cast<double>(tasks * count * length * lanes * products);
  }
};

/// `tasks` times so many independent chains of multiply-adds on vectors.
std::string peak_text(const Chains &chains) {
  const std::string tile =
      fmt::format("unroll i in 0..{}, vector j in 0..{}", chains.count, chains.lanes);
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
                     chains.lanes, chains.count, chains.tasks, length, tile);
}

/// The same of dot products of so many neighbours, as convolutions compute them: numbers that change
/// go to all lanes, and are multiplied with two vectors of weights. Equal products of equal numbers
/// would be one, outside of the loop, where products and sums are two instructions.
std::string dot_text(const Chains &chains, int64_t products) {
  const std::string tile = fmt::format("unroll i in 0..{}, o in 0..2, vector j in 0..{}",
                                       chains.count / 2, chains.lanes);
  return fmt::format(R"(model @peak(%x: {5}[{3}, {1}, {6}], %w: {7}[2, {0}, {6}]) {{
  %y = call "peak" %x, %w : i32[{2}, {1}, 2, {0}]
  return %y
}}
kernel @peak(x: {5}[{3}, {1}, {6}], w: {7}[2, {0}, {6}]) -> (y: i32[{2}, {1}, 2, {0}]) {{
  parallel t in 0..{2} {{
    reg c: i32[{1}, 2, {0}]
    {4} {{ c[i, o, j] = 0 }}
    for r in 0..{8}, k in 0..{3}, {4} {{ c[i, o, j] += dot{6}(x[k, i, 0], w[o, j, 0]) }}
    {4} {{ y[t, i, o, j] = c[i, o, j] }}
  }}
}}
)",
                     chains.lanes, chains.count / 2, chains.tasks, different_inputs, tile,
                     products == 4 ? "u8" : "i16", products, products == 4 ? "i8" : "i16",
                     length / different_inputs);
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

namespace {

/// The best of three passes.
double rate(double operations, MeasuredProgram &program) {
  return operations / std::min({program.run(), program.run(), program.run()});
}

} // namespace

FmaPeak::FmaPeak(const Options &options, uint32_t threads)
    : operations_(Chains(options, threads).operations(1)),
      program_(peak_text(Chains(options, threads)), options, threads) {
  program_.run();
}

double FmaPeak::measure() { return rate(operations_, program_); }

DotPeak::DotPeak(int64_t products, const Options &options, uint32_t threads)
    : operations_(Chains(options, threads).operations(products)),
      program_(dot_text(Chains(options, threads), products), options, threads) {
  program_.run();
}

double DotPeak::measure() { return rate(operations_, program_); }

double read_bandwidth(const Options &options, uint32_t threads) {
  constexpr int64_t tasks = 64, rows = 4096;
  MeasuredProgram program(read_text(tasks, rows), options, threads);
  double least = program.run();
  for (int i = 0; i < 4; ++i)
    least = std::min(least, program.run());
  return static_cast<double>(tasks * rows * 8 * 16) * sizeof(float) / least;
}

} // namespace cnnc
