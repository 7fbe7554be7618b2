// Time of whole networks on one and two threads, taken in turn, with cold and with warm weights
// alike: as they come. Prints medians and minima; check the numbers themselves with cnnc --verify.
//
//   build/tests/bench/network_benchmark [examples/nets/resnet50.ir ...]
#include "tests/bench/runner.h"

#include <filesystem>

namespace {

constexpr int runs = 15;

void measure(const std::filesystem::path &file) {
  auto start = std::chrono::steady_clock::now();
  cnnc::Program program = value_or_exit(cnnc::jit(value_or_exit(cnnc::load(file))));
  std::chrono::duration<double> compiled = std::chrono::steady_clock::now() - start;
  Runner one(program, 1), two(program, 2);
  std::vector<double> times[2];
  one.run();
  two.run();
  for (int i = 0; i < runs; ++i) {
    times[0].push_back(one.run());
    times[1].push_back(two.run());
  }
  std::printf("%-24s %9.2f %9.2f %9.2f %9.2f %8.2f %9.0f\n", file.stem().c_str(),
              median(times[0]) * 1e3, least(times[0]) * 1e3, median(times[1]) * 1e3,
              least(times[1]) * 1e3, median(times[0]) / median(times[1]), compiled.count() * 1e3);
}

} // namespace

int main(int argc, char **argv) {
  std::vector<std::filesystem::path> files(argv + 1, argv + argc);
  if (files.empty())
    for (const auto &entry : std::filesystem::directory_iterator(CNNC_SOURCE_DIR "/examples/nets"))
      if (entry.path().extension() == ".ir")
        files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::printf("%-24s %9s %9s %9s %9s %8s %9s\n", "milliseconds", "1 thread", "best", "2 threads",
              "best", "ratio", "JIT");
  for (const std::filesystem::path &file : files)
    measure(file);
}
