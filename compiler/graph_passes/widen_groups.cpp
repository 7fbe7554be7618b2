// Joins the groups of a grouped convolution until they fill whole vectors. For vectors of 16:
//
//   %c = conv2d %x, %w groups=32       %c.groups = reshape %w shape=[8, 4, 4, 1, 4, 9]
//     (groups of 4 channels)      =>   %c.diagonal = literal [1, 0, 0, 0, 0, 1, ...]
//                                      %c.spread = mul %c.groups, %c.diagonal
//                                      %c.widened = reshape %c.spread shape=[128, 16, 3, 3]
//                                      %c = conv2d %x, %c.widened groups=8
//
// The filter of the joined groups is a block diagonal of theirs, zero elsewhere: more
// multiplications (here 4 times), but by vectors and in the layout of its neighbours. Without it,
// such a convolution is done on plain NCHW. Only filters that are constants, since they are large;
// what is written here is computed once, when the weights are stored.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/graph_passes/rewrite.h"

namespace cnnc {

namespace {

/// With more groups in one, the multiplications by zero cost more than whole vectors gain.
constexpr int64_t most_joined = 8;

/// How many groups to join: the fewest that fill vectors, or all of them. 1 where there is nothing
/// to gain.
int64_t groups_to_join(const std::vector<int64_t> &filter, int64_t groups, int64_t lanes) {
  int64_t outputs = filter[0] / groups, inputs = filter[1];
  bool depthwise = inputs == 1 && outputs == 1;
  if (groups == 1 || depthwise)
    return 1;
  for (int64_t joined = 1; joined <= most_joined; ++joined) {
    bool whole = joined * outputs % lanes == 0 && joined * inputs % lanes == 0;
    if (groups % joined == 0 && (whole || joined == groups))
      return joined;
  }
  return 1;
}

/// The filter [oc, ic, kh, kw] of `groups` groups as one of groups / joined groups.
ValueId widen_filter(Graph &graph, ValueId filter, int64_t groups, int64_t joined,
                     const std::string &name) {
  const std::vector<int64_t> shape = graph.type(filter).shape;
  ValueId split = add_inferred(
      graph,
      Reshape{{groups / joined, joined, shape[0] / groups, 1, shape[1], shape[2] * shape[3]}},
      {filter}, name + ".groups");
  Literal identity;
  for (int64_t i = 0; i < joined * joined; ++i)
    identity.values.push_back(i % (joined + 1) == 0 ? 1 : 0);
  ValueId diagonal = graph.add_node(std::move(identity), {}, name + ".diagonal",
                                    {DType::f32, {1, joined, 1, joined, 1, 1}});
  ValueId spread =
      add_inferred(graph, Binary{BinaryKind::mul}, {split, diagonal}, name + ".spread");
  return add_inferred(graph, Reshape{{shape[0], joined * shape[1], shape[2], shape[3]}}, {spread},
                      name + ".widened");
}

} // namespace

bool widen_groups(Graph &graph, PassContext &context) {
  std::vector<bool> constant = graph.constant_values();
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id) {
    const auto *conv = std::get_if<Conv2d>(&graph.nodes[id].op);
    if (!conv || graph.nodes[id].kernel != no_id)
      continue;
    ValueId filter = graph.nodes[id].operands[1];
    int64_t groups = conv->groups;
    int64_t joined = groups_to_join(graph.type(filter).shape, groups, context.machine.vector_lanes);
    if (joined == 1 || !constant[filter] || !graph.type(filter).layout.plain())
      continue;
    const std::string name = graph.value(graph.nodes[id].results[0]).name;
    ValueId widened = widen_filter(graph, filter, groups, joined, name);
    graph.nodes[id].operands[1] = widened;
    std::get<Conv2d>(graph.nodes[id].op).groups = groups / joined;
  }
  return graph.sort();
}

} // namespace cnnc
