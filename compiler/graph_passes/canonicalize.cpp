// Canonicalisation: takes out ops that do nothing and gives the others one spelling, until nothing
// changes any more.
//
//   %d = dropout %x                                 %y = conv2d %x, %w pad=[1, 1, 1, 1]
//   %p = pad %d before=[0, 0, 1, 1] ...        =>   %r = relu %y
//   %y = conv2d %p, %w                              %m = global_avg_pool2d %r
//   %r = clip %y min=0
//   %m = reduce_mean %r axes=[2, 3]
//
// Element-wise ops move from behind a depth_to_space to before it, where they fuse with what
// computes the channels:
//
//   %d = depth_to_space %c block=[2, 2]             %r.channels = relu %c
//   %r = relu %d                               =>   %r = depth_to_space %r.channels block=[2, 2]
//
// A mean of pixels moves from behind a 1x1 convolution to before it, which then has fewer to
// compute. Ops that the rewrites leave unread go as well. Members of kernels stay as they are.

#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"

#include <algorithm>
#include <limits>

namespace cnnc {

namespace {

bool all_zero(const std::vector<int64_t> &list) {
  return std::all_of(list.begin(), list.end(), [](int64_t i) { return i == 0; });
}

class Canonicalizer {
public:
  explicit Canonicalizer(Graph &graph) : graph_(graph) {}

  /// True when the op was changed or replaced.
  bool rewrite(NodeId id) {
    const Node &node = graph_.nodes[id];
    if (node.kernel != no_id || node.operands.empty())
      return false;
    id_ = id;
    if (drop_empty())
      return true;
    Op op = node.op; // a copy, as the node may become another op on the way
    return std::visit([&](const auto &o) { return simplify(o); }, op);
  }

private:
  Node &node() { return graph_.nodes[id_]; }
  ValueId operand() { return node().operands[0]; }
  ValueId result() { return node().results[0]; }
  const TensorType &operand_type() { return graph_.type(operand()); }
  const TensorType &result_type() { return graph_.type(result()); }
  bool plain() { return operand_type().layout.plain() && result_type().layout.plain(); }

  /// Lets the operand stand for the result, which must have the same type.
  bool forward() {
    return operand_type() == result_type() && replace_value(graph_, result(), operand());
  }

  bool become(Op op, std::vector<ValueId> operands) {
    return cnnc::become(graph_, id_, std::move(op), std::move(operands));
  }

  /// The op of type T that computes the operand, outside of the kernels.
  template <class T> const T *operand_op() {
    const Node *producer = producer_of(graph_, operand());
    return producer && producer->kernel == no_id ? std::get_if<T>(&producer->op) : nullptr;
  }
  ValueId operand_of_operand() { return producer_of(graph_, operand())->operands[0]; }

  /// Nothing has to be computed where no result has an element.
  bool drop_empty() {
    const std::vector<ValueId> &results = node().results;
    if (!std::all_of(results.begin(), results.end(),
                     [&](ValueId id) { return is_empty(graph_.type(id)); }))
      return false;
    bool dropped = false;
    for (ValueId id : results) {
      ValueId splat =
          graph_.add_node(Splat{0}, {}, graph_.values[id].name + ".empty", graph_.type(id));
      dropped = replace_value(graph_, id, splat) || dropped;
    }
    return dropped;
  }

  template <class T> bool simplify(const T &) { return false; }

  bool simplify(const Unary &unary) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (unary.row == unary::dropout)
      return forward();
    if (shuffled(0))
      return before_shuffle(unary, 0, {});
    if (unary.row != unary::clip || unary.parameters[1] != infinity)
      return false;
    if (unary.parameters[0] == -infinity)
      return forward();
    return unary.parameters[0] == 0 && become(Unary{unary::relu}, {operand()});
  }

  /// A square is a product.
  bool square(const Binary &binary) {
    const Node *exponent = producer_of(graph_, node().operands[1]);
    const Splat *splat = exponent ? std::get_if<Splat>(&exponent->op) : nullptr;
    return binary.row == binary::pow && splat && splat->value == 2 &&
           become(Binary{binary::mul}, {operand(), operand()});
  }

  /// The depth_to_space that computes an operand for this op alone.
  const DepthToSpace *shuffled(size_t index) {
    ValueId value = node().operands[index];
    const Node *producer = producer_of(graph_, value);
    const auto *shuffle =
        producer && producer->kernel == no_id ? std::get_if<DepthToSpace>(&producer->op) : nullptr;
    bool moves = shuffle && plain() && single_user(graph_, value) == id_ &&
                 std::count(node().operands.begin(), node().operands.end(), value) == 1;
    return moves && graph_.type(value) == result_type() ? shuffle : nullptr;
  }

