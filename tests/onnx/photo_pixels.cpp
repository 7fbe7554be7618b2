// A photo, or a part of it, as raw pixels for the tests of networks:
//
//   photo_pixels PHOTO WIDTH HEIGHT [LEFT TOP COLUMNS ROWS] > pixels
//
// stretches the part to WIDTH x HEIGHT and writes red, green, blue of each pixel as bytes, row by
// row.
#include "examples/ocr/image.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

int main(int argc, char **argv) {
  if (argc != 4 && argc != 8) {
    std::cerr << "usage: photo_pixels PHOTO WIDTH HEIGHT [LEFT TOP COLUMNS ROWS]\n";
    return 2;
  }
  try {
    const ocr::Image photo = ocr::read_image(argv[1]);
    auto number = [&](int i) { return float(std::atof(argv[i])); };
    ocr::Cut cut = {{0, 0}, {float(photo.width), 0}, {0, float(photo.height)}};
    if (argc == 8)
      cut = {{number(4), number(5)}, {number(6), 0}, {0, number(7)}};
    const ocr::Image part = ocr::resample(photo, cut, std::atoi(argv[2]), std::atoi(argv[3]));
    return std::fwrite(part.pixels.data(), 1, part.pixels.size(), stdout) == part.pixels.size() ? 0
                                                                                                : 1;
  } catch (const std::exception &error) {
    std::cerr << "photo_pixels: error: " << error.what() << "\n";
    return 1;
  }
}
