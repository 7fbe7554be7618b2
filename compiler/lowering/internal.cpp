// A change of the layout as loops that copy the elements, and zeros for the lanes of the result
// that the operand does not have:
//
//   for n, c, h, w { result[n, c / 16, h, w, c % 16] = input[n, c, h, w] }
#include "compiler/lowering/extents.h"

namespace cnnc {

bool lower(const Relayout &, Lowering &lowering) {
  if (lowering.result().layout.winograd > 0)
    return lower_winograd_filter(lowering);
  std::vector<int64_t> extents = loop_extents(lowering.result());
  for (size_t i = 0; i < extents.size(); ++i)
    limit_extent(extents[i], lowering.operand(0), i);
  std::vector<std::string> names = loop_names(extents.size());
  std::vector<loop::Statement> body;
  body.push_back(lowering.write(variables(names), lowering.read(0, variables(names))));
  append_loops(lowering, names, extents, std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace cnnc
