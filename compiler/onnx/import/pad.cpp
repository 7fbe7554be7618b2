// Pad.
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// pads as begins and then ends of all dimensions (opset 18: of `axes`).
std::optional<std::vector<int64_t>> read_pads(OnnxNode &node) {
  size_t rank = node.rank(0);
  std::optional<std::vector<int64_t>> pads;
  if (node.opset() >= 11)
    pads = node.known_integers(1, "the pads");
  else if (!(pads = node.integers(node.opset() < 2 ? "paddings" : "pads")))
    node.fail("it has no 'pads'");
  if (!pads)
    return std::nullopt;
  if (node.opset() >= 18 && node.has(3)) {
    std::optional<std::vector<int64_t>> axes = node.known_integers(3, "the axes");
    if (!axes || pads->size() != 2 * axes->size())
      return axes && node.fail("'pads' must have two numbers for each axis"), std::nullopt;
    std::vector<int64_t> all(2 * rank, 0);
    for (size_t i = 0; i < axes->size(); ++i) {
      std::optional<size_t> axis = read_axis(node, (*axes)[i], rank);
      if (!axis)
        return std::nullopt;
      all[*axis] = (*pads)[i];
      all[rank + *axis] = (*pads)[axes->size() + i];
    }
    return all;
  }
  if (pads->size() == 2 * rank)
    return pads;
  node.fail(fmt::format("{} pads do not fit {} dimensions", pads->size(), rank));
  return std::nullopt;
}

/// Negative pads cut off; 0 takes their place.
ValueId cropped(OnnxNode &node, ValueId value, std::vector<int64_t> &pads) {
  std::vector<int64_t> cuts;
  for (int64_t &pad : pads) {
    cuts.push_back(-pad);
    pad = std::max<int64_t>(0, pad);
  }
  auto middle = cuts.begin() + static_cast<ptrdiff_t>(cuts.size() / 2);
  return cut_off(node, value, {cuts.begin(), middle}, {middle, cuts.end()});
}

bool import_pad(OnnxNode &node) {
  if (!node.require_inputs(node.opset() < 11 ? 1 : 2, node.opset() < 11 ? 1 : 4))
    return false;
  std::string mode = node.word("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    return node.fail(fmt::format("the mode '{}' is not supported, only constant, reflect, edge "
                                 "and wrap",
                                 printable(mode)));
  std::optional<std::vector<int64_t>> pads = read_pads(node);
  if (!pads)
    return false;
  double value = node.opset() < 11 ? node.number("value", 0) : 0;
  if (node.opset() >= 11 && node.has(2)) {
    std::optional<std::vector<double>> constant = node.known_numbers(2, "the value");
    if (!constant || constant->size() != 1)
      return constant && node.fail("the value must be one number");
    value = node.type(0).dtype == DType::f32
                ? shortest_double(static_cast<float>(constant->front()))
                : constant->front();
  }
  for (int64_t pad : *pads)
    if (pad < -largest_dim || pad > largest_dim)
      return node.fail(
          fmt::format("the pad {} is not between {} and {}", pad, -largest_dim, largest_dim));
  auto rank = static_cast<ptrdiff_t>(node.rank(0));
  ValueId input = cropped(node, node.operand(0), *pads);
  if (std::ranges::all_of(*pads, [](int64_t pad) { return pad == 0; }))
    return node.result(input);
  Attributes attributes = {{"before", std::vector<int64_t>(pads->begin(), pads->begin() + rank)},
                           {"after", std::vector<int64_t>(pads->begin() + rank, pads->end())},
                           {"mode", Word{mode}}};
  if (mode == "constant")
    attributes.emplace_back("value", value);
  return node.result(node.emit("pad", {input}, attributes));
}

constexpr ImportRow rows[] = {{"Pad", import_pad}};

} // namespace

std::span<const ImportRow> pad_imports() { return rows; }

} // namespace cnnc
