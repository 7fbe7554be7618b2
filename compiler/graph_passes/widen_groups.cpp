// Joins the groups of a grouped convolution until they fill whole vectors. 32 groups of 4 channels
// become 8 of 16 for vectors of 16:
//
//   %c = conv2d %x, %w, %b pad=[1, 1, 1, 1] groups=32
// becomes
//   %c.groups = reshape %w shape=[8, 4, 4, 1, 4, 9]
//   %c.diagonal = literal [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] : f32[1, 4, 1, 4, 1, 1]
//   %c.spread = mul %c.groups, %c.diagonal
//   %c.widened = reshape %c.spread shape=[128, 16, 3, 3]
//   %c = conv2d %x, %c.widened, %b pad=[1, 1, 1, 1] groups=8
//
// Of 13 groups of 8 channels, 12 become 6 of 16; the last one becomes a convolution of its own on
// the last channels, and what both compute is joined:
//
//   %c = conv2d %x, %w, %b pad=[1, 1, 1, 1] stride=[2, 2] groups=13
//   %r = relu %c
// becomes
//   %c.first.input = slice %x starts=[0] ends=[96] axes=[1]
//   ...
//   %c.first = conv2d %c.first.input, %c.first.widened, %c.first.bias ... groups=6
//   %r.1 = relu %c.first
//   %c.rest.input = slice %x starts=[96] ends=[104] axes=[1]
//   ...
//   %c.rest = conv2d %c.rest.input, %c.rest.filter, %c.rest.bias ...
//   %r.2 = relu %c.rest
//   %r = concat %r.1, %r.2 axis=1
//
// The filter of the joined groups is a block diagonal of theirs, zero elsewhere: more
// multiplications (here 4 times), but by vectors and in the layout of its neighbours. Without it,
// such a convolution is done on plain NCHW. Only filters that are constants, since they are large;
// what is written here is computed once, when the weights are stored.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"

namespace cnnc {

namespace {

/// With more groups in one, the multiplications by zero cost more than whole vectors gain.
constexpr int64_t most_joined = 8;

/// How many groups to join: the fewest that fill vectors, or all of them. 1 where there is nothing
/// to gain. Where that many do not divide the groups, there is a rest.
int64_t groups_to_join(const std::vector<int64_t> &filter, int64_t groups, int64_t lanes) {
  int64_t outputs = filter[0] / groups, inputs = filter[1];
  bool depthwise = inputs == 1 && outputs == 1;
  if (groups == 1 || depthwise)
    return 1;
  for (int64_t joined = 1; joined <= most_joined; ++joined) {
    bool whole = joined * outputs % lanes == 0 && joined * inputs % lanes == 0;
    if (joined <= groups && (whole || joined == groups))
      return joined;
  }
  return 1;
}

/// Part of a convolution: its groups from `begin` on up to `end`.
class GroupsOf {
public:
  GroupsOf(Graph &graph, NodeId convolution)
      : graph_(graph), node_(graph.nodes[convolution]), conv_(std::get<Conv2d>(node_.op)),
        filter_(graph.type(node_.operands[1]).shape) {}

  ValueId compute(int64_t begin, int64_t end, const std::string &name) {
    const int64_t outputs = filter_[0] / conv_.groups;
    std::vector<ValueId> operands = {
        part(node_.operands[0], 1, begin * filter_[1], end * filter_[1], name + ".input"),
        part(node_.operands[1], 0, begin * outputs, end * outputs, name + ".filter")};
    if (node_.operands.size() > 2)
      operands.push_back(
          part(node_.operands[2], 0, begin * outputs, end * outputs, name + ".bias"));
    Conv2d conv = conv_;
    conv.groups = end - begin;
    return add_inferred(graph_, conv, operands, graph_.unique_value_name(name));
  }

private:
  ValueId part(ValueId value, int64_t axis, int64_t begin, int64_t end, const std::string &name) {
    return add_inferred(graph_, Slice{{begin}, {end}, {axis}, {}}, {value},
                        graph_.unique_value_name(name));
  }

  Graph &graph_;
  const Node &node_;
  const Conv2d &conv_;
  const std::vector<int64_t> &filter_;
};

/// Computes the first `whole` groups and the rest in convolutions of their own, and the unary ops
/// that follow, too, so that they fuse.
void split(Graph &graph, NodeId id, int64_t whole) {
  ValueId last = graph.nodes[id].results[0];
  const std::string name = graph.value(last).name;
  GroupsOf parts(graph, id);
  ValueId first = parts.compute(0, whole, name + ".first");
  ValueId rest = parts.compute(whole, std::get<Conv2d>(graph.nodes[id].op).groups, name + ".rest");
  while (std::optional<NodeId> user = single_user(graph, last)) {
    const Node &node = graph.nodes[*user];
    if (!std::holds_alternative<Unary>(node.op) || node.kernel != no_id)
      break;
    last = node.results[0];
    for (ValueId *value : {&first, &rest})
      *value =
          add_inferred(graph, node.op, {*value}, graph.unique_value_name(graph.value(last).name));
  }
  ValueId joined =
      add_inferred(graph, Concat{1}, {first, rest}, graph.unique_value_name(name + ".joined"));
  replace_value(graph, last, joined);
}

/// The filter [oc, ic, kh, kw] of `groups` groups as one of groups / joined groups.
ValueId widen_filter(Graph &graph, ValueId filter, int64_t groups, int64_t joined,
                     const std::string &name) {
  const std::vector<int64_t> &shape = graph.type(filter).shape;
  ValueId split = add_inferred(
      graph,
      Reshape{{groups / joined, joined, shape[0] / groups, 1, shape[1], shape[2] * shape[3]}},
      {filter}, name + ".groups");
  Literal identity;
  for (int64_t i = 0; i < joined * joined; ++i)
    identity.values.push_back(i % (joined + 1) == 0 ? 1 : 0);
  ValueId diagonal = graph.add_node(std::move(identity), {}, name + ".diagonal",
                                    {DType::f32, {1, joined, 1, joined, 1, 1}});
  ValueId spread = add_inferred(graph, Binary{binary::mul}, {split, diagonal}, name + ".spread");
  return add_inferred(graph, Reshape{{shape[0], joined * shape[1], shape[2], shape[3]}}, {spread},
                      name + ".widened");
}

} // namespace

bool widen_groups(Graph &graph, PassContext &context) {
  bool changed = false;
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const auto *conv = std::get_if<Conv2d>(&graph.nodes[id].op);
    if (!conv || graph.nodes[id].kernel != no_id)
      continue;
    ValueId filter = graph.nodes[id].operands[1];
    int64_t groups = conv->groups;
    int64_t joined = groups_to_join(graph.type(filter).shape, groups, context.machine.vector_lanes);
    if (joined == 1 || !graph.is_constant(filter) || !graph.type(filter).layout.plain())
      continue;
    if (groups % joined != 0) {
      split(graph, id, groups / joined * joined);
      changed = true;
      continue;
    }
    const std::string name = graph.value(graph.nodes[id].results[0]).name;
    ValueId widened = widen_filter(graph, filter, groups, joined, name);
    graph.set_operand(id, 1, widened);
    std::get<Conv2d>(graph.nodes[id].op).groups = groups / joined;
  }
  graph.sort();
  if (changed)
    graph.erase_dead_nodes();
  return true;
}

} // namespace cnnc
