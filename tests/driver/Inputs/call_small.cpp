// Runs small.ir on the .npy file named, through cnnc_model.hpp: the output to stdout. Mistakes in types and
// sizes come first: none may be run.
#include "cnnc_model.hpp"
#include "small.h"

#include <array>
#include <fstream>
#include <iostream>

static_assert(cnnc::Element<int8_t> && cnnc::dtype_of<int8_t>() == CNNC_I8);

static bool refused(const cnnc::Status &status, cnnc_status code, const std::string &text) {
  if (status.code == code && status.text.find(text) != std::string::npos)
    return true;
  std::cerr << status.text << "\n";
  return false;
}

int main(int, char **argv) {
  std::vector<float> image(3 * 9 * 9), result(8 * 9 * 9);
  std::ifstream file(argv[1], std::ios::binary);
  file.ignore(128);
  file.read(reinterpret_cast<char *>(image.data()), 4 * 3 * 9 * 9);
  cnnc::CompiledModel small(small_model(), 2);
  std::array<float, 5> few = {};
  std::array<int32_t, 3 * 9 * 9> integers = {};
  if (small.inputs().size() != 1 || small.outputs().size() != 1)
    return 2;
  if (!refused(small.run({few}, {result}), CNNC_INVALID_ARGUMENT,
               "input 'image' has 243 elements, but 5 were given") ||
      !refused(small.run({image}, {few}), CNNC_INVALID_ARGUMENT, "output 'r' has 648 elements") ||
      !refused(small.run({integers}, {result}), CNNC_INVALID_ARGUMENT, "another element type") ||
      !refused(small.run({image, image}, {result}), CNNC_INVALID_ARGUMENT,
               "2 inputs were given instead of 1") ||
      !refused(small.run({image}, {result}, 3), CNNC_FIXED_BATCH, "fix its batch"))
    return 3;
  if (cnnc::Status status = small.prepare(); !status)
    return std::cerr << status.text << "\n", 1;
  if (cnnc::Status status = small.run({image}, {std::span(result)}); !status)
    return std::cerr << status.text << "\n", 1;
  std::cout.write(reinterpret_cast<const char *>(result.data()), 4 * 8 * 9 * 9);
}
