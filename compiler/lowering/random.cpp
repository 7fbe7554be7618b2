// Random numbers as a loop over the result, each from its place in row-major order:
//
//   for n, c {
//     reg u: f32
//     u = uniform(n * 100 + c, 7, counter[0])
//     result[n, c] = u
//   }
//
// The register lets a tile read the counter once: a store stands behind all of it.
#include "compiler/lowering/extents.h"

namespace cnnc {

bool lower(const RandomUniform &op, Lowering &lowering) {
  const std::vector<int64_t> &shape = lowering.result().shape;
  const std::vector<std::string> names = loop_names(shape.size());
  loop::Index place;
  for (size_t i = 0; i < names.size(); ++i)
    place = place * shape[i] + var(names[i]);
  const Subscripts first(lowering.operand(0).rank(), 0);
  std::vector<loop::Statement> body;
  define(body, "u", loop::uniform(place, op.seed, lowering.read(0, first)));
  body.push_back(lowering.write(variables(names), scalar("u")));
  append_loops(lowering, names, shape, std::move(body));
  return true;
}

} // namespace cnnc
