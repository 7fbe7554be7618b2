// scatter_add as loops that add each element where its index says, in the order of the indices, so
// that the sums are the same for any number of threads: these share the dimensions around.
//
//   for c, n in 0..80 { result[n, c] = 0 }
//   for c, i0 in 0..32 { result[lookup(indices[i0], 80), c] += updates[i0, c] }
#include "compiler/lowering/extents.h"
#include "compiler/lowering/line.h"

#include <fmt/format.h>

namespace cnnc {

Loops scatter_loops(size_t rank, size_t index_rank) {
  Loops loops = tensor_loops(rank);
  for (size_t i = 0; i < index_rank; ++i)
    loops.push_back({fmt::format("i{}", i), Role::reduction});
  return loops;
}

bool lower(const ScatterAdd &op, Lowering &lowering) {
  const TensorType &indices = lowering.operand(1), &result = lowering.result();
  const size_t axis = *normalized_axis(op.axis, result.rank());
  const std::vector<std::string> names = loop_names(result.rank());
  const std::vector<int64_t> extents = loop_extents(result);
  Nest others, along_indices;
  for (size_t i = 0; i < result.rank(); ++i)
    if (i != axis)
      others.emplace_back(names[i], extents[i]);
  Subscripts index;
  for (size_t i = 0; i < indices.rank(); ++i) {
    along_indices.emplace_back(fmt::format("i{}", i), indices.shape[i]);
    index.push_back(var(along_indices.back().first));
  }
  auto append_nest = [&](const Nest &inner, loop::Statement statement) {
    Nest loops = others;
    loops.insert(loops.end(), inner.begin(), inner.end());
    lowering.append(loop::nest(loops, one(std::move(statement))));
  };
  const Subscripts place = variables(names);
  append_nest({{names[axis], op.size}}, lowering.write(place, loop::number(0)));
  Subscripts to = place, from = place;
  to[axis] = lowering.look_up(1, index, op.size);
  const auto at = from.erase(from.begin() + static_cast<std::ptrdiff_t>(axis));
  from.insert(at, index.begin(), index.end());
  loop::Statement add = lowering.write(to, lowering.read(0, from));
  std::get<loop::Assign>(add.node).accumulate = true;
  append_nest(along_indices, std::move(add));
  return true;
}

} // namespace cnnc
