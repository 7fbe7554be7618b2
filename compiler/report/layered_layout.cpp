#include "compiler/report/layered_layout.h"

#include <algorithm>
#include <cmath>

namespace cnnc::report {

namespace {

constexpr double gap_between_boxes = 28, gap_between_lines = 16, gap_between_layers = 42;
constexpr int sweeps = 8;

/// A box, or the place where the lines of a box pass through a layer.
struct Item {
  size_t layer = 0;
  double width = 0;
  bool is_box = true;
  std::vector<size_t> above, below; // items of the layers next to this one
  size_t place = 0;                 // from the left, in its layer
  double x = 0;                     // of its middle

  /// Boxes stay below each other, lines give way. The same weight counts for where an item goes and
  /// for where it draws others: else branches that meet again would drift to one side.
  double weight() const { return is_box ? 8 : 1; }
};

class Layers {
public:
  explicit Layers(const std::vector<LayeredBox> &boxes) : boxes_(boxes) {
    add_boxes();
    for (size_t box = 0; box < boxes.size(); ++box)
      add_lines(box);
    fill_layers();
  }

  void order_items();
  void place_items();
  LayeredLayout result();

private:
  void add_boxes();
  void add_lines(size_t box);
  void fill_layers();
  void sort_layer(std::vector<size_t> &layer, std::vector<size_t> Item::*neighbours);
  double wanted_place(const Item &item, const std::vector<size_t> &others) const;
  void place_layer(const std::vector<size_t> &layer, std::vector<size_t> Item::*neighbours);
  size_t crossings() const;
  LayeredLine line_between(size_t from, size_t to, const std::vector<double> &tops,
                           const std::vector<double> &heights) const;

