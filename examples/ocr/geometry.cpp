#include "geometry.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ocr {

float length(Point vector) { return std::hypot(vector.x, vector.y); }

std::array<Point, 4> Rectangle::corners() const {
  const Point across = right * (width / 2), along = down() * (height / 2);
  return {centre - across - along, centre + across - along, centre + across + along,
          centre - across + along};
}

bool Rectangle::contains(Point point) const {
  const Point offset = point - centre;
  return std::abs(dot(offset, right)) <= width / 2 && std::abs(dot(offset, down())) <= height / 2;
}

std::vector<Point> convex_hull(std::vector<Point> points) {
  std::ranges::sort(points, [](Point a, Point b) { return a.x != b.x ? a.x < b.x : a.y < b.y; });
  std::vector<Point> hull;
  auto add_chain = [&](auto begin, auto end) {
    const size_t start = hull.size();
    for (auto point = begin; point != end; ++point) {
      while (hull.size() >= start + 2 &&
             cross(hull.back() - hull[hull.size() - 2], *point - hull.back()) <= 0)
        hull.pop_back();
      hull.push_back(*point);
    }
    hull.pop_back(); // the next chain begins with it
  };
  if (points.size() < 3)
    return points;
  add_chain(points.begin(), points.end());
  add_chain(points.rbegin(), points.rend());
  return hull;
}

/// The rectangle around the polygon whose sides have this direction and the one across.
static Rectangle rectangle_along(const std::vector<Point> &polygon, Point right) {
  const Point down = {-right.y, right.x};
  float left = std::numeric_limits<float>::max(), end = -left, top = left, bottom = -left;
  for (Point point : polygon) {
    left = std::min(left, dot(point, right));
    end = std::max(end, dot(point, right));
    top = std::min(top, dot(point, down));
    bottom = std::max(bottom, dot(point, down));
  }
  return {right * ((left + end) / 2) + down * ((top + bottom) / 2), right, end - left,
          bottom - top};
}

Rectangle least_rectangle(const std::vector<Point> &polygon) {
  Rectangle least = rectangle_along(polygon, {1, 0});
  for (size_t i = 0; i < polygon.size(); ++i) {
    const Point side = polygon[(i + 1) % polygon.size()] - polygon[i];
    if (length(side) == 0)
      continue;
    Point right = side * (1 / length(side));
    if (std::abs(right.x) < std::abs(right.y))
      right = {-right.y, right.x};
    if (right.x < 0)
      right = right * -1;
    const Rectangle rectangle = rectangle_along(polygon, right);
    if (rectangle.width * rectangle.height < least.width * least.height)
      least = rectangle;
  }
  return least;
}

} // namespace ocr
