#include "compiler/analysis/shape_rule.h"

#include "compiler/analysis/definition.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

constexpr std::array<std::string_view, 2> axes = {"height", "width "};

using Lines = std::vector<std::string>;

class Rule {
public:
  Rule(const Graph &graph, const Node &node) : graph_(graph), node_(node) {}

  Lines operator()(const Conv2d &conv) const {
    return window(filter_window(2), conv.stride, conv.pad, conv.dilation, false);
  }
  Lines operator()(const Local2d &local) const {
    return window(filter_window(4), local.stride, local.pad, local.dilation, false);
  }
  Lines operator()(const OneOf<MaxPool2d, MaxPool2dIndices> auto &pool) const {
    return window(pool.kernel, pool.stride, pool.pad, pool.dilation, pool.ceil_mode);
  }
  Lines operator()(const AvgPool2d &pool) const {
    return window(pool.kernel, pool.stride, pool.pad, {1, 1}, pool.ceil_mode);
  }
  Lines operator()(const ConvTranspose2d &conv) const {
    Lines lines = {size()};
    for (size_t i = 0; i < 2; ++i)
      lines.push_back(fmt::format("{}  ({} - 1) * {} + {} * ({} - 1) + 1 - {} + {} = {}", axes[i],
                                  input(i), conv.stride[i], conv.dilation[i], filter_window(2)[i],
                                  conv.pad[i] + conv.pad[i + 2], conv.output_padding[i],
                                  result(i)));
    return lines;
  }
  Lines operator()(const OneOf<GlobalAvgPool2d, MaxUnpool2d> auto &) const { return {}; }
  Lines
  operator()(const OfCategory<Category::constant, Category::matrix_product, Category::elementwise,
                              Category::normalization, Category::reduction, Category::movement,
                              Category::view, Category::resize, Category::training, Category::loss,
                              Category::internal> auto &) const {
    return {};
  }

private:
  std::string size() const { return "size    " + definition_of(node_.op).size; }
  int64_t input(size_t axis) const { return graph_.type(node_.operands[0]).shape[2 + axis]; }
  int64_t result(size_t axis) const { return graph_.type(node_.results[0]).shape[2 + axis]; }

  std::array<int64_t, 2> filter_window(size_t first) const {
    const std::vector<int64_t> &filter = graph_.type(node_.operands[1]).shape;
    return {filter[first], filter[first + 1]};
  }

  Lines window(const std::array<int64_t, 2> &kernel, const std::array<int64_t, 2> &stride,
               const std::array<int64_t, 4> &pad, const std::array<int64_t, 2> &dilation,
               bool ceil_mode) const {
    const char *round = ceil_mode ? "ceil" : "floor";
    Lines lines = {size()};
    for (size_t i = 0; i < 2; ++i)
      lines.push_back(fmt::format("{}  {}(({} + {} - {} * ({} - 1) - 1) / {}) + 1 = {}", axes[i],
                                  round, input(i), pad[i] + pad[i + 2], dilation[i], kernel[i],
                                  stride[i], result(i)));
    return lines;
  }

  const Graph &graph_;
  const Node &node_;
};

} // namespace

std::vector<std::string> shape_rule(const Graph &graph, const Node &node) {
  return match(node.op, Rule(graph, node));
}

} // namespace cnnc
