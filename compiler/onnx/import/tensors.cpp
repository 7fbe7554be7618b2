#include "compiler/onnx/import/tensors.h"

#include "compiler/onnx/import/value_names.h"
#include "ir/weights/byte_count.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

using onnx::TensorProto;

/// More dimensions than any tensor has; guards against files made to waste time.
constexpr int most_dims = 64;

/// As .safetensors files call it; empty when the type is not supported.
std::string_view stored_type(int32_t type) {
  auto row = std::ranges::find(dtype_table, type, &DTypeInfo::onnx);
  return row == dtype_table.end() ? std::string_view() : row->safetensors;
}

/// Types that are younger than the onnx.proto that this is built with.
constexpr std::array<std::pair<int32_t, std::string_view>, 8> younger_types = {
    {{17, "FLOAT8E4M3FN"},
     {18, "FLOAT8E4M3FNUZ"},
     {19, "FLOAT8E5M2"},
     {20, "FLOAT8E5M2FNUZ"},
     {21, "UINT4"},
     {22, "INT4"},
     {23, "FLOAT4E2M1"},
     {24, "FLOAT8E8M0"}}};

using Elements = std::optional<std::span<const std::byte>>;

template <class List> std::span<const std::byte> bytes_of(const List &list) {
  return std::as_bytes(std::span(list.data(), static_cast<size_t>(list.size())));
}

/// Integers that protobuf holds in 32 bits each, in `size` bytes each.
std::vector<std::byte> narrowed(const google::protobuf::RepeatedField<int32_t> &list,
                                uint64_t size) {
  std::vector<std::byte> result(static_cast<uint64_t>(list.size()) * size);
  for (int i = 0; i < list.size(); ++i) // little endian: the low bytes come first
    std::memcpy(result.data() + static_cast<uint64_t>(i) * size, &list.Get(i), size);
  return result;
}

std::string wrong_size(uint64_t has, uint64_t needs, std::string_view unit) {
  return fmt::format("it has {} {}, but its shape needs {}", has, unit, needs);
}

std::optional<uint64_t> number_of(const std::string &text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = error == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

} // namespace

std::string onnx_type_name(int32_t type) {
  for (const auto &[number, name] : younger_types)
    if (number == type)
      return std::string(name);
  return TensorProto::DataType_IsValid(type)
             ? TensorProto::DataType_Name(static_cast<TensorProto::DataType>(type))
             : fmt::format("type {}", type);
}

std::optional<DType> dtype_of(int32_t type) {
  if (type == TensorProto::FLOAT16 || type == TensorProto::BFLOAT16 || type == TensorProto::DOUBLE)
    return DType::f32;
  auto row = std::ranges::find(dtype_table, type, &DTypeInfo::onnx);
  return row == dtype_table.end() ? std::nullopt : std::optional(row->dtype);
}

std::optional<SafetensorsTensor> TensorReader::read(const TensorProto &tensor, std::string name,
                                                    const SourceRange &range,
                                                    Diagnostics &diagnostics) {
  auto fail = [&](std::string_view problem) {
    diagnostics.error(range, fmt::format("tensor '{}': {}", printable(tensor.name()), problem));
    return std::nullopt;
  };
  std::string_view type = stored_type(tensor.data_type());
  if (type.empty())
    return fail(fmt::format("elements of type {} are not supported, only FLOAT, FLOAT16, BFLOAT16, "
                            "DOUBLE, INT32, INT64, UINT8, INT8, INT16 and BOOL",
                            onnx_type_name(tensor.data_type())));
  if (tensor.has_segment())
    return fail("a tensor in segments is not supported");
  if (tensor.dims_size() > most_dims)
    return fail(
        fmt::format("{} dimensions are more than the {} allowed", tensor.dims_size(), most_dims));
  std::vector<int64_t> shape(tensor.dims().begin(), tensor.dims().end());
  for (int64_t dim : shape)
    if (dim < 0 || dim > largest_dim)
      return fail(fmt::format("the dimension {} is not in 0..{}", dim, largest_dim));
  uint64_t size = *safetensors_dtype_size(type);
  std::optional<uint64_t> bytes = byte_count(shape, size);
  if (!bytes)
    return fail("its size overflows");
  std::string problem;
  Elements elements = find_elements(tensor, *bytes / size, size, problem);
  if (!elements)
    return fail(problem);
  return SafetensorsTensor{std::move(name), std::string(type), std::move(shape), *elements};
}

