// .npy files.
#include "ir/weights/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cnnc::Diagnostics diagnostics;
  cnnc::parse_npy(std::as_bytes(std::span(data, size)), "file.npy", diagnostics);
  return 0;
}
