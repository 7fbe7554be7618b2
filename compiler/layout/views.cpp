#include "compiler/layout/views.h"

#include <algorithm>

namespace cnnc {

namespace {

/// The value in which another one lies, and where.
struct Link {
  ValueId value = no_id;
  int64_t offset = 0;
};

/// Offsets of the parts that lie one after the other along an axis of the whole, as concat and
/// split have them; empty when one is not a range of bytes.
std::optional<std::vector<int64_t>> offsets_of_parts(const Graph &graph, const TensorType &whole,
                                                     const std::vector<ValueId> &parts,
                                                     int64_t along) {
  size_t axis = *normalized_axis(along, whole.rank());
  std::vector<int64_t> result;
  int64_t start = 0;
  for (ValueId part : parts) {
    std::optional<int64_t> offset = offset_of_part(whole, graph.type(part), axis, start);
    if (!offset)
      return std::nullopt;
    result.push_back(*offset);
    start += graph.type(part).shape[axis];
  }
  return result;
}

/// The offset of a slice of one dimension, in steps of 1.
std::optional<std::vector<int64_t>> cut_offsets(const Graph &graph, const Node &node,
                                                const Slice &slice) {
  const TensorType &whole = graph.type(node.operands[0]);
  std::vector<Slice::Range> ranges = slice.ranges(whole.shape);
  std::optional<size_t> axis;
  for (size_t i = 0; i < ranges.size(); ++i) {
    bool all = ranges[i].start == 0 && ranges[i].step == 1 && ranges[i].count == whole.shape[i];
    if (all)
      continue;
    if (axis || ranges[i].step != 1)
      return std::nullopt;
    axis = i;
  }
  if (!axis)
    return std::nullopt;
  std::optional<int64_t> offset =
      offset_of_part(whole, graph.type(node.results[0]), *axis, ranges[*axis].start);
  return offset ? std::optional(std::vector{*offset}) : std::nullopt;
}

std::optional<std::vector<int64_t>> reshaped_offset(const Graph &graph, const Node &node) {
  bool plain =
      graph.type(node.operands[0]).layout.plain() && graph.type(node.results[0]).layout.plain();
  return plain ? std::optional(std::vector<int64_t>{0}) : std::nullopt;
}

template <class T, View view>
concept ViewOf = T::traits.view == view;

/// For a view: the offset of each part in the whole. The parts of a concat are its operands, those
/// of other views their results.
std::optional<std::vector<int64_t>> view_offsets(const Graph &graph, const Node &node) {
  using Offsets = std::optional<std::vector<int64_t>>;
  if (node.kernel != no_id)
    return std::nullopt;
  return match(
      node.op,
      [&](const ViewOf<View::whole> auto &) -> Offsets { return reshaped_offset(graph, node); },
      [&](const Concat &concat) -> Offsets {
        return offsets_of_parts(graph, graph.type(node.results[0]), node.operands, concat.axis);
      },
      [&](const Split &split) -> Offsets {
        return offsets_of_parts(graph, graph.type(node.operands[0]), node.results, split.axis);
      },
      [&](const Slice &slice) -> Offsets { return cut_offsets(graph, node, slice); },
      [](const ViewOf<View::none> auto &) -> Offsets { return std::nullopt; });
}

} // namespace

std::optional<int64_t> offset_of_part(const TensorType &whole, const TensorType &part, size_t axis,
                                      int64_t start) {
  if (whole.dtype != part.dtype || whole.layout != part.layout || whole.layout.blocks.size() > 1 ||
      (whole.layout.has_halo() && axis + 2 >= whole.rank()))
    return std::nullopt;
  int64_t block = whole.layout.block_of(static_cast<int64_t>(axis));
  int64_t end = start + part.shape[axis];
  if (start % block != 0 || (end % block != 0 && end != whole.shape[axis]))
    return std::nullopt;
  std::vector<int64_t> shape = physical_shape(whole);
  for (size_t i = 0; i < axis; ++i)
    if (shape[i] != 1)
      return std::nullopt;
  int64_t offset = start / block * size_of(whole.dtype);
  for (size_t i = axis + 1; i < shape.size(); ++i) {
    std::optional<int64_t> product = checked_mul(offset, shape[i]);
    if (!product)
      return std::nullopt;
    offset = *product;
  }
  return offset;
}

bool is_view(const Graph &graph, const Node &node) { return view_offsets(graph, node).has_value(); }

std::vector<Place> places_of_values(const Graph &graph) {
  std::vector<Link> links(graph.values.size());
  for (const Node &node : graph.nodes) {
    std::optional<std::vector<int64_t>> offsets = view_offsets(graph, node);
    if (!offsets || graph.is_constant(node.results[0]))
      continue;
    if (traits_of(node.op).view != View::joined) {
      for (size_t i = 0; i < node.results.size(); ++i)
        links[node.results[i]] = {node.operands[0], (*offsets)[i]};
      continue;
    }
    for (size_t i = 0; i < node.operands.size(); ++i) {
      ValueId part = node.operands[i];
      if (links[part].value == no_id && !graph.is_constant(part) && !graph.is_input(part) &&
          !graph.is_output(part))
        links[part] = {node.results[0], (*offsets)[i]};
    }
  }
  // Links lead from a view to its operand, then from a part to what it is joined to: no circles.
  std::vector<Place> places(graph.values.size());
  for (ValueId id = 0; id < places.size(); ++id) {
    places[id] = {id, 0};
    for (Link link = links[id]; link.value != no_id; link = links[link.value])
      places[id] = {link.value, places[id].offset + link.offset};
  }
  return places;
}

std::optional<size_t> misplaced_part(const Graph &graph, const std::vector<Place> &places,
                                     const Node &node) {
  if (traits_of(node.op).view != View::joined)
    return std::nullopt;
  std::optional<std::vector<int64_t>> offsets = view_offsets(graph, node);
  const Place &whole = places[node.results[0]];
  for (size_t i = 0; offsets && i < offsets->size(); ++i) {
    const Place &part = places[node.operands[i]];
    if (part.root != whole.root || part.offset != whole.offset + (*offsets)[i])
      return i;
  }
  return std::nullopt;
}

} // namespace cnnc
