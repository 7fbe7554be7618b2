// Safetensors and random weights.
#include "ir/text/files.h"
#include "ir/weights/byte_count.h"
#include "ir/weights/random.h"
#include "ir/weights/safetensors.h"
#include "tests/unit/test_files.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <random>
#include <sys/stat.h>
#include <type_traits>
#include <utility>
#include <vector>

namespace cnnc {
namespace {

using Safetensors = InFolder;

TEST(ByteCount, NoticesOverflow) {
  auto count = [](std::vector<int64_t> shape, uint64_t size) { return byte_count(shape, size); };
  EXPECT_EQ(count({}, 4), 4u);
  EXPECT_EQ(count({2, 3}, 4), 24u);
  EXPECT_EQ(count({2, 0, 3}, 4), 0u);
  EXPECT_EQ(count({2, -3}, 4), std::nullopt);
  EXPECT_EQ(count({int64_t{1} << 60}, 8), std::nullopt);
  EXPECT_EQ(count({int64_t{1} << 60}, 4), uint64_t{1} << 62);
  EXPECT_EQ(count({int64_t{1} << 40, int64_t{1} << 40}, 1), std::nullopt);
  EXPECT_EQ(count({0, int64_t{1} << 40, int64_t{1} << 40}, 1), std::nullopt);
}

std::string safetensors(std::string_view header, std::string_view data) {
  return raw<uint64_t>({header.size()}) + std::string(header) + std::string(data);
}

/// The only error of a file, without the name in front; empty if the file is accepted.
std::string safetensors_error(std::string_view bytes) {
  Diagnostics diagnostics;
  auto tensors = parse_safetensors(bytes_of(bytes), "file", diagnostics);
  EXPECT_NE(tensors.has_value(), diagnostics.has_errors());
  if (tensors)
    return {};
  EXPECT_EQ(diagnostics.error_count(), 1u);
  std::string message = diagnostics.all().at(0).message;
  EXPECT_TRUE(message.starts_with("file: ")) << message;
  return message.substr(6);
}

TEST_F(Safetensors, ReadsAFile) {
  std::string header = R"({"__metadata__":{"format":"pt","note":""},)"
                       R"("w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                       R"("a":{"shape":[3],"data_offsets":[8,11],"dtype":"U8"},)"
                       R"("none":{"dtype":"F64","shape":[0,5],"data_offsets":[11,11]},)"
                       R"("scalar":{"dtype":"I16","shape":[],"data_offsets":[11,13]}}   )";
  std::string data = raw<float>({1.5f, -2}) + raw<uint8_t>({7, 8, 9}) + raw<int16_t>({-3});
  fs::path path = folder_ / "model.safetensors";
  ASSERT_TRUE(write_file_atomically(path, safetensors(header, data), diagnostics_));
  auto opened = SafetensorsFile::open(path, diagnostics_);
  ASSERT_TRUE(opened) << diagnostics_.to_string();
  SafetensorsFile file = std::move(*opened);
  opened.reset();
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.tensors()[0].name, "a");
  EXPECT_EQ(file.tensors()[3].name, "w");
  const SafetensorsTensor *weights = file.find("w");
  ASSERT_NE(weights, nullptr);
  EXPECT_EQ(weights->dtype, "F32");
  EXPECT_EQ(weights->shape, (std::vector<int64_t>{2, 1}));
  std::array<float, 2> values = {};
  ASSERT_TRUE(convert_to_f32(*weights, values));
  EXPECT_EQ(values, (std::array{1.5f, -2.0f}));
  EXPECT_EQ(file.find("a")->data[2], std::byte{9});
  EXPECT_TRUE(file.find("none")->data.empty());
  EXPECT_TRUE(file.find("scalar")->shape.empty());
  for (const char *missing : {"", "b", "__metadata__", "z"})
    EXPECT_EQ(file.find(missing), nullptr);
}

TEST_F(Safetensors, MovesAndReplaces) {
  std::string data = raw<float>({4});
  std::vector<SafetensorsTensor> one = {{"one", "F32", {1}, bytes_of(data)}};
  std::vector<SafetensorsTensor> two = {{"two", "F32", {1}, bytes_of(data)}};
  fs::path path = folder_ / "w";
  ASSERT_TRUE(write_safetensors(path, one, diagnostics_));
  auto first = SafetensorsFile::open(path, diagnostics_);
  ASSERT_TRUE(write_safetensors(path, two, diagnostics_)); // the mapping of the old file stays
  auto second = SafetensorsFile::open(path, diagnostics_);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(std::memcmp(first->find("one")->data.data(), data.data(), 4), 0);
  *first = std::move(*second);
  second.reset();
  EXPECT_EQ(first->find("one"), nullptr);
  EXPECT_EQ(std::memcmp(first->find("two")->data.data(), data.data(), 4), 0);
  static_assert(!std::is_copy_constructible_v<SafetensorsFile>);
}

TEST_F(Safetensors, WritesSortedAlignedAndPadded) {
  std::string floats = raw<float>({1, 2}), doubles = raw<double>({3}), chars = "xyz";
  std::vector<SafetensorsTensor> tensors = {{"b\"\n", "U8", {3}, bytes_of(chars)},
                                            {"d", "F32", {2}, bytes_of(floats)},
                                            {"\u00e9", "F64", {}, bytes_of(doubles)},
                                            {"c", "F32", {1, 2}, bytes_of(floats)}};
  fs::path path = folder_ / "w";
  ASSERT_TRUE(write_safetensors(path, tensors, diagnostics_));
  std::string header = "{\"\u00e9\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
                       R"("c":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},)"
                       R"("d":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},)"
                       R"("b\"\n":{"dtype":"U8","shape":[3],"data_offsets":[24,27]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string expected = safetensors(header, doubles + floats + floats + chars);
  EXPECT_EQ(contents(path), expected);
  std::ranges::reverse(tensors);
  ASSERT_TRUE(write_safetensors(path, tensors, diagnostics_));
  EXPECT_EQ(contents(path), expected);
  EXPECT_EQ(files_in_folder(), 1u);
  auto file = SafetensorsFile::open(path, diagnostics_);
  ASSERT_TRUE(file) << diagnostics_.to_string();
  EXPECT_EQ(file->tensors().size(), 4u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->find("\u00e9")->data.data()) % 8, 0u);
  EXPECT_EQ(std::memcmp(file->find("b\"\n")->data.data(), "xyz", 3), 0);
}

TEST_F(Safetensors, EmptyFileOfTensors) {
  ASSERT_TRUE(write_safetensors(folder_ / "w", {}, diagnostics_));
  auto file = SafetensorsFile::open(folder_ / "w", diagnostics_);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->tensors().empty());
}

