#include "image.h"

#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <stdexcept>

namespace ocr {

Image read_image(const std::filesystem::path &file) {
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void *)> pixels(
      stbi_load(file.c_str(), &width, &height, &channels, 3), stbi_image_free);
  if (!pixels)
    throw std::runtime_error(file.string() + ": cannot be read: " + stbi_failure_reason());
  Image image(width, height);
  std::copy_n(pixels.get(), image.pixels.size(), image.pixels.begin());
  return image;
}

void write_png(const std::filesystem::path &file, const Image &image) {
  if (!stbi_write_png(file.c_str(), image.width, image.height, 3, image.pixels.data(),
                      image.width * 3))
    throw std::runtime_error(file.string() + ": cannot be written");
}

/// Adds the colour at a place, linear between the centres of the four nearest pixels.
static void add_colour(const Image &image, Point place, std::array<float, 3> &sum) {
  const float x = std::clamp(place.x - 0.5f, 0.0f, float(image.width - 1));
  const float y = std::clamp(place.y - 0.5f, 0.0f, float(image.height - 1));
  const int left = int(x), top = int(y);
  const int right = std::min(left + 1, image.width - 1);
  const int bottom = std::min(top + 1, image.height - 1);
  const float across = x - left, along = y - top;
  for (int c = 0; c < 3; ++c) {
    const float upper = image.at(left, top)[c] * (1 - across) + image.at(right, top)[c] * across;
    const float lower =
        image.at(left, bottom)[c] * (1 - across) + image.at(right, bottom)[c] * across;
    sum[c] += upper * (1 - along) + lower * along;
  }
}

Image resample(const Image &image, const Cut &cut, int width, int height) {
  const Point step_right = cut.right * (1.0f / width), step_down = cut.down * (1.0f / height);
  const int columns = std::clamp(int(std::ceil(length(step_right) - 0.01f)), 1, 8);
  const int rows = std::clamp(int(std::ceil(length(step_down) - 0.01f)), 1, 8);
  Image result(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      std::array<float, 3> sum = {};
      for (int i = 0; i < rows; ++i)
        for (int j = 0; j < columns; ++j)
          add_colour(image,
                     cut.origin + step_right * (x + (j + 0.5f) / columns) +
                         step_down * (y + (i + 0.5f) / rows),
                     sum);
      for (int c = 0; c < 3; ++c)
        result.at(x, y)[c] = uint8_t(sum[c] / (rows * columns) + 0.5f);
    }
  return result;
}

} // namespace ocr
