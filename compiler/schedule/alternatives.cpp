#include "compiler/schedule/alternatives.h"

#include "compiler/lowering/loops.h"
#include "compiler/schedule/register_tile.h"
#include "compiler/schedule/winograd.h"

#include <algorithm>

namespace cnnc {

namespace {

/// Of the loops of products: which count channels and which what the channels serve.
class Alternatives {
public:
  Alternatives(const Graph &graph, const Schedule &chosen, const std::vector<NodeId> &members,
               const Machine &machine)
      : graph_(graph), anchor_(graph.nodes[members.front()]), chosen_(chosen), machine_(machine),
        loops_(loops_of(graph, members)), stored_(graph.nodes[members.back()]),
        pooled_(pooled_pixels(graph, members)) {}

  std::vector<ScheduleAlternative> run() {
    tiles();
    orders();
    blocks();
    unrolled();
    partial_sums();
    prefetches();
    return std::move(result_);
  }

private:
  void add(std::string change, Schedule schedule) {
    const bool known = std::ranges::any_of(
        result_, [&](const ScheduleAlternative &other) { return other.schedule == schedule; });
    if (schedule != chosen_ && !known)
      result_.push_back({std::move(change), std::move(schedule)});
  }

  const Conv2d *conv() const { return std::get_if<Conv2d>(&anchor_.op); }
  bool winograd() const { return conv() && conv()->winograd > 0; }
  const std::vector<int64_t> &filter() const { return graph_.type(anchor_.operands[1]).shape; }

  bool has_pool() const { return category_of(stored_.op) == Category::pool; }

  /// Iterations of a loop, where tiles have to divide or need not exceed them; 0: not known.
  int64_t extent(const LoopSpec &loop) const {
    const Node &result = has_pool() ? stored_ : anchor_;
    const std::vector<int64_t> &shape = graph_.type(result.results[0]).shape;
    const size_t rank = shape.size();
    if (winograd())
      return loop.role == Role::channels ? filter()[0] : 0;
    switch (loop.role) {
    case Role::channels:
      return conv() ? filter()[0] / conv()->groups : shape.back();
    case Role::rows:
      return shape[rank - 2];
    case Role::pixels:
      return shape[rank - 1];
    default:
      return 0;
    }
  }

  const LoopSpec *loop_of(Role role) const {
    const auto found = std::ranges::find(loops_, role, &LoopSpec::role);
    return found == loops_.end() ? nullptr : &*found;
  }

  /// Vectors of channels times pixels, rows of a matrix, or images of a dense layer.
  void tiles() {
    const LoopFactor *channels = tile_of(chosen_, loops_, Role::channels);
    if (!channels || channels->size % machine_.vector_lanes != 0 || is_depthwise())
      return;
    const Role role = winograd() || conv()                         ? Role::pixels
                      : std::holds_alternative<Matmul>(anchor_.op) ? Role::rows
                                                                   : Role::images;
    const LoopFactor *pixels = tile_of(chosen_, loops_, role);
    if (!pixels)
      return;
    const int64_t all = extent(*find_loop(loops_, channels->loop)) / machine_.vector_lanes;
    for (int64_t vectors = 1; vectors <= 8; ++vectors)
      if (all % vectors == 0)
        for (int64_t size : sizes_of_tile(vectors, extent(*find_loop(loops_, pixels->loop))))
          add("tile", with_tile(*channels, vectors, *pixels, size));
    if (conv() && !winograd() && pooled_ == 1)
      tiles_of_rows(*channels, *pixels);
  }

  bool is_depthwise() const { return conv() && conv()->groups > 1 && filter()[1] == 1; }

  /// All that the registers hold, what divides the extent among the shorter ones, and half of it.
  std::vector<int64_t> sizes_of_tile(int64_t vectors, int64_t most) const {
    const bool wide = machine_.wide_tiles && vectors <= 2;
    int64_t largest =
        wide ? longest_row(machine_) / vectors : (machine_.tile_registers - vectors) / vectors;
    if (!winograd())
      largest /= pooled_;
    if (most > 0)
      largest = std::min(largest, most);
    std::vector<int64_t> sizes;
    if (largest >= 1)
      sizes.push_back(largest);
    for (int64_t size = largest - 1; size >= 1 && size >= largest / 2; --size)
      if (most > 0 && most % size == 0) {
        sizes.push_back(size);
        break;
      }
    if (largest > 2)
      sizes.push_back(largest / 2);
    return sizes;
  }

  Schedule with_tile(const LoopFactor &channels, int64_t vectors, const LoopFactor &pixels,
                     int64_t size) const {
    Schedule schedule = chosen_;
    std::erase_if(schedule.tile, [&](const LoopFactor &tile) {
      return find_loop(loops_, tile.loop)->role == Role::rows && tile.loop != pixels.loop;
    });
    for (LoopFactor &tile : schedule.tile) {
      if (tile.loop == channels.loop)
        tile.size = vectors * machine_.vector_lanes;
      if (tile.loop == pixels.loop)
        tile.size = size;
    }
    return schedule;
  }

