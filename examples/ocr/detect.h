// Where text is: differentiable binarization (Liao, Wan, Yao, Chen and Bai, "Real-time scene text
// detection with differentiable binarization", 2020). The network gives, for every pixel, the
// probability that it lies in the core of a line of text: the line shrunk until neighbouring lines
// no longer touch. Each connected part above a threshold is a line; its rectangle is grown back by
// what the shrinking took.
#pragma once

#include "network.h"

#include <vector>

namespace ocr {

struct TextBox {
  Rectangle rectangle; // in pixels of the image
  float score;         // mean probability in the core, 0 to 1
};

/// The lines of text in an image, in reading order: rows from top to bottom, each from left to
/// right. `network` is PP-OCR's detection with output [1, 1, height, width]. An image larger than
/// its input is shrunk.
std::vector<TextBox> find_text(Network &network, const Image &image);

} // namespace ocr
