// Models that are compiled into this process, as the benchmarks run them.
#pragma once

#include "compiler/cnnc.h"
#include "tests/bench/model_runner.h"

#include <string>

/// The value, or the end of the program with the diagnostics.
template <class T> T value_or_exit(cnnc::Result<T> result) {
  if (result)
    return std::move(*result);
  std::fprintf(stderr, "%s", std::string(result.error()).c_str());
  std::exit(1);
}

inline cnnc::Program jit_text(const std::string &text, const cnnc::Options &options = {}) {
  return value_or_exit(cnnc::jit(value_or_exit(cnnc::parse(text)), options));
}

/// A ModelRunner that owns its program.
class Runner : private cnnc::Program, public ModelRunner {
public:
  explicit Runner(cnnc::Program program, uint32_t threads = 1, bool profile = false)
      : cnnc::Program(std::move(program)), ModelRunner(cnnc::Program::table(), threads, profile) {}
  using ModelRunner::run;
  using ModelRunner::table;
};