TEST_F(Safetensors, WriterRefusesWrongTensors) {
  std::string data(8, 'x');
  int64_t huge = int64_t{1} << 40;
  std::vector<SafetensorsTensor> tensors = {
      {"kind", "F31", {2}, bytes_of(data)},   {"__metadata__", "F32", {2}, bytes_of(data)},
      {"size", "F32", {3}, bytes_of(data)},   {"huge", "F32", {huge, huge}, bytes_of(data)},
      {"minus", "F32", {-2}, bytes_of(data)}, {"twice", "F32", {2}, bytes_of(data)},
      {"twice", "F32", {2}, bytes_of(data)},
  };
  EXPECT_FALSE(write_safetensors("w", tensors, diagnostics_));
  const std::vector<std::string> expected = {
      "w: tensor \"kind\": unknown dtype \"F31\"",
      "w: tensor \"__metadata__\": the format reserves this name",
      "w: tensor \"size\": its shape needs 12 bytes, but its data has 8",
      "w: tensor \"huge\": the size of its shape overflows",
      "w: tensor \"minus\": the size of its shape overflows",
      "w: two tensors have the name \"twice\""};
  ASSERT_EQ(diagnostics_.all().size(), expected.size()) << diagnostics_.to_string();
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(diagnostics_.all()[i].message, expected[i]);
  Diagnostics utf8;
  EXPECT_FALSE(
      write_safetensors("w", std::vector<SafetensorsTensor>{{"\xff", "U8", {0}, {}}}, utf8));
  EXPECT_EQ(utf8.all().at(0).message, "w: the name of a tensor is not valid UTF-8");
}

