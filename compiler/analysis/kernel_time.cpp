#include "compiler/analysis/kernel_time.h"

#include "compiler/analysis/convolution_work.h"
#include "compiler/analysis/cost.h"
#include "compiler/layout/dot_filters.h"
#include "compiler/support/ceil_div.h"
#include "ir/loop/loop.h"

#include <algorithm>

namespace cnnc {

namespace {

// Times in vector instructions that the core can issue, two in a cycle: a fused multiply-add of a
// vector is one of them, and two operations for each of its lanes.

/// What an input costs that is taken to all lanes, beside the multiply-adds that use it: it comes
/// from a cache line of its own. Weights and inputs of depthwise convolutions lie side by side.
constexpr double far_load = 0.4, near_load = 0.1;
/// Accumulators below which multiply-adds wait for the ones before them.
constexpr double least_accumulators = 8;
/// For each vector of results: one is stored in a cycle. For each tile: its loop.
constexpr double store = 1, start_of_tile = 40;
/// To call a kernel.
constexpr double start_of_kernel = 1500;
/// Bytes between the first and the second cache in the time of one.
constexpr double cache_bytes_each = 20;
/// Of what the second cache does not hold of values on their way from kernel to kernel: the rest is in
/// one that cores share.
constexpr double activations_from_memory = 0.65;
/// Arithmetic, and functions that are polynomials.
constexpr double simple = 1, division = 8, function = 20;
/// Elements of a sum that is corrected for its rounding, and others of reductions.
constexpr double corrected_sum = 4;

double instructions(const loop::Expression &expression) {
  using loop::Function;
  if (expression.kind != loop::Expression::Kind::call)
    return 0;
  double sum = 0;
  for (const loop::Expression &argument : expression.arguments)
    sum += instructions(argument);
  switch (expression.function) {
  case Function::div:
  case Function::sqrt:
    return sum + division;
  case Function::exp:
  case Function::expm1:
  case Function::log:
  case Function::tanh:
  case Function::erf:
  case Function::normcdf:
  case Function::sin:
  case Function::cos:
    return sum + function;
  case Function::pow:
    return sum + 2 * function;
  default:
    return sum + simple;
  }
}

double count(const std::vector<int64_t> &shape) {
  double product = 1;
  for (int64_t dim : shape)
    product *= static_cast<double>(std::max<int64_t>(1, dim)); // a symbolic one is 1
  return product;
}

double ceil_of(int64_t a, int64_t b) {
  return static_cast<double>(ceil_div(a, std::max<int64_t>(1, b)));
}

/// One kernel, whose parts add themselves up.
class Timer {
public:
  Timer(const Graph &graph, const std::vector<NodeId> &members, const TileSize &tile, bool in_lanes,
        const Machine &machine)
      : graph_(graph), members_(members), tile_(tile), machine_(machine),
        lanes_(in_lanes ? static_cast<double>(machine.vector_lanes) : 1) {}

  /// Of all but memory. `bytes`: of operands and results, which pass through the caches.
  KernelTime time(double bytes) {
    waiting_ = start_of_kernel;
    for (NodeId id : members_)
      add(graph_.nodes[id]);
    add_vectors(type(graph_.nodes[members_.back()].results[0]), store);
    add_bytes(bytes);
    const double operations = 2 * static_cast<double>(machine_.vector_lanes);
    return {arithmetic_ * operations, waiting_ * operations, 0};
  }

private:
  void add_bytes(double bytes) { waiting_ += bytes / cache_bytes_each; }

  const TensorType &type(ValueId id) const { return graph_.type(id); }

  /// So many instructions for every vector of a tensor.
  void add_vectors(const TensorType &of, double each) {
    arithmetic_ += each * count(of.shape) / lanes_;
  }

  void add(const Node &node) {
    const TensorType &result = type(node.results[0]);
    match(
        node.op, [&](const Conv2d &conv) { add_convolution(conv, node); },
        [&](const Local2d &) { add_products(static_cast<double>(multiplications(graph_, node))); },
        [&](const Dense &) { add_dense(node); }, [&](const Matmul &) { add_matmul(node); },
        [&](const Unary &op) {
          add_vectors(result, instructions(op.row->lower(loop::number(0), op.parameters)));
        },
        [&](const Binary &op) {
          add_vectors(result, instructions(op.row->lower(loop::number(0), loop::number(0))));
        },
        [&](const OneOf<MaxPool2d, AvgPool2d> auto &pool) {
          add_vectors(result, static_cast<double>(pool.kernel[0] * pool.kernel[1]) * 2 * simple);
        },
        [&](const GlobalAvgPool2d &) { add_vectors(type(node.operands[0]), corrected_sum); },
        [&](const OneOf<Softmax, LogSoftmax> auto &) {
          add_vectors(result, function + division + corrected_sum);
        },
        [&](const OneOf<BatchNorm, LayerNorm, InstanceNorm, GroupNorm, Lrn, Hardmax> auto &) {
          add_vectors(type(node.operands[0]), 2 * corrected_sum);
        },
        [&](const OfCategory<Category::reduction> auto &) {
          add_vectors(type(node.operands[0]), 2 * corrected_sum);
        },
        [&](const OneOf<Where, Cast, Quantize, Dequantize, Lookup> auto &) { add_others(node); },
        [&](const OfCategory<Category::constant, Category::transposed_convolution,
                             Category::max_position, Category::movement, Category::view,
                             Category::resize, Category::training, Category::loss,
                             Category::internal> auto &) { add_others(node); });
  }

