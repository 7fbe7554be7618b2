// Compiles a model into this process and runs it on an image of ones. Once cnnc is installed:
//   cmake -S . -B build -DCMAKE_PREFIX_PATH=/where/cnnc/is && cmake --build build
//   build/run_model ../lenet/lenet.ir
#include <cnnc/cnnc.h>

#include <iostream>
#include <vector>

int main(int argc, char **argv) {
  cnnc::Result<cnnc::Model> model = cnnc::load(argc > 1 ? argv[1] : "lenet.ir");
  if (!model)
    return std::cerr << model.error() << "\n", 1;
  cnnc::Result<cnnc::Program> program = cnnc::jit(*model);
  if (!program)
    return std::cerr << program.error() << "\n", 1;
  const cnnc_model_v1 &table = program->table();
  std::vector<float> input(table.inputs[0].size / sizeof(float), 1.0f);
  std::vector<float> output(table.outputs[0].size / sizeof(float));
  if (auto ran = program->run({input.data()}, {output.data()}); !ran)
    return std::cerr << ran.error() << "\n", 1;
  for (float value : output)
    std::cout << value << "\n";
}
