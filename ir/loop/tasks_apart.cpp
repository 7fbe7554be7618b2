#include "ir/loop/range.h"
#include "ir/loop/stores.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace cnnc::loop {

namespace {

/// Digits of a task's number, in a mixed radix: (task / low) % (high / low).
struct Digits {
  int64_t low = 1;
  int64_t high = 0; // 0: all above
  auto operator<=>(const Digits &) const = default;
};

/// The digits that a term of a subscript gives, when it gives nothing else.
std::optional<Digits> digits_of(const Term &term, const std::string &task) {
  if (term.kind == Term::Kind::variable)
    return Digits{};
  if (!term.divides() || term.inner->constant != 0 || term.inner->terms.size() != 1 ||
      term.inner->terms[0].factor != 1)
    return std::nullopt;
  const std::optional<Digits> inner = digits_of(term.inner->terms[0], task);
  if (!inner || (term.kind == Term::Kind::quotient && inner->high != 0))
    return std::nullopt;
  return term.kind == Term::Kind::quotient ? Digits{inner->low * term.divisor, 0}
                                           : Digits{inner->low, inner->low * term.divisor};
}

/// Where a buffer's subscripts tell the digits: digits * factor + offset, with a rest that stays
/// below the factor.
struct Place {
  size_t dimension = 0;
  int64_t factor = 1;
  Range rest; // of all stores
};

/// Proves that the stores of two tasks to one buffer are apart: from the subscripts of each store
/// follows the task's number, and for all stores in the same way.
class Proof {
public:
  Proof(const Kernel &kernel, const For &parallel) : kernel_(kernel), parallel_(parallel) {}

  bool run(const std::vector<const Store *> &stores) {
    std::map<Digits, Place> common;
    for (size_t i = 0; i < stores.size(); ++i) {
      std::map<Digits, Place> own = places(*stores[i]);
      if (i == 0)
        common = own;
      for (auto entry = common.begin(); entry != common.end();)
        entry = agrees(entry->second, entry->first, own) ? std::next(entry) : common.erase(entry);
    }
    int64_t known = 1; // all digits below this
    for (const auto &[digits, place] : common)
      if (digits.low <= known && known % digits.low == 0) {
        if (digits.high == 0)
          return true;
        if (digits.high % known == 0)
          known = std::max(known, digits.high);
      }
    return known >= parallel_.extent().value_or(std::numeric_limits<int64_t>::max());
  }

private:
  /// Whether another store has the digits in the same place, which then counts its rest, too.
  static bool agrees(Place &place, const Digits &digits, const std::map<Digits, Place> &other) {
    auto found = other.find(digits);
    if (found == other.end() || found->second.dimension != place.dimension ||
        found->second.factor != place.factor)
      return false;
    place.rest.min = std::min(place.rest.min, found->second.rest.min);
    place.rest.max = std::max(place.rest.max, found->second.rest.max);
    return place.rest.max - place.rest.min < place.factor;
  }

  /// Takes the digits with the largest factor first: what is left of the subscript is the rest.
  std::map<Digits, Place> places(const Store &store) const {
    Scope scope(kernel_);
    for (const For *loop : store.loops)
      scope.push(*loop);
    std::map<Digits, Place> result;
    for (size_t d = 0; d < store.assign->target.subscripts.size(); ++d) {
      Index rest = store.assign->target.subscripts[d];
      while (true) {
        auto largest = rest.terms.end();
        for (auto term = rest.terms.begin(); term != rest.terms.end(); ++term)
          if (term->uses(parallel_.variable) &&
              (largest == rest.terms.end() || term->factor > largest->factor))
            largest = term;
        if (largest == rest.terms.end())
          break;
        const Term term = *largest;
        rest.terms.erase(largest);
        const std::optional<Digits> digits = digits_of(term, parallel_.variable);
        const std::optional<Range> range = scope.range_of(rest);
        if (!digits || !range || term.factor < 1 || range->max - range->min >= term.factor)
          break;
        result.try_emplace(*digits, Place{d, term.factor, *range});
      }
    }
    return result;
  }

  const Kernel &kernel_;
  const For &parallel_;
};

/// Values of the loops around a store.
using Values = std::vector<std::pair<std::string_view, int64_t>>;

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Empty where a lookup decides.
std::optional<int64_t> evaluate(const Index &index, const Values &values) {
  int64_t sum = index.constant;
  for (const Term &term : index.terms) {
    int64_t value = 0;
    if (term.kind == Term::Kind::lookup)
      return std::nullopt;
    if (term.kind == Term::Kind::variable) {
      auto found = std::ranges::find(values, term.variable, &Values::value_type::first);
      if (found == values.end())
        return std::nullopt;
      value = found->second;
    } else {
      const std::optional<int64_t> inner = evaluate(*term.inner, values);
      if (!inner)
        return std::nullopt;
      value = floor_div(*inner, term.divisor);
      if (term.kind == Term::Kind::remainder)
        value = *inner - value * term.divisor;
    }
    sum += term.factor * value;
  }
  return sum;
}

/// Looks for two tasks that write the same element, among a few tasks and a few elements of each.
class Witness {
public:
  explicit Witness(const For &parallel) : parallel_(parallel) {}

