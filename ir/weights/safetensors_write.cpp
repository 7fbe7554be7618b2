#include "ir/text/files.h"
#include "ir/weights/byte_count.h"
#include "ir/weights/safetensors.h"
#include "ir/weights/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <tuple>

namespace cnnc {
namespace {

/// What is wrong with a tensor, or empty.
std::string check_tensor(const SafetensorsTensor &tensor) {
  std::optional<uint64_t> element_size = safetensors_dtype_size(tensor.dtype);
  if (!element_size)
    return fmt::format("unknown dtype {}", quote_tensor_name(tensor.dtype));
  if (tensor.name == "__metadata__")
    return "the format reserves this name";
  std::optional<uint64_t> expected = byte_count(tensor.shape, *element_size);
  if (!expected)
    return "the size of its shape overflows";
  if (*expected != tensor.data.size())
    return fmt::format("its shape needs {} bytes, but its data has {}", *expected,
                       tensor.data.size());
  return {};
}

bool check_tensors(const std::string &file, std::span<const SafetensorsTensor> tensors,
                   Diagnostics &diagnostics) {
  size_t before = diagnostics.error_count();
  std::vector<std::string_view> names;
  for (const SafetensorsTensor &tensor : tensors) {
    names.push_back(tensor.name);
    if (std::string problem = check_tensor(tensor); !problem.empty())
      diagnostics.error(
          fmt::format("{}: tensor {}: {}", file, quote_tensor_name(tensor.name), problem));
  }
  std::ranges::sort(names);
  if (auto twice = std::ranges::adjacent_find(names); twice != names.end())
    diagnostics.error(
        fmt::format("{}: two tensors have the name {}", file, quote_tensor_name(*twice)));
  return diagnostics.error_count() == before;
}

/// Largest elements first, so that every tensor is aligned to its elements; then by name.
std::vector<const SafetensorsTensor *> file_order(std::span<const SafetensorsTensor> tensors) {
  std::vector<const SafetensorsTensor *> order;
  for (const SafetensorsTensor &tensor : tensors)
    order.push_back(&tensor);
  std::ranges::sort(order, [](const SafetensorsTensor *left, const SafetensorsTensor *right) {
    uint64_t left_size = *safetensors_dtype_size(left->dtype);
    uint64_t right_size = *safetensors_dtype_size(right->dtype);
    return std::tie(right_size, left->name) < std::tie(left_size, right->name);
  });
  return order;
}

} // namespace

bool write_safetensors(const std::filesystem::path &path,
                       std::span<const SafetensorsTensor> tensors, Diagnostics &diagnostics) {
  std::string file = path.string();
  if (!check_tensors(file, tensors, diagnostics))
    return false;
  std::vector<SafetensorsEntry> entries;
  std::vector<std::string_view> pieces(1);
  uint64_t offset = 0;
  for (const SafetensorsTensor *tensor : file_order(tensors)) {
    uint64_t end = offset + tensor->data.size();
    entries.push_back({tensor->name, tensor->dtype, tensor->shape, offset, end});
    pieces.emplace_back(reinterpret_cast<const char *>(tensor->data.data()), tensor->data.size());
    offset = end;
  }
  std::optional<std::string> header = format_safetensors_header(entries);
  if (!header || header->size() > max_safetensors_header) {
    diagnostics.error(fmt::format(
        "{}: {}", file,
        header
            ? fmt::format("the header would have {} bytes, more than the {} that the format allows",
                          header->size(), max_safetensors_header)
            : "the name of a tensor is not valid UTF-8"));
    return false;
  }
  uint64_t length = header->size();
  char length_bytes[sizeof length];
  std::memcpy(length_bytes, &length, sizeof length);
  header->insert(0, length_bytes, sizeof length);
  pieces[0] = *header;
  return write_file_atomically(path, pieces, diagnostics);
}

} // namespace cnnc
