#include "compiler/analysis/summary.h"

#include "compiler/analysis/cost.h"
#include "compiler/analysis/receptive_field.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// 1234567 as 1,234,567.
std::string with_separators(int64_t number) {
  std::string result = std::to_string(number);
  size_t first = number < 0 ? 1 : 0;
  for (size_t i = result.size(); i > first + 3;)
    result.insert(i -= 3, ",");
  return result;
}

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

/// The constants that layers read, each counted once.
void add_constants(const Graph &graph, const Node &node, std::vector<bool> &counted,
                   std::vector<bool> &learned, Totals &totals) {
  for (ValueId operand : parameter_operands(graph, node))
    if (!learned[operand]) {
      learned[operand] = true;
      add(totals.parameters, parameters(graph, {operand}));
    }
  for (ValueId operand : node.operands)
    if (graph.is_constant(operand) && !counted[operand]) {
      counted[operand] = true;
      add(totals.weight_bytes, byte_size(graph.type(operand)).value_or(0));
    }
}

std::string header(const Graph &graph) {
  std::string inputs;
  bool symbolic = false;
  for (ValueId id : graph.inputs) {
    inputs += fmt::format("{}{}: {}", inputs.empty() ? "" : ", ", graph.value(id).name,
                          to_string(graph.type(id)));
    symbolic = symbolic || graph.type(id).has_symbolic_batch();
  }
  return fmt::format(
      "model {} ({})\n"
      "multiplications: those of conv2d, local2d and dense{}\n"
      "receptive field: pixels of the first input that an element depends on; stride "
      "between neighbours; first pixel of the first element\n\n",
      graph.name, inputs, symbolic ? "; of one image, as are bytes" : "");
}

} // namespace

std::string summary(const Graph &graph) {
  std::vector<bool> counted(graph.values.size(), false), learned(graph.values.size(), false);
  std::vector<std::optional<ReceptiveField>> fields = receptive_fields(graph);
  std::vector<Row> rows = {{"layer", "op", "output", "parameters", "multiplications",
                            "receptive field", "stride", "start", "bytes"}};
  Totals totals;
  for (const Node &node : graph.nodes) {
    if (graph.is_constant(node.results[0]))
      continue;
    int64_t own = parameters(graph, parameter_operands(graph, node));
    int64_t work = multiplications(graph, node);
    add_constants(graph, node, counted, learned, totals);
    add(totals.multiplications, work);
    for (ValueId result : node.results) {
      bool first = result == node.results[0];
      const TensorType &type = graph.type(result);
      Row row = {graph.value(result).name, info_of(node.op).name, to_string(type),
                 first ? with_separators(own) : "-", first ? with_separators(work) : "-"};
      for (std::string &column : field_columns(fields[result]))
        row.push_back(std::move(column));
      row.push_back(format_bytes(type));
      rows.push_back(std::move(row));
    }
  }
  return header(graph) + align(rows, 3) +
         fmt::format("\nparameters       {}{}\nmultiplications  {}{}\nbytes of weights {}{}\n",
                     with_separators(totals.parameters), rounded(totals.parameters),
                     with_separators(totals.multiplications), rounded(totals.multiplications),
                     with_separators(totals.weight_bytes), rounded(totals.weight_bytes));
}

} // namespace cnnc
