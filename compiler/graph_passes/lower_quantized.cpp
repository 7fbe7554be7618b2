// Integer arithmetic: convolutions and fully connected layers of quantised numbers become exact sums
// of products of 8 bits, and what stands between them and the next `quantize` computes in its steps.
//
//   %x = dequantize %x.q scale=0.02 zero_point=117
//   %w = dequantize %w.q, %w.scales axis=0
//   %c = conv2d %x, %w, %b pad=[1, 1, 1, 1]
//   %r = relu %c
//   %r.q = quantize %r scale=0.05 to=u8
// becomes
//   %c.sums = conv2d %x.q, %w.q, %c.offset pad=[1, 1, 1, 1] zero_point=117 : i32[1, 32, 56, 56]
//   ...
//   %c = dequantize %c.sums, %c.scales.steps
//   %r.q = quantize %c to=u8
//
// The sum of (x - 117) * w is that of x * w and, for each output channel, a constant: it joins the
// bias, which counts in steps of the sums, rounded to whole ones. Padding holds 117. A relu is what
// saturation does where the zero point is the least number. So the sums are exact on every CPU, and
// behind them stands one multiplication in f32, which is rounded once: no other instruction depends
// on the CPU.
//
// Numbers of i8 between ops become u8, which the instructions for dot products want: 128 more, in
// the zero point, too. Max pools, reshapes and other moves, concats and means take the numbers as
// they are (pass/sink_dequantizes.h), and so do products of matrices (pass/integer_matmul.h). Other
// functions of one number, such as a sigmoid between dequantize and quantize, are tables of their
// 256 results (pass/lookup_tables.h). What stays in floating point is said in a remark.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/integer_matmul.h"
#include "compiler/pass/lookup_tables.h"
#include "compiler/pass/quantized_graph.h"
#include "compiler/pass/sink_dequantizes.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace cnnc {

namespace {

/// Products of u8 and i8 in a sum that 31 bits hold.
constexpr int64_t most_products = ((int64_t(1) << 31) - 1) / (255 * 128);

class QuantizedOps : QuantizedGraph {
public:
  QuantizedOps(Graph &graph, PassContext &context) : QuantizedGraph(graph), context_(context) {}

  bool run() {
    make_unsigned();
    sink_dequantizes(graph_);
    make_lookups(graph_);
    for (NodeId id = 0, count = node_count(); id < count; ++id)
      if (is_one_of<Conv2d, Dense>(graph_.nodes[id].op))
        sum_integers(id);
      else if (std::holds_alternative<Matmul>(graph_.nodes[id].op))
        multiply_matrices(id);
    for (NodeId id : quantizes())
      drop_clamps(id);
    graph_.sort();
    graph_.erase_dead_nodes();
    for (NodeId id : quantizes())
      count_in_steps(id);
    graph_.sort();
    graph_.erase_dead_nodes();
    return true;
  }

private:
  /// Those with one scale that compute something.
  std::vector<NodeId> quantizes() const {
    std::vector<NodeId> result;
    for (NodeId id = 0; id < node_count(); ++id) {
      const Node &node = graph_.nodes[id];
      if (std::holds_alternative<Quantize>(node.op) && is_plain(node) && node.kernel == no_id &&
          !graph_.is_constant(node.results[0]))
        result.push_back(id);
    }
    return result;
  }

  NodeId node_count() const { return static_cast<NodeId>(graph_.nodes.size()); }

  // ---- u8 for i8

  void make_unsigned() {
    for (NodeId id = 0, count = node_count(); id < count; ++id) {
      auto *quantize = std::get_if<Quantize>(&graph_.nodes[id].op);
      const ValueId result = quantize ? graph_.nodes[id].results[0] : no_id;
      if (!quantize || quantize->to != QuantizedType::i8 || !is_plain(graph_.nodes[id]) ||
          graph_.nodes[id].kernel != no_id || graph_.is_constant(result) ||
          graph_.is_output(result) || !only_dequantized(result))
        continue;
      quantize->to = QuantizedType::u8;
      quantize->zero_point += 128;
      graph_.value(result).type->dtype = DType::u8;
      for (NodeId user : graph_.value(result).users)
        std::get<Dequantize>(graph_.nodes[user].op).zero_point += 128;
    }
  }