  /// Products of filters' gradients and transposed convolutions as if all went well; else a few
  /// instructions for every element.
  void add_others(const Node &node) {
    if (const int64_t products = multiplications(graph_, node); products > 0)
      add_products(static_cast<double>(products));
    else
      add_vectors(type(node.results[0]), 2 * simple);
  }
  void add_products(double products) {
    arithmetic_ += products / lanes_;
    waiting_ += products / lanes_ * (1 / direct_efficiency - 1);
  }

  /// Instructions of a tile for one product of each of its sums, and of these the multiply-adds.
  struct Step {
    double all, products;
  };
  static Step step(double vectors, double pixels, double load) {
    const double products = vectors * pixels;
    return {std::max(products + load * pixels + near_load * vectors, least_accumulators), products};
  }

  struct Tiles {
    double count, size;
  };
  /// So many iterations in tiles that are as equal as can be, of two sizes.
  static std::array<Tiles, 2> cut(int64_t iterations, int64_t tile) {
    iterations = std::max<int64_t>(1, iterations);
    const int64_t tiles = ceil_div(iterations, std::clamp<int64_t>(tile, 1, iterations));
    const int64_t small = iterations / tiles, larger = iterations - small * tiles;
    return {{{static_cast<double>(larger), static_cast<double>(small + 1)},
             {static_cast<double>(tiles - larger), static_cast<double>(small)}}};
  }

  /// What a nest of tiles computes: so many lanes of results, on a plane of rows times pixels, each a
  /// sum of `depth` products; all that so often as `times` says.
  struct Nest {
    double times;
    int64_t lanes, rows, pixels;
    double depth, load;
  };
  void add_tiles(const Nest &nest) {
    for (const Tiles &vectors : cut(ceil_div(nest.lanes, machine_.vector_lanes), tile_.vectors))
      for (const Tiles &rows : cut(nest.rows, tile_.rows))
        for (const Tiles &pixels : cut(nest.pixels, tile_.pixels)) {
          const double tiles = nest.times * vectors.count * rows.count * pixels.count;
          const Step of_tile = step(vectors.size, rows.size * pixels.size, nest.load);
          arithmetic_ += tiles * nest.depth * of_tile.products;
          waiting_ += tiles * (nest.depth * (of_tile.all - of_tile.products) + start_of_tile);
        }
  }

  /// Instructions for the products of so many channels: dot products of integers take several.
  int64_t steps(const Node &node, int64_t channels) const {
    return ceil_div(channels, std::max<int64_t>(1, dot_width(graph_, node, machine_.vector_lanes)));
  }

  void add_convolution(const Conv2d &conv, const Node &node) {
    const std::vector<int64_t> &result = type(node.results[0]).shape,
                               &filter = type(node.operands[1]).shape;
    const double images = static_cast<double>(std::max<int64_t>(1, result[0]));
    if (conv.winograd > 0)
      return add_winograd(conv, node);
    const double depth = static_cast<double>(steps(node, filter[1]) * filter[2] * filter[3]);
    const bool blocked = type(node.results[0]).layout.block_of(1) > 1;
    if (!blocked) // a row's pixels are in lanes, and channels are computed one by one
      return add_tiles(
          {images * static_cast<double>(result[1]), result[3], result[2], 1, depth, far_load});
    const bool depthwise = filter[1] == 1 && conv.groups > 1;
    // Tiles of a narrow map that a pool is fused to reach over rows.
    const int64_t pooled = tile_.pixels > result[3] && tile_.rows == 1 ? result[2] : 1;
    add_tiles({images, result[1], result[2] / pooled, result[3] * pooled, depth,
               depthwise ? near_load : far_load});
  }

