// Which elements a resize picks: all sizes up to 128 against whole numbers, in the compiler and in
// the reference, which find them in different ways.
#include "compiler/lowering/resize_positions.h"
#include "compiler/reference/compute.h"

#include <gtest/gtest.h>
#include <numeric>

namespace cnnc {
namespace {

constexpr int64_t largest = 128;

/// numerator / denominator
struct Quotient {
  int64_t numerator = 0, denominator = 1;
};

/// The coordinate of position p in the input, by the definitions of ONNX for scale = out / in.
Quotient coordinate(ResizeCoordinates coordinates, int64_t in, int64_t out, int64_t p) {
  switch (coordinates) {
  case ResizeCoordinates::half_pixel:
  case ResizeCoordinates::half_pixel_symmetric:
    return {2 * p * in + in - out, 2 * out};
  case ResizeCoordinates::pytorch_half_pixel:
    return out == 1 ? Quotient{} : Quotient{2 * p * in + in - out, 2 * out};
  case ResizeCoordinates::asymmetric:
    return {p * in, out};
  case ResizeCoordinates::tf_half_pixel_for_nn:
    return {2 * p * in + in, 2 * out};
  case ResizeCoordinates::align_corners:
  case ResizeCoordinates::tf_crop_and_resize: // of the whole, but for a single element: its middle
    if (out > 1)
      return {p * (in - 1), out - 1};
    return coordinates == ResizeCoordinates::align_corners ? Quotient{} : Quotient{in - 1, 2};
  }
  return {};
}

/// The whole number that is not above n / d, counted down from where truncation leaves it.
int64_t whole(int64_t n, int64_t d) {
  int64_t result = n / d;
  while (result * d > n)
    --result;
  return result;
}

int64_t element(ResizeNearest nearest, Quotient x, int64_t in) {
  auto [n, d] = x;
  int64_t result = nearest == ResizeNearest::floor               ? whole(n, d)
                   : nearest == ResizeNearest::ceil              ? -whole(-n, d)
                   : nearest == ResizeNearest::round_prefer_ceil ? whole(2 * n + d, 2 * d)
                                                                 : -whole(-(2 * n - d), 2 * d);
  return std::clamp<int64_t>(result, 0, in - 1);
}

Resize2d resize_of_row(ResizeCoordinates coordinates, ResizeNearest nearest, int64_t in,
                       int64_t out, bool by_scale) {
  Resize2d op;
  op.sizes = {1, out};
  op.coordinates = coordinates;
  op.nearest = nearest;
  if (coordinates == ResizeCoordinates::tf_crop_and_resize)
    op.roi = {0, 0, 0, 0, 1, 1, 1, 1};
  if (by_scale)
    op.scales = {1, static_cast<double>(static_cast<float>(out) / static_cast<float>(in))};
  return op;
}

class ResizeTest : public testing::TestWithParam<ResizeCoordinates> {
protected:
  /// Calls check(op, in, out, elements wanted) for all sizes up to `most`.
  template <class Check> static void for_each_row(int64_t most, Check check) {
    for (int64_t in = 1; in <= most; ++in)
      for (int64_t out = 1; out <= most && !HasFailure(); ++out)
        for (ResizeNearest nearest :
             {ResizeNearest::round_prefer_floor, ResizeNearest::round_prefer_ceil,
              ResizeNearest::floor, ResizeNearest::ceil}) {
          std::vector<int64_t> wanted;
          for (int64_t p = 0; p < out; ++p)
            wanted.push_back(element(nearest, coordinate(GetParam(), in, out, p), in));
          for (bool by_scale : {false, true})
            check(resize_of_row(GetParam(), nearest, in, out, by_scale), in, out, wanted);
        }
  }
};

TEST_P(ResizeTest, the_compiler_picks_what_whole_numbers_say) {
  for_each_row(largest, [](const Resize2d &op, int64_t in, int64_t out, const auto &wanted) {
    EXPECT_EQ(resize_positions(op, 1, in).indices[0], wanted)
        << in << " to " << out << (op.scales.empty() ? " by sizes" : " by scales") << ", "
        << Words<ResizeNearest>::words[static_cast<size_t>(op.nearest)];
  });
}

TEST_P(ResizeTest, the_reference_picks_what_whole_numbers_say) {
  for_each_row(36, [](const Resize2d &op, int64_t in, int64_t out, const auto &wanted) {
    Tensor input({DType::f32, {1, 1, 1, in}, "", {}});
    std::span<float> elements = input.mutable_floats();
    std::iota(elements.begin(), elements.end(), 0.0F);
    TensorType type{DType::f32, {1, 1, 1, out}, "", {}};
    std::vector<Tensor> results = reference::compute(op, {&input}, {type});
    std::span<const float> found = results[0].floats();
    EXPECT_TRUE(std::equal(found.begin(), found.end(), wanted.begin(), wanted.end(),
                           [](float a, int64_t b) { return a == static_cast<float>(b); }))
        << in << " to " << out << (op.scales.empty() ? " by sizes" : " by scales") << ", "
        << Words<ResizeNearest>::words[static_cast<size_t>(op.nearest)];
  });
}

TEST_P(ResizeTest, linear_weights_are_rounded_once) {
  for (int64_t in = 1; in <= largest; in += 3)
    for (int64_t out = 1; out <= largest && !HasFailure(); ++out) {
      Resize2d op = resize_of_row(GetParam(), ResizeNearest::floor, in, out, out % 2 == 0);
      op.mode = ResizeMode::linear;
      ResizePositions positions = resize_positions(op, 1, in);
      for (int64_t p = 0; p < out; ++p) {
        auto [n, d] = coordinate(GetParam(), in, out, p);
        auto rest = static_cast<double>(n - whole(n, d) * d);
        auto at = static_cast<size_t>(p);
        EXPECT_EQ(positions.weights[0][at], 1 - rest / static_cast<double>(d));
        if (positions.taps() > 1) { // all positions are elements, otherwise
          EXPECT_EQ(positions.weights[1][at], rest / static_cast<double>(d)) << in << " " << out;
        }
      }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Coordinates, ResizeTest,
    testing::Values(ResizeCoordinates::half_pixel, ResizeCoordinates::half_pixel_symmetric,
                    ResizeCoordinates::pytorch_half_pixel, ResizeCoordinates::asymmetric,
                    ResizeCoordinates::align_corners, ResizeCoordinates::tf_crop_and_resize,
                    ResizeCoordinates::tf_half_pixel_for_nn),
    [](const testing::TestParamInfo<ResizeCoordinates> &row) {
      return std::string(Words<ResizeCoordinates>::words[static_cast<size_t>(row.param)]);
    });

/// Scales that are not what the sizes give: in single precision, as other programs compute.
TEST(Resize, other_scales_are_single_precision) {
  auto elements = [](double scale, int64_t in, int64_t out, ResizeNearest nearest) {
    Resize2d op = resize_of_row(ResizeCoordinates::asymmetric, nearest, in, out, false);
    op.scales = {1, scale};
    return resize_positions(op, 1, in).indices[0];
  };
  // 9 / 0.9f is 10.0000003 in double, and 10 in single precision.
  EXPECT_EQ(elements(0.9F, 19, 17, ResizeNearest::ceil)[9], 10);
  EXPECT_EQ(elements(0.9F, 19, 17, ResizeNearest::floor)[9], 10);
  // A region's end is the last element, however its start is rounded.
  Resize2d op =
      resize_of_row(ResizeCoordinates::tf_crop_and_resize, ResizeNearest::ceil, 10, 10, false);
  op.roi = {0, 0, 0, 0.1, 1, 1, 1, 1};
  ResizePositions positions = resize_positions(op, 1, 10);
  EXPECT_EQ(positions.indices[0].back(), 9);
  EXPECT_FALSE(positions.any_outside());
}

} // namespace
} // namespace cnnc