  bool only_dequantized(ValueId value) const {
    return std::ranges::all_of(graph_.value(value).users, [&](NodeId user) {
      const Node &node = graph_.nodes[user];
      return node.kernel == no_id && std::holds_alternative<Dequantize>(node.op) && is_plain(node);
    });
  }

  // ---- sums of products

  /// A filter or weight of integers and what its sums are scaled by.
  struct Weights {
    ValueId integers = no_id;
    ValueId scales = no_id; // f32 [oc]; no_id: `scale` for all
    float scale = 1;
    bool is_unsigned = false; // u8 around 128
  };

  void sum_integers(NodeId id) {
    const Node &node = graph_.nodes[id];
    const ValueId result = node.results[0];
    if (node.kernel != no_id || type(result).dtype != DType::f32 || graph_.is_constant(result))
      return;
    const auto *x = made_by<Dequantize>(node.operands[0]);
    const auto *w = made_by<Dequantize>(node.operands[1]);
    if (!x && !w)
      return;
    std::string reason;
    const std::optional<Weights> weights = integer_weights(node, reason);
    if (!plain_dequantize(node.operands[0]))
      reason = "its input is not quantised with one scale, in 8 bits";
    if (node.operands.size() > 2 && !graph_.is_constant(node.operands[2]))
      reason = "its bias is no constant";
    if (reason.empty() && weights->scales == no_id &&
        !std::isnormal(static_cast<float>(x->scale) * weights->scale))
      reason = "f32 does not hold the product of its scales";
    if (reason.empty())
      rewrite_sum(id, *x, *weights);
    else
      leave(node, reason);
  }

  void leave(const Node &node, const std::string &reason) const {
    const std::string &result = name(node.results[0]);
    context_.recorder("lower_quantized", result).note("arithmetic", "f32", reason);
    if (context_.remark)
      context_.remark(fmt::format("{} %{} is computed in f32: {}", info_of(node.op).name,
                                  format_name(result), reason));
  }

  void multiply_matrices(NodeId id) {
    const Node &node = graph_.nodes[id];
    if (node.kernel != no_id || type(node.results[0]).dtype != DType::f32 ||
        graph_.is_constant(node.results[0]) ||
        !(made_by<Dequantize>(node.operands[0]) || made_by<Dequantize>(node.operands[1])))
      return;
    if (const std::string reason = make_integer_matmul(graph_, id); !reason.empty())
      leave(graph_.nodes[id], reason);
  }

  std::optional<Weights> integer_weights(const Node &node, std::string &reason) const {
    const ValueId weight = node.operands[1];
    const auto *op = made_by<Dequantize>(weight);
    auto refuse = [&](std::string why) {
      reason = std::move(why);
      return std::nullopt;
    };
    if (!op || !graph_.is_constant(weight))
      return refuse("its weights are not quantised, or no constants");
    const std::vector<ValueId> &operands = producer_of(graph_, weight)->operands;
    const bool is_unsigned = type(operands[0]).dtype == DType::u8;
    if (size_of(type(operands[0]).dtype) != 1)
      return refuse("its weights are not of 8 bits");
    if (operands.size() > 2 || op->zero_point != (is_unsigned ? 128 : 0))
      return refuse(is_unsigned ? "its weights are u8 with a zero point other than 128"
                                : "its weights have a zero point other than 0");
    if (operands.size() > 1 && *normalized_axis(op->axis, type(weight).rank()) != 0)
      return refuse("the scales of its weights are not one for each output channel");
    const std::vector<int64_t> &shape = type(weight).shape;
    if (element_count({shape.begin() + 1, shape.end()}).value_or(most_products) >= most_products)
      return refuse("32 bits do not hold sums of so many products");
    return Weights{operands[0], operands.size() > 1 ? operands[1] : no_id,
                   static_cast<float>(op->scale), is_unsigned};
  }

  /// The weights as i8.
  ValueId signed_weights(const Weights &weights, const std::string &base) {
    if (!weights.is_unsigned)
      return weights.integers;
    const ValueId floats = add(Cast{CastType::f32}, {weights.integers}, base + ".weights");
    const ValueId centred =
        add(Binary{binary::sub}, {floats, splat(128, {DType::f32, {}, "", {}}, base + ".middle")},
            base + ".weights.centred");
    return add(Cast{CastType::i8}, {centred}, base + ".weights.i8");
  }

