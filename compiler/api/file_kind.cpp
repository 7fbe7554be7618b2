#include "compiler/api/file_kind.h"

#include <algorithm>
#include <cstdint>

namespace cnnc {

namespace {

using namespace std::string_view_literals;

struct Kind {
  size_t offset; // of the bytes by which it is recognised
  std::string_view bytes;
  const char *message;
};

constexpr Kind kinds[] = {
    {0, "PK\x03\x04"sv,
     "this is a zip archive, as PyTorch and Keras write them: export the model as ONNX, with "
     "torch.onnx.export or tf2onnx"},
    {0, "\x80\x02"sv,
     "this is a Python pickle, as PyTorch writes them: export the model as ONNX, with "
     "torch.onnx.export"},
    {0, "\x80\x04"sv,
     "this is a Python pickle, which holds no model that can be read: export the model as ONNX"},
    {0, "\x89HDF\r\n"sv,
     "this is an HDF5 file, as Keras writes them: export the model as ONNX, with tf2onnx"},
    {4, "TFL3"sv,
     "this is a TensorFlow Lite file: export the model as ONNX, with tf2onnx --tflite"},
    {0,
     "\x7f"
     "ELF"sv,
     "this is a compiled library, object or program, not a model: give the text or the ONNX file "
     "that it was made of"},
    {0, "!<arch>\n"sv,
     "this is an archive of objects, not a model: give the text or the ONNX file that it was made "
     "of"},
    {0, "\x93NUMPY"sv, "this is a .npy file with a tensor, not a model: give it behind --run"},
    {0, "\x89PNG\r\n"sv, "this is a PNG image, not a model"},
    {0, "\xff\xd8\xff"sv, "this is a JPEG image, not a model"},
    {0, "GIF8"sv, "this is a GIF image, not a model"},
    {0, "%PDF-"sv, "this is a PDF document, not a model"},
    {0, "\x1f\x8b"sv, "this is compressed with gzip: uncompress it first"},
    {0, "BZh"sv, "this is compressed with bzip2: uncompress it first"},
    {0,
     "\xfd"
     "7zXZ"sv,
     "this is compressed with xz: uncompress it first"},
    {0, "\x28\xb5\x2f\xfd"sv, "this is compressed with zstd: uncompress it first"},
    {0, "\xff\xfe"sv, "this text is UTF-16: save it as UTF-8"},
    {0, "\xfe\xff"sv, "this text is UTF-16: save it as UTF-8"},
};

/// Eight bytes with the length of the header, which is JSON.
bool is_safetensors(std::string_view head) {
  constexpr uint64_t longest = 100'000'000;
  if (head.size() < 10 || head[8] != '{')
    return false;
  uint64_t length = 0;
  for (size_t i = 8; i-- > 0;)
    length = length * 256 + static_cast<unsigned char>(head[i]);
  return length >= 2 && length <= longest;
}

} // namespace

std::optional<std::string> describe_foreign(std::string_view head) {
  for (const Kind &kind : kinds)
    if (head.size() >= kind.offset && head.substr(kind.offset).starts_with(kind.bytes))
      return kind.message;
  if (is_safetensors(head))
    return "this is a safetensors file, which has weights but no network: give the text of the "
           "network, and this file with --weights";
  if (!head.empty() && std::ranges::all_of(head, [](char c) { return c == 0; }))
    return "this file begins with zeros alone: it is no model, or was not written completely";
  auto binary = [](char c) {
    return static_cast<unsigned char>(c) < 32 && c != '\t' && c != '\n' && c != '\r' && c != '\f' &&
           c != '\v' && c != '\x1b';
  };
  if (std::ranges::any_of(head, binary))
    return "this is no text: a model is text, or an ONNX file";
  return std::nullopt;
}

} // namespace cnnc
