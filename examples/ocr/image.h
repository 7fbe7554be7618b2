// Pictures: read, written, and cut out in any direction.
#pragma once

#include "geometry.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace ocr {

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> pixels; // red, green, blue of each pixel, row by row

  Image() = default;
  Image(int columns, int rows) : width(columns), height(rows), pixels(size_t{3} * columns * rows) {}
  uint8_t *at(int x, int y) { return &pixels[(size_t(y) * width + x) * 3]; }
  const uint8_t *at(int x, int y) const { return &pixels[(size_t(y) * width + x) * 3]; }
};

/// A JPEG, PNG or BMP file. Throws std::runtime_error with what is wrong with it.
Image read_image(const std::filesystem::path &file);

/// Writes a PNG file. Throws std::runtime_error.
void write_png(const std::filesystem::path &file, const Image &image);

/// A parallelogram of an image: its top left corner, and the vectors along its upper and its left
/// side.
struct Cut {
  Point origin, right, down;
};

/// What the image shows in the cut, as width x height pixels. Linear between pixels, the mean of
/// several places where pixels of the result are larger than pixels of the image, the nearest pixel
/// outside.
Image resample(const Image &image, const Cut &cut, int width, int height);

} // namespace ocr
