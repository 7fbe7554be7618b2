#include "ir/loop/rewrite.h"

#include <set>

namespace cnnc::loop {

void for_each_access(Expression &expression, const std::function<void(Access &)> &change) {
  if (expression.kind == Expression::Kind::load)
    change(expression.access);
  for (Expression &argument : expression.arguments)
    for_each_access(argument, change);
}

void for_each_access(std::vector<Statement> &body, const std::function<void(Access &)> &change) {
  for (Statement &statement : body) {
    if (auto *loop = std::get_if<For>(&statement.node)) {
      for_each_access(loop->body, change);
    } else if (auto *assign = std::get_if<Assign>(&statement.node)) {
      change(assign->target);
      for_each_access(assign->value, change);
    }
  }
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

static void collect_names(const std::vector<Statement> &body, std::set<std::string> &names) {
  for (const Statement &statement : body) {
    if (const auto *loop = std::get_if<For>(&statement.node)) {
      names.insert(loop->variable);
      collect_names(loop->body, names);
    } else if (const auto *reg = std::get_if<Register>(&statement.node)) {
      names.insert(reg->name);
    }
  }
}

std::string unique_name(const Kernel &kernel, const std::string &name) {
  std::set<std::string> names;
  for (const std::vector<Buffer> *list : {&kernel.inputs, &kernel.outputs, &kernel.locals})
    for (const Buffer &buffer : *list)
      names.insert(buffer.name);
  collect_names(kernel.body, names);
  std::string result = name;
  for (int i = 1; names.contains(result); ++i)
    result = name + "." + std::to_string(i);
  return result;
}

} // namespace cnnc::loop