  /// What works on single elements is computed before a depth_to_space, where it can join the
  /// convolution. The other operands are constants per channel.
  bool before_shuffle(Op op, size_t index, std::vector<ValueId> others) {
    const DepthToSpace &shuffle = *shuffled(index);
    ValueId channels = producer_of(graph_, node().operands[index])->operands[0];
    others.insert(others.begin() + static_cast<std::ptrdiff_t>(index), channels);
    std::string name = graph_.unique_value_name(graph_.values[result()].name + ".channels");
    ValueId moved = add_inferred(graph_, std::move(op), others, name);
    return become(shuffle, {moved});
  }

  bool simplify(const BatchNorm &norm) {
    const DepthToSpace *shuffle = shuffled(0);
    if (!shuffle || norm.statistics == Statistics::batch ||
        !std::all_of(node().operands.begin() + 1, node().operands.end(),
                     [&](ValueId operand) { return graph_.is_constant(operand); }))
      return false;
    std::vector<ValueId> parameters(node().operands.begin() + 1, node().operands.end());
    for (ValueId &parameter : parameters)
      parameter = repeat_for_pixels(graph_, parameter, shuffle->block[0] * shuffle->block[1],
                                    shuffle->mode, graph_.values[parameter].name + ".repeated");
    return before_shuffle(norm, 0, std::move(parameters));
  }

  bool simplify(const Binary &binary) {
    if (square(binary))
      return true;
    for (size_t index : {0, 1}) {
      ValueId other = node().operands[1 - index];
      const DepthToSpace *shuffle = shuffled(index);
      if (!shuffle || !graph_.is_constant(other))
        continue;
      if (std::optional<ValueId> repeated = repeated_constant(other, *shuffle))
        return before_shuffle(binary, index, {*repeated});
    }
    return false;
  }

  /// A constant of one element, or of one per channel, for the channels before a depth_to_space.
  std::optional<ValueId> repeated_constant(ValueId value, const DepthToSpace &shuffle) {
    const TensorType &type = graph_.type(value);
    const int64_t count = element_count(type.shape).value_or(0), channels = result_type().shape[1];
    if (!type.layout.plain() || type.rank() > 4 || count > channels)
      return std::nullopt;
    if (count == 1)
      return value;
    if (type.rank() < 3 || type.shape[type.rank() - 3] != channels || count != channels)
      return std::nullopt;
    std::string name = graph_.values[value].name;
    ValueId vector = add_inferred(graph_, Reshape{{channels}}, {value},
                                  graph_.unique_value_name(name + ".vector"));
    const int64_t pixels = shuffle.block[0] * shuffle.block[1];
    vector = repeat_for_pixels(graph_, vector, pixels, shuffle.mode, name + ".repeated");
    return add_inferred(graph_, Reshape{{channels * pixels, 1, 1}}, {vector},
                        graph_.unique_value_name(name + ".per_channel"));
  }

  bool simplify(const DepthToSpace &shuffle) {
    const std::array<int64_t, 2> none = {1, 1};
    if (shuffle.block != none || !plain())
      return false;
    if (shuffle.crop == std::array<int64_t, 4>{})
      return forward();
    const std::vector<int64_t> &shape = result_type().shape;
    return become(Slice{{shuffle.crop[0], shuffle.crop[1]},
                        {shuffle.crop[0] + shape[2], shuffle.crop[1] + shape[3]},
                        {2, 3},
                        {}},
                  {operand()});
  }

  bool simplify(const SpaceToDepth &) { return forward(); }

  bool simplify(const Reshape &) { return simplify_reshape(); }
  bool simplify(const Flatten &) { return simplify_reshape(); }
  bool simplify_reshape() {
    if (!plain())
      return false;
    if (forward())
      return true;
    bool chain = operand_op<Reshape>() || operand_op<Flatten>();
    return chain && graph_.type(operand_of_operand()).layout.plain() &&
           become(reshape_to(result_type()), {operand_of_operand()});
  }

  bool simplify(const Transpose &transpose) {
    if (!plain())
      return false;
    const std::vector<int64_t> &permutation = transpose.permutation;
    if (std::is_sorted(permutation.begin(), permutation.end()))
      return forward();
    if (const Transpose *inner = operand_op<Transpose>()) {
      Transpose both;
      for (int64_t axis : permutation)
        both.permutation.push_back(inner->permutation[static_cast<size_t>(axis)]);
      if (graph_.type(operand_of_operand()).layout.plain())
        return become(both, {operand_of_operand()});
    }
    // When only dimensions of size 1 move, the elements stay in order.
    std::vector<int64_t> moved;
    for (int64_t axis : permutation)
      if (operand_type().shape[static_cast<size_t>(axis)] != 1)
        moved.push_back(axis);
    return std::is_sorted(moved.begin(), moved.end()) &&
           become(reshape_to(result_type()), {operand()});
  }