TEST_F(Safetensors, OpenErrors) {
  fs::path empty = folder_ / "empty", pipe = folder_ / "pipe", missing = folder_ / "missing";
  std::ofstream(empty).close();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const fs::path &path : {empty, pipe, folder_, missing})
    EXPECT_FALSE(SafetensorsFile::open(path, diagnostics_));
  ASSERT_EQ(diagnostics_.all().size(), 4u);
  EXPECT_EQ(diagnostics_.all()[0].message, empty.string() + ": the file is empty");
  EXPECT_EQ(diagnostics_.all()[1].message, pipe.string() + ": not a regular file");
  EXPECT_EQ(diagnostics_.all()[2].message, folder_.string() + ": not a regular file");
  EXPECT_EQ(diagnostics_.all()[3].message,
            missing.string() + ": cannot open: No such file or directory");
}

TEST(SafetensorsErrors, Lengths) {
  EXPECT_EQ(safetensors_error(""), "the file is empty");
  EXPECT_EQ(safetensors_error("1234567"),
            "7 bytes are too few for a safetensors file, which begins "
            "with the length of its header in 8 bytes");
  EXPECT_EQ(
      safetensors_error(raw<uint64_t>({100'000'001})),
      "not a safetensors file: a header of 100000001 bytes is more than the 100000000 allowed");
  EXPECT_EQ(safetensors_error(raw<uint64_t>({3}) + "{}"),
            "the header should have 3 bytes, but only 2 follow: the file is cut short or not a "
            "safetensors file");
  EXPECT_EQ(safetensors_error(safetensors("{}", "")), "");
}

