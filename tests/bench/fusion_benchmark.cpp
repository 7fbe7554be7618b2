// What fusing a pool into the convolution before it is worth, per kernel: a network as it is
// compiled against the same network with every such pool as a kernel of its own, in turn in one
// run.
//
//   fusion_benchmark NETWORK.ir [RUNS]
#include "tests/bench/runner.h"

#include <cstring>
#include <fmt/format.h>
#include <regex>

namespace {

/// The network's text after fuse_kernels.
std::string fused_text(const cnnc::Model &model) {
  std::string text;
  cnnc::Options options;
  options.print_after = {"fuse_kernels"};
  options.after_pass = [&](std::string_view, const std::string &after) { text = after; };
  value_or_exit(cnnc::emit(model, cnnc::Stage::graph, options));
  return text;
}

/// Gives every pool that ends a kernel with a convolution a kernel of its own, `NAME.pool`. Returns
/// the names of those kernels.
std::vector<std::string> split_pools(std::string &text) {
  static const std::regex kernel(
      R"((  kernel @(\S+)\([^)]*\) -> \()(%[^ ,)]+)(\)[^{]*\{\n)((?:    .*\n)*?)(    (%\S+) = (?:max|avg)_pool2d (%\S+) .*\n)  \}\n)");
  std::vector<std::string> names;
  std::string result;
  std::smatch match;
  std::string::const_iterator at = text.begin();
  for (; std::regex_search(at, text.cend(), match, kernel); at = match[0].second) {
    result.append(at, match[0].first);
    if (match[5].str().find(" = conv2d ") == std::string::npos) {
      result += match[0];
      continue;
    }
    std::string name = match[2], pooled = match[7], convolved = match[8];
    result += match[1].str() + convolved + match[4].str() + match[5].str() + "  }\n";
    result += fmt::format("  kernel @{}.pool({}) -> ({}) {{\n{}  }}\n", name, convolved, pooled,
                          match[6].str());
    names.push_back(name);
  }
  result.append(at, text.cend());
  text = std::move(result);
  return names;
}

struct Times {
  std::vector<double> fused, convolution, pool;
};

std::vector<std::string> ops_of(const cnnc::Model &model, const std::vector<std::string> &names) {
  std::vector<std::string> ops(names.size());
  for (const cnnc::KernelInfo &info : value_or_exit(cnnc::describe_kernels(model)))
    for (size_t i = 0; i < names.size(); ++i)
      if (info.name == names[i])
        ops[i] = info.ops;
  return ops;
}

void print(const std::vector<std::string> &names, const std::vector<std::string> &ops,
           const std::vector<Times> &times) {
  fmt::print("{:<12} {:<58} {:>9} {:>9} {:>8} {:>9} {:>9} {:>9}\n", "kernel", "microseconds: least",
             "fused", "conv", "pool", "apart", "gain", "of median");
  for (size_t i = 0; i < names.size(); ++i) {
    const Times &t = times[i];
    double apart = least(t.convolution) + least(t.pool);
    double of_median = (median(t.convolution) + median(t.pool)) / median(t.fused);
    fmt::print("{:<12} {:<58} {:>9.1f} {:>9.1f} {:>8.1f} {:>9.1f} {:>8.1f}% {:>8.1f}%\n", names[i],
               ops[i], least(t.fused) * 1e6, least(t.convolution) * 1e6, least(t.pool) * 1e6,
               apart * 1e6, 100 * (apart / least(t.fused) - 1), 100 * (of_median - 1));
  }
}

int compare(const std::string &file, int runs) {
  cnnc::Model model = value_or_exit(cnnc::load(file));
  std::string text = fused_text(model);
  std::vector<std::string> names = split_pools(text);
  if (names.empty()) {
    fmt::print("{}: no pool is fused to a convolution\n", file);
    return 0;
  }
  cnnc::Model apart_model = value_or_exit(cnnc::parse(text, file));
  Runner fused(value_or_exit(cnnc::jit(model)), 1, true);
  Runner apart(value_or_exit(cnnc::jit(apart_model)), 1, true);
  std::vector<Times> times(names.size());
  std::vector<double> fused_whole, apart_whole;
  fused.run();
  apart.run();
  for (int run = 0; run < runs; ++run) {
    fused_whole.push_back(fused.run());
    apart_whole.push_back(apart.run());
    for (size_t i = 0; i < names.size(); ++i) {
      times[i].fused.push_back(fused.kernel_seconds(names[i]));
      times[i].convolution.push_back(apart.kernel_seconds(names[i]));
      times[i].pool.push_back(apart.kernel_seconds(names[i] + ".pool"));
    }
  }
  if (fused.output(0) != apart.output(0)) {
    fmt::print(stderr, "{}: error: the two give different outputs\n", file);
    return 1;
  }
  fmt::print("{}, {} runs; both give the same bits\n", file, runs);
  print(names, ops_of(model, names), times);
  fmt::print(
      "whole network: least {:.1f} against {:.1f} us, {:+.1f} %; median {:.1f} against {:.1f} "
      "us, {:+.1f} %; workspace {} against {} KB\n\n",
      least(fused_whole) * 1e6, least(apart_whole) * 1e6,
      100 * (least(apart_whole) / least(fused_whole) - 1), median(fused_whole) * 1e6,
      median(apart_whole) * 1e6, 100 * (median(apart_whole) / median(fused_whole) - 1),
      fused.table().workspace_size / 1000, apart.table().workspace_size / 1000);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  int runs = argc == 3 ? std::atoi(argv[2]) : 0;
  if (argc < 2 || argc > 3 || (argc == 3 && runs < 1)) {
    fmt::print(stderr, "usage: fusion_benchmark NETWORK.ir [RUNS]\n");
    return 2;
  }
  return compare(argv[1], runs > 0 ? runs : 11);
}
