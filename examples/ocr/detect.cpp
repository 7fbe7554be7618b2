#include "detect.h"

#include <algorithm>

namespace ocr {
namespace {

constexpr Colours colours = {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
constexpr float pixel_threshold = 0.3f; // a pixel of this probability belongs to a core
constexpr float box_threshold = 0.6f;   // a core of less, in the mean, is not text
constexpr float grow_ratio = 1.5f;      // cores grow by this times area / perimeter
constexpr float least_core = 3;         // pixels of the network: lower cores cannot be read
constexpr float largest_zoom = 1.5f;    // small images are enlarged, but not more

/// The probabilities of the part of the network's input that shows the image.
struct Map {
  std::span<const float> values;
  int stride, width, height;

  float at(int x, int y) const { return values[size_t(y) * stride + x]; }
};

/// Takes the connected part (8 neighbours) around a pixel out of `open`. Returns the centres of the
/// first and the last pixel of each of its rows and more: all that its convex hull can touch.
std::vector<Point> take_core(const Map &map, std::vector<char> &open, int first_x, int first_y) {
  std::vector<Point> points;
  std::vector<std::pair<int, int>> waiting = {{first_x, first_y}};
  open[size_t(first_y) * map.width + first_x] = false;
  while (!waiting.empty()) {
    const auto [x, y] = waiting.back();
    waiting.pop_back();
    bool is_edge = x == 0 || x == map.width - 1;
    for (int j = std::max(y - 1, 0); j <= std::min(y + 1, map.height - 1); ++j)
      for (int i = std::max(x - 1, 0); i <= std::min(x + 1, map.width - 1); ++i) {
        is_edge |= j == y && map.at(i, j) <= pixel_threshold;
        char &is_open = open[size_t(j) * map.width + i];
        if (is_open)
          waiting.emplace_back(i, j);
        is_open = false;
      }
    if (is_edge)
      points.push_back({x + 0.5f, y + 0.5f});
  }
  return points;
}

/// The mean probability in a rectangle.
float mean_probability(const Map &map, const Rectangle &rectangle) {
  const auto corners = rectangle.corners();
  const auto [left, right] = std::ranges::minmax(corners, {}, &Point::x);
  const auto [top, bottom] = std::ranges::minmax(corners, {}, &Point::y);
  float sum = 0;
  int count = 0;
  for (int y = std::max(int(top.y), 0); y <= std::min(int(bottom.y), map.height - 1); ++y)
    for (int x = std::max(int(left.x), 0); x <= std::min(int(right.x), map.width - 1); ++x)
      if (rectangle.contains({x + 0.5f, y + 0.5f})) {
        sum += map.at(x, y);
        ++count;
      }
  return count ? sum / count : 0;
}

void grow(Rectangle &rectangle) {
  const float distance =
      rectangle.width * rectangle.height * grow_ratio / (2 * (rectangle.width + rectangle.height));
  rectangle.width += 2 * distance;
  rectangle.height += 2 * distance;
}

std::vector<TextBox> boxes_of(const Map &map) {
  std::vector<char> open(size_t(map.width) * map.height);
  for (int y = 0; y < map.height; ++y)
    for (int x = 0; x < map.width; ++x)
      open[size_t(y) * map.width + x] = map.at(x, y) > pixel_threshold;
  std::vector<TextBox> boxes;
  for (int y = 0; y < map.height; ++y)
    for (int x = 0; x < map.width; ++x) {
      if (!open[size_t(y) * map.width + x])
        continue;
      Rectangle rectangle = least_rectangle(convex_hull(take_core(map, open, x, y)));
      rectangle.width += 1; // from the centres of its pixels to their edges
      rectangle.height += 1;
      const float score = mean_probability(map, rectangle);
      if (std::min(rectangle.width, rectangle.height) < least_core || score < box_threshold)
        continue;
      grow(rectangle);
      boxes.push_back({rectangle, score});
    }
  return boxes;
}

/// A box belongs to the row above it when its centre is above the middle of that row's lower half.
void sort_for_reading(std::vector<TextBox> &boxes) {
  auto centre = [](const TextBox &box) { return box.rectangle.centre; };
  std::ranges::sort(boxes, {}, [&](const TextBox &box) { return centre(box).y; });
  for (auto row = boxes.begin(); row != boxes.end();) {
    const float limit = centre(*row).y + row->rectangle.height / 4;
    auto end =
        std::find_if(row, boxes.end(), [&](const TextBox &box) { return centre(box).y > limit; });
    std::sort(row, end,
              [&](const TextBox &a, const TextBox &b) { return centre(a).x < centre(b).x; });
    row = end;
  }
}

} // namespace

std::vector<TextBox> find_text(Network &network, const Image &image) {
  const float zoom = std::min(
      {float(network.width()) / image.width, float(network.height()) / image.height, largest_zoom});
  const int width = std::max(int(image.width * zoom), 1);
  const int height = std::max(int(image.height * zoom), 1);
  const Cut all = {{0, 0}, {float(image.width), 0}, {0, float(image.height)}};
  const std::span<const float> probabilities =
      network.run(resample(image, all, width, height), colours);
  std::vector<TextBox> boxes = boxes_of({probabilities, network.width(), width, height});
  for (TextBox &box : boxes) {
    box.rectangle.centre = box.rectangle.centre * (1 / zoom);
    box.rectangle.width /= zoom;
    box.rectangle.height /= zoom;
  }
  sort_for_reading(boxes);
  return boxes;
}

} // namespace ocr
