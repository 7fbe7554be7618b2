// .safetensors files, and the conversion of what is in them.
#include "ir/weights/safetensors.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cnnc::Diagnostics diagnostics;
  auto tensors = cnnc::parse_safetensors(std::as_bytes(std::span(data, size)), "file.safetensors",
                                         diagnostics);
  if (!tensors)
    return 0;
  for (const cnnc::SafetensorsTensor &tensor : *tensors) {
    std::vector<float> elements(std::min<size_t>(tensor.data.size(), 1 << 16));
    cnnc::convert_to_f32(tensor, elements);
  }
  return 0;
}
