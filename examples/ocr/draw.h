// The picture with what was read in it.
#pragma once

#include "recognize.h"

namespace ocr {

/// Draws the boxes of the lines, and above them as much of their texts as is ASCII.
void draw_lines(Image &image, const std::vector<Line> &lines);

} // namespace ocr
