#include "ir/loop/index.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace cnnc::loop {

namespace {

constexpr int64_t largest = std::numeric_limits<int64_t>::max();

/// a + b and a * b, or the largest number of their sign: far outside of every buffer and beyond
/// what the verifier lets pass.
int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? (a > 0 ? largest : -largest) : sum;
}
int64_t saturating_multiply(int64_t a, int64_t b) {
  int64_t product = 0;
  bool overflow = __builtin_mul_overflow(a, b, &product);
  return overflow ? ((a > 0) == (b > 0) ? largest : -largest) : product;
}

void add_term(Index &index, const Term &term) {
  if (term.factor == 0)
    return;
  std::string spelling = to_string(term);
  auto place = std::lower_bound(
      index.terms.begin(), index.terms.end(), spelling,
      [](const Term &other, const std::string &text) { return to_string(other) < text; });
  if (place == index.terms.end() || to_string(*place) != spelling) {
    index.terms.insert(place, term);
    return;
  }
  place->factor = saturating_add(place->factor, term.factor);
  if (place->factor == 0)
    index.terms.erase(place);
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// index = divisor * multiple + rest, term by term.
void split_multiples(const Index &index, int64_t divisor, Index &multiple, Index &rest) {
  for (const Term &term : index.terms) {
    bool divisible = term.factor % divisor == 0;
    Term part = term;
    if (divisible)
      part.factor /= divisor;
    add_term(divisible ? multiple : rest, part);
  }
  multiple.constant = floor_div(index.constant, divisor);
  rest.constant = index.constant - multiple.constant * divisor;
}

Term division_term(Term::Kind kind, const Index &inner, int64_t divisor) {
  Term term;
  term.kind = kind;
  term.inner = std::make_shared<const Index>(inner);
  term.divisor = divisor;
  return term;
}

} // namespace

/// What decides whether two terms can be added.
std::string to_string(const Term &term) {
  if (term.kind == Term::Kind::variable)
    return term.variable;
  if (term.kind == Term::Kind::lookup) {
    std::string text;
    for (const Index &subscript : term.subscripts)
      text += (text.empty() ? "" : ", ") + to_string(subscript);
    text = term.subscripts.empty() ? term.variable : fmt::format("{}[{}]", term.variable, text);
    return term.limit == 0 ? text : fmt::format("lookup({}, {})", text, term.limit);
  }
  bool simple = term.inner->constant == 0 && term.inner->terms.size() == 1 &&
                !term.inner->terms[0].divides() && term.inner->terms[0].factor == 1;
  std::string inner = to_string(*term.inner);
  return fmt::format("{} {} {}", simple ? inner : "(" + inner + ")",
                     term.kind == Term::Kind::quotient ? "/" : "%", term.divisor);
}

Index Index::variable(std::string name) {
  Index index;
  Term term;
  term.variable = std::move(name);
  index.terms.push_back(std::move(term));
  return index;
}

Index Index::lookup(std::string buffer, std::vector<Index> subscripts, int64_t limit) {
  Index index;
  Term term;
  term.kind = Term::Kind::lookup;
  term.variable = std::move(buffer);
  term.subscripts = std::move(subscripts);
  term.limit = limit;
  index.terms.push_back(std::move(term));
  return index;
}

std::optional<std::string> Index::as_variable() const {
  if (constant != 0 || terms.size() != 1 || terms[0].factor != 1 ||
      terms[0].kind != Term::Kind::variable)
    return std::nullopt;
  return terms[0].variable;
}

bool Term::uses(const std::string &name) const {
  switch (kind) {
  case Kind::variable:
    return variable == name;
  case Kind::quotient:
  case Kind::remainder:
    return inner->uses(name);
  case Kind::lookup:
    return std::any_of(subscripts.begin(), subscripts.end(),
                       [&](const Index &subscript) { return subscript.uses(name); });
  }
  return false;
}

bool Index::uses(const std::string &name) const {
  return std::any_of(terms.begin(), terms.end(), [&](const Term &term) { return term.uses(name); });
}

bool Index::looks_up_with(const std::string &name) const {
  return std::any_of(terms.begin(), terms.end(), [&](const Term &term) {
    return term.divides() ? term.inner->looks_up_with(name)
                          : term.kind == Term::Kind::lookup && term.uses(name);
  });
}

