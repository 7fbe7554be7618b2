// Speed of single convolutions on one core, as a share of what the core can do at all: the rate of
// fused multiply-adds on registers, measured in turn with the convolution in the same run, by code
// that the compiler makes from a kernel of the loops text.
//
//   build/tests/bench/convolution_benchmark [--benchmark_filter=3x3]
#include "compiler/profile/machine_speed.h"
#include "tests/bench/runner.h"

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
  cnnc::FmaPeak peak;
  Runner conv(jit_text(convolution_text(shape)), 1, true);
  int64_t outputs = (shape.size + 2 * (shape.kernel / 2) - shape.kernel) / shape.stride + 1;
  double operations =
      2.0 * static_cast<double>(shape.oc * outputs * outputs * (shape.ic / shape.groups) *
                                shape.kernel * shape.kernel);
  std::vector<double> times, peaks;
  conv.run();
  for (auto _ : state) {
    peaks.push_back(peak.measure());
    conv.run();
    times.push_back(conv.kernel_seconds("conv"));
    state.SetIterationTime(times.back());
  }
  double rate = operations / median(times);
  state.counters["GFLOP/s"] = rate * 1e-9;
  state.counters["peak"] = median(peaks) * 1e-9;
  state.counters["%_of_peak"] = 100 * rate / median(peaks);
  // On a machine that others use, too, the fastest run says more than the median.
  state.counters["best_%"] = 100 * operations / least(times) / median(peaks);
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