  bool simplify(const Relayout &) {
    if (forward())
      return true;
    return operand_op<Relayout>() && operand_type().dtype == result_type().dtype &&
           become(Relayout{}, {operand_of_operand()});
  }

  bool simplify(const Concat &concat) {
    std::vector<ValueId> parts = node().operands;
    std::erase_if(parts, [&](ValueId id) { return is_empty(graph_.type(id)); });
    if (parts.size() < node().operands.size())
      return become(concat, std::move(parts));
    return parts.size() == 1 ? forward() : pad_instead(concat) || join_split(concat);
  }

  /// One tensor between splats of one value: a border.
  bool pad_instead(const Concat &concat) {
    const std::vector<ValueId> operands = node().operands;
    const size_t axis = normalized_axis(concat.axis, result_type().rank()).value_or(0);
    Pad pad{std::vector<int64_t>(result_type().rank(), 0),
            std::vector<int64_t>(result_type().rank(), 0)};
    std::optional<ValueId> inner;
    std::optional<double> value;
    for (ValueId operand : operands) {
      const Node *producer = producer_of(graph_, operand);
      const Splat *splat = producer ? std::get_if<Splat>(&producer->op) : nullptr;
      if (splat) {
        (inner ? pad.after : pad.before)[axis] += graph_.type(operand).shape[axis];
        if (value.value_or(splat->value) != splat->value)
          return false;
        value = splat->value;
      } else if (inner) {
        return false;
      } else {
        inner = operand;
      }
    }
    if (!inner || !value || result_type().dtype != DType::f32)
      return false;
    pad.value = *value;
    return become(pad, {*inner});
  }

  /// Lets the operand of a split stand for all of its results, where a concat joins them again.
  bool join_split(const Concat &concat) {
    const std::vector<ValueId> operands = node().operands;
    for (size_t i = 0; i < operands.size(); ++i) {
      const Node *producer = producer_of(graph_, operands[i]);
      const Split *split = producer ? std::get_if<Split>(&producer->op) : nullptr;
      size_t rank = result_type().rank();
      if (!split || producer->kernel != no_id ||
          normalized_axis(split->axis, rank) != normalized_axis(concat.axis, rank) ||
          producer->results.size() > operands.size() - i ||
          !std::equal(producer->results.begin(), producer->results.end(),
                      operands.begin() + static_cast<std::ptrdiff_t>(i)))
        continue;
      std::vector<ValueId> joined = operands;
      auto first = joined.begin() + static_cast<std::ptrdiff_t>(i);
      *first = producer->operands[0];
      joined.erase(first + 1, first + static_cast<std::ptrdiff_t>(producer->results.size()));
      return become(concat, std::move(joined));
    }
    return false;
  }

  bool simplify(const Split &split) { return split.sizes.size() == 1 && forward(); }

  bool simplify(const Slice &slice) {
    bool forwards =
        std::all_of(slice.steps.begin(), slice.steps.end(), [](int64_t step) { return step == 1; });
    return forwards && forward();
  }

  bool simplify(const Pad &pad) { return all_zero(pad.before) && all_zero(pad.after) && forward(); }

  /// Taps that see nothing but a zero point count.
  bool simplify(const Conv2d &conv) {
    return conv.zero_point == 0 && (absorb_pad(conv) || drop_padded_taps(conv));
  }
  bool simplify(const Local2d &conv) { return absorb_pad(conv); }
  bool simplify(const AvgPool2d &pool) {
    bool no_pad = pool.pad == std::array<int64_t, 4>{};
    AvgPool2d counting = pool;
    counting.count_padding = true;
    if (!pool.ceil_mode && (pool.count_padding || no_pad) && absorb_pad(counting))
      return true;
    const std::vector<int64_t> &shape = operand_type().shape;
    bool whole = pool.kernel == std::array{shape[2], shape[3]} && no_pad;
    if (whole && become(GlobalAvgPool2d{}, {operand()}))
      return true;
    return no_pad && !pool.ceil_mode && pool.stride[0] * pool.stride[1] > 2 && pool_first(pool);
  }
  bool simplify(const GlobalAvgPool2d &pool) { return pool_first(pool); }

