#include "ir/type/type.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

/// Letters for the dimensions. Which block letters follow decides nothing: they name positions.
std::string axis_letters(const Layout &layout, size_t rank) {
  bool filter = layout.block_of(0) != 1 || std::any_of(layout.blocks.begin(), layout.blocks.end(),
                                                       [](const Block &b) { return b.axis == 0; });
  if (rank == 1)
    return "c";
  if (rank == 2)
    return filter ? "oi" : "nc";
  if (rank == 4)
    return filter ? "oihw" : "nchw";
  return std::string("abcdefghijklm").substr(0, rank);
}

} // namespace

int64_t Layout::block_of(int64_t axis) const {
  int64_t size = 1;
  for (const Block &block : blocks)
    if (block.axis == axis)
      size *= block.size;
  return size;
}

std::optional<size_t> normalized_axis(int64_t axis, size_t rank) {
  int64_t count = static_cast<int64_t>(rank);
  if (axis < -count || axis >= count)
    return std::nullopt;
  return static_cast<size_t>(axis < 0 ? axis + count : axis);
}

bool is_empty(const TensorType &type) {
  return std::find(type.shape.begin(), type.shape.end(), 0) != type.shape.end();
}

bool same_logical_type(const TensorType &a, const TensorType &b) {
  return a.dtype == b.dtype && a.shape == b.shape;
}

std::optional<int64_t> element_count(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t dim : shape)
    if (__builtin_mul_overflow(count, dim == symbolic_dim ? 1 : dim, &count) ||
        count > (int64_t(1) << 62))
      return std::nullopt;
  return count;
}

std::vector<int64_t> physical_shape(const TensorType &type) {
  std::vector<int64_t> result = type.shape;
  size_t rank = result.size();
  if (type.has_symbolic_batch())
    result[0] = 1;
  if (rank >= 2) {
    result[rank - 2] += type.layout.halo[0] + type.layout.halo[2];
    result[rank - 1] += type.layout.halo[1] + type.layout.halo[3];
  }
  if (type.layout.winograd > 0 && rank >= 2)
    for (size_t axis : {rank - 2, rank - 1})
      result[axis] += type.layout.winograd - 1; // m outputs of a window of 3 need m + 2 inputs
  for (size_t axis = 0; axis < rank; ++axis) {
    const int64_t block = type.layout.block_of(static_cast<int64_t>(axis));
    result[axis] = (result[axis] + block - 1) / block;
  }
  for (const Block &block : type.layout.blocks)
    result.push_back(block.size);
  return result;
}

std::optional<int64_t> byte_size(const TensorType &type) {
  std::optional<int64_t> count =
      element_count(type.layout.plain() ? type.shape : physical_shape(type));
  int64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, size_of(type.dtype), &bytes))
    return std::nullopt;
  return bytes;
}

std::string to_string(const std::vector<int64_t> &shape, const std::string &batch_name) {
  std::vector<std::string> dims;
  for (int64_t dim : shape)
    dims.push_back(dim == symbolic_dim ? (batch_name.empty() ? "n" : batch_name)
                                       : std::to_string(dim));
  return fmt::format("[{}]", fmt::join(dims, ", "));
}

std::string to_string(const Layout &layout, size_t rank) {
  std::string letters = axis_letters(layout, rank);
  std::string result = letters;
  for (const Block &block : layout.blocks)
    result += fmt::format("{}{}", block.size, letters[static_cast<size_t>(block.axis)]);
  return result;
}

std::string to_string(const TensorType &type) {
  std::string result =
      fmt::format("{}{}", name_of(type.dtype), to_string(type.shape, type.batch_name));
  if (type.layout.winograd > 0)
    result += fmt::format(" winograd({})", type.layout.winograd);
  if (!type.layout.blocks.empty())
    result += " " + to_string(type.layout, type.rank());
  if (type.layout.has_halo())
    result += fmt::format(" halo=[{}]", fmt::join(type.layout.halo, ", "));
  if (type.layout.halo_value != 0)
    result += fmt::format(":{}", type.layout.halo_value);
  return result;
}

std::optional<std::vector<Block>> parse_layout(std::string_view text, size_t rank) {
  if (text.size() < rank)
    return std::nullopt;
  std::string_view letters = text.substr(0, rank);
  std::vector<Block> blocks;
  for (size_t i = rank; i < text.size(); ++i) {
    Block block{0, 0};
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
      block.size = std::min<int64_t>(block.size * 10 + (text[i] - '0'), 1 << 20);
    size_t axis = i < text.size() ? letters.find(text[i]) : std::string_view::npos;
    if (block.size < 1 || axis == std::string_view::npos)
      return std::nullopt;
    block.axis = static_cast<int64_t>(axis);
    blocks.push_back(block);
  }
  if (blocks.empty())
    return std::nullopt;
  return blocks;
}

} // namespace cnnc