Elements TensorReader::find_elements(const TensorProto &tensor, uint64_t count, uint64_t size,
                                     std::string &problem) {
  if (tensor.data_location() == TensorProto::EXTERNAL)
    return external(tensor, count * size, problem);
  if (std::optional<ElementsInFile> in_file = elements_in_file(tensor)) {
    bool fits = in_file->field == TensorProto::kRawDataFieldNumber ||
                (in_file->field == TensorProto::kFloatDataFieldNumber &&
                 tensor.data_type() == TensorProto::FLOAT) ||
                (in_file->field == TensorProto::kDoubleDataFieldNumber &&
                 tensor.data_type() == TensorProto::DOUBLE);
    if (!fits || tensor.has_raw_data() || tensor.float_data_size() + tensor.double_data_size() > 0)
      problem = fmt::format("its elements are not one list of type {}",
                            onnx_type_name(tensor.data_type()));
    else if (in_file->length != count * size)
      problem = wrong_size(in_file->length, count * size, "bytes");
    else
      return messages_.file.bytes.subspan(in_file->offset, in_file->length);
    return std::nullopt;
  }
  if (tensor.has_raw_data()) {
    if (tensor.raw_data().size() == count * size)
      return bytes_of(tensor.raw_data());
    problem = wrong_size(tensor.raw_data().size(), count * size, "bytes");
    return std::nullopt;
  }
  return unpack(tensor, count, size, problem);
}

Elements TensorReader::unpack(const TensorProto &tensor, uint64_t count, uint64_t size,
                              std::string &problem) {
  auto checked = [&](uint64_t has) {
    if (has != count)
      problem = wrong_size(has, count, "elements");
    return has == count;
  };
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    return checked(tensor.float_data_size()) ? Elements(bytes_of(tensor.float_data()))
                                             : std::nullopt;
  case TensorProto::DOUBLE:
    return checked(tensor.double_data_size()) ? Elements(bytes_of(tensor.double_data()))
                                              : std::nullopt;
  case TensorProto::INT64:
    return checked(tensor.int64_data_size()) ? Elements(bytes_of(tensor.int64_data()))
                                             : std::nullopt;
  case TensorProto::INT32:
    return checked(tensor.int32_data_size()) ? Elements(bytes_of(tensor.int32_data()))
                                             : std::nullopt;
  default: // FLOAT16, BFLOAT16, UINT8, INT8, INT16 and BOOL
    if (!checked(tensor.int32_data_size()))
      return std::nullopt;
    return unpacked_.emplace_back(narrowed(tensor.int32_data(), size));
  }
}

Elements TensorReader::external(const TensorProto &tensor, uint64_t length, std::string &problem) {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> stated;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    std::optional<uint64_t> number = number_of(entry.value());
    if (entry.key() == "location")
      location = entry.value();
    else if ((entry.key() == "offset" || entry.key() == "length") && !number) {
      problem = fmt::format("the {} '{}' of its external data is not a number", entry.key(),
                            printable(entry.value()));
      return std::nullopt;
    } else if (entry.key() == "offset")
      offset = *number;
    else if (entry.key() == "length")
      stated = number;
  }
  if (stated && *stated != length) {
    problem = wrong_size(*stated, length, "bytes of external data");
    return std::nullopt;
  }
  const MappedFile *file = map_beside(location, problem);
  if (!file)
    return std::nullopt;
  uint64_t available = file->bytes().size();
  if (offset > available || length > available - offset) {
    problem =
        fmt::format("{} bytes from byte {} of its external data on are outside of '{}', which "
                    "has {}",
                    length, offset, printable(location), available);
    return std::nullopt;
  }
  return file->bytes().subspan(offset, length);
}

std::vector<std::filesystem::path> TensorReader::files() const {
  std::vector<std::filesystem::path> result;
  for (const auto &[path, file] : beside_)
    result.push_back(path);
  return result;
}

/// Only files in the model's folder or below, whatever links say.
const MappedFile *TensorReader::map_beside(const std::string &location, std::string &problem) {
  std::filesystem::path path(location);
  bool inside = !location.empty() && path.is_relative() &&
                location.find('\0') == std::string::npos && !folder_.empty();
  for (const std::filesystem::path &part : path)
    inside = inside && part != "..";
  std::error_code error;
  if (inside) {
    std::filesystem::path folder = std::filesystem::canonical(folder_, error);
    path = error ? path : std::filesystem::canonical(folder / path, error);
    if (error) {
      problem = fmt::format("the file of its external data, '{}', cannot be opened: {}",
                            printable(location), error.message());
      return nullptr;
    }
    inside =
        std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
  }
  if (!inside) {
    problem = folder_.empty() ? fmt::format("its elements are in a file '{}' beside the model, "
                                            "which was not read from a file",
                                            printable(location))
                              : fmt::format("its external data '{}' must be a file in the model's "
                                            "folder, without '..' or links that lead out of it",
                                            printable(location));
    return nullptr;
  }
  if (auto known = beside_.find(path); known != beside_.end())
    return &known->second;
  Diagnostics diagnostics;
  std::optional<MappedFile> file = MappedFile::open(path, diagnostics);
  if (!file) {
    problem = fmt::format("external data {}", diagnostics.all().front().message);
    return nullptr;
  }
  return &beside_.emplace(path, std::move(*file)).first->second;
}

} // namespace cnnc