  void rewrite_sum(NodeId id, const Dequantize &input, Weights weights) {
    const Node node = graph_.nodes[id]; // a copy: nodes are added
    const std::string base = name(node.results[0]);
    weights.integers = signed_weights(weights, base);
    const float scale = static_cast<float>(input.scale);
    Dequantize dequantize;
    std::vector<ValueId> scales;
    if (weights.scales == no_id)
      dequantize.scale = static_cast<double>(scale * weights.scale);
    else
      scales = {add(Binary{binary::mul},
                    {weights.scales, splat(scale, {DType::f32, {}, "", {}}, base + ".input_scale")},
                    base + ".scales")};
    ValueId bias = node.operands.size() > 2
                       ? bias_in_steps(node.operands[2], scales, dequantize.scale, base)
                       : no_id;
    if (input.zero_point != 0)
      bias = with_zero_point(node, input.zero_point, weights.integers, bias, base);
    Op op = node.op;
    if (auto *conv = std::get_if<Conv2d>(&op)) {
      conv->zero_point = input.zero_point;
      conv->winograd = 0;
    }
    std::vector<ValueId> operands = {operand_of(node.operands[0]), weights.integers};
    if (bias != no_id)
      operands.push_back(bias);
    const ValueId sums = add(op, std::move(operands), base + ".sums");
    scales.insert(scales.begin(), sums);
    graph_.redefine(id, dequantize, std::move(scales));
  }

  /// round(bias / scale) as i32.
  ValueId bias_in_steps(ValueId bias, const std::vector<ValueId> &scales, double scale,
                        const std::string &base) {
    const ValueId divisor =
        scales.empty() ? splat(scale, {DType::f32, {}, "", {}}, base + ".scale") : scales[0];
    ValueId steps = add(Binary{binary::div}, {bias, divisor}, base + ".bias.scaled");
    const UnaryRow *round = std::get<Unary>(find_op("round")->make()).row;
    steps = add(Unary{round}, {steps}, base + ".bias.rounded");
    return add(Cast{CastType::i32}, {steps}, base + ".bias");
  }

  /// The bias, less what the zero point of the input adds to every sum: the same op on an input
  /// that holds nothing else, for one position.
  ValueId with_zero_point(const Node &node, int64_t zero_point, ValueId weights, ValueId bias,
                          const std::string &base) {
    TensorType all = type(operand_of(node.operands[0]));
    all.dtype = DType::i32;
    all.batch_name.clear();
    all.shape[0] = 1;
    Op op = Dense{};
    if (const auto *conv = std::get_if<Conv2d>(&node.op)) {
      Conv2d once;
      once.groups = conv->groups;
      op = once;
      all.shape[2] = type(weights).shape[2];
      all.shape[3] = type(weights).shape[3];
    }
    std::vector<ValueId> operands = {
        splat(-static_cast<double>(zero_point), all, base + ".zero_point"), weights};
    if (bias != no_id)
      operands.push_back(bias);
    const ValueId sums = add(op, std::move(operands), base + ".offsets");
    return add(Reshape{{type(weights).shape[0]}}, {sums}, base + ".offset");
  }

  // ---- arithmetic in steps of the result

  /// Divides what a quantize reads by its scale where that is free: in the scales of what is
  /// dequantised, and in constants.
  void count_in_steps(NodeId id) {
    const Node &node = graph_.nodes[id];
    const auto &quantize = std::get<Quantize>(node.op);
    const auto scale = static_cast<float>(quantize.scale);
    if (scale == 1 || !is_homogeneous(node.operands[0], id, scale))
      return;
    divided_.clear();
    const ValueId divided = divide(node.operands[0], static_cast<double>(scale));
    Quantize steps = quantize;
    steps.scale = 1;
    graph_.redefine(id, steps, {divided});
  }

