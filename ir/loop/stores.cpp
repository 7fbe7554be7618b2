#include "ir/loop/stores.h"

#include "ir/loop/range.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <numeric>
#include <set>

namespace cnnc::loop {

namespace {

/// Collects the stores of a block; registers are told apart by their declarations.
class Collector {
public:
  explicit Collector(const Kernel &kernel) { block(kernel.body); }
  std::vector<Store> take() { return std::move(stores_); }

private:
  void block(const std::vector<Statement> &statements) {
    const std::set<std::string> outside = registers_;
    for (const Statement &statement : statements) {
      if (const auto *loop = std::get_if<For>(&statement.node)) {
        loops_.push_back(loop);
        block(loop->body);
        loops_.pop_back();
      } else if (const auto *reg = std::get_if<Register>(&statement.node)) {
        if (!reg->in_memory)
          registers_.insert(reg->name);
      } else if (const auto &assign = std::get<Assign>(statement.node);
                 !registers_.contains(assign.target.buffer)) {
        stores_.push_back({&assign, statement.range, loops_});
      }
    }
    registers_ = outside;
  }

  std::vector<const For *> loops_;
  std::set<std::string> registers_;
  std::vector<Store> stores_;
};

/// Coordinates of a dimension that a store may write: every `step`-th one of a range.
struct Coordinates {
  Range range;
  int64_t step = 1;
  int64_t phase = 0; // a coordinate of theirs, up to multiples of the step

  bool contains(int64_t coordinate) const {
    return coordinate >= range.min && coordinate <= range.max && (coordinate - phase) % step == 0;
  }
  int64_t count() const { return (range.max - range.min) / step + 1; }
};

/// All that a store may write: no more than a box, and no more than `count` elements of it.
struct Box {
  std::vector<Coordinates> dimensions;
  int64_t count = 0;
};

int64_t saturated_product(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<int64_t>::max() : product;
}

/// Empty when the store never runs.
std::optional<Box> box_of(const Store &store, const std::vector<int64_t> &shape,
                          const Kernel &kernel) {
  Scope scope(kernel);
  int64_t iterations = 1;
  const std::vector<Index> &subscripts = store.assign->target.subscripts;
  for (const For *loop : store.loops) {
    scope.push(*loop);
    const std::optional<int64_t> extent = loop->extent();
    if (extent && *extent < 1)
      return std::nullopt;
    if (std::ranges::any_of(subscripts, [&](const Index &i) { return i.uses(loop->variable); }))
      iterations =
          saturated_product(iterations, extent.value_or(std::numeric_limits<int64_t>::max()));
  }
  Box box;
  int64_t volume = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    Coordinates values{scope.range_of(subscripts[d]).value_or(Range{0, shape[d] - 1}), 0,
                       subscripts[d].constant};
    if (values.range.min > values.range.max)
      return std::nullopt;
    for (const Term &term : subscripts[d].terms)
      values.step = std::gcd(values.step, term.factor);
    values.step = std::max<int64_t>(values.step, 1);
    volume = saturated_product(volume, values.count());
    box.dimensions.push_back(values);
  }
  box.count = std::min(iterations, volume);
  return box;
}

/// Looks for an element that no box holds. The coordinates of a dimension fall into classes of those
/// that the same boxes hold; a combination of classes is looked at once.
class Search {
public:
  Search(const std::vector<Box> &boxes, const std::vector<int64_t> &shape) : rank_(shape.size()) {
    for (size_t d = 0; d < rank_; ++d)
      classes_.push_back(classes_of(boxes, d, shape[d]));
    found_ = search(0, std::vector<bool>(boxes.size(), true));
  }
  /// Its subscripts.
  std::optional<std::vector<int64_t>> element() const {
    return found_ ? std::optional(element_) : std::nullopt;
  }

private:
  using Boxes = std::vector<bool>;          // those that hold a coordinate
  using Classes = std::map<Boxes, int64_t>; // with the first coordinate of each

  static Classes classes_of(const std::vector<Box> &boxes, size_t dimension, int64_t size) {
    // Steps are followed in dimensions of this size, in longer ones the ranges count alone.
    constexpr int64_t longest = int64_t(1) << 16;
    std::set<int64_t> starts = {0};
    bool steps = false;
    for (const Box &box : boxes) {
      const Coordinates &values = box.dimensions[dimension];
      steps = steps || (values.step > 1 && size <= longest);
      for (int64_t start : {values.range.min, values.range.max + 1})
        if (start > 0 && start < size)
          starts.insert(start);
    }
    Classes classes;
    auto add = [&](int64_t coordinate) {
      Boxes holding;
      for (const Box &box : boxes) {
        Coordinates values = box.dimensions[dimension];
        values.step = steps ? values.step : 1;
        holding.push_back(values.contains(coordinate));
      }
      classes.try_emplace(std::move(holding), coordinate);
    };
    if (steps)
      for (int64_t coordinate = 0; coordinate < size; ++coordinate)
        add(coordinate);
    else
      std::ranges::for_each(starts, add);
    return classes;
  }

  bool search(size_t dimension, const Boxes &holding) {
    if (std::ranges::find(holding, true) == holding.end()) {
      element_.resize(rank_, 0);
      return true;
    }
    if (dimension == rank_ || --budget_ < 0)
      return false;
    for (const auto &[boxes, coordinate] : classes_[dimension]) {
      Boxes both(holding.size());
      for (size_t i = 0; i < both.size(); ++i)
        both[i] = holding[i] && boxes[i];
      element_.resize(dimension);
      element_.push_back(coordinate);
      if (search(dimension + 1, both))
        return true;
    }
    return false;
  }

  size_t rank_;
  int budget_ = 100'000; // combinations; what is not found by then is not reported
  std::vector<Classes> classes_;
  std::vector<int64_t> element_;
  bool found_ = false;
};

} // namespace

std::vector<Store> stores_of(const Kernel &kernel) { return Collector(kernel).take(); }

bool verify_results_written(const Kernel &kernel, Diagnostics &diagnostics) {
  const std::vector<Store> stores = stores_of(kernel);
  bool ok = true;
  for (const Buffer &result : kernel.outputs) {
    std::vector<Box> boxes;
    SourceRange range = kernel.range;
    int64_t written = 0, total = 1;
    for (int64_t size : result.shape)
      total = saturated_product(total, size);
    for (const Store &store : stores) {
      if (store.assign->target.buffer != result.name || store.assign->accumulate)
        continue;
      if (boxes.empty() && store.range.known())
        range = store.range;
      if (std::optional<Box> box = box_of(store, result.shape, kernel)) {
        written = written > total - std::min(box->count, total) ? total : written + box->count;
        boxes.push_back(std::move(*box));
      }
    }
    const std::optional<std::vector<int64_t>> missing = Search(boxes, result.shape).element();
    if (!missing && written >= total)
      continue;
    ok = false;
    diagnostics.error(
        range, missing
                   ? fmt::format("the result {} is not written completely: no statement "
                                 "assigns {}",
                                 result.name,
                                 to_string(Access{result.name, {missing->begin(), missing->end()}}))
                   : fmt::format("the result {} is not written completely: its stores reach "
                                 "at most {} of {} elements",
                                 result.name, written, total));
  }
  return ok;
}

} // namespace cnnc::loop
