#include "ir/loop/range.h"

#include <algorithm>
#include <numeric>

namespace cnnc::loop {

namespace {

/// Numbers stay well inside 64 bits, so that negation and a step of one are always safe.
constexpr int64_t limit = int64_t(1) << 60;

/// One bound looks at no more alternatives than this; then the first of each min or max has to do.
constexpr int most_alternatives = 256;

/// sum += a * b; false when the result is out of bounds.
bool add_product(int64_t &sum, int64_t a, int64_t b) {
  int64_t product = 0;
  return !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(sum, product, &sum) &&
         sum <= limit && sum >= -limit;
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
int64_t floor_mod(int64_t a, int64_t b) { return a - floor_div(a, b) * b; }

/// inner % divisor for an inner expression in the given range.
Range remainder_range(const Index &inner, Range range, int64_t divisor) {
  int64_t period = floor_div(range.min, divisor);
  if (period == floor_div(range.max, divisor))
    return {range.min - period * divisor, range.max - period * divisor};
  // All terms are multiples of `step`, hence so are the differences between the remainders.
  int64_t step = divisor;
  for (const Term &term : inner.terms)
    step = std::gcd(step, term.factor);
  int64_t smallest = floor_mod(inner.constant, step);
  return {smallest, divisor - step + smallest};
}

} // namespace

bool Scope::same_atom(const Part &a, const Part &b) {
  if (a.order != b.order || a.kind != b.kind || a.divisor != b.divisor)
    return false;
  if (a.kind == Term::Kind::lookup)
    return a.lookup == b.lookup;
  return a.kind == Term::Kind::variable || *a.inner == *b.inner;
}

bool Scope::add(Sum &sum, const Part &part, int64_t factor) {
  auto place = sum.parts.end();
  while (place != sum.parts.begin() && std::prev(place)->order >= part.order) {
    --place;
    if (!same_atom(*place, part))
      continue;
    if (!add_product(place->factor, part.factor, factor))
      return false;
    if (place->factor == 0)
      sum.parts.erase(place);
    return true;
  }
  place = sum.parts.insert(place, part);
  place->factor = 0;
  return add_product(place->factor, part.factor, factor);
}

bool Scope::add(Sum &sum, const Sum &other, int64_t factor) {
  for (const Part &part : other.parts)
    if (!add(sum, part, factor))
      return false;
  return add_product(sum.constant, other.constant, factor);
}

void Scope::push(const For &loop) {
  Level level;
  level.variable = loop.variable;
  for (const Index &bound : loop.lower)
    if (std::optional<Sum> sum = read(bound))
      level.first.push_back(std::move(*sum));
  for (const Index &bound : loop.upper)
    if (std::optional<Sum> sum = read(bound)) {
      --sum->constant;
      level.last.push_back(std::move(*sum));
    }
  levels_.push_back(std::move(level));
}

void Scope::pop() { levels_.pop_back(); }

bool Scope::binds(const std::string &variable) const {
  return std::any_of(levels_.begin(), levels_.end(),
                     [&](const Level &level) { return level.variable == variable; });
}

std::optional<Scope::Part> Scope::read(const Term &term) const {
  Part part;
  part.factor = term.factor;
  part.kind = term.kind;
  if (term.kind == Term::Kind::variable) {
    for (size_t depth = levels_.size(); depth-- > 0;)
      if (levels_[depth].variable == term.variable) {
        part.order = 2 * static_cast<int>(depth);
        return part;
      }
    return std::nullopt;
  }
  if (term.kind == Term::Kind::lookup)
    return read_lookup(std::move(part), term);
  std::optional<Sum> inner = read(*term.inner);
  std::optional<Range> range = inner ? range_of(*inner) : std::nullopt;
  if (!range || term.divisor <= 0)
    return std::nullopt;
  part.order = inner->parts.empty() ? 0 : inner->parts.back().order | 1;
  part.inner = term.inner;
  part.divisor = term.divisor;
  part.range = term.kind == Term::Kind::quotient
                   ? Range{floor_div(range->min, term.divisor), floor_div(range->max, term.divisor)}
                   : remainder_range(*term.inner, *range, term.divisor);
  return part;
}

std::optional<Scope::Part> Scope::read_lookup(Part part, const Term &term) const {
  std::optional<Range> range = range_of_lookup(term);
  if (!range)
    return std::nullopt;
  part.range = *range;
  part.lookup = to_string(Index::lookup(term.variable, term.subscripts, term.limit));
  for (const Index &subscript : term.subscripts) {
    std::optional<Sum> inner = read(subscript);
    if (!inner)
      return std::nullopt;
    if (!inner->parts.empty())
      part.order = std::max(part.order, inner->parts.back().order | 1);
  }
  return part;
}

std::optional<Scope::Sum> Scope::read(const Index &index) const {
  Sum sum;
  if (!add_product(sum.constant, index.constant, 1))
    return std::nullopt;
  sum.parts.reserve(index.terms.size());
  for (const Term &term : index.terms) {
    std::optional<Part> part = read(term);
    if (!part || !add(sum, *part, 1))
      return std::nullopt;
  }
  return sum;
}

std::optional<int64_t> Scope::maximum(Sum sum, int &budget) const {
  while (!sum.parts.empty()) {
    Part part = std::move(sum.parts.back());
    sum.parts.pop_back();
    if (part.kind != Term::Kind::variable) {
      int64_t extreme = part.factor > 0 ? part.range.max : part.range.min;
      if (!add_product(sum.constant, part.factor, extreme))
        return std::nullopt;
      continue;
    }
    const Level &level = levels_[part.order / 2];
    const std::vector<Sum> &alternatives = part.factor > 0 ? level.last : level.first;
    if (alternatives.empty())
      return std::nullopt;
    if (alternatives.size() == 1 || budget <= 0) {
      if (!add(sum, alternatives[0], part.factor))
        return std::nullopt;
      continue;
    }
    std::optional<int64_t> best;
    for (const Sum &alternative : alternatives) {
      Sum replaced = sum;
      if (best && budget-- <= 0)
        break;
      std::optional<int64_t> bound;
      if (add(replaced, alternative, part.factor))
        bound = maximum(std::move(replaced), budget);
      if (bound && (!best || *bound < *best))
        best = bound;
    }
    return best;
  }
  return sum.constant;
}

std::optional<Range> Scope::range_of(const Sum &sum) const {
  int budget = most_alternatives;
  std::optional<int64_t> max = maximum(sum, budget);
  Sum negated;
  if (!max || !add(negated, sum, -1))
    return std::nullopt;
  budget = most_alternatives;
  std::optional<int64_t> negated_min = maximum(std::move(negated), budget);
  if (!negated_min)
    return std::nullopt;
  return Range{-*negated_min, *max};
}

std::optional<Range> Scope::range_of(const Index &index) const {
  std::optional<Sum> sum = read(index);
  return sum ? range_of(*sum) : std::nullopt;
}

std::optional<Range> Scope::range_of_lookup(const Term &term) const {
  const Table *table = kernel_ ? kernel_->find_table(term.variable) : nullptr;
  if (std::optional<int64_t> element = element_of(term))
    return Range{*element, *element};
  if (term.limit > 0 || !table || table->values.empty() || table->dtype != DType::i32)
    return term.limit > 0 ? std::optional(Range{0, term.limit - 1}) : std::nullopt;
  auto [least, most] = std::minmax_element(table->values.begin(), table->values.end());
  return Range{static_cast<int64_t>(*least), static_cast<int64_t>(*most)};
}

std::optional<int64_t> Scope::element_of(const Term &lookup) const {
  const Table *table = kernel_ ? kernel_->find_table(lookup.variable) : nullptr;
  return table ? table->looked_up(lookup,
                                  [](const Index &subscript) {
                                    return subscript.is_constant()
                                               ? std::optional(subscript.constant)
                                               : std::nullopt;
                                  })
               : std::nullopt;
}

namespace {

Index divide(Term::Kind kind, const Index &inner, int64_t divisor) {
  return kind == Term::Kind::quotient ? inner / divisor : inner % divisor;
}

/// A quotient or remainder by `divisor` of an expression that splits into `step` times a multiple
/// and a rest in [0, step): (a * 16 + b) % 32 is (a % 2) * 16 + b. Empty when no factor gives such
/// a step.
std::optional<Index> split_by_step(Term::Kind kind, const Index &inner, int64_t divisor,
                                   const Scope &scope) {
  std::vector<int64_t> steps;
  for (const Term &term : inner.terms)
    steps.push_back(std::gcd(term.factor, divisor));
  std::sort(steps.rbegin(), steps.rend());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  for (int64_t step : steps) {
    if (step == 1 || step == divisor)
      continue;
    Index multiple, rest;
    for (const Term &term : inner.terms) {
      Term part = term;
      bool divisible = term.factor % step == 0;
      if (divisible)
        part.factor /= step;
      (divisible ? multiple : rest).terms.push_back(std::move(part));
    }
    multiple.constant = floor_div(inner.constant, step);
    rest.constant = floor_mod(inner.constant, step);
    std::optional<Range> range = scope.range_of(rest);
    if (!range || range->min < 0 || range->max >= step)
      continue;
    Index outer = simplify(divide(kind, multiple, divisor / step), scope);
    return kind == Term::Kind::quotient ? outer : outer * step + rest;
  }
  return std::nullopt;
}

/// A canonical quotient or remainder whose inner expression is simple already.
Index simplify_division(Term::Kind kind, const Index &inner, int64_t divisor, const Scope &scope) {
  if (std::optional<Range> range = scope.range_of(inner)) {
    int64_t period = floor_div(range->min, divisor);
    if (period == floor_div(range->max, divisor))
      return kind == Term::Kind::quotient ? Index(period) : inner - Index(period * divisor);
  }
  std::optional<Index> split = split_by_step(kind, inner, divisor, scope);
  return split ? *split : divide(kind, inner, divisor);
}

} // namespace

Index simplify(const Index &index, const Scope &scope) {
  Index result(index.constant);
  for (const Term &term : index.terms) {
    if (term.kind == Term::Kind::variable) {
      result = result + Index::variable(term.variable) * term.factor;
      continue;
    }
    if (term.kind == Term::Kind::lookup) {
      Term simple = term;
      for (Index &subscript : simple.subscripts)
        subscript = simplify(subscript, scope);
      std::optional<int64_t> element = scope.element_of(simple);
      result =
          result + (element ? Index(*element)
                            : Index::lookup(simple.variable, simple.subscripts, simple.limit)) *
                       term.factor;
      continue;
    }
    // Division takes out what is a multiple of the divisor; the rest stays a quotient or remainder.
    Index divided = divide(term.kind, simplify(*term.inner, scope), term.divisor);
    Index value(divided.constant);
    for (const Term &part : divided.terms)
      if (part.kind == term.kind && part.divisor == term.divisor)
        value =
            value + simplify_division(part.kind, *part.inner, part.divisor, scope) * part.factor;
      else {
        Index other;
        other.terms.push_back(part);
        value = value + other;
      }
    result = result + value * term.factor;
  }
  return result;
}

} // namespace cnnc::loop
