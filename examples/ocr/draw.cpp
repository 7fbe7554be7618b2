#include "draw.h"

#include <stb/stb_easy_font.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace ocr {
namespace {

using Colour = std::array<uint8_t, 3>;
constexpr Colour box_colour = {255, 40, 40}, text_colour = {255, 255, 0}, label_colour = {0, 0, 0};
constexpr int label_height = 10; // pixels, of stb_easy_font's letters

void fill(Image &image, int left, int top, int right, int bottom, const Colour &colour) {
  for (int y = std::max(top, 0); y < std::min(bottom, image.height); ++y)
    for (int x = std::max(left, 0); x < std::min(right, image.width); ++x)
      std::ranges::copy(colour, image.at(x, y));
}

void draw_side(Image &image, Point from, Point to) {
  const int steps = int(std::ceil(length(to - from)));
  for (int i = 0; i <= steps; ++i) {
    const Point place = from + (to - from) * (float(i) / std::max(steps, 1));
    const int x = int(std::floor(place.x)), y = int(std::floor(place.y));
    fill(image, x, y, x + 2, y + 2, box_colour);
  }
}

/// What stb_easy_font makes of a text: rectangles of four corners each.
struct Corner {
  float x, y, z;
  uint8_t colour[4];
};

void draw_label(Image &image, Point place, std::string text) {
  // Its table of letters ends with ASCII.
  std::erase_if(text, [](char letter) { return letter < ' ' || letter > '~'; });
  if (text.empty())
    return;
  std::vector<Corner> corners(text.size() * 4 * 24);
  const int count = stb_easy_font_print(0, 0, text.data(), nullptr, corners.data(),
                                        int(corners.size() * sizeof(Corner)));
  const int left = std::max(int(place.x), 0);
  const int top = std::max(int(place.y) - label_height, 0);
  fill(image, left, top, left + stb_easy_font_width(text.data()) + 1, top + label_height,
       label_colour);
  for (int i = 0; i < count; ++i) {
    const Corner &first = corners[i * 4], &opposite = corners[i * 4 + 2];
    fill(image, left + int(first.x), top + int(first.y), left + int(opposite.x),
         top + int(opposite.y), text_colour);
  }
}

} // namespace

void draw_lines(Image &image, const std::vector<Line> &lines) {
  for (const Line &line : lines) {
    const auto corners = line.box.rectangle.corners();
    for (size_t i = 0; i < corners.size(); ++i)
      draw_side(image, corners[i], corners[(i + 1) % corners.size()]);
  }
  for (const Line &line : lines)
    draw_label(image, line.box.rectangle.corners()[0], line.text);
}

} // namespace ocr