  /// What saturation does anyway.
  void drop_clamps(NodeId id) {
    while (true) {
      const Node &node = graph_.nodes[id];
      const auto &quantize = std::get<Quantize>(node.op);
      const auto *unary = made_by<Unary>(node.operands[0]);
      if (!unary || single_user(graph_, node.operands[0]) != id)
        return;
      auto step = [&](double x) {
        const float quotient = static_cast<float>(x) / static_cast<float>(quantize.scale);
        return std::nearbyint(static_cast<double>(quotient)) +
               static_cast<double>(quantize.zero_point);
      };
      const bool relu = unary->row == unary::relu, clip = unary->row == unary::clip;
      const double least = relu ? 0 : unary->parameters[0];
      const bool below = step(least) <= static_cast<double>(least_of(quantize.dtype()));
      const bool above =
          relu || step(unary->parameters[1]) >= static_cast<double>(largest_of(quantize.dtype()));
      if (!(relu || clip) || !below || !above)
        return;
      graph_.set_operand(id, 0, operand_of(node.operands[0]));
    }
  }

  /// Whether dividing all its sources divides the value, which `reader` alone reads.
  bool is_homogeneous(ValueId value, NodeId reader, float scale) const {
    const Node *node = producer_of(graph_, value);
    if (graph_.is_constant(value))
      return type(value).dtype == DType::f32;
    if (!node || node->kernel != no_id)
      return false;
    if (const auto *dequantize = std::get_if<Dequantize>(&node->op))
      return node->operands.size() > 1 ||
             std::isnormal(static_cast<float>(dequantize->scale) / scale);
    const std::optional<NodeId> user = single_user(graph_, value);
    if (user != reader)
      return false;
    const NodeId own = graph_.value(value).producer;
    if (const auto *unary = std::get_if<Unary>(&node->op))
      return (unary->row == unary::relu || unary->row == unary::clip || unary->row == unary::neg ||
              unary->row == unary::abs || unary->row->name == "leaky_relu") &&
             is_homogeneous(node->operands[0], own, scale);
    const auto *binary = std::get_if<Binary>(&node->op);
    return binary &&
           (binary->row == binary::add || binary->row == binary::sub ||
            binary->row->name == "max" || binary->row->name == "min") &&
           is_homogeneous(node->operands[0], own, scale) &&
           is_homogeneous(node->operands[1], own, scale);
  }

  /// Once, also where an op reads it twice.
  ValueId divide(ValueId value, double scale) {
    if (const auto found = divided_.find(value); found != divided_.end())
      return found->second;
    const ValueId result = divide_anew(value, scale);
    divided_[value] = result;
    return result;
  }

  ValueId divide_anew(ValueId value, double scale) {
    const std::string steps = name(value) + ".steps";
    if (graph_.is_constant(value))
      return add(Binary{binary::div},
                 {value, splat(scale, {DType::f32, {}, "", {}}, steps + ".size")}, steps);
    const NodeId id = graph_.value(value).producer;
    const Node node = graph_.nodes[id];
    if (const auto *dequantize = std::get_if<Dequantize>(&node.op)) {
      Dequantize op = *dequantize;
      std::vector<ValueId> operands = node.operands;
      if (operands.size() == 1)
        op.scale = static_cast<double>(
            static_cast<float>(static_cast<double>(static_cast<float>(op.scale)) / scale));
      else
        operands[1] = divide(operands[1], scale);
      if (graph_.value(value).users.size() > 1 || graph_.is_output(value))
        return add(op, std::move(operands), steps);
      graph_.redefine(id, op, std::move(operands));
      return value;
    }
    std::vector<ValueId> operands;
    for (ValueId operand : node.operands)
      operands.push_back(divide(operand, scale));
    Op op = node.op;
    if (auto *unary = std::get_if<Unary>(&op); unary && unary->row == unary::clip)
      for (double &bound : unary->parameters)
        bound = static_cast<double>(static_cast<float>(bound / scale));
    graph_.redefine(id, op, std::move(operands));
    return value;
  }

  PassContext &context_;
  std::map<ValueId, ValueId> divided_; // for the quantize at work
};

} // namespace

bool lower_quantized(Graph &graph, PassContext &context) {
  const bool quantized = std::ranges::any_of(
      graph.nodes, [](const Node &node) { return is_one_of<Quantize, Dequantize>(node.op); });
  context.unchanged = !quantized;
  return !quantized || QuantizedOps(graph, context).run();
}

} // namespace cnnc