  const std::vector<LayeredBox> &boxes_;
  std::vector<Item> items_;               // boxes first
  std::vector<std::vector<size_t>> ways_; // of each box: items that its lines pass, downwards
  std::vector<std::vector<size_t>> layers_;
};

/// Every box stands one layer below the lowest of those before it; what nothing leads to, just
/// above what it leads to.
void Layers::add_boxes() {
  std::vector<size_t> depth(boxes_.size(), 0);
  std::vector<bool> has_source(boxes_.size(), false);
  for (size_t box = 0; box < boxes_.size(); ++box)
    for (size_t target : boxes_[box].targets) {
      depth[target] = std::max(depth[target], depth[box] + 1);
      has_source[target] = true;
    }
  for (size_t box = 0; box < boxes_.size(); ++box) {
    if (has_source[box] || boxes_[box].targets.empty())
      continue;
    size_t nearest = depth[boxes_[box].targets.front()];
    for (size_t target : boxes_[box].targets)
      nearest = std::min(nearest, depth[target]);
    depth[box] = nearest - 1;
  }
  for (size_t box = 0; box < boxes_.size(); ++box)
    items_.push_back({depth[box], boxes_[box].width});
}

void Layers::add_lines(size_t box) {
  const size_t begin = items_[box].layer;
  size_t end = begin;
  for (size_t target : boxes_[box].targets)
    end = std::max(end, items_[target].layer);
  std::vector<size_t> way = {box};
  for (size_t layer = begin + 1; layer < end; ++layer) {
    const size_t item = items_.size();
    items_.push_back({layer, 0, false});
    items_[way.back()].below.push_back(item);
    items_[item].above.push_back(way.back());
    way.push_back(item);
  }
  for (size_t target : boxes_[box].targets) {
    const size_t last = way[items_[target].layer - 1 - begin];
    items_[last].below.push_back(target);
    items_[target].above.push_back(last);
  }
  ways_.push_back(std::move(way));
}

void Layers::fill_layers() {
  for (size_t item = 0; item < items_.size(); ++item) {
    layers_.resize(std::max(layers_.size(), items_[item].layer + 1));
    items_[item].place = layers_[items_[item].layer].size();
    layers_[items_[item].layer].push_back(item);
  }
}

/// By the mean of the places of the neighbours; who has none stays where it is.
void Layers::sort_layer(std::vector<size_t> &layer, std::vector<size_t> Item::*neighbours) {
  std::vector<std::pair<double, size_t>> order;
  for (size_t item : layer) {
    double sum = 0;
    for (size_t other : items_[item].*neighbours)
      sum += static_cast<double>(items_[other].place);
    const size_t count = (items_[item].*neighbours).size();
    order.emplace_back(
        count ? sum / static_cast<double>(count) : static_cast<double>(items_[item].place), item);
  }
  std::ranges::stable_sort(order, {}, [](const auto &entry) { return entry.first; });
  for (size_t i = 0; i < layer.size(); ++i) {
    layer[i] = order[i].second;
    items_[layer[i]].place = i;
  }
}

/// Pairs of lines that cross, between all neighbouring layers: inversions, counted by a binary
/// indexed tree.
size_t Layers::crossings() const {
  size_t count = 0;
  for (size_t layer = 0; layer + 1 < layers_.size(); ++layer) {
    std::vector<size_t> tree(layers_[layer + 1].size() + 1, 0);
    size_t seen = 0;
    for (size_t item : layers_[layer]) {
      for (size_t other : items_[item].below) {
        size_t before = 0; // lines so far that end to the left of this one, or at its end
        for (size_t i = items_[other].place + 1; i > 0; i -= i & (~i + 1))
          before += tree[i];
        count += seen - before;
      }
      for (size_t other : items_[item].below) {
        for (size_t i = items_[other].place + 1; i < tree.size(); i += i & (~i + 1))
          ++tree[i];
        ++seen;
      }
    }
  }
  return count;
}

void Layers::order_items() {
  std::vector<std::vector<size_t>> best = layers_;
  size_t fewest = crossings();
  for (int sweep = 0; sweep < sweeps && fewest > 0; ++sweep) {
    for (std::vector<size_t> &layer : layers_)
      sort_layer(layer, &Item::above);
    for (size_t layer = layers_.size(); layer-- > 0;)
      sort_layer(layers_[layer], &Item::below);
    if (const size_t now = crossings(); now < fewest) {
      fewest = now;
      best = layers_;
    }
  }
  layers_ = std::move(best);
  for (const std::vector<size_t> &layer : layers_)
    for (size_t i = 0; i < layer.size(); ++i)
      items_[layer[i]].place = i;
}

/// Neighbours that share one position but for their gaps, around the mean of what they want.
struct Run {
  double sum = 0, weight = 0;
  size_t count = 0;
  double mean() const { return sum / weight; }
};

/// The middle of its neighbours in one direction.
double Layers::wanted_place(const Item &item, const std::vector<size_t> &others) const {
  if (others.empty())
    return item.x;
  double sum = 0, weight = 0;
  for (size_t other : others) {
    sum += items_[other].weight() * items_[other].x;
    weight += items_[other].weight();
  }
  return sum / weight;
}

/// Moves a layer as near to its neighbours as the gaps allow: least squares of the distances, by
/// merging runs that would overlap.
void Layers::place_layer(const std::vector<size_t> &layer, std::vector<size_t> Item::*neighbours) {
  std::vector<double> offsets(layer.size(), 0); // from the first item, with the least gaps
  for (size_t i = 1; i < layer.size(); ++i) {
    const Item &left = items_[layer[i - 1]], &right = items_[layer[i]];
    const double gap = left.is_box || right.is_box ? gap_between_boxes : gap_between_lines;
    offsets[i] = offsets[i - 1] + (left.width + right.width) / 2 + gap;
  }
  std::vector<Run> runs;
  for (size_t i = 0; i < layer.size(); ++i) {
    const Item &item = items_[layer[i]];
    const std::vector<size_t> &others = item.*neighbours;
    const double weight = others.empty() ? 0.01 : item.weight();
    runs.push_back({weight * (wanted_place(item, others) - offsets[i]), weight, 1});
    while (runs.size() > 1 && runs[runs.size() - 2].mean() > runs.back().mean()) {
      const Run last = runs.back();
      runs.pop_back();
      runs.back().sum += last.sum;
      runs.back().weight += last.weight;
      runs.back().count += last.count;
    }
  }
  size_t i = 0;
  for (const Run &run : runs)
    for (size_t end = i + run.count; i < end; ++i)
      items_[layer[i]].x = run.mean() + offsets[i];
}

void Layers::place_items() {
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    for (const std::vector<size_t> &layer : layers_)
      place_layer(layer, &Item::above);
    for (size_t layer = layers_.size(); layer-- > 0;)
      place_layer(layers_[layer], &Item::below);
  }
}

/// Leaves out the last point where the line goes on straight.
void add_point(std::vector<Point> &points, Point point) {
  const size_t count = points.size();
  if (count > 1 && std::abs(points[count - 1].x - point.x) < 0.5 &&
      std::abs(points[count - 2].x - point.x) < 0.5)
    points.pop_back();
  points.push_back(point);
}

/// Straight down through the layers in between, so that no line crosses a box.
LayeredLine Layers::line_between(size_t from, size_t to, const std::vector<double> &tops,
                                 const std::vector<double> &heights) const {
  auto middle = [&](size_t layer) { return tops[layer] + heights[layer] / 2; };
  const Item &first = items_[from], &last = items_[to];
  LayeredLine line{from, to, {{first.x, middle(first.layer) + boxes_[from].height / 2}}};
  for (size_t layer = first.layer + 1; layer < last.layer; ++layer) {
    const double x = items_[ways_[from][layer - first.layer]].x;
    add_point(line.points, {x, tops[layer]});
    add_point(line.points, {x, tops[layer] + heights[layer]});
  }
  add_point(line.points, {last.x, middle(last.layer) - boxes_[to].height / 2});
  return line;
}

LayeredLayout Layers::result() {
  LayeredLayout layout;
  double left = 0, right = 0;
  for (const Item &item : items_) {
    left = std::min(left, item.x - item.width / 2);
    right = std::max(right, item.x + item.width / 2);
  }
  for (Item &item : items_)
    item.x -= left;
  layout.width = right - left;
  std::vector<double> tops, heights;
  for (const std::vector<size_t> &layer : layers_) {
    double height = 0;
    for (size_t item : layer)
      height = std::max(height, items_[item].is_box ? boxes_[item].height : 0);
    tops.push_back(layout.height);
    heights.push_back(height);
    layout.height += height + gap_between_layers;
  }
  layout.height = std::max(0.0, layout.height - gap_between_layers);
  for (size_t box = 0; box < boxes_.size(); ++box) {
    const size_t layer = items_[box].layer;
    layout.centers.push_back({items_[box].x, tops[layer] + heights[layer] / 2});
    for (size_t target : boxes_[box].targets)
      layout.lines.push_back(line_between(box, target, tops, heights));
  }
  return layout;
}

} // namespace

LayeredLayout lay_out_layers(const std::vector<LayeredBox> &boxes) {
  Layers layers(boxes);
  layers.order_items();
  layers.place_items();
  return layers.result();
}

} // namespace cnnc::report
