// .npy files, against bytes made by hand.
#include "ir/weights/npy.h"

#include "ir/weights/byte_count.h"
#include "tests/unit/test_files.h"

#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <numeric>
#include <random>
#include <sstream>
#include <utility>
#include <vector>

namespace cnnc {
namespace {

using Npy = InFolder;

std::string npy(std::string_view header, std::string_view data, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += version;
  bytes += '\0';
  auto length = static_cast<uint32_t>(header.size());
  bytes.append(reinterpret_cast<const char *>(&length), version == 1 ? 2 : 4);
  return bytes.append(header).append(data);
}

std::string npy_header(std::string_view descr, std::string_view shape,
                       std::string_view order = "False") {
  return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}", descr, order, shape);
}

std::string npy_error(std::string_view bytes) {
  Diagnostics diagnostics;
  auto array = parse_npy(bytes_of(bytes), "file", diagnostics);
  EXPECT_NE(array.has_value(), diagnostics.has_errors());
  return array ? "" : diagnostics.all().at(0).message.substr(6);
}

TEST_F(Npy, WritesWhatNumPyWrites) {
  // numpy.save of numpy.array([[1, 2, 3]], dtype=numpy.float32), but for NumPy's own amount of
  // padding
  std::string header = npy_header("<f4", "(1, 3)");
  header += std::string(128 - 10 - 1 - header.size(), ' ') + "\n";
  std::string data = raw<float>({1, 2, 3});
  fs::path path = folder_ / "a.npy";
  std::vector<int64_t> shape = {1, 3};
  ASSERT_TRUE(write_npy(path, "f32", shape, bytes_of(data), diagnostics_));
  EXPECT_EQ(contents(path), npy(header, data));
  EXPECT_EQ((contents(path).size() - data.size()) % 64, 0u);
  EXPECT_EQ(files_in_folder(), 1u);
}

TEST_F(Npy, RoundTripOfEveryType) {
  fs::path path = folder_ / "a.npy";
  const std::vector<std::pair<std::string, size_t>> types = {{"f32", 4}, {"f64", 8}, {"i32", 4},
                                                             {"i64", 8}, {"u8", 1},  {"bool", 1}};
  const std::vector<std::vector<int64_t>> shapes = {{}, {6}, {2, 3}, {0, 4}, {1, 1, 2, 1, 3}};
  for (const auto &[dtype, size] : types)
    for (const std::vector<int64_t> &shape : shapes) {
      std::vector<std::byte> data(*byte_count(shape, size));
      for (size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<std::byte>(i % 2);
      ASSERT_TRUE(write_npy(path, NpyArray{dtype, shape, data}, diagnostics_));
      auto array = read_npy(path, diagnostics_);
      ASSERT_TRUE(array) << diagnostics_.to_string();
      EXPECT_EQ(array->dtype, dtype);
      EXPECT_EQ(array->shape, shape);
      EXPECT_EQ(array->data, data);
    }
}

TEST_F(Npy, Streams) {
  fs::path path = folder_ / "a.npy";
  std::vector<int64_t> shape = {3};
  {
    Redirect redirect(STDOUT_FILENO, path, O_WRONLY | O_CREAT);
    EXPECT_TRUE(write_npy("-", "u8", shape, bytes_of("abc"), diagnostics_));
  }
  std::ifstream stream(path, std::ios::binary);
  auto from_stream = read_npy(stream, "stream", diagnostics_);
  Redirect redirect(STDIN_FILENO, path, O_RDONLY);
  auto from_stdin = read_npy("-", diagnostics_);
  ASSERT_TRUE(from_stream && from_stdin) << diagnostics_.to_string();
  EXPECT_EQ(from_stream->data, from_stdin->data);
  EXPECT_EQ(from_stdin->data.at(2), std::byte{'c'});
  std::istringstream nothing;
  EXPECT_FALSE(read_npy(nothing, "stream", diagnostics_));
  EXPECT_EQ(diagnostics_.all().at(0).message, "stream: the file is empty");
}

TEST(NpyFormat, AcceptsEveryVersionAndSpelling) {
  std::string data = "abcd";
  EXPECT_EQ(npy_error(npy(npy_header("<f4", "(1,)"), data, 1)), "");
  EXPECT_EQ(npy_error(npy(npy_header("<i4", "()"), data, 2)), "");
  EXPECT_EQ(npy_error(npy(npy_header("<f4", "(1L, 1L)") + "   \n", data, 3)), "");
  EXPECT_EQ(npy_error(npy("{\"shape\":(4,),\"fortran_order\":False,\"descr\":\"<u1\"}", data)), "");
  EXPECT_EQ(npy_error(npy(npy_header("|b1", "(2,2,)"), data)), "");
}

TEST(NpyFormat, FortranOrderBecomesCOrder) {
  // numpy.asfortranarray([[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]): the element at [i, j, k]
  // is 6 i + 2 j + k, and i changes fastest.
  std::vector<int32_t> stored;
  for (int k = 0; k < 2; ++k)
    for (int j = 0; j < 3; ++j)
      for (int i = 0; i < 2; ++i)
        stored.push_back(6 * i + 2 * j + k);
  std::string data(reinterpret_cast<const char *>(stored.data()), 4 * stored.size());
  Diagnostics diagnostics;
  auto array =
      parse_npy(bytes_of(npy(npy_header("<i4", "(2, 3, 2)", "True"), data)), "file", diagnostics);
  ASSERT_TRUE(array) << diagnostics.to_string();
  std::vector<int32_t> elements(12), wanted(12);
  std::memcpy(elements.data(), array->data.data(), 48);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(elements, wanted);
  EXPECT_EQ(npy_error(npy(npy_header("<f4", "()", "True"), "abcd")), "");
  EXPECT_EQ(npy_error(npy(npy_header("<f4", "(0, 3)", "True"), "")), "");
}

TEST(NpyFormat, Errors) {
  EXPECT_EQ(npy_error(""), "the file is empty");
  EXPECT_EQ(npy_error("PK\3\4 an .npz file"), "not a .npy file: it does not begin with \\x93NUMPY");
  EXPECT_EQ(npy_error(npy("{}", "", 4)), "version 4 of the format is not known (1, 2 and 3 are)");
  EXPECT_EQ(npy_error("\x93NUMPY"), "the file ends inside its header, after 6 bytes");
  EXPECT_EQ(npy_error(npy("{}", "").substr(0, 11)),
            "the header should have 2 bytes, but only 1 follow");
  EXPECT_EQ(npy_error(npy(npy_header(">f4", "(1,)"), "abcd")),
            "the array is big endian ('>f4'): convert it with "
            "array.astype(array.dtype.newbyteorder('<')) in NumPy");
  EXPECT_EQ(npy_error(npy(npy_header("<c8", "(1,)"), "abcdabcd")),
            "the dtype '<c8' is not supported (<f4, <f8, <i4, <i8, |u1, |b1, |i1 and <i2 are)");
  EXPECT_EQ(
      npy_error(npy(npy_header("<f4", "(2, 3)"), "abcd")),
      "an array of shape (2, 3) and dtype f32 needs 24 bytes, but the file has 4 after its header");
  EXPECT_EQ(
      npy_error(npy(npy_header("|u1", "(3,)"), "abcd")),
      "an array of shape (3,) and dtype u8 needs 3 bytes, but the file has 4 after its header");
  EXPECT_EQ(
      npy_error(npy(npy_header("<f8", "(4294967296, 4294967296)"), "")),
      "an array of shape (4294967296, 4294967296) and dtype f64 is too large: its size overflows");
}

TEST(NpyFormat, MalformedHeaders) {
  auto error = [](std::string_view header) {
    std::string message = npy_error(npy(header, ""));
    std::string_view start = "the header is malformed: ";
    EXPECT_TRUE(message.starts_with(start)) << message;
    return message.substr(std::min(start.size(), message.size()));
  };
  EXPECT_EQ(error(""), "expected a Python dict, at byte 0 of the header");
  EXPECT_EQ(error("{descr"), "expected a string, at byte 1 of the header");
  EXPECT_EQ(error("{'descr"), "a string has no end, at byte 1 of the header");
  EXPECT_EQ(error("{'descr' '<f4'"), "expected a colon, at byte 9 of the header");
  EXPECT_EQ(error("{'descr': [('a', '<f4')]}"),
            "arrays of structures are not supported, at byte 10 of the header");
  EXPECT_EQ(error("{'descr': '<f4' 'shape'"),
            "expected a comma or the end of the dict, at byte 16 of the header");
  EXPECT_EQ(error("{'descr': '<f4', 'descr': '<f4'}"),
            "'descr' is given twice, at byte 24 of the header");
  EXPECT_EQ(error("{'size': 1}"), "unknown key 'size', at byte 8 of the header");
  EXPECT_EQ(error("{'fortran_order': 0}"), "expected True or False, at byte 18 of the header");
  EXPECT_EQ(error("{'shape': 3}"), "expected a tuple, the shape, at byte 10 of the header");
  EXPECT_EQ(error("{'shape': (3)}"), "expected a comma in the shape, at byte 12 of the header");
  EXPECT_EQ(error("{'shape': (-3,)}"),
            "expected a dimension, a non-negative integer, at byte 11 of the header");
  EXPECT_EQ(error("{'shape': (9223372036854775808,)}"),
            "a dimension is too large, at byte 11 of the header");
  EXPECT_EQ(error("{'descr': '<f4', 'fortran_order': False}"),
            "'shape' is missing, at byte 40 of the header");
  EXPECT_EQ(error(npy_header("<f4", "(1,)") + "x"),
            "something follows the dict, at byte 57 of the header");
  std::string many = "(";
  for (int i = 0; i < 65; ++i)
    many += "1,";
  EXPECT_EQ(error(npy_header("<f4", many + ")")),
            "an array has at most 64 dimensions, at byte 180 of the header");
}

TEST_F(Npy, WriterRefusesWrongArrays) {
  std::vector<int64_t> shape = {3}, huge = {int64_t{1} << 62, 4}, many(65, 1);
  EXPECT_FALSE(write_npy("a.npy", "f16", shape, bytes_of("abcdef"), diagnostics_));
  EXPECT_FALSE(write_npy("-", "f32", shape, bytes_of("abcd"), diagnostics_));
  EXPECT_FALSE(write_npy("a.npy", "u8", huge, bytes_of(""), diagnostics_));
  EXPECT_FALSE(write_npy("a.npy", "u8", many, bytes_of("a"), diagnostics_));
  ASSERT_EQ(diagnostics_.all().size(), 4u);
  EXPECT_EQ(diagnostics_.all()[0].message, "a.npy: the dtype 'f16' cannot be written as .npy");
  EXPECT_EQ(diagnostics_.all()[1].message,
            "<stdout>: the data of an array of shape (3,) and dtype f32 cannot have 4 bytes");
  EXPECT_EQ(diagnostics_.all()[3].message, "a.npy: an array has at most 64 dimensions, not 65");
}

TEST(NpyFuzz, BrokenFilesAreRefusedOrRead) {
  std::string valid = npy(npy_header("<f4", "(2, 1)") + " \n", "01234567");
  ASSERT_EQ(npy_error(valid), "");
  std::mt19937_64 random(2);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = mutate(valid, random);
    std::vector<char> bytes(text.begin(), text.end());
    Diagnostics diagnostics;
    auto array = parse_npy(std::as_bytes(std::span(bytes)), "file", diagnostics);
    ASSERT_NE(array.has_value(), diagnostics.has_errors());
  }
}

} // namespace
} // namespace cnnc
