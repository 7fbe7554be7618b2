// Speed of single convolutions on one core, as a share of what the core can do at all: the rate of
// fused multiply-adds on registers, measured in turn with the convolution in the same run, by code
// that the compiler makes from a kernel of the loops text.
//
//   build/tests/bench/convolution_benchmark [--benchmark_filter=3x3]
#include "tests/bench/runner.h"

#include <algorithm>
#include <benchmark/benchmark.h>

namespace {

struct Shape {
  const char *name;
  int64_t ic, oc, size, kernel, stride, groups;
};

constexpr Shape shapes[] = {
    {"3x3 64->64 56x56", 64, 64, 56, 3, 1, 1},
    {"3x3 128->128 28x28", 128, 128, 28, 3, 1, 1},
    {"3x3 256->256 14x14", 256, 256, 14, 3, 1, 1},
    {"3x3 512->512 7x7", 512, 512, 7, 3, 1, 1},
    {"1x1 256->64 56x56", 256, 64, 56, 1, 1, 1},
    {"1x1 512->2048 7x7", 512, 2048, 7, 1, 1, 1},
    {"3x3 128->128 stride 2", 128, 128, 56, 3, 2, 1},
    {"7x7 3->64 stride 2", 3, 64, 224, 7, 2, 1},
    {"depthwise 3x3 144 56x56", 144, 144, 56, 3, 1, 144},
};

/// 24 independent chains of fused multiply-adds, more than latency times throughput of any core.
constexpr int64_t peak_chains = 24, peak_length = 20000;

std::string peak_text(int64_t lanes) {
  std::string v = std::to_string(lanes), n = std::to_string(peak_chains);
  return "model @peak(%x: f32[" + v + "]) {\n  %y = call \"peak\" %x : f32[" + n + ", " + v +
         "]\n  return %y\n}\nkernel @peak(x: f32[" + v + "]) -> (y: f32[" + n + ", " + v +
         "]) {\n  reg c: f32[" + n + ", " + v + "]\n  unroll i in 0.." + n + ", vector j in 0.." +
         v + " { c[i, j] = x[j] }\n  for k in 0.." + std::to_string(peak_length) +
         ", unroll i in 0.." + n + ", vector j in 0.." + v +
         " { c[i, j] += x[j] * x[j] }\n  unroll i in 0.." + n + ", vector j in 0.." + v +
         " { y[i, j] = c[i, j] }\n}\n";
}

std::string convolution_text(const Shape &s) {
  auto number = [](int64_t value) { return std::to_string(value); };
  std::string pad = number(s.kernel / 2);
  return "model @m(%x: f32[1, " + number(s.ic) + ", " + number(s.size) + ", " + number(s.size) +
         "]) {\n  %w = random(1, he) : f32[" + number(s.oc) + ", " + number(s.ic / s.groups) +
         ", " + number(s.kernel) + ", " + number(s.kernel) + "]\n  %b = random(2, uniform) : f32[" +
         number(s.oc) + "]\n  %conv = conv2d %x, %w, %b stride=[" + number(s.stride) + ", " +
         number(s.stride) + "] pad=[" + pad + ", " + pad + ", " + pad + ", " + pad +
         "] groups=" + number(s.groups) + "\n  %y = relu %conv\n  return %y\n}\n";
}

void convolution(benchmark::State &state, const Shape &shape) {
  // The widest vector that does not spill its chains is the fastest; a CPU without AVX-512 splits
  // it.
  constexpr int64_t lanes = 16;
  Runner peak(jit_text(peak_text(lanes)), "peak"), conv(jit_text(convolution_text(shape)), "conv");
  int64_t outputs = (shape.size + 2 * (shape.kernel / 2) - shape.kernel) / shape.stride + 1;
  double operations =
      2.0 * static_cast<double>(shape.oc * outputs * outputs * (shape.ic / shape.groups) *
                                shape.kernel * shape.kernel);
  std::vector<double> times, peaks;
  conv.run();
  for (auto _ : state) {
    peaks.push_back(2.0 * peak_chains * peak_length * lanes / peak.run());
    times.push_back(conv.run());
    state.SetIterationTime(times.back());
  }
  double rate = operations / median(times);
  state.counters["GFLOP/s"] = rate * 1e-9;
  state.counters["peak"] = median(peaks) * 1e-9;
  state.counters["%_of_peak"] = 100 * rate / median(peaks);
  // On a machine that others use, too, the fastest run says more than the median.
  double best = *std::min_element(times.begin(), times.end());
  state.counters["best_%"] = 100 * operations / best / median(peaks);
}

} // namespace

int main(int argc, char **argv) {
  for (const Shape &shape : shapes)
    benchmark::RegisterBenchmark(shape.name,
                                 [&shape](benchmark::State &state) { convolution(state, shape); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond)
        ->MinTime(0.3);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
