// Ops that move elements, as loops that copy them:
//
//   for n, c, h, w { result[n, c + 64, h, w] = input[n, c, h, w] }      // a part of a concat
#include "compiler/lowering/extents.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

using loop::Index;
using loop::Statement;

namespace {

/// Loops over `extents` that set the result at `place` (in the variables of loop_names) to `value`.
void append_copy(Lowering &lowering, const std::vector<int64_t> &extents, const Subscripts &place,
                 loop::Expression value, size_t result_index = 0) {
  std::vector<Statement> body;
  body.push_back(lowering.write(place, std::move(value), result_index));
  append_loops(lowering, loop_names(extents.size()), extents, std::move(body));
}

/// A copy of a part: `whole` has the same dimensions as `part` except for `axis`.
std::vector<int64_t> part_extents(const TensorType &part, const TensorType &whole, size_t axis) {
  std::vector<int64_t> extents = loop_extents(part);
  for (size_t i = 0; i < extents.size(); ++i)
    limit_extent(extents[i], whole, i);
  extents[axis] = part.shape[axis];
  return extents;
}

/// Positions [first, first + count) of a dimension of the result of a pad that are made alike.
struct PadPart {
  int64_t first, count;
  enum class Source { copy, reflect, edge } source = Source::copy;
  int64_t origin = 0; // index of the input: origin + i, origin - i or origin for i = 0, 1 ...

  Index input(const std::string &name) const {
    if (source == Source::edge)
      return origin;
    return source == Source::copy ? Index::variable(name) + origin
                                  : Index(origin) - Index::variable(name);
  }
};

/// Mode wrap: copies of the whole input, of which the first one begins and the last one ends
/// anywhere.
std::vector<PadPart> wrapped_parts(int64_t size, int64_t before, int64_t after) {
  std::vector<PadPart> parts;
  for (int64_t first = 0, end = before + size + after; first < end; first += parts.back().count) {
    int64_t origin = ((first - before) % size + size) % size;
    parts.push_back({first, std::min(size - origin, end - first), PadPart::Source::copy, origin});
  }
  return parts;
}

/// The parts of one dimension: the input itself first, then what stands before and after it.
std::vector<PadPart> pad_parts(const Pad &pad, int64_t size, size_t dim) {
  using Source = PadPart::Source;
  int64_t before = pad.before[dim], after = pad.after[dim];
  if (pad.mode == PadMode::wrap)
    return wrapped_parts(size, before, after);
  Source source = pad.mode == PadMode::edge ? Source::edge : Source::reflect;
  std::vector<PadPart> parts = {{before, size}};
  if (before > 0)
    parts.push_back({0, before, source, source == Source::edge ? 0 : before});
  if (after > 0)
    parts.push_back({before + size, after, source, source == Source::edge ? size - 1 : size - 2});
  return parts;
}

/// Modes reflect, edge and wrap: a copy for every combination of parts.
void append_pad_copies(const Pad &pad, Lowering &lowering, const std::vector<int64_t> &sizes) {
  size_t rank = sizes.size();
  std::vector<std::string> names = loop_names(rank);
  std::vector<std::vector<PadPart>> parts;
  for (size_t i = 0; i < rank; ++i)
    parts.push_back(pad_parts(pad, sizes[i], i));
  std::vector<size_t> choice(rank, 0);
  for (bool done = false; !done;) {
    std::vector<int64_t> extents;
    Subscripts place, input;
    for (size_t i = 0; i < rank; ++i) {
      const PadPart &part = parts[i][choice[i]];
      extents.push_back(part.count);
      place.push_back(Index::variable(names[i]) + part.first);
      input.push_back(part.input(names[i]));
    }
    append_copy(lowering, extents, place, lowering.read(0, input));
    size_t dim = rank;
    while (dim > 0 && ++choice[dim - 1] == parts[dim - 1].size())
      choice[--dim] = 0;
    done = dim == 0;
  }
}

/// Mode constant: slabs before and after the input, dimension by dimension, then the input. A slab
/// spans the whole result in the dimensions that come later, the input only in those that came
/// before.
void append_pad_slabs(const Pad &pad, Lowering &lowering, const std::vector<int64_t> &sizes,
                      const std::vector<int64_t> &result_extents) {
  size_t rank = sizes.size();
  Subscripts variables_of_result = variables(loop_names(rank));
  Subscripts place = variables_of_result;
  std::vector<int64_t> extents = result_extents;
  for (size_t dim = 0; dim < rank; ++dim) {
    auto slab = [&](int64_t first, int64_t count) {
      if (count == 0)
        return;
      Subscripts slab_place = place;
      std::vector<int64_t> slab_extents = extents;
      slab_place[dim] = slab_place[dim] + first;
      slab_extents[dim] = count;
      append_copy(lowering, slab_extents, slab_place, loop::number(pad.value));
    };
    slab(0, pad.before[dim]);
    slab(pad.before[dim] + sizes[dim], pad.after[dim]);
    place[dim] = place[dim] + pad.before[dim];
    extents[dim] = sizes[dim];
  }
  append_copy(lowering, sizes, place, lowering.read(0, variables_of_result));
}

} // namespace

