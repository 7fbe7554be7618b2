// Pictures of graphs: nothing overlaps, lines go down, and large networks take no time.
#include "compiler/report/layered_layout.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <gtest/gtest.h>

namespace cnnc::report {

namespace {

using Edges = std::vector<std::pair<size_t, size_t>>;

std::vector<LayeredBox> boxes(size_t count, const Edges &edges) {
  std::vector<LayeredBox> result(count, {100, 40, {}});
  for (auto [from, to] : edges)
    result[from].targets.push_back(to);
  return result;
}

/// Blocks of layers that each read all before them, as in DenseNet.
std::vector<LayeredBox> dense_blocks(size_t blocks, size_t layers) {
  Edges edges;
  size_t count = 1;
  for (size_t block = 0; block < blocks; ++block) {
    const size_t first = count - 1;
    for (size_t layer = 0; layer < layers; ++layer, ++count)
      for (size_t before = first; before < count; ++before)
        edges.emplace_back(before, count);
  }
  return boxes(count, edges);
}

bool overlap(const LayeredBox &a, Point at, const LayeredBox &b, Point bt) {
  return std::abs(at.x - bt.x) < (a.width + b.width) / 2 &&
         std::abs(at.y - bt.y) < (a.height + b.height) / 2;
}

void expect_legible(const std::vector<LayeredBox> &boxes, const LayeredLayout &layout) {
  ASSERT_EQ(layout.centers.size(), boxes.size());
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Point &center = layout.centers[i];
    EXPECT_GE(center.x - boxes[i].width / 2, -0.01);
    EXPECT_LE(center.x + boxes[i].width / 2, layout.width + 0.01);
    EXPECT_GE(center.y - boxes[i].height / 2, -0.01);
    EXPECT_LE(center.y + boxes[i].height / 2, layout.height + 0.01);
    for (size_t j = 0; j < i; ++j)
      EXPECT_FALSE(overlap(boxes[i], center, boxes[j], layout.centers[j])) << i << ", " << j;
  }
  size_t lines = 0;
  for (const LayeredBox &box : boxes)
    lines += box.targets.size();
  EXPECT_EQ(layout.lines.size(), lines);
  for (const LayeredLine &line : layout.lines) {
    EXPECT_NEAR(line.points.front().x, layout.centers[line.from].x, 0.01);
    EXPECT_NEAR(line.points.back().x, layout.centers[line.to].x, 0.01);
    for (size_t i = 1; i < line.points.size(); ++i)
      EXPECT_GT(line.points[i].y, line.points[i - 1].y);
  }
}

LayeredLayout checked_layout(const std::vector<LayeredBox> &boxes) {
  LayeredLayout layout = lay_out_layers(boxes);
  expect_legible(boxes, layout);
  return layout;
}

TEST(LayeredLayout, NothingIsEmpty) {
  EXPECT_TRUE(lay_out_layers({}).centers.empty());
  const LayeredLayout one = checked_layout(boxes(1, {}));
  EXPECT_EQ(one.width, 100);
  EXPECT_EQ(one.height, 40);
}

TEST(LayeredLayout, ChainsAreStraight) {
  const LayeredLayout layout = checked_layout(boxes(5, {{0, 1}, {1, 2}, {2, 3}, {3, 4}}));
  for (const Point &center : layout.centers)
    EXPECT_NEAR(center.x, 50, 0.01);
}

/// A line past other boxes does not cross them, and 16 residual blocks do not drift to one side.
TEST(LayeredLayout, ResidualBlocksStayBelowEachOther) {
  Edges edges;
  for (size_t block = 0; block < 16; ++block) {
    const size_t first = 3 * block;
    for (size_t i = 0; i < 3; ++i)
      edges.emplace_back(first + i, first + i + 1);
    edges.emplace_back(first, first + 3);
  }
  const std::vector<LayeredBox> network = boxes(49, edges);
  const LayeredLayout layout = checked_layout(network);
  EXPECT_LT(layout.width, 300);
  for (const LayeredLine &line : layout.lines)
    for (size_t i = 1; i + 1 < line.points.size(); ++i)
      for (size_t box = 0; box < network.size(); ++box)
        EXPECT_FALSE(std::abs(line.points[i].x - layout.centers[box].x) < 50 &&
                     std::abs(line.points[i].y - layout.centers[box].y) < 19);
}

TEST(LayeredLayout, LinesThatNeedNotCrossDoNot) {
  // 0 and 1 lead to 3 and 2: one of the layers has to be turned around.
  const LayeredLayout layout = checked_layout(boxes(4, {{0, 3}, {1, 2}}));
  EXPECT_LT(
      (layout.centers[0].x - layout.centers[1].x) * (layout.centers[2].x - layout.centers[3].x), 0);
}

TEST(LayeredLayout, InputsStandAboveWhatReadsThem) {
  // 1 is a second input, of the last box.
  const LayeredLayout layout = checked_layout(boxes(5, {{0, 2}, {2, 3}, {3, 4}, {1, 4}}));
  EXPECT_EQ(layout.centers[1].y, layout.centers[3].y);
}

TEST(LayeredLayout, LargeNetworksTakeNoTime) {
  const auto start = std::chrono::steady_clock::now();
  checked_layout(dense_blocks(4, 60));
  Edges chain;
  for (size_t i = 0; i + 1 < 2000; ++i)
    chain.emplace_back(i, i + 1);
  lay_out_layers(boxes(2000, chain));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

} // namespace

} // namespace cnnc::report
