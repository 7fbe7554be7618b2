#include "compiler/analysis/summary.h"

#include "compiler/analysis/both_ways.h"
#include "compiler/analysis/cost.h"
#include "compiler/analysis/receptive_field.h"
#include "compiler/support/with_separators.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// 15470264320 as 15.47 G; nothing below a thousand, where the exact number is as short.
std::string rounded(int64_t number) {
  constexpr std::pair<double, char> units[] = {{1e12, 'T'}, {1e9, 'G'}, {1e6, 'M'}, {1e3, 'k'}};
  for (auto [unit, letter] : units)
    if (static_cast<double>(number) >= unit)
      return fmt::format(" ({:.2f} {})", static_cast<double>(number) / unit, letter);
  return "";
}

/// One text when both axes agree, else that of the height and that of the width.
template <class Spell> std::string format_axes(const ReceptiveField &field, Spell spell) {
  std::string h = spell(field[0]), w = spell(field[1]);
  return h == w ? h : h + ", " + w;
}

using Row = std::vector<std::string>;

Row field_columns(const std::optional<ReceptiveField> &field) {
  if (!field)
    return {"-", "-", "-"};
  auto unless = [](bool hidden, int64_t number) {
    return hidden ? std::string("-") : with_separators(number);
  };
  return {format_axes(*field,
                      [](const AxisField &a) {
                        return a.whole ? std::string("all") : with_separators(a.size);
                      }),
          format_axes(*field, [&](const AxisField &a) { return unless(a.stride == 0, a.stride); }),
          format_axes(*field, [&](const AxisField &a) { return unless(a.stride == 0, a.start); })};
}

std::string format_bytes(const TensorType &type) {
  std::optional<int64_t> bytes = byte_size(type);
  return bytes ? with_separators(*bytes) : "-";
}

/// Columns from `first_number` on stand right-aligned.
std::string align(const std::vector<Row> &rows, size_t first_number) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const Row &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string result;
  for (const Row &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      line += i < first_number ? fmt::format("{:<{}}  ", row[i], widths[i])
                               : fmt::format("{:>{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + "\n";
  }
  return result;
}

/// Sums over the layers.
struct Totals {
  int64_t parameters = 0, multiplications = 0, weight_bytes = 0;
};

void add(int64_t &sum, int64_t number) {
  sum = checked_add(sum, number).value_or(int64_t(1) << 62);
}

std::string header(const Graph &graph, bool with_gradients) {
  std::string inputs;
  bool symbolic = false;
  for (ValueId id : graph.inputs) {
    inputs += fmt::format("{}{}: {}", inputs.empty() ? "" : ", ", graph.value(id).name,
                          to_string(graph.type(id)));
    symbolic = symbolic || graph.type(id).has_symbolic_batch();
  }
  return fmt::format(
      "model {} ({})\n"
      "multiplications: those of convolutions, dense and matmul{}{}\n"
      "receptive field: pixels of the first input that an element depends on; stride "
      "between neighbours; first pixel of the first element\n\n",
      graph.name, inputs, with_gradients ? ", and gradients of filters" : "",
      symbolic ? "; of one image, as are bytes" : "");
}

/// A line of the totals, numbers below each other.
std::string total(std::string_view name, int64_t number, bool wide) {
  return fmt::format("{:<{}} {}{}\n", name, wide ? 27 : 16, with_separators(number),
                     rounded(number));
}

/// Makes the rows of a graph's ops, and their sums.
class Table {
public:
  Table(const Graph &graph, bool with_gradients)
      : graph_(graph), with_gradients_(with_gradients), fields_(receptive_fields(graph)),
        forward_(with_gradients ? way_forward(graph) : std::vector<bool>(graph.nodes.size(), true)),
        counted_(graph.values.size(), false), learned_(graph.values.size(), false) {
    rows_.push_back({"layer", "op", "output", "parameters", "multiplications", "receptive field",
                     "stride", "start", "bytes"});
    if (with_gradients)
      rows_.back().insert(rows_.back().begin() + 2, "way");
    for (NodeId id = 0; id < graph.nodes.size(); ++id)
      if (!graph.is_constant(graph.nodes[id].results[0]))
        add_rows(id);
  }

  std::string text() const {
    return align(rows_, with_gradients_ ? 4 : 3) + "\n" +
           total("parameters", totals_.parameters, with_gradients_) +
           total("multiplications", totals_.multiplications, with_gradients_) +
           (with_gradients_ ? totals_of_both_ways() : "") +
           total("bytes of weights", totals_.weight_bytes, with_gradients_);
  }

private:
  void add_rows(NodeId id) {
    const Node &node = graph_.nodes[id];
    const int64_t work = multiplications(graph_, node);
    add(totals_.multiplications, work);
    add(forward_[id] ? work_forward_ : work_back_, work);
    // What the way back reads of weights is learned on the way forward.
    const std::vector<ValueId> parameters_of_node =
        forward_[id] ? parameter_operands(graph_, node) : std::vector<ValueId>();
    add_parameters(parameters_of_node);
    add_constants(node);
    for (ValueId result : node.results) {
      bool first = result == node.results[0];
      const TensorType &type = graph_.type(result);
      Row row = {graph_.value(result).name, info_of(node.op).name};
      if (with_gradients_)
        row.push_back(forward_[id] ? "forward" : "back");
      row.push_back(to_string(type));
      row.push_back(first ? with_separators(parameters(graph_, parameters_of_node)) : "-");
      row.push_back(first ? with_separators(work) : "-");
      for (std::string &column : field_columns(fields_[result]))
        row.push_back(std::move(column));
      row.push_back(format_bytes(type));
      rows_.push_back(std::move(row));
    }
  }

  /// Each counted once.
  void add_parameters(const std::vector<ValueId> &operands) {
    for (ValueId operand : operands)
      if (!learned_[operand]) {
        learned_[operand] = true;
        add(totals_.parameters, parameters(graph_, {operand}));
      }
  }
  void add_constants(const Node &node) {
    for (ValueId operand : node.operands)
      if (graph_.is_constant(operand) && !counted_[operand]) {
        counted_[operand] = true;
        add(totals_.weight_bytes, byte_size(graph_.type(operand)).value_or(0));
      }
  }

  std::string totals_of_both_ways() const {
    return total("  forward", work_forward_, true) + total("  back", work_back_, true) +
           total("bytes kept for the way back", bytes_kept(graph_, forward_), true) +
           total("bytes of state", bytes_of_state(graph_), true);
  }

  const Graph &graph_;
  bool with_gradients_;
  std::vector<std::optional<ReceptiveField>> fields_;
  std::vector<bool> forward_;           // by node
  std::vector<bool> counted_, learned_; // by value
  std::vector<Row> rows_;
  Totals totals_;
  int64_t work_forward_ = 0, work_back_ = 0; // multiplications
};

} // namespace

std::string summary(const Graph &graph, bool with_gradients) {
  return header(graph, with_gradients) + Table(graph, with_gradients).text();
}

} // namespace cnnc