bool lower(const Concat &concat, Lowering &lowering) {
  const TensorType &result = lowering.result();
  size_t axis = *normalized_axis(concat.axis, result.rank());
  std::vector<int64_t> covered = loop_extents(result);
  Index first;
  for (size_t operand = 0; lowering.has_operand(operand); ++operand) {
    const TensorType &part = lowering.operand(operand);
    std::vector<int64_t> extents = part_extents(part, result, axis);
    Subscripts place = variables(loop_names(result.rank()));
    loop::Expression value = lowering.read(operand, place);
    place[axis] = place[axis] + first;
    append_copy(lowering, extents, place, std::move(value));
    first = first + part.shape[axis];
    for (size_t i = 0; i < extents.size(); ++i)
      covered[i] = i == axis ? result.shape[axis] : std::min(covered[i], extents[i]);
  }
  append_zero_lanes(lowering, covered);
  return true;
}

bool lower(const Split &split, Lowering &lowering) {
  const TensorType &whole = lowering.operand(0);
  size_t axis = *normalized_axis(split.axis, whole.rank());
  Index first;
  for (size_t index = 0; index < split.sizes.size(); ++index) {
    std::vector<int64_t> extents = part_extents(lowering.result(index), whole, axis);
    Subscripts place = variables(loop_names(whole.rank()));
    Subscripts from = place;
    from[axis] = from[axis] + first;
    append_copy(lowering, extents, place, lowering.read(0, from), index);
    append_zero_lanes(lowering, extents, index);
    first = first + split.sizes[index];
  }
  return true;
}

bool lower(const Slice &slice, Lowering &lowering) {
  const TensorType &input = lowering.operand(0), &result = lowering.result();
  std::vector<Slice::Range> ranges = slice.ranges(input.shape);
  std::vector<int64_t> extents = loop_extents(result);
  Subscripts place = variables(loop_names(result.rank())), from = place;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].start == 0 && ranges[i].step == 1 && ranges[i].count == input.shape[i]) {
      limit_extent(extents[i], input, i);
      continue;
    }
    extents[i] = ranges[i].count;
    from[i] = from[i] * ranges[i].step + ranges[i].start;
  }
  append_copy(lowering, extents, place, lowering.read(0, from));
  append_zero_lanes(lowering, extents);
  return true;
}

bool lower(const Pad &pad, Lowering &lowering) {
  const TensorType &input = lowering.operand(0), &result = lowering.result();
  // A padded dimension has no lanes to take along: those of the input lie within the result.
  std::vector<int64_t> sizes = loop_extents(input), result_extents = loop_extents(result);
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (pad.before[i] == 0 && pad.after[i] == 0) {
      limit_extent(sizes[i], result, i);
      result_extents[i] = sizes[i];
    } else {
      sizes[i] = input.shape[i];
      result_extents[i] = result.shape[i];
    }
  }
  if (pad.mode == PadMode::constant)
    append_pad_slabs(pad, lowering, sizes, result_extents);
  else
    append_pad_copies(pad, lowering, sizes);
  append_zero_lanes(lowering, result_extents);
  return true;
}

bool lower(const Transpose &transpose, Lowering &lowering) {
  const TensorType &input = lowering.operand(0), &result = lowering.result();
  std::vector<int64_t> extents = loop_extents(result);
  Subscripts place = variables(loop_names(result.rank())), from = place;
  for (size_t i = 0; i < result.rank(); ++i) {
    size_t input_dim = *normalized_axis(transpose.permutation[i], input.rank());
    limit_extent(extents[i], input, input_dim);
    from[input_dim] = place[i];
  }
  append_copy(lowering, extents, place, lowering.read(0, from));
  append_zero_lanes(lowering, extents);
  return true;
}

bool lower(const Gather &gather, Lowering &lowering) {
  const TensorType &input = lowering.operand(0), &indices = lowering.operand(1);
  const size_t axis = *normalized_axis(gather.axis, input.rank());
  Subscripts place = variables(loop_names(lowering.result().rank()));
  auto first = place.begin() + static_cast<std::ptrdiff_t>(axis);
  auto last = first + static_cast<std::ptrdiff_t>(indices.rank());
  Subscripts from(place.begin(), first);
  from.push_back(lowering.look_up(1, Subscripts(first, last), input.shape[axis]));
  from.insert(from.end(), last, place.end());
  append_copy(lowering, loop_extents(lowering.result()), place, lowering.read(0, from));
  return true;
}

bool lower(const Expand &, Lowering &lowering) {
  const TensorType &input = lowering.operand(0), &result = lowering.result();
  std::vector<int64_t> extents = loop_extents(result);
  const size_t missing = result.rank() - input.rank();
  for (size_t i = 0; i < input.rank(); ++i)
    if (input.shape[i] == result.shape[missing + i])
      limit_extent(extents[missing + i], input, i);
  Subscripts place = variables(loop_names(result.rank()));
  append_copy(lowering, extents, place, lowering.read_broadcast(0, place));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace cnnc