TEST(SafetensorsErrors, Header) {
  auto error = [](std::string_view header) { return safetensors_error(safetensors(header, "")); };
  EXPECT_EQ(error(""), "the header must be a JSON object and begin with '{'");
  EXPECT_EQ(error("[]"), "the header must be a JSON object and begin with '{'");
  EXPECT_EQ(error(std::string_view("{}\0x", 4)), "the header holds a zero byte, at its byte 2");
  EXPECT_TRUE(error("{\"a\":").starts_with("the header is not valid JSON, at its byte 6: syntax"));
  EXPECT_TRUE(error("{} x").starts_with("the header is not valid JSON, at its byte 4: "));
  EXPECT_TRUE(error("{\"\xff\":1}").starts_with("the header is not valid JSON, at its byte 3: "));
  EXPECT_EQ(error(R"({"a":1})"), "tensor \"a\": must be an object, not the number 1");
  EXPECT_EQ(error(R"({"a\n":null})"), "tensor \"a\\n\": must be an object, not null");
  EXPECT_EQ(error(R"({"__metadata__":[]})"), "\"__metadata__\" must be an object, not an array");
  EXPECT_EQ(error(R"({"__metadata__":{"a":{}}})"),
            "\"__metadata__\" must hold strings only, not an object");
  EXPECT_EQ(error(R"({"__metadata__":{},"__metadata__":{}})"),
            "two tensors have the name \"__metadata__\"");
  EXPECT_EQ(error(std::string("{\"a\":") + std::string(100'000, '[')),
            "tensor \"a\": must be an object, not an array");
}

TEST(SafetensorsErrors, Fields) {
  auto error = [](std::string_view fields) {
    std::string message =
        safetensors_error(safetensors(fmt::format(R"({{"a":{{{}}}}})", fields), "12345678"));
    EXPECT_TRUE(message.starts_with("tensor \"a\": ")) << message;
    return message.substr(std::min<size_t>(12, message.size()));
  };
  EXPECT_EQ(error(""), "\"dtype\" is missing");
  EXPECT_EQ(error(R"("dtype":"F32","data_offsets":[0,8])"), "\"shape\" is missing");
  EXPECT_EQ(error(R"("dtype":"F32","shape":[2])"), "\"data_offsets\" is missing");
  EXPECT_EQ(error(R"("dtype":"F32","dtype":"F32")"), "\"dtype\" is given twice");
  EXPECT_EQ(error(R"("dtype":[])"), "\"dtype\" must be a string, not an array");
  EXPECT_EQ(error(R"("kind":"F32")"), "unknown field \"kind\"");
  EXPECT_EQ(error(R"("shape":"F32")"), "\"shape\" must be an array, not a string");
  EXPECT_EQ(error(R"("shape":{})"), "\"shape\" must be an array, not an object");
  EXPECT_EQ(error(R"("shape":[-1])"),
            "\"shape\" must hold non-negative integers, not the negative number -1");
  EXPECT_EQ(error(R"("shape":[true])"), "\"shape\" must hold non-negative integers, not a boolean");
  EXPECT_EQ(error(R"("shape":[[1]])"), "\"shape\" must hold non-negative integers, not an array");
  EXPECT_EQ(error(R"("shape":[1.5])"),
            "\"shape\" must hold non-negative integers, not 1.5, which is "
            "no integer of 64 bits");
  EXPECT_EQ(error(R"("shape":[9223372036854775808])"),
            "dimension 9223372036854775808 in \"shape\" is too large");
  EXPECT_EQ(error(R"("data_offsets":[0])"), "\"data_offsets\" must hold 2 numbers, not 1");
  EXPECT_EQ(error(R"("data_offsets":[0,1,2])"), "\"data_offsets\" must hold 2 numbers, not more");
}

TEST(SafetensorsErrors, Tensors) {
  auto error = [](std::string_view dtype, std::string_view shape, std::string_view offsets) {
    return safetensors_error(
        safetensors(fmt::format(R"({{"a":{{"dtype":"{}","shape":[{}],"data_offsets":[{}]}}}})",
                                dtype, shape, offsets),
                    "12345678"));
  };
  EXPECT_EQ(error("F32", "2", "0,8"), "");
  EXPECT_EQ(error("F31", "2", "0,8"), "tensor \"a\": unknown dtype \"F31\"");
  EXPECT_EQ(error("F32", "2", "8,0"),
            "tensor \"a\": begins at byte 8 of the data, after its end at byte 0");
  EXPECT_EQ(error("F32", "4", "0,16"),
            "tensor \"a\": ends at byte 16 of the data, but the file has only 8");
  EXPECT_EQ(error("F32", "3,1", "0,8"),
            "tensor \"a\": F32[3, 1] needs 12 bytes, but the file gives it 8 (0 to 8)");
  EXPECT_EQ(error("F32", "4611686018427387904,4,2", "0,8"),
            "tensor \"a\": the size of F32[4611686018427387904, 4, 2] overflows");
  EXPECT_EQ(error("F32", "1", "0,4"),
            "the last 4 bytes of the data, from byte 4, belong to no tensor");
  EXPECT_EQ(error("F32", "1", "4,8"),
            "bytes 0 to 4 of the data, before tensor \"a\", belong to no tensor");
}

TEST(SafetensorsErrors, SeveralTensors) {
  auto tensor = [](std::string_view name, std::string_view offsets) {
    return fmt::format(R"("{}":{{"dtype":"U8","shape":[4],"data_offsets":[{}]}})", name, offsets);
  };
  auto file = [&](std::string_view first, std::string_view second) {
    return safetensors(fmt::format("{{{},{}}}", first, second), "12345678");
  };
  EXPECT_EQ(safetensors_error(file(tensor("a", "4,8"), tensor("b", "0,4"))), "");
  EXPECT_EQ(safetensors_error(file(tensor("a", "4,8"), tensor("b", "2,6"))),
            "bytes 0 to 2 of the data, before tensor \"b\", belong to no tensor");
  EXPECT_EQ(safetensors_error(file(tensor("a", "2,6"), tensor("b", "0,4"))),
            "tensors \"b\" (bytes 0 to 4) and \"a\" (bytes 2 to 6) overlap");
  EXPECT_EQ(safetensors_error(file(tensor("a", "0,4"), tensor("a", "4,8"))),
            "two tensors have the name \"a\"");
  Diagnostics diagnostics; // every broken tensor is named
  std::string broken = file(tensor("a", "0,3"), tensor("b", "9,8"));
  EXPECT_FALSE(parse_safetensors(bytes_of(broken), "file", diagnostics));
  EXPECT_EQ(diagnostics.error_count(), 2u);
}

TEST(SafetensorsFuzz, BrokenFilesAreRefusedOrRead) {
  std::string valid = safetensors(R"({"__metadata__":{"a":"b"},"w":{"dtype":"F16","shape":[2,3],)"
                                  R"("data_offsets":[0,12]},"x":{"dtype":"U8","shape":[4],)"
                                  R"("data_offsets":[12,16]}}  )",
                                  "0123456789abcdef");
  ASSERT_EQ(safetensors_error(valid), "");
  std::mt19937_64 random(1);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = mutate(valid, random);
    std::vector<char> bytes(text.begin(),
                            text.end()); // exactly its size, so that ASan sees an overrun
    Diagnostics diagnostics;
    auto tensors = parse_safetensors(std::as_bytes(std::span(bytes)), "file", diagnostics);
    ASSERT_NE(tensors.has_value(), diagnostics.has_errors());
    accepted += tensors.has_value();
    if (tensors)
      for (const SafetensorsTensor &tensor : *tensors) {
        std::vector<float> values(tensor.data.size() / *safetensors_dtype_size(tensor.dtype));
        convert_to_f32(tensor, values);
      }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_LT(accepted, 10'000);
}

float convert_one(std::string_view dtype, std::string_view data) {
  float value = 0;
  SafetensorsTensor tensor{"t", std::string(dtype), {1}, bytes_of(data)};
  EXPECT_TRUE(convert_to_f32(tensor, std::span(&value, 1)));
  return value;
}

TEST(Convert, HalfTable) {
  auto half = [](uint16_t bits) { return convert_one("F16", raw<uint16_t>({bits})); };
  EXPECT_EQ(half(0x3c00), 1.0f);
  EXPECT_EQ(half(0xc000), -2.0f);
  EXPECT_EQ(half(0x3555), 0.333251953125f);
  EXPECT_EQ(half(0x7bff), 65504.0f);
  EXPECT_EQ(half(0x0400), 0x1p-14f);
  EXPECT_EQ(half(0x03ff), 0x1.ff8p-15f);
  EXPECT_EQ(half(0x0001), 0x1p-24f);
  EXPECT_EQ(half(0x8001), -0x1p-24f);
  EXPECT_TRUE(std::signbit(half(0x8000)) && half(0x8000) == 0);
  EXPECT_EQ(half(0x7c00), std::numeric_limits<float>::infinity());
  EXPECT_EQ(half(0xfc00), -std::numeric_limits<float>::infinity());
  for (uint16_t nan : {0x7e00, 0x7c01, 0xffff})
    EXPECT_TRUE(std::isnan(half(nan)));
}

TEST(Convert, EveryFiniteHalf) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
    if (exponent == 0x1f)
      continue;
    double magnitude =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
    auto expected = static_cast<float>(bits & 0x8000 ? -magnitude : magnitude);
    float value = convert_one("F16", raw<uint16_t>({static_cast<uint16_t>(bits)}));
    ASSERT_EQ(std::bit_cast<uint32_t>(value), std::bit_cast<uint32_t>(expected)) << bits;
  }
}

TEST(Convert, OtherTypes) {
  float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(convert_one("BF16", raw<uint16_t>({0x3fc0})), 1.5f);
  EXPECT_EQ(convert_one("BF16", raw<uint16_t>({0x0001})), 0x1p-133f);
  EXPECT_EQ(convert_one("BF16", raw<uint16_t>({0xff80})), -infinity);
  EXPECT_TRUE(std::isnan(convert_one("BF16", raw<uint16_t>({0x7fc0}))));
  EXPECT_EQ(convert_one("F64", raw<double>({0.1})), 0.1f);
  EXPECT_EQ(convert_one("F64", raw<double>({1 + 0x1p-24})), 1.0f); // ties to even
  EXPECT_EQ(convert_one("F64", raw<double>({-1e300})), -infinity);
  EXPECT_EQ(convert_one("F32", raw<float>({-3.25f})), -3.25f);
}

TEST(Convert, RefusesWhatIsNoFloatOrDoesNotFit) {
  std::string data(8, '\0');
  std::array<float, 2> out = {5, 5};
  SafetensorsTensor integers{"t", "I32", {2}, bytes_of(data)};
  EXPECT_FALSE(convert_to_f32(integers, out));
  for (const char *dtype : {"F32", "F16", "BF16", "F64"}) {
    SafetensorsTensor tensor{"t", dtype, {}, bytes_of(data)};
    EXPECT_FALSE(convert_to_f32(tensor, std::span(out).first(0))) << dtype;
    tensor.data = tensor.data.first(7);
    EXPECT_FALSE(convert_to_f32(tensor, out)) << dtype;
  }
  EXPECT_EQ(out, (std::array<float, 2>{5, 5}));
}

TEST(RandomHe,
     Golden) { // the same on every machine; computed apart from this code, with Python's integers
  std::array<float, 4> values;
  fill_random_he(values, 27, 42);
  std::array<uint32_t, 4> bits = std::bit_cast<std::array<uint32_t, 4>>(values);
  EXPECT_EQ(bits, (std::array<uint32_t, 4>{0x3e3dc9a6, 0x3dac058d, 0x3e5459c1, 0xbe799ac4}));
}

TEST(RandomHe, Moments) {
  constexpr size_t count = 1'000'000;
  std::vector<float> values(count);
  fill_random_he(values, 8, 7); // standard deviation 1 / 2
  double sum = 0, squares = 0, fourth = 0, neighbours = 0;
  size_t within = 0, beyond = 0;
  for (size_t i = 0; i < count; ++i) {
    double z = 2.0 * values[i];
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
    neighbours += i > 0 ? 2 * values[i - 1] * z : 0;
    within += std::abs(z) < 1;
    beyond += std::abs(z) > 3;
  }
  EXPECT_NEAR(sum / count, 0, 0.004);
  EXPECT_NEAR(squares / count, 1, 0.006);
  EXPECT_NEAR(fourth / count, 3 - 0.03, 0.04);
  EXPECT_NEAR(neighbours / count, 0, 0.004);
  EXPECT_NEAR(static_cast<double>(within) / count, 0.6827, 0.003);
  EXPECT_NEAR(static_cast<double>(beyond) / count, 0.0027, 0.0003);
}

TEST(RandomHe, PartsAndSeeds) {
  std::vector<float> whole(1000), parts(1000), other(1000);
  fill_random_he(whole, 9, 3);
  fill_random_he(std::span(parts).first(333), 9, 3);
  fill_random_he(std::span(parts).subspan(333), 9, 3, 333);
  EXPECT_EQ(whole, parts);
  for (size_t i = 0; i < parts.size(); ++i) // one alone fills no vector
    fill_random_he(std::span(parts).subspan(i, 1), 9, 3, i);
  EXPECT_EQ(whole, parts);
  fill_random_he(other, 9, 4);
  size_t equal = 0;
  for (size_t i = 0; i < whole.size(); ++i)
    equal += whole[i] == other[i];
  EXPECT_LT(equal, 5u);
  fill_random_he(whole, 0, 3);
  fill_random_he(parts, 1, 3);
  EXPECT_EQ(whole, parts);
}

} // namespace
} // namespace cnnc
