#include "compiler/loop_passes/fuse_at_stores.h"
#include "compiler/loop_passes/local_register.h"
#include "ir/loop/rewrite.h"

#include <algorithm>
#include <map>

namespace cnnc {

namespace {

using loop::Access;
using loop::Assign;
using loop::For;
using loop::Index;
using loop::Kernel;
using loop::LoopKind;
using loop::Statement;
using loop::Term;

/// A variable of the consumer in a subscript of what it reads: window * variable + a rest, or its
/// quotient by the size of a block.
struct Role {
  size_t dimension = 0;
  int64_t window = 1;
  bool operator==(const Role &) const = default;
};

/// A variable that counts in blocks, and the subscript that holds its remainder.
struct BlockRole {
  int64_t size = 1;
  std::optional<size_t> remainder;
  bool operator==(const BlockRole &) const = default;
};

class FusionAtStores {
public:
  FusionAtStores(const Kernel &kernel, const loop::Buffer &local)
      : local_(local), register_(register_of(kernel, local, kernel.body)), body_(kernel.body) {}

  std::optional<std::vector<Statement>> run() {
    if (!find_consumer() || !find_roles())
      return std::nullopt;
    Statement consumer = std::move(body_[consumer_]);
    body_.erase(body_.begin() + static_cast<std::ptrdiff_t>(consumer_));
    rewrite(body_);
    if (failed_ || stores_ == 0)
      return std::nullopt;
    return std::move(body_);
  }

private:
  bool find_consumer() {
    size_t readers = 0;
    for (size_t i = 0; i < body_.size(); ++i)
      if (loop::reads({&body_[i], 1}).contains(local_.name)) {
        consumer_ = i;
        ++readers;
      }
    if (readers != 1)
      return false;
    for (const For *loop : loop::perfect_band(body_[consumer_])) {
      if (loop->kind != LoopKind::serial || !loop->extent() || !(loop->lower[0] == Index(0)))
        return false;
      variables_.push_back(loop->variable);
      extents_[loop->variable] = *loop->extent();
      inner_ = loop->body;
    }
    return !variables_.empty();
  }

  /// In which subscript every variable of the consumer stands: the same in all reads.
  bool find_roles() {
    bool ok = true, first = true;
    loop::for_each_access(inner_, [&](Access &access) {
      if (access.buffer != local_.name)
        return;
      std::map<std::string, Role> roles;
      std::map<std::string, BlockRole> blocks;
      for (size_t d = 0; d < access.subscripts.size(); ++d)
        ok = ok && find_role(access.subscripts[d], d, roles, blocks);
      ok = ok && roles.size() == variables_.size() &&
           (first || (roles == roles_ && blocks == blocks_));
      roles_ = std::move(roles);
      blocks_ = std::move(blocks);
      first = false;
    });
    for (const auto &[variable, role] : roles_)
      ok = ok && reads_all(variable, role);
    return ok && !first;
  }

  /// The producer stores every element of the local, and each has to have its reader.
  bool reads_all(const std::string &variable, const Role &role) const {
    int64_t elements = extents_.at(variable) * role.window;
    if (auto block = blocks_.find(variable); block != blocks_.end()) {
      if (!block->second.remainder || role.window != 1 ||
          block->second.size != local_.shape[*block->second.remainder])
        return false;
      elements /= block->second.size;
    }
    return elements == local_.shape[role.dimension];
  }

  bool is_variable(const std::string &name) const {
    return std::find(variables_.begin(), variables_.end(), name) != variables_.end();
  }

  bool find_role(const Index &subscript, size_t dimension, std::map<std::string, Role> &roles,
                 std::map<std::string, BlockRole> &blocks) const {
    for (const Term &term : subscript.terms) {
      if (term.kind == Term::Kind::variable) {
        if (is_variable(term.variable) &&
            (term.factor < 1 || !roles.insert({term.variable, {dimension, term.factor}}).second))
          return false;
        continue;
      }
      std::optional<std::string> name = term.divides() ? term.inner->as_variable() : std::nullopt;
      if (!name || !is_variable(*name) || subscript.terms.size() != 1 || term.factor != 1 ||
          subscript.constant != 0)
        return false;
      BlockRole &block = blocks[*name];
      block.size = term.divisor;
      if (term.kind == Term::Kind::remainder)
        block.remainder = dimension;
      else if (!roles.insert({*name, {dimension, 1}}).second)
        return false;
    }
    return true;
  }

  void rewrite(std::vector<Statement> &body) {
    std::vector<Statement> result;
    for (Statement &statement : body) {
      std::vector<const For *> chain = unrolled_chain(statement);
      std::vector<Statement> stored;
      if (chain.empty())
        stored.push_back(statement);
      else
        stored = chain.back()->body;
      const auto *assign = std::get_if<Assign>(&stored.back().node);
      if (assign && assign->target.buffer == local_.name) {
        ++stores_;
        replace(chain, std::move(stored), result);
        continue;
      }
      if (auto *inner = std::get_if<For>(&statement.node))
        rewrite(inner->body);
      result.push_back(std::move(statement));
    }
    body = std::move(result);
  }

  /// Unrolled loops around assignments only.
  static std::vector<const For *> unrolled_chain(const Statement &statement) {
    std::vector<const For *> band = loop::perfect_band(statement);
    bool unrolled = std::all_of(band.begin(), band.end(), [](const For *loop) {
      return loop->kind == LoopKind::unroll && loop->extent() && loop->lower[0] == Index(0);
    });
    bool straight = unrolled && !band.empty() &&
                    std::none_of(band.back()->body.begin(), band.back()->body.end(),
                                 [](const Statement &inner) {
                                   return std::holds_alternative<For>(inner.node);
                                 });
    return straight ? band : std::vector<const For *>{};
  }