  /// Each of the matrices lies in memory between the steps.
  void add_winograd(const Conv2d &conv, const Node &node) {
    const std::vector<int64_t> &result = type(node.results[0]).shape,
                               &filter = type(node.operands[1]).shape;
    const int64_t m = conv.winograd, size = (m + 2) * (m + 2);
    const WinogradWork work =
        winograd_work(m, filter, result, graph_.is_constant(node.operands[1]), machine_);
    const auto tiles = static_cast<int64_t>(work.tiles);
    add_tiles(
        {static_cast<double>(size), filter[0], 1, tiles, static_cast<double>(filter[1]), far_load});
    arithmetic_ += (work.transforms + work.filter_transforms) / (2 * lanes_);
    const double inputs = 4 * static_cast<double>(size * filter[1]) * work.tiles,
                 products = 4 * static_cast<double>(size * filter[0]) * work.tiles;
    const double blocks = ceil_of(filter[0], machine_.vector_lanes * tile_.vectors);
    add_bytes(inputs * (1 + blocks) + 2 * products + 4 * work.weights);
  }

  void add_dense(const Node &node) {
    const std::vector<int64_t> &result = type(node.results[0]).shape;
    const auto depth = static_cast<double>(steps(node, type(node.operands[1]).shape[1]));
    add_tiles({1, result[1], std::max<int64_t>(1, result[0]), 1, depth, far_load});
  }

  void add_matmul(const Node &node) {
    const TensorType &a = type(node.operands[0]), &result = type(node.results[0]);
    const size_t rank = result.rank();
    const int64_t rows = std::max<int64_t>(1, result.shape[rank - 2]),
                  columns = result.shape.back();
    const double matrices = count(result.shape) / static_cast<double>(rows * columns);
    const int64_t together = takes_fours_of_rows(graph_, node) ? 4 : 1;
    const auto depth = static_cast<double>(ceil_div(a.shape.back(), together));
    if (columns == 1)
      return add_products(matrices * static_cast<double>(rows) * depth);
    add_tiles({matrices, columns, rows, 1, depth, far_load});
  }

  const Graph &graph_;
  const std::vector<NodeId> &members_;
  const TileSize tile_;
  const Machine machine_;
  const double lanes_;
  double arithmetic_ = 0, waiting_ = 0; // vector instructions
};

double bytes_of(const Graph &graph, ValueId id) {
  return static_cast<double>(byte_size(graph.type(id)).value_or(0));
}

} // namespace

KernelTimes::KernelTimes(const Graph &graph, const Machine &machine)
    : graph_(graph), machine_(machine), members_(kernel_members(graph)),
      interfaces_(kernel_interfaces(graph)) {
  double weights = 0;
  for (KernelId id = 0; id < interfaces_.size(); ++id)
    weights += weights_of(id);
  weights_stay_ = weights <= static_cast<double>(machine.cache_bytes) / 2;
}

double KernelTimes::weights_of(KernelId kernel) const {
  double bytes = 0;
  for (ValueId input : interfaces_[kernel].inputs)
    if (graph_.is_constant(input))
      bytes += bytes_of(graph_, input);
  return bytes;
}

bool KernelTimes::is_driven_out(ValueId value) const {
  const KernelId writer = graph_.nodes[graph_.value(value).producer].kernel;
  return writer != no_id && weights_of(writer) > 2 * static_cast<double>(machine_.cache_bytes);
}

KernelTime KernelTimes::of(KernelId kernel, const TileSize &tile, bool in_lanes) const {
  const double weights = weights_of(kernel);
  double fresh = 0, read = 0, driven_out = 0, written = 0;
  for (ValueId input : interfaces_[kernel].inputs)
    if (!graph_.is_constant(input))
      (graph_.is_input(input) ? fresh
       : is_driven_out(input) ? driven_out
                              : read) += bytes_of(graph_, input);
  for (ValueId output : interfaces_[kernel].outputs)
    written += bytes_of(graph_, output);
  Timer timer(graph_, members_[kernel], tile, in_lanes, machine_);
  KernelTime time = timer.time(weights + fresh + driven_out + read + written);
  // The caller's inputs lie in memory, and what is written first finds nothing of it in the caches.
  // What was written before stays there as far as it fits, and as weights do not take its place.
  time.memory_bytes = weights_stay_ ? 0 : weights;
  if (fresh > 0 && !weights_stay_)
    time.memory_bytes += fresh + written;
  else
    time.memory_bytes +=
        activations_from_memory *
        (driven_out + std::max(0.0, read + written - static_cast<double>(machine_.cache_bytes)));
  return time;
}

double KernelTime::operations(const Machine &machine) const {
  return seconds(1, machine.bytes_per_operation);
}

double KernelTime::seconds(double peak, double bandwidth) const {
  const double core = (arithmetic + waiting) / peak, memory = memory_bytes / bandwidth;
  return std::max(core, memory) + exposed_reads * std::min(core, memory);
}

} // namespace cnnc
