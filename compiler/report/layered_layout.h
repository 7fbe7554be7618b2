// A directed graph without cycles as a picture: boxes in layers from top to bottom, lines between
// them. After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
// structures", 1981. Networks are long and narrow, so the time is about linear in boxes and lines:
// lines of one box share their way down.
#pragma once

#include <cstddef>
#include <vector>

namespace cnnc::report {

struct Point {
  double x = 0, y = 0;
};

struct LayeredBox {
  double width = 0, height = 0;
  std::vector<size_t> targets; // boxes that a line goes to, each behind this one in the list
};

struct LayeredLine {
  size_t from = 0, to = 0;
  std::vector<Point> points; // from the middle of the lower edge to that of the upper one
};

struct LayeredLayout {
  std::vector<Point> centers; // of the boxes
  std::vector<LayeredLine> lines;
  double width = 0, height = 0; // of all: everything lies between 0 and these
};

/// No two boxes overlap, lines go down, and every box lies below those that have a line to it.
LayeredLayout lay_out_layers(const std::vector<LayeredBox> &boxes);

} // namespace cnnc::report
