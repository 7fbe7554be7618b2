// Loads a compiled network and runs it as run.sh commands: see server.h. Has nothing of the
// compiler, so that its memory is that of the network.
//
//   library_server MODEL.so NAME INPUT [prepare]     the input's bytes as they are; first prints `{}`
#include "tests/bench/server.h"

#include <dlfcn.h>

int main(int argc, char **argv) {
  if (argc != 4 && !(argc == 5 && std::string_view(argv[4]) == "prepare")) {
    std::cerr << "usage: library_server MODEL.so NAME INPUT [prepare]\n";
    return 2;
  }
  void *library = dlopen(argv[1], RTLD_NOW);
  void *symbol = library ? dlsym(library, (std::string(argv[2]) + "_model").c_str()) : nullptr;
  if (!symbol) {
    std::cerr << "error: " << dlerror() << "\n";
    return 1;
  }
  ModelRunner runner(*reinterpret_cast<const cnnc_model_v1 *(*)()>(symbol)());
  if (!read_input(runner, argv[3])) {
    std::cerr << "error: " << argv[3] << " is no input of " << argv[2] << "\n";
    return 1;
  }
  if (argc == 5 && cnnc_prepare(&runner.table(), nullptr, nullptr) != CNNC_OK) {
    std::cerr << "error: " << argv[1] << " cannot be prepared\n";
    return 1;
  }
  std::cout << "{}" << std::endl;
  return serve(runner, {});
}
