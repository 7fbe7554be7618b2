// Compiles a network into this process and runs it as run.sh commands: see server.h.
//
//   jit_server NETWORK.ir INPUT [CPU [strict]]     the input's bytes as they are; first prints one
//                                                  line of JSON about the model
#include "compiler/profile/machine_speed.h"
#include "tests/bench/runner.h"
#include "tests/bench/server.h"

#include <map>
#include <nlohmann/json.hpp>

int main(int argc, char **argv) {
  if (argc < 3 || argc > 5) {
    std::cerr << "usage: jit_server NETWORK.ir INPUT [CPU [strict]]\n";
    return 2;
  }
  cnnc::Options options;
  options.cpu = argc > 3 ? argv[3] : "";
  options.strict_arithmetic = argc > 4 && std::string_view(argv[4]) == "strict";
  auto start = std::chrono::steady_clock::now();
  cnnc::Model model = value_or_exit(cnnc::load(argv[1]));
  Runner runner(value_or_exit(cnnc::jit(model, options)));
  if (!read_input(runner, argv[2])) {
    std::cerr << "error: " << argv[2] << " is no input of " << argv[1] << "\n";
    return 1;
  }
  runner.run();
  std::chrono::duration<double> jit = std::chrono::steady_clock::now() - start;

  int64_t multiplications = 0;
  for (const cnnc::KernelInfo &kernel : value_or_exit(cnnc::describe_kernels(model, options)))
    multiplications += kernel.multiplications;
  const cnnc_model_v1 &table = runner.table();
  std::cout << nlohmann::json{{"jit_seconds", jit.count()},
                              {"cpu", table.target_cpu},
                              {"features", table.target_features},
                              {"multiplications", multiplications},
                              {"weights_bytes", table.weights_size},
                              {"workspace_bytes", table.workspace_size}}
            << std::endl;
  std::map<uint32_t, cnnc::FmaPeak> peaks; // by threads
  return serve(runner, [&](uint32_t threads) {
    return peaks.try_emplace(threads, options, threads).first->second.measure();
  });
}
