// The compiler as a library: a model from memory, its mistakes, its texts, and a run.
#include <cnnc/cnnc.h>

#include <cstdio>

int main() {
  auto wrong =
      cnnc::parse("model @m(%x: f32[1, 2]) {\n  %y = rleu %x\n  return %y\n}\n", "wrong.ir");
  if (wrong || wrong.error().find("wrong.ir:2:8: error:") == std::string_view::npos)
    return 1;
  auto model = cnnc::parse("model @m(%x: f32[1, 2]) {\n  %y = relu %x\n  return %y\n}\n");
  if (!model || model->names().at(0) != "m")
    return 2;
  auto loops = cnnc::emit(*model, cnnc::Stage::loops);
  if (!loops || loops->find("kernel @") == std::string::npos)
    return 3;
  auto program = cnnc::jit(*model);
  if (!program)
    return std::fprintf(stderr, "%s\n", std::string(program.error()).c_str()), 4;
  float x[2] = {-1, 2}, y[2] = {5, 5};
  if (!program->run({x}, {y}) || y[0] != 0 || y[1] != 2)
    return 5;
  if (program->run({}, {y}))
    return 6; // too few inputs are an error
  std::puts("all right");
}
