#include "compiler/pass/conv_transpose_products.h"

#include "compiler/pass/rewrite.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>

namespace cnnc {

namespace {

/// One dimension. The product with element k of the filter, from input q, belongs to position
/// q + shift(k) of its phase.
struct Axis {
  int64_t stride, dilation, input, kernel, output, pad;

  int64_t phase(int64_t k) const { return k * dilation % stride; }
  int64_t shift(int64_t k) const { return k * dilation / stride; }
  int64_t count() const {
    return std::max(input + shift(kernel - 1), ceil_div(pad + output, stride));
  }
  int64_t shift_after(int64_t k) const { return count() - input - shift(k); }
  int64_t crop_after() const { return count() * stride - pad - output; }
  bool reaches_all_phases() const {
    std::vector<bool> reached(static_cast<size_t>(stride), false);
    for (int64_t k = 0; k < kernel; ++k)
      reached[static_cast<size_t>(phase(k))] = true;
    return std::ranges::find(reached, false) == reached.end();
  }
};

Axis axis_of(const Graph &graph, const Node &node, size_t i) {
  const auto &conv = std::get<ConvTranspose2d>(node.op);
  return {conv.stride[i],
          conv.dilation[i],
          graph.type(node.operands[0]).shape[2 + i],
          graph.type(node.operands[1]).shape[2 + i],
          graph.type(node.results[0]).shape[2 + i],
          conv.pad[i]};
}

class Writer {
public:
  Writer(Graph &graph, NodeId id)
      : graph_(graph), id_(id), operands_(graph.nodes[id].operands),
        name_(graph.value(graph.nodes[id].results[0]).name),
        channels_(graph.type(graph.nodes[id].results[0]).shape[1]),
        rows_(axis_of(graph, graph.nodes[id], 0)), columns_(axis_of(graph, graph.nodes[id], 1)) {}

  void run() {
    const DepthToSpace shuffle{
        {rows_.stride, columns_.stride},
        DepthOrder::dcr,
        {rows_.pad, columns_.pad, rows_.crop_after(), columns_.crop_after()}};
    const ValueId phases = summed_phases();
    if (operands_.size() < 3)
      return graph_.redefine(id_, shuffle, {phases});
    const ValueId sums = add(shuffle, {phases}, ".sums");
    const ValueId bias = add(Reshape{{1, channels_, 1, 1}}, {operands_[2]}, ".bias");
    graph_.redefine(id_, Binary{binary::add}, {sums, bias});
  }

private:
  ValueId add(Op op, std::vector<ValueId> operands, const std::string &suffix) {
    return add_inferred(graph_, std::move(op), std::move(operands),
                        graph_.unique_value_name(name_ + suffix));
  }

  /// Of every element of the filter, [n, oc, h, w] each.
  std::vector<ValueId> products() {
    const int64_t taps = rows_.kernel * columns_.kernel;
    const int64_t inputs = graph_.type(operands_[1]).shape[0];
    ValueId filter = add(Transpose{{2, 3, 1, 0}}, {operands_[1]}, ".filter.taps");
    filter = add(Reshape{{taps * channels_, inputs, 1, 1}}, {filter}, ".filter");
    const ValueId all = add(Conv2d{}, {operands_[0], filter}, ".products");
    Node split;
    split.op = Split{1, std::vector<int64_t>(static_cast<size_t>(taps), channels_)};
    split.operands = {all};
    TensorType part = graph_.type(all);
    part.shape[1] = channels_;
    for (int64_t tap = 0; tap < taps; ++tap)
      split.results.push_back(
          graph_.add_value(graph_.unique_value_name(name_ + ".tap" + std::to_string(tap)), part));
    const std::vector<ValueId> results = split.results;
    graph_.append(std::move(split));
    return results;
  }

  ValueId moved(ValueId product, int64_t row, int64_t column, const std::string &number) {
    Pad pad;
    pad.before = {0, 0, rows_.shift(row), columns_.shift(column)};
    pad.after = {0, 0, rows_.shift_after(row), columns_.shift_after(column)};
    const bool stays = pad.before == pad.after && pad.before == std::vector<int64_t>(4, 0);
    return stays ? product : add(pad, {product}, ".moved" + number);
  }

  /// Side by side.
  ValueId summed_phases() {
    const std::vector<ValueId> taps = products();
    std::vector<ValueId> sums(static_cast<size_t>(rows_.stride * columns_.stride), no_id);
    for (int64_t row = 0; row < rows_.kernel; ++row)
      for (int64_t column = 0; column < columns_.kernel; ++column) {
        const int64_t tap = row * columns_.kernel + column;
        const std::string number = std::to_string(tap);
        const ValueId product = moved(taps[static_cast<size_t>(tap)], row, column, number);
        const int64_t phase = rows_.phase(row) * columns_.stride + columns_.phase(column);
        ValueId &sum = sums[static_cast<size_t>(phase)];
        sum = sum == no_id ? product : add(Binary{binary::add}, {sum, product}, ".sum" + number);
      }
    return add(Concat{1}, sums, ".phases");
  }

  Graph &graph_;
  NodeId id_;
  const std::vector<ValueId> operands_; // a copy, as the node becomes another op
  const std::string name_;
  const int64_t channels_; // of the result
  const Axis rows_, columns_;
};

} // namespace

bool fills_vectors_by_products(const Graph &graph, const Node &node, int64_t lanes) {
  constexpr int64_t most_taps = 64, least_inputs = 32; // fewer cost less than to move their sums
  const Axis rows = axis_of(graph, node, 0), columns = axis_of(graph, node, 1);
  const std::vector<int64_t> &filter = graph.type(node.operands[1]).shape;
  const int64_t taps = rows.kernel * columns.kernel;
  return std::get<ConvTranspose2d>(node.op).groups == 1 && taps <= most_taps &&
         filter[0] >= least_inputs &&
         2 * ceil_div(taps * filter[1], lanes) <= taps * ceil_div(filter[1], lanes) &&
         rows.reaches_all_phases() && columns.reaches_all_phases();
}

void write_as_products(Graph &graph, NodeId id) { Writer(graph, id).run(); }

} // namespace cnnc
