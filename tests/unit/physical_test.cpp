// Tensors in the memory layouts of their types.
#include "compiler/layout/tensor_layout.h"
#include "tests/unit/test_models.h"

#include <random>

namespace cnnc {
namespace {

std::vector<float> written(const Tensor &tensor, Layout layout) {
  TensorType type = tensor.type();
  type.layout = std::move(layout);
  std::vector<float> memory(static_cast<size_t>(*byte_size(type)) / sizeof(float), -1);
  write_physical(tensor, type, std::as_writable_bytes(std::span(memory)));
  return memory;
}

TEST(Physical, BlockedChannels) {
  // [1, 3, 1, 2] as [n, c/2, h, w, 2]: the last lane of the second block is padding
  EXPECT_EQ(written(counting({1, 3, 1, 2}), {{{1, 2}}}),
            (std::vector<float>{0, 2, 1, 3, 4, 0, 5, 0}));
}

TEST(Physical, HaloIsZero) {
  EXPECT_EQ(written(tensor_of({1, 2}, {7, 8}), {{}, {1, 2, 0, 1}}),
            (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 7, 8, 0}));
}

TEST(Physical, FilterWithTwoBlocks) {
  // [3, 2] as oi2i4o: [o/4, i/2, 2, 4]
  EXPECT_EQ(written(counting({3, 2}), {{{1, 2}, {0, 4}}}),
            (std::vector<float>{0, 2, 4, 0, 1, 3, 5, 0}));
}

TEST(Physical, TwoBlocksOfOneAxis) {
  // [8, 2] as oi2o2i2o: o = 4 * outer + 2 * middle + inner
  EXPECT_EQ(written(counting({8, 2}), {{{0, 2}, {1, 2}, {0, 2}}}),
            (std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15}));
}

TEST(Physical, ChannelVector) {
  EXPECT_EQ(written(counting({3}), {{{0, 4}}}), (std::vector<float>{0, 1, 2, 0}));
}

int64_t random_between(std::mt19937_64 &random, int64_t least, int64_t most) {
  return least + static_cast<int64_t>(random() % static_cast<uint64_t>(most - least + 1));
}

TensorType random_type(std::mt19937_64 &random) {
  constexpr DType dtypes[] = {DType::f32, DType::f64, DType::i32,
                              DType::i64, DType::u8,  DType::boolean};
  TensorType type{dtypes[random() % 6], {}};
  for (int64_t rank = random_between(random, 0, 5); rank > 0; --rank)
    type.shape.push_back(random_between(random, 1, 7));
  if (type.rank() > 0)
    for (int64_t blocks = random_between(random, 0, 3); blocks > 0; --blocks)
      type.layout.blocks.push_back(
          {random_between(random, 0, static_cast<int64_t>(type.rank()) - 1),
           random_between(random, 1, 5)});
  if (type.rank() >= 2 && random() % 2)
    for (int64_t &halo : type.layout.halo)
      halo = random_between(random, 0, 3);
  return type;
}

TEST(Physical, RandomLayoutsReadBackAndPadWithZeros) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    TensorType type = random_type(random);
    Tensor tensor(type);
    for (std::byte &byte : tensor.mutable_bytes())
      byte = std::byte(1 + random() % 255);
    std::vector<std::byte> memory(static_cast<size_t>(*byte_size(type)), std::byte(77));
    write_physical(tensor, type, memory);
    auto zeros = std::count(memory.begin(), memory.end(), std::byte(0));
    EXPECT_EQ(zeros, static_cast<int64_t>(memory.size() - tensor.bytes().size()))
        << to_string(type);
    for (std::byte &byte : memory) // nor are the padding lanes read
      byte = byte == std::byte(0) ? std::byte(99) : byte;
    Tensor back = read_physical(memory, type);
    EXPECT_TRUE(std::ranges::equal(back.bytes(), tensor.bytes())) << to_string(type);
    EXPECT_TRUE(same_logical_type(back.type(), type) && back.type().layout.plain());
  }
}

} // namespace
} // namespace cnnc
