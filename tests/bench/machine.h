// What this machine can do at all, measured by code that the compiler makes from kernels of the
// loops text: fused multiply-adds on registers, and reading memory. Benchmarks measure these in
// turn with what they compare, because a shared machine changes from second to second.
#pragma once

#include "tests/bench/runner.h"

#include <optional>

/// The highest rate of fused multiply-adds on f32 vectors of the CPU that the options name.
class FmaPeak {
public:
  explicit FmaPeak(const cnnc::Options &options = {}, uint32_t threads = 1) {
    // The vectors of the target, and about as many independent chains as it has registers: more
    // than latency times throughput of any core.
    tasks_ = threads * tasks_per_thread;
    prepare(16, 24, options, threads);
    std::string features = runner_->table().target_features;
    if (features.find("avx512f") == std::string::npos)
      prepare(features.find("avx") == std::string::npos ? 4 : 8, 12, options, threads);
  }

  /// Operations per second, two for each multiply-add; the best of three passes of 0.1 ms.
  double measure() {
    double operations = 2.0 * static_cast<double>(tasks_ * chains_ * length * lanes_);
    return operations / std::min({runner_->run(), runner_->run(), runner_->run()});
  }

private:
  static constexpr int64_t tasks_per_thread = 4, length = 5000;

  void prepare(int64_t lanes, int64_t chains, const cnnc::Options &options, uint32_t threads) {
    lanes_ = lanes;
    chains_ = chains;
    std::string v = std::to_string(lanes), n = std::to_string(chains);
    std::string y = "f32[" + std::to_string(tasks_) + ", " + n + ", " + v + "]";
    std::string tile = "unroll i in 0.." + n + ", vector j in 0.." + v;
    std::string text = "model @peak(%x: f32[" + v + "]) {\n  %y = call \"peak\" %x : " + y +
                       "\n  return %y\n}\nkernel @peak(x: f32[" + v + "]) -> (y: " + y +
                       ") {\n  parallel t in 0.." + std::to_string(tasks_) + " {\n    reg c: f32[" +
                       n + ", " + v + "]\n    " + tile + " { c[i, j] = x[j] }\n    for k in 0.." +
                       std::to_string(length) + ", " + tile + " { c[i, j] += x[j] * x[j] }\n    " +
                       tile + " { y[t, i, j] = c[i, j] }\n  }\n}\n";
    cnnc::Options target;
    target.cpu = options.cpu;
    target.features = options.features;
    runner_.emplace(jit_text(text, target), threads);
    runner_->run();
  }

  int64_t lanes_ = 0, chains_ = 0, tasks_ = 0;
  std::optional<Runner> runner_;
};

/// Bytes per second at which `threads` read what no cache holds; the best of a few passes.
inline double read_bandwidth(uint32_t threads) {
  constexpr int64_t tasks = 64, rows = 4096, lanes = 16, unrolled = 8; // 128 MiB
  std::string v = std::to_string(lanes), u = std::to_string(unrolled), t = std::to_string(tasks),
              x = "f32[" + t + ", " + std::to_string(rows) + ", " + u + ", " + v + "]",
              y = "f32[" + t + ", " + u + ", " + v + "]",
              tile = "unroll i in 0.." + u + ", vector j in 0.." + v;
  Runner runner(jit_text("model @read(%x: " + x + ") {\n  %y = call \"read\" %x : " + y +
                         "\n  return %y\n}\nkernel @read(x: " + x + ") -> (y: " + y +
                         ") {\n  parallel t in 0.." + t + " {\n    reg c: f32[" + u + ", " + v +
                         "]\n    " + tile + " { c[i, j] = 0 }\n    for k in 0.." +
                         std::to_string(rows) + ", " + tile +
                         " { c[i, j] = c[i, j] + x[t, k, i, j] }\n    " + tile +
                         " { y[t, i, j] = c[i, j] }\n  }\n}\n"),
                threads);
  std::vector<double> times;
  for (int i = 0; i < 5; ++i)
    times.push_back(runner.run());
  return static_cast<double>(tasks * rows * unrolled * lanes) * sizeof(float) / least(times);
}
