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
// allows none. Tiles of more than 4x4 are left out where weights are stored in 16 bits. What the user
// sets (pass/override.h) stays.
#include "compiler/analysis/convolution_work.h"
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/apply_overrides.h"
#include "compiler/pass/narrow.h"
#include "compiler/schedule/winograd.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

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
  int64_t choose(const Node &node, const Conv2d &conv, const Recorder &recorder) const {
    Record record = recorder.question("algorithm", "operations at peak");
    const std::vector<int64_t> &result = graph_.type(node.results[0]).shape;
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    const double direct = direct_time(node);
    record.candidate("direct", direct);
    if (const std::string_view obstacle = obstacle_of(node, conv); !obstacle.empty()) {
      record.choose("direct", obstacle);
      return 0;
    }
    const bool narrow = context_.weights_type != DType::f32 &&
                        graph_.is_constant(node.operands[1]) &&
                        is_large_weight(graph_.type(node.operands[1]));
    double best = direct;
    int64_t chosen = 0;
    for (int64_t m : {2, 3, 4, 5, 6}) {
      if (const double error = winograd_error(m, filter[1]); error > context_.max_error) {
        record.left_out(text("winograd={}", m), text("misses sums by {:.1e} of the largest, more "
                                                     "than {:.1e} (--max-error)",
                                                     error, context_.max_error));
        continue;
      }
      if (m > largest_narrow_winograd && narrow) {
        record.left_out(text("winograd={}", m), "16 bits are too few for its transforms "
                                                "(--weights-type)");
        continue;
      }
      const WinogradWork work =
          winograd_work(m, filter, result, graph_.is_constant(node.operands[1]), context_.machine);
      const double needed = time(work.products / winograd_efficiency, work.weights) +
                            work.transforms + work.filter_transforms;
      record.candidate(text("winograd={}", m), needed);
      if (needed < margin * best) {
        best = needed;
        chosen = m;
      }
    }
    if (chosen > 0)
      record.choose(text("winograd={}", chosen),
                    text("{:.2f} of the time of direct", best / direct));
    else
      record.choose("direct", text("no tile takes less than {} of its time", margin));
    return chosen;
  }

  /// The channels must fill vectors: Winograd has no other form here.
  bool fills_vectors(const Node &node) const {
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    const int64_t lanes = context_.machine.vector_lanes;
    return filter[1] >= lanes && filter[0] % lanes == 0;
  }

private:
  /// Why a convolution is computed directly whatever that takes; empty where Winograd could do it.
  std::string_view obstacle_of(const Node &node, const Conv2d &conv) const {
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    constexpr std::array<int64_t, 2> one = {1, 1};
    if (context_.strict_arithmetic)
      return "--fp=strict allows nothing else";
    if (filter[2] != 3 || filter[3] != 3)
      return "Winograd's method is for windows of 3x3";
    if (conv.stride != one || conv.dilation != one)
      return "Winograd's method is for windows without stride and dilation";
    if (conv.groups != 1)
      return "Winograd's method is for convolutions without groups";
    if (conv.padded_rows == PaddedRows::skip)
      return "rows of padding are skipped";
    if (!fills_vectors(node))
      return "the channels do not fill vectors, as Winograd's method needs it";
    return {};
  }

  double direct_time(const Node &node) const {
    const std::vector<int64_t> &result = graph_.type(node.results[0]).shape;
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    const double images = static_cast<double>(std::max<int64_t>(1, result[0]));
    const double weights = static_cast<double>(filter[0]) * static_cast<double>(filter[1]) *
                           static_cast<double>(filter[2] * filter[3]);
    const double pixels = images * static_cast<double>(result[2]) * static_cast<double>(result[3]);
    return time(2 * weights * pixels / direct_efficiency, weights);
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
    const Recorder recorder =
        context.recorder("choose_algorithms", graph.value(node.results[0]).name);
    if (graph.type(node.results[0]).dtype != DType::f32) {
      recorder.note("algorithm", "direct", "sums of integers are exact");
      continue;
    }
    if (conv->winograd > 0 && !chooser.fills_vectors(node)) {
      context.diagnostics.error(
          range_of(node, "winograd"),
          fmt::format("winograd={} needs at least {} input channels and a multiple of "
                      "{} output channels for this target",
                      conv->winograd, context.machine.vector_lanes, context.machine.vector_lanes));
      ok = false;
    } else if (conv->winograd == 0) {
      conv->winograd = chooser.choose(node, *conv, recorder);
    } else {
      recorder.note("algorithm", conv->winograd > 0 ? "winograd" : "direct", "the model says so");
    }
    if (conv->padded_rows == PaddedRows::choose &&
        sees_much_padding(*conv, graph.type(node.operands[0]).shape,
                          graph.type(node.operands[1]).shape, graph.type(node.results[0]).shape)) {
      conv->padded_rows = PaddedRows::skip;
      recorder.note("padded rows", "skip", "a tenth of the windows' rows or more is padding alone");
    }
  }
  return ok;
}

} // namespace cnnc
