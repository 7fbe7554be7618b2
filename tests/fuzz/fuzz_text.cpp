// Both of our texts: parsed, and taken through all passes.
#include "tests/fuzz/checks.h"
#include "tests/fuzz/text_mutator.h"

#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  cnnc::Result<cnnc::Model> model = cnnc::parse(text);
  if (model && cnnc::fuzz::is_small(*model))
    cnnc::fuzz::check_passes(*model);
  return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

/// Bytes once in a while: what the lexer makes of them counts, too.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most,
                                          unsigned int seed) {
  std::mt19937 random(seed);
  if (random() % 16 == 0)
    return LLVMFuzzerMutate(data, size, most);
  std::string_view text(reinterpret_cast<const char *>(data), size);
  std::string changed = cnnc::fuzz::mutate_text(text, most, random);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
