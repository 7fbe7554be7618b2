// Points and rectangles of any direction, in pixels: x to the right, y down. The centre of the
// first pixel of an image is at (0.5, 0.5).
#pragma once

#include <array>
#include <vector>

namespace ocr {

struct Point {
  float x = 0, y = 0;
};

inline Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
inline Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
inline Point operator*(Point a, float factor) { return {a.x * factor, a.y * factor}; }
inline float dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
inline float cross(Point a, Point b) { return a.x * b.y - a.y * b.x; }
float length(Point vector);

struct Rectangle {
  Point centre;
  Point right; // unit vector along the width, at most 45 degrees from the x axis
  float width, height;

  Point down() const { return {-right.y, right.x}; }
  /// Clockwise, from the corner that is top left.
  std::array<Point, 4> corners() const;
  bool contains(Point point) const;
};

/// The smallest convex polygon around the points, counted in one direction (Andrew's monotone
/// chain).
std::vector<Point> convex_hull(std::vector<Point> points);

/// The rectangle of least area around a convex polygon of at least one point: one of its sides lies
/// on a side of the polygon.
Rectangle least_rectangle(const std::vector<Point> &polygon);

} // namespace ocr
