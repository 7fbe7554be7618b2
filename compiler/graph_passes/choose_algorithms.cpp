// Algorithm selection: each 3x3 convolution of stride 1 is computed directly or with Winograd's
// F(m x m, 3x3), and atrous convolutions skip rows of padding.
//
//   %c = conv2d %x, %w pad=[1, 1, 1, 1]     =>   %c = conv2d %x, %w pad=[1, 1, 1, 1] winograd=4
//
// The windows of atrous convolutions have rows far apart: padded_rows=skip where a tenth of these
// rows or more see padding alone.
//
// Direct or Winograd: each is given the time that it would take on one core, in operations at peak:
// those of its matrix products, those that the transforms are worth, and the part of the time for
// reading the weights from memory that does not hide behind them. Winograd has (m + 2)^2 / (9 m^2)
// of the products, more where the last tiles reach beyond the plane, and (m + 2)^2 / 9 of the
// weights. Filters that are known only when the model runs are transformed then.
//
// Arithmetic: the error grows with m. Tiles whose estimate (schedule/winograd.h) is above what the
// user accepts, 1e-5 of the largest result unless told otherwise, are left out. strict_arithmetic
// allows none. What the user sets (pass/override.h) stays.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/apply_overrides.h"
#include "compiler/schedule/winograd.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// Transforms of one tile and one channel, in operations at the speed of the products: they are
/// mostly loads, stores and additions, and have more values than registers from m = 4 on. Measured,
/// for m = 2 .. 6.
constexpr double input_transform[] = {60, 140, 250, 600, 900};
constexpr double output_transform[] = {50, 100, 180, 450, 700};

/// Tiles that reach beyond the plane are stored through memory.
constexpr double edge_factor = 2;

/// Part of the peak that direct convolution reaches, and the products of Winograd.
constexpr double direct_efficiency = 0.9;
constexpr double product_efficiency = 0.85;

/// Part of the time for reading weights that adds to the time of the products.
constexpr double exposed_reads = 0.5;

/// A larger tile has to be faster by this factor, and so has any: fewer roundings are worth a
/// little.
constexpr double margin = 0.93;

/// Whether so many rows of the windows see nothing but padding that it is worth leaving them out,
/// for each row of the result on its own. So it is in atrous convolutions, whose rows are far
/// apart. In others a tenth of the rows is not reached, or costs more to tell apart.
bool sees_much_padding(const Conv2d &conv, const std::vector<int64_t> &input,
                       const std::vector<int64_t> &filter, const std::vector<int64_t> &output) {
  if (conv.winograd > 0 || conv.groups > 1 || conv.dilation[0] == 1)
    return false;
  const int64_t stride = conv.stride[0];
  // The rows of the result of which a tap stands at or behind a row of the input.
  auto rows_from = [&](int64_t tap, int64_t input_row) {
    const int64_t distance = input_row + conv.pad[0] - tap * conv.dilation[0];
    return output[2] - std::clamp<int64_t>((distance + stride - 1) / stride, 0, output[2]);
  };
  int64_t seen = 0;
  for (int64_t tap = 0; tap < filter[2]; ++tap)
    seen += rows_from(tap, 0) - rows_from(tap, input[2]);
  return 10.0 * static_cast<double>(seen) <
         9.0 * static_cast<double>(filter[2]) * static_cast<double>(output[2]);
}

class AlgorithmChooser {
public:
  AlgorithmChooser(const Graph &graph, const PassContext &context)
      : graph_(graph), context_(context) {}

  /// 0 for direct, else m.
  int64_t choose(const Node &node, const Conv2d &conv) const {
    if (context_.strict_arithmetic || !possible(node, conv))
      return 0;
    const std::vector<int64_t> &result = graph_.type(node.results[0]).shape;
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    const double images = static_cast<double>(std::max<int64_t>(1, result[0]));
    const double channels = static_cast<double>(filter[0]) * static_cast<double>(filter[1]);
    const double pixels = images * static_cast<double>(result[2]) * static_cast<double>(result[3]);
    const bool known = graph_.is_constant(node.operands[1]);
    double best = time(2 * 9 * channels * pixels / direct_efficiency, 9 * channels);
    int64_t chosen = 0;
    for (int64_t m : {2, 3, 4, 5, 6}) {
      if (winograd_error(m, filter[1]) > context_.max_error)
        continue;
      const double size = static_cast<double>((m + 2) * (m + 2));
      const double tiles =
          images * static_cast<double>(((result[2] + m - 1) / m) * ((result[3] + m - 1) / m));
      const size_t row = static_cast<size_t>(m - smallest_winograd);
      const bool edges = result[2] % m != 0 || result[3] % m != 0;
      const double transforms = tiles * (static_cast<double>(filter[1]) * input_transform[row] +
                                         static_cast<double>(filter[0]) * output_transform[row] *
                                             (edges ? edge_factor : 1));
      const double products = 2 * size * channels * tiles / product_efficiency;
      const double filters = known ? 0 : channels * filter_transform(size);
      const double needed = time(products, size * channels) + transforms + filters;
      if (needed < margin * best) {
        best = needed;
        chosen = m;
      }
    }
    return chosen;
  }

  /// The channels must fill vectors: Winograd has no other form here.
  bool fills_vectors(const Node &node) const {
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    const int64_t lanes = context_.machine.vector_lanes;
    return filter[1] >= lanes && filter[0] % lanes == 0;
  }

private:
  /// Of one filter that is known only when the model runs, in operations: what it reads and writes
  /// goes through memory.
  double filter_transform(double size) const {
    return 4 * (9 + 2 * size) / context_.machine.bytes_per_operation;
  }

  bool possible(const Node &node, const Conv2d &conv) const {
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    constexpr std::array<int64_t, 2> one = {1, 1};
    return conv.winograd == 0 && conv.padded_rows != PaddedRows::skip && filter[2] == 3 &&
           filter[3] == 3 && conv.stride == one && conv.dilation == one && conv.groups == 1 &&
           fills_vectors(node);
  }

  double time(double operations, double weights) const {
    return operations + exposed_reads * 4 * weights / context_.machine.bytes_per_operation;
  }

  const Graph &graph_;
  const PassContext &context_;
};

/// Where an attribute stands in the text, else the op.
SourceRange range_of(const Node &node, std::string_view attribute) {
  for (const auto &[name, range] : node.attribute_ranges)
    if (name == attribute)
      return range;
  return node.range;
}

} // namespace

bool choose_algorithms(Graph &graph, PassContext &context) {
  if (!set_attributes(graph, context.overrides, context.diagnostics))
    return false;
  AlgorithmChooser chooser(graph, context);
  bool ok = true;
  for (Node &node : graph.nodes) {
    auto *conv = std::get_if<Conv2d>(&node.op);
    if (!conv || node.kernel != no_id)
      continue;
    if (conv->winograd > 0 && !chooser.fills_vectors(node)) {
      context.diagnostics.error(
          range_of(node, "winograd"),
          fmt::format("winograd={} needs at least {} input channels and a multiple of "
                      "{} output channels for this target",
                      conv->winograd, context.machine.vector_lanes, context.machine.vector_lanes));
      ok = false;
    } else if (conv->winograd == 0) {
      conv->winograd = chooser.choose(node, *conv);
    }
    if (conv->padded_rows == PaddedRows::choose &&
        sees_much_padding(*conv, graph.type(node.operands[0]).shape,
                          graph.type(node.operands[1]).shape, graph.type(node.results[0]).shape))
      conv->padded_rows = PaddedRows::skip;
  }
  return ok;
}

} // namespace cnnc