  /// The mean of a 1x1 convolution's results is its result on the mean of its inputs, which are
  /// fewer pixels to compute.
  bool pool_first(const Op &pool) {
    const auto *conv = operand_op<Conv2d>();
    constexpr std::array<int64_t, 2> one = {1, 1};
    if (!conv || conv->stride != one || conv->pad != std::array<int64_t, 4>{} || !plain() ||
        single_user(graph_, operand()) != id_)
      return false;
    std::vector<ValueId> operands = producer_of(graph_, operand())->operands;
    const TensorType &filter = graph_.type(operands[1]);
    if (filter.shape[2] != 1 || filter.shape[3] != 1)
      return false;
    const std::string name = graph_.value(operand()).name + ".pooled";
    operands[0] = add_inferred(graph_, pool, {operands[0]}, graph_.unique_value_name(name));
    return become(*conv, operands);
  }

  /// Cuts off rows and columns of the filter that see nothing but padding, as those of atrous
  /// convolutions do whose dilation is as large as the map: only the middle is left of them.
  bool drop_padded_taps(Conv2d conv) {
    const ValueId filter = node().operands[1];
    const std::vector<int64_t> &taps = graph_.type(filter).shape;
    Slice kept{{}, {}, {2, 3}, {}};
    for (size_t i = 0; i < 2; ++i) {
      const int64_t input = operand_type().shape[2 + i], output = result_type().shape[2 + i];
      auto sees_input = [&](int64_t tap) {
        const int64_t first = tap * conv.dilation[i] - conv.pad[i];
        return first < input && first + (output - 1) * conv.stride[i] >= 0;
      };
      int64_t begin = 0, end = taps[2 + i];
      while (begin < end && !sees_input(begin))
        ++begin;
      while (end > begin && !sees_input(end - 1))
        --end;
      conv.pad[i] -= begin * conv.dilation[i];
      conv.pad[2 + i] -= (taps[2 + i] - end) * conv.dilation[i];
      if (begin == end || conv.pad[i] < 0 || conv.pad[2 + i] < 0)
        return false;
      kept.starts.push_back(begin);
      kept.ends.push_back(end);
    }
    if (kept.starts == std::vector<int64_t>{0, 0} &&
        kept.ends == std::vector<int64_t>{taps[2], taps[3]})
      return false;
    std::vector<ValueId> operands = node().operands;
    const std::string name = graph_.value(filter).name + ".kept";
    operands[1] = add_inferred(graph_, kept, {filter}, graph_.unique_value_name(name));
    return become(conv, operands);
  }

  /// Moves a border of zeros around the planes into the `pad` of the op, which has to be the only
  /// reader.
  template <class T> bool absorb_pad(T op) {
    const Pad *pad = operand_op<Pad>();
    bool zeros = pad && pad->mode == PadMode::constant && pad->value == 0 &&
                 pad->before.size() == 4 && plain();
    if (!zeros || single_user(graph_, operand()) != id_ ||
        std::count(node().operands.begin(), node().operands.end(), operand()) != 1 ||
        pad->before[0] + pad->before[1] + pad->after[0] + pad->after[1] != 0)
      return false;
    const int64_t sizes[] = {pad->before[2], pad->before[3], pad->after[2], pad->after[3]};
    for (size_t i = 0; i < 4; ++i) {
      std::optional<int64_t> sum = checked_add(op.pad[i], sizes[i]);
      if (!sum)
        return false;
      op.pad[i] = *sum;
    }
    std::vector<ValueId> operands = node().operands;
    operands[0] = operand_of_operand();
    return become(op, std::move(operands));
  }

  bool simplify(const ReduceMean &mean) {
    if (operand_type().rank() != 4 || mean.axes.size() != 2 || !plain())
      return false;
    std::vector<size_t> axes = {normalized_axis(mean.axes[0], 4).value_or(0),
                                normalized_axis(mean.axes[1], 4).value_or(0)};
    std::sort(axes.begin(), axes.end());
    if (axes != std::vector<size_t>{2, 3})
      return false;
    if (mean.keep_dims)
      return become(GlobalAvgPool2d{}, {operand()});
    ValueId pooled = add_inferred(graph_, GlobalAvgPool2d{}, {operand()},
                                  graph_.values[result()].name + ".pooled");
    return become(reshape_to(result_type()), {pooled});
  }

  Graph &graph_;
  NodeId id_ = 0;
};

} // namespace

bool canonicalize(Graph &graph, PassContext &) {
  Canonicalizer canonicalizer(graph);
  rewrite_until_unchanged(graph, [&](NodeId id) { return canonicalizer.rewrite(id); });
  return true;
}

} // namespace cnnc
