#include "compiler/lowering/extents.h"

#include <algorithm>

namespace cnnc {

void limit_extent(int64_t &extent, const TensorType &operand, size_t operand_dim) {
  extent = std::min(extent, loop_extents(operand)[operand_dim]);
}

void append_loops(Lowering &lowering, const std::vector<std::string> &names,
                  const std::vector<int64_t> &extents, std::vector<loop::Statement> body) {
  std::vector<std::pair<std::string, int64_t>> loops;
  for (size_t i = 0; i < names.size(); ++i)
    loops.emplace_back(names[i], extents[i]);
  if (loops.empty()) // a scalar: its nest can then be joined to others like any
    loops.emplace_back("one", 1);
  lowering.append(loop::nest(loops, std::move(body)));
}

void append_zero_lanes(Lowering &lowering, const std::vector<int64_t> &extents,
                       size_t result_index) {
  std::vector<int64_t> all = loop_extents(lowering.result(result_index));
  std::vector<std::string> names = loop_names(all.size());
  for (size_t dim = 0; dim < all.size(); ++dim) {
    if (extents[dim] >= all[dim])
      continue;
    std::vector<int64_t> rest = all;
    rest[dim] = all[dim] - extents[dim];
    Subscripts place = variables(names);
    place[dim] = place[dim] + extents[dim];
    std::vector<loop::Statement> body;
    body.push_back(lowering.write(place, loop::number(0), result_index));
    append_loops(lowering, names, rest, std::move(body));
  }
}

} // namespace cnnc
