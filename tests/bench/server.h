// The side of run.sh that runs a model: answers commands on standard input, one line each.
//
//   run THREADS COUNT     COUNT runs after one that does not count: their seconds, [[wall ...],
//   [CPU ...]] peak THREADS          the FMA peak now, in operations per second (if the program
//   can) output FILE           writes the first output of the last run memory                the
//   most memory this process had, in bytes
#pragma once

#include "tests/bench/model_runner.h"

#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <time.h>

/// Fills the first input with the file's bytes; false when it is not exactly of that size.
inline bool read_input(ModelRunner &runner, const std::string &file) {
  std::vector<float> &input = runner.input(0);
  std::ifstream stream(file, std::ios::binary);
  auto size = static_cast<std::streamsize>(input.size() * sizeof(float));
  stream.read(reinterpret_cast<char *>(input.data()), size);
  return stream && stream.peek() == std::ifstream::traits_type::eof();
}

inline uint64_t peak_memory() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

/// Of all threads of this process, in seconds. On a busy machine it says more than wall time.
inline double cpu_seconds() {
  timespec time = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

inline void print_list(const std::vector<double> &numbers) {
  const char *separator = "[";
  for (double number : numbers) {
    std::cout << separator << number;
    separator = ", ";
  }
  std::cout << "]";
}

inline void answer_run(ModelRunner &runner, uint32_t threads, int count) {
  runner.set_threads(threads);
  runner.run();
  std::vector<double> wall, cpu;
  for (int i = 0; i < count; ++i) {
    double before = cpu_seconds();
    wall.push_back(runner.run());
    cpu.push_back(cpu_seconds() - before);
  }
  std::cout << "[";
  print_list(wall);
  std::cout << ", ";
  print_list(cpu);
  std::cout << "]" << std::endl;
}

/// Until the input ends. Returns the exit code.
inline int serve(ModelRunner &runner, const std::function<double(uint32_t threads)> &peak) {
  std::cout.precision(9);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, file;
    uint32_t threads = 1;
    int count = 1;
    words >> command;
    if (command == "run" && words >> threads >> count && count > 0) {
      answer_run(runner, threads, count);
    } else if (command == "peak" && peak && words >> threads) {
      std::cout << peak(threads) << std::endl;
    } else if (command == "output" && words >> file) {
      const std::vector<unsigned char> &output = runner.output(0);
      std::ofstream stream(file, std::ios::binary);
      stream.write(reinterpret_cast<const char *>(output.data()),
                   static_cast<std::streamsize>(output.size()));
      std::cout << (stream.flush() ? "true" : "false") << std::endl;
    } else if (command == "memory") {
      std::cout << peak_memory() << std::endl;
    } else {
      std::cerr << "error: no such command: " << line << "\n";
      return 2;
    }
  }
  return 0;
}