bool Index::operator==(const Index &other) const {
  auto same = [](const Term &a, const Term &b) {
    if (a.factor != b.factor || a.kind != b.kind)
      return false;
    if (a.kind == Term::Kind::variable)
      return a.variable == b.variable;
    if (a.kind == Term::Kind::lookup)
      return a.variable == b.variable && a.limit == b.limit && a.subscripts == b.subscripts;
    return a.divisor == b.divisor && *a.inner == *b.inner;
  };
  return constant == other.constant &&
         std::equal(terms.begin(), terms.end(), other.terms.begin(), other.terms.end(), same);
}

Index operator+(const Index &a, const Index &b) {
  Index result = a;
  result.constant = saturating_add(result.constant, b.constant);
  for (const Term &term : b.terms)
    add_term(result, term);
  return result;
}

Index operator-(const Index &a, const Index &b) { return a + b * -1; }

Index operator*(const Index &a, int64_t factor) {
  if (factor == 0)
    return {};
  Index result = a;
  result.constant = saturating_multiply(result.constant, factor);
  for (Term &term : result.terms)
    term.factor = saturating_multiply(term.factor, factor);
  return result;
}

Index operator/(const Index &a, int64_t divisor) {
  if (divisor == 1)
    return a;
  Index multiple, rest;
  split_multiples(a, divisor, multiple, rest);
  if (!rest.is_constant()) // a constant rest lies in [0, divisor)
    add_term(multiple, division_term(Term::Kind::quotient, rest, divisor));
  return multiple;
}

Index operator%(const Index &a, int64_t divisor) {
  if (divisor == 1)
    return {};
  Index multiple, rest;
  split_multiples(a, divisor, multiple, rest);
  if (rest.is_constant())
    return rest;
  Index result;
  add_term(result, division_term(Term::Kind::remainder, rest, divisor));
  return result;
}

namespace {

/// The expression with its variables and lookups, down to the innermost, replaced by what `leaf`
/// makes of them; the subscripts of a lookup have been replaced before.
Index rebuild(const Index &index, const std::function<Index(const Term &)> &leaf) {
  Index result(index.constant);
  for (const Term &term : index.terms) {
    Index value;
    if (term.divides()) {
      Index inner = rebuild(*term.inner, leaf);
      value = term.kind == Term::Kind::quotient ? inner / term.divisor : inner % term.divisor;
    } else {
      Term part = term;
      for (Index &subscript : part.subscripts)
        subscript = rebuild(subscript, leaf);
      value = leaf(part);
    }
    result = result + value * term.factor;
  }
  return result;
}

} // namespace

Index substitute(const Index &index,
                 const std::function<std::optional<Index>(const std::string &)> &replacement) {
  return rebuild(index, [&](const Term &term) {
    if (term.kind == Term::Kind::lookup)
      return Index::lookup(term.variable, term.subscripts, term.limit);
    std::optional<Index> value = replacement(term.variable);
    return value ? *value : Index::variable(term.variable);
  });
}

Index rename_lookups(const Index &index, const std::function<void(std::string &)> &rename) {
  return rebuild(index, [&](const Term &term) {
    if (term.kind == Term::Kind::variable)
      return Index::variable(term.variable);
    std::string buffer = term.variable;
    rename(buffer);
    return Index::lookup(buffer, term.subscripts, term.limit);
  });
}

Index substitute(const Index &index, const std::string &variable, const Index &value) {
  return substitute(index, [&](const std::string &name) {
    return name == variable ? std::optional(value) : std::nullopt;
  });
}

std::string to_string(const Index &index) {
  std::string result;
  auto append = [&](bool negative, const std::string &text) {
    if (result.empty())
      result = negative ? "-" + text : text;
    else
      result += (negative ? " - " : " + ") + text;
  };
  auto print = [&](const Term &term) {
    std::string atom = to_string(term);
    int64_t factor = std::abs(term.factor);
    if (factor != 1)
      atom = fmt::format("{} * {}", term.divides() ? "(" + atom + ")" : atom, factor);
    append(term.factor < 0, atom);
  };
  // Large strides first, `oh * 2 + kh`, but no negative one, so that `1 - oh` is not `-oh + 1`.
  std::vector<Term> ordered = index.terms;
  std::sort(ordered.begin(), ordered.end(), [](const Term &a, const Term &b) {
    return std::pair(std::abs(a.factor), to_string(a)) >
           std::pair(std::abs(b.factor), to_string(b));
  });
  for (const Term &term : ordered)
    if (term.factor > 0)
      print(term);
  if (index.constant > 0 || index.terms.empty())
    append(index.constant < 0, std::to_string(std::abs(index.constant)));
  for (const Term &term : ordered)
    if (term.factor < 0)
      print(term);
  if (index.constant < 0 && !index.terms.empty())
    append(true, std::to_string(-index.constant));
  return result;
}

} // namespace cnnc::loop