  /// `stored`, whose last statement is the store, within `chain`, and the consumer's body behind
  /// it.
  void replace(const std::vector<const For *> &chain, std::vector<Statement> stored,
               std::vector<Statement> &result) {
    Assign &store = std::get<Assign>(stored.back().node);
    const std::vector<Index> at = store.target.subscripts;
    std::vector<int64_t> windows(chain.size(), 1);
    loop::Replacements values;
    std::map<std::string, size_t> counters; // loops of the chain that count a variable's windows
    for (const auto &[variable, role] : roles_)
      values.emplace_back(variable, value_of(variable, role, at, chain, counters));
    for (const auto &[variable, counter] : counters)
      windows[counter] = roles_.at(variable).window;
    if (failed_)
      return;
    std::vector<Index> written, read;
    std::vector<int64_t> shape;
    std::vector<std::pair<std::string, int64_t>> loops, parts;
    const bool array = !counters.empty();
    for (size_t i = 0; i < chain.size(); ++i) {
      const std::string &name = chain[i]->variable;
      const int64_t extent = *chain[i]->extent();
      loops.emplace_back(name, extent);
      parts.emplace_back(name, extent / windows[i]);
      if (!array)
        continue;
      shape.push_back(extent);
      written.push_back(Index::variable(name));
      read.push_back(Index::variable(name) * windows[i]);
    }
    std::vector<Statement> body = inner_;
    redirect_reads(body, read, counters);
    loop::substitute(body, values);
    store.target.subscripts = written;
    Statement declare = loop::make_register(local_.name, shape, register_);
    if (array) {
      result.push_back(std::move(declare));
      append_unrolled(loops, std::move(stored), result);
      append_unrolled(parts, std::move(body), result);
      return;
    }
    stored.insert(stored.begin(), std::move(declare));
    std::move(body.begin(), body.end(), std::back_inserter(stored));
    append_unrolled(parts, std::move(stored), result);
  }

  static void append_unrolled(const std::vector<std::pair<std::string, int64_t>> &loops,
                              std::vector<Statement> body, std::vector<Statement> &result) {
    for (size_t i = loops.size(); i-- > 0;) {
      Statement outer =
          loop::make_for(loops[i].first, loops[i].second, std::move(body), LoopKind::unroll);
      body.clear();
      body.push_back(std::move(outer));
    }
    std::move(body.begin(), body.end(), std::back_inserter(result));
  }

  /// The consumer's variable where the producer stores to `at`. With a window the loop of the chain
  /// that counts the windows' elements goes on to count windows.
  Index value_of(const std::string &variable, const Role &role, const std::vector<Index> &at,
                 const std::vector<const For *> &chain, std::map<std::string, size_t> &counters) {
    Index value = at[role.dimension];
    if (auto block = blocks_.find(variable); block != blocks_.end())
      return value * block->second.size + at[*block->second.remainder];
    if (role.window == 1)
      return value;
    for (size_t i = 0; i < chain.size(); ++i) {
      Index counter = Index::variable(chain[i]->variable), rest = value - counter;
      bool divides = rest.constant % role.window == 0 && !rest.uses(chain[i]->variable) &&
                     *chain[i]->extent() % role.window == 0;
      for (const Term &term : rest.terms)
        divides = divides && term.factor % role.window == 0;
      if (!divides || !value.uses(chain[i]->variable))
        continue;
      counters[variable] = i;
      return rest / role.window + counter;
    }
    failed_ = true;
    return value;
  }

  /// Reads become those of the register: the first element of the window at `read`, and what lies
  /// beyond it in the window.
  void redirect_reads(std::vector<Statement> &body, const std::vector<Index> &read,
                      const std::map<std::string, size_t> &counters) {
    std::vector<std::string> offsets;
    loop::for_each_access(body, [&](Access &access) {
      if (access.buffer != local_.name)
        return;
      std::vector<Index> element = read;
      for (const auto &[variable, role] : roles_) {
        if (blocks_.contains(variable))
          continue;
        Index rest = access.subscripts[role.dimension] - Index::variable(variable) * role.window;
        auto counter = counters.find(variable);
        if (counter == counters.end()) {
          failed_ = failed_ || !(rest == Index(0));
          continue;
        }
        element[counter->second] = element[counter->second] + rest;
        for (const Term &term : rest.terms)
          offsets.push_back(term.kind == Term::Kind::variable ? term.variable : "");
      }
      access.subscripts = std::move(element);
    });
    for (const std::string &offset : offsets)
      loop::unroll_loop(body, offset);
  }

  const loop::Buffer local_;
  const DType register_;
  std::vector<Statement> body_;
  size_t consumer_ = 0;
  std::vector<std::string> variables_; // of the consumer
  std::map<std::string, int64_t> extents_;
  std::vector<Statement> inner_; // its body
  std::map<std::string, Role> roles_;
  std::map<std::string, BlockRole> blocks_;
  size_t stores_ = 0;
  bool failed_ = false;
};

} // namespace

bool fuse_at_stores(Kernel &kernel, const loop::Buffer &local) {
  std::optional<std::vector<Statement>> body = FusionAtStores(kernel, local).run();
  if (body)
    kernel.body = std::move(*body);
  return body.has_value();
}

} // namespace cnnc