  /// The tasks, and the element that both write.
  struct Conflict {
    int64_t first, second;
    std::vector<int64_t> element;
    const Store *store;
  };

  std::optional<Conflict> find(const std::vector<const Store *> &stores) {
    for (int64_t task : tasks(stores))
      for (const Store *store : stores) {
        task_ = task;
        store_ = store;
        budget_ = 1000;
        visit(1, {{parallel_.variable, task}});
        if (conflict_)
          return conflict_;
      }
    return std::nullopt;
  }

private:
  /// The first tasks, the last, and those at which a quotient or remainder changes.
  std::set<int64_t> tasks(const std::vector<const Store *> &stores) const {
    const int64_t first = parallel_.lower[0].constant;
    const int64_t count = parallel_.extent().value_or(0);
    std::set<int64_t> result;
    auto add = [&](int64_t task) {
      if (task >= 0 && task < count && result.size() < 16)
        result.insert(first + task);
    };
    for (int64_t task : {int64_t(0), int64_t(1), int64_t(2), count - 1})
      add(task);
    for (const Store *store : stores)
      for (const Index &subscript : store->assign->target.subscripts)
        for (const Term &term : subscript.terms)
          for (const Term *inner = &term; inner->divides(); inner = &inner->inner->terms[0]) {
            add(inner->divisor);
            if (inner->inner->terms.empty())
              break;
          }
    return result;
  }

  void visit(size_t depth, Values values) {
    if (conflict_ || --budget_ < 0)
      return;
    if (depth == store_->loops.size())
      return write(values);
    const For &loop = *store_->loops[depth];
    std::optional<int64_t> lower, upper;
    for (const Index &bound : loop.lower) {
      const std::optional<int64_t> value = evaluate(bound, values);
      if (!value)
        return;
      lower = std::max(lower.value_or(*value), *value);
    }
    for (const Index &bound : loop.upper) {
      const std::optional<int64_t> value = evaluate(bound, values);
      if (!value)
        return;
      upper = std::min(upper.value_or(*value), *value);
    }
    if (!lower || !upper)
      return;
    values.emplace_back(loop.variable, 0);
    for (int64_t value : std::set<int64_t>{*lower, *lower + 1, *lower + 2, *upper - 1})
      if (value >= *lower && value < *upper) {
        values.back().second = value;
        visit(depth + 1, values);
      }
  }

  void write(const Values &values) {
    std::vector<int64_t> element;
    for (const Index &subscript : store_->assign->target.subscripts) {
      const std::optional<int64_t> value = evaluate(subscript, values);
      if (!value)
        return;
      element.push_back(*value);
    }
    auto [entry, inserted] = writers_.try_emplace(element, task_);
    if (!inserted && entry->second != task_)
      conflict_ = {entry->second, task_, std::move(element), store_};
  }

  const For &parallel_;
  int64_t task_ = 0;
  const Store *store_ = nullptr;
  int budget_ = 0;
  std::map<std::vector<int64_t>, int64_t> writers_;
  std::optional<Conflict> conflict_;
};

/// Scratch that all workers share.
std::set<std::string> shared_scratch(const Kernel &kernel) {
  std::set<std::string> result;
  for (const Statement &statement : kernel.body)
    if (const auto *scratch = std::get_if<Register>(&statement.node))
      result.insert(scratch->name);
  return result;
}

} // namespace

bool verify_tasks_apart(const Kernel &kernel, Diagnostics &diagnostics) {
  const std::set<std::string> scratch = shared_scratch(kernel);
  // By loop and buffer, in the order of the text.
  std::vector<std::pair<std::pair<const For *, std::string>, std::vector<const Store *>>> groups;
  const std::vector<Store> stores = stores_of(kernel);
  for (const Store &store : stores) {
    const std::string &buffer = store.assign->target.buffer;
    if (store.loops.empty() || store.loops[0]->kind != LoopKind::parallel ||
        (!kernel.find_buffer(buffer) && !scratch.contains(buffer)))
      continue;
    const std::pair key(store.loops[0], buffer);
    auto group = std::ranges::find(groups, key, [](const auto &entry) { return entry.first; });
    if (group == groups.end())
      group = groups.insert(groups.end(), {key, {}});
    group->second.push_back(&store);
  }
  bool ok = true;
  for (const auto &[key, writing] : groups) {
    const auto &[parallel, buffer] = key;
    if (parallel->extent().value_or(2) < 2 || Proof(kernel, *parallel).run(writing))
      continue;
    if (auto conflict = Witness(*parallel).find(writing)) {
      const Store &store = *conflict->store;
      ok = false;
      diagnostics.error(
          store.range.known() ? store.range : kernel.range,
          fmt::format(
              "the iterations {} and {} of the parallel loop {} both write {}", conflict->first,
              conflict->second, parallel->variable,
              to_string(Access{buffer, {conflict->element.begin(), conflict->element.end()}})));
    }
  }
  return ok;
}

} // namespace cnnc::loop
