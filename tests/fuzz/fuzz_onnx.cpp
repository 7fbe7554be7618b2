// ONNX files that lie in memory: imported, and taken through all passes.
#include "tests/fuzz/checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cnnc::Result<cnnc::Model> model = cnnc::load_onnx({reinterpret_cast<const char *>(data), size});
  if (model && cnnc::fuzz::is_small(*model))
    cnnc::fuzz::check_passes(*model);
  return 0;
}
