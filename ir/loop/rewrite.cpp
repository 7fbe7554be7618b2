#include "ir/loop/rewrite.h"

#include <algorithm>

namespace cnnc::loop {

namespace {

// Each is for what is constant and for what is not.

template <class Body, class Visit> void visit_statements(Body &&body, const Visit &visit) {
  for (auto &statement : body) {
    visit(statement);
    if (auto *loop = std::get_if<For>(&statement.node))
      visit_statements(loop->body, visit);
  }
}

template <class Part, class Visit> void visit_expression(Part &expression, const Visit &visit) {
  if (!expression.access.subscripts.empty() || expression.kind == Expression::Kind::load)
    visit(expression.access);
  for (auto &argument : expression.arguments)
    visit_expression(argument, visit);
}

template <class Body, class Visit> void visit_accesses(Body &&body, const Visit &visit) {
  visit_statements(body, [&](auto &statement) {
    if (auto *assign = std::get_if<Assign>(&statement.node)) {
      visit(assign->target);
      visit_expression(assign->value, visit);
    }
  });
}

} // namespace

void for_each_statement(std::span<const Statement> body,
                        const std::function<void(const Statement &)> &look) {
  visit_statements(body, look);
}

void for_each_access(std::span<const Statement> body,
                     const std::function<void(const Access &)> &look) {
  visit_accesses(body, look);
}

void for_each_access(std::vector<Statement> &body, const std::function<void(Access &)> &change) {
  visit_accesses(body, change);
}

void for_each_access(Expression &expression, const std::function<void(Access &)> &change) {
  visit_expression(expression, change);
}

std::set<std::string> reads(std::span<const Statement> body) {
  std::set<std::string> names;
  for_each_statement(body, [&](const Statement &statement) {
    const auto *assign = std::get_if<Assign>(&statement.node);
    if (!assign)
      return;
    if (assign->accumulate)
      names.insert(assign->target.buffer);
    visit_expression(assign->value, [&](const Access &access) { names.insert(access.buffer); });
  });
  names.erase(""); // of value(index) and uniform(index, ..)
  return names;
}

std::set<std::string> writes(std::span<const Statement> body) {
  std::set<std::string> names;
  for_each_statement(body, [&](const Statement &statement) {
    if (const auto *assign = std::get_if<Assign>(&statement.node))
      names.insert(assign->target.buffer);
  });
  return names;
}

void rewrite_indices(std::vector<Statement> &body,
                     const std::function<Index(const Index &)> &change) {
  auto change_access = [&](Access &access) {
    for (Index &subscript : access.subscripts)
      subscript = change(subscript);
  };
  for (Statement &statement : body) {
    if (auto *loop = std::get_if<For>(&statement.node)) {
      for (std::vector<Index> *bound : {&loop->lower, &loop->upper})
        for (Index &index : *bound)
          index = change(index);
      rewrite_indices(loop->body, change);
    } else if (auto *assign = std::get_if<Assign>(&statement.node)) {
      change_access(assign->target);
      for_each_access(assign->value, change_access);
    }
  }
}

void substitute(std::vector<Statement> &body, const std::string &variable, const Index &value) {
  rewrite_indices(body, [&](const Index &index) {
    return index.uses(variable) ? substitute(index, variable, value) : index;
  });
}

Index substitute(const Index &index, const Replacements &replacements) {
  return substitute(index, [&](const std::string &variable) -> std::optional<Index> {
    for (const auto &[name, value] : replacements)
      if (name == variable)
        return value;
    return std::nullopt;
  });
}

void substitute(std::vector<Statement> &body, const Replacements &replacements) {
  rewrite_indices(body, [&](const Index &index) { return substitute(index, replacements); });
}

std::vector<const For *> perfect_band(const Statement &statement) {
  std::vector<const For *> band;
  const auto *loop = std::get_if<For>(&statement.node);
  while (loop) {
    band.push_back(loop);
    loop = loop->body.size() == 1 ? std::get_if<For>(&loop->body[0].node) : nullptr;
  }
  return band;
}

void unroll_loop(std::vector<Statement> &body, const std::string &variable) {
  visit_statements(body, [&](Statement &statement) {
    auto *loop = std::get_if<For>(&statement.node);
    if (loop && loop->variable == variable)
      loop->kind = LoopKind::unroll;
  });
}

std::vector<std::string> schedulable_loops(const std::vector<Statement> &body) {
  std::vector<std::string> names;
  for_each_statement(body, [&](const Statement &statement) {
    const auto *loop = std::get_if<For>(&statement.node);
    if (!loop)
      return;
    std::string name = loop->variable;
    for (std::string_view part : {".o", ".i", ".u", ".v"})
      if (name.ends_with(part))
        name.resize(name.size() - part.size());
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  });
  return names;
}

static void make_unique(std::vector<Statement> &body, std::set<std::string> &taken) {
  for (Statement &statement : body) {
    if (auto *loop = std::get_if<For>(&statement.node))
      make_unique(loop->body, taken);
    auto *reg = std::get_if<Register>(&statement.node);
    if (!reg)
      continue;
    std::string before = reg->name;
    for (int i = 1; !taken.insert(reg->name).second; ++i)
      reg->name = before + "." + std::to_string(i);
    if (reg->name != before)
      for_each_access(body, [&, after = reg->name](Access &access) {
        if (access.buffer == before)
          access.buffer = after;
      });
  }
}

void make_registers_unique(Kernel &kernel) {
  std::set<std::string> taken;
  for (const std::vector<Buffer> *list : {&kernel.inputs, &kernel.outputs, &kernel.locals})
    for (const Buffer &buffer : *list)
      taken.insert(buffer.name);
  for (const Table &table : kernel.tables)
    taken.insert(table.name);
  make_unique(kernel.body, taken);
}

} // namespace cnnc::loop
