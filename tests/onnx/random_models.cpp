// Texts of random models for other programs to be compared with, as the property tests make them:
//
//   random_models FOLDER COUNT [SEED]
//
// writes SEED.ir, SEED+1.ir ... : networks, one in four of quantised numbers, and after every
// two of them a single op.
#include "tests/unit/property_models.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace {

std::string random_model(uint32_t seed, const std::vector<cnnc::ModelMaker> &ops) {
  cnnc::Choices choices(seed);
  switch (seed % 6) {
  case 0:
  case 3:
    return ops[seed / 3 % ops.size()].make(choices);
  case 4:
    return cnnc::random_quantized_network(choices);
  default:
    return cnnc::random_network(choices);
  }
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) {
    std::cerr << "usage: random_models FOLDER COUNT [SEED]\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const auto count = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
  const auto first = argc == 4 ? static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10)) : 1;
  std::filesystem::create_directories(folder);
  std::vector<cnnc::ModelMaker> ops = cnnc::op_model_makers();
  std::erase_if(ops, [](const cnnc::ModelMaker &maker) { return maker.of_training; });
  for (uint32_t seed = first; seed - first < count; ++seed) {
    std::ofstream file(folder / (std::to_string(seed) + ".ir"));
    file << random_model(seed, ops);
    if (!file.flush()) {
      std::cerr << "random_models: error: cannot write into " << folder << "\n";
      return 1;
    }
  }
  return 0;
}