  /// Whole rows of narrow maps, with one vector of channels.
  void tiles_of_rows(const LoopFactor &channels, const LoopFactor &pixels) {
    const LoopSpec *rows = loop_of(Role::rows);
    const int64_t width = extent(*find_loop(loops_, pixels.loop));
    const int64_t most = std::min(longest_row(machine_) / width, extent(*rows));
    for (int64_t count = 2; count <= most; ++count) {
      Schedule schedule = with_tile(channels, 1, pixels, width);
      schedule.tile.insert(schedule.tile.end() - 1, {rows->name, count});
      add("tile", schedule);
    }
  }

  /// Every order of the loops of tasks in which the images of a batch stay where they are, or come
  /// last. Blocks belong to an order.
  void orders() {
    if (winograd())
      return stages();
    std::vector<LoopName> order = chosen_.parallel;
    if (order.size() < 2 || order.size() > 3)
      return;
    const auto by_name = [](const LoopName &a, const LoopName &b) { return a.loop < b.loop; };
    std::ranges::sort(order, by_name);
    do {
      Schedule schedule = chosen_;
      schedule.parallel = order;
      if (order != chosen_.parallel)
        schedule.block.clear();
      if (images() > 1 || order.front() == chosen_.parallel.front())
        add("order", schedule);
    } while (std::ranges::next_permutation(order, by_name).found);
  }

  int64_t images() const { return graph_.type(anchor_.results[0]).shape.front(); }

  /// What the three nests of Winograd's method hand to each other, in blocks of tiles, of output
  /// channels, or all at once.
  void stages() {
    Schedule schedule = chosen_;
    for (int64_t tiles : {14, 28, 56}) {
      schedule.stage = {{"tb", tiles}};
      schedule.parallel = {"tb"};
      add("stage", schedule);
    }
    schedule.stage = {{"ob", 1}};
    schedule.parallel = {"icb", "ob"};
    add("stage", schedule);
    schedule.stage.clear();
    schedule.parallel = {"icb", "i", "j", "ob"};
    add("stage", schedule);
  }

  /// Rows that stay in the cache for all channels.
  void blocks() {
    const LoopSpec *rows = loop_of(Role::rows);
    const std::vector<LoopName> &order = chosen_.parallel;
    if (winograd() || !rows || order.empty() || order.back().loop == rows->name ||
        std::ranges::find(order, LoopName(rows->name)) == order.end())
      return;
    for (int64_t size : {1, 2, 4, 8}) {
      Schedule schedule = chosen_;
      schedule.block.clear();
      if (size > 1)
        schedule.block = {{rows->name, size}};
      add("block", schedule);
    }
  }

  void unrolled() {
    for (size_t i = 0; i < chosen_.unroll.size(); ++i)
      if (const LoopSpec *loop = find_loop(loops_, chosen_.unroll[i].loop);
          loop && loop->role == Role::reduction)
        for (int64_t count : {2, 4, 8}) {
          Schedule schedule = chosen_;
          schedule.unroll[i].size = count;
          add("unroll", schedule);
        }
  }

  /// One sum, and parts of half or twice as many products.
  void partial_sums() {
    if (chosen_.partial.size() != 1)
      return;
    Schedule schedule = chosen_;
    for (int64_t size : {chosen_.partial[0].size / 2, chosen_.partial[0].size * 2}) {
      schedule.partial[0].size = size;
      if (size >= machine_.vector_lanes)
        add("partial", schedule);
    }
    schedule.partial.clear();
    add("partial", schedule);
  }

  void prefetches() {
    if (anchor_.operands.size() < 2 || category_of(anchor_.op) == Category::elementwise)
      return;
    for (int64_t distance : {0, 1024, 4096}) {
      Schedule schedule = chosen_;
      schedule.prefetch = distance;
      add("prefetch", schedule);
    }
  }

  const Graph &graph_;
  const Node &anchor_;
  const Schedule &chosen_;
  const Machine &machine_;
  const Loops loops_;
  const Node &stored_; // the last op
  const int64_t pooled_;
  std::vector<ScheduleAlternative> result_;
};

} // namespace

std::vector<ScheduleAlternative> schedule_alternatives(const Graph &graph,
                                                       const KernelGroup &kernel,
                                                       const std::vector<NodeId> &members,
                                                       const Machine &machine) {
  return Alternatives(graph, kernel.schedule, members, machine).run();
}

std::optional<double> loads_of_tile(const TileSize &tile) {
  if (tile.accumulators() == 0)
    return std::nullopt;
  return 1 / static_cast<double>(tile.vectors) + 1 / static_cast<double>(tile.rows * tile.pixels);
}

} // namespace cnnc
