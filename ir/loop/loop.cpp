#include "ir/loop/loop.h"

#include <algorithm>

namespace cnnc::loop {

Expression number(double value) {
  Expression result;
  result.number = value;
  return result;
}

Expression load(std::string buffer, std::vector<Index> subscripts) {
  Expression result;
  result.kind = Expression::Kind::load;
  result.access = {std::move(buffer), std::move(subscripts)};
  return result;
}

Expression call(Function function, std::vector<Expression> arguments) {
  Expression result;
  result.kind = Expression::Kind::call;
  result.function = function;
  result.arguments = std::move(arguments);
  return result;
}

Expression value(Index index) {
  Expression result;
  result.kind = Expression::Kind::value;
  result.access.subscripts.push_back(std::move(index));
  return result;
}

Expression uniform(Index index, int64_t seed, Expression counter) {
  Expression result;
  result.kind = Expression::Kind::uniform;
  result.number = static_cast<double>(seed);
  result.access.subscripts.push_back(std::move(index));
  result.arguments.push_back(std::move(counter));
  return result;
}

Expression operator+(Expression a, Expression b) {
  return call(Function::add, {std::move(a), std::move(b)});
}
Expression operator-(Expression a, Expression b) {
  return call(Function::sub, {std::move(a), std::move(b)});
}
Expression operator*(Expression a, Expression b) {
  return call(Function::mul, {std::move(a), std::move(b)});
}
Expression operator/(Expression a, Expression b) {
  return call(Function::div, {std::move(a), std::move(b)});
}

std::optional<int64_t> For::extent() const {
  if (lower.size() != 1 || upper.size() != 1)
    return std::nullopt;
  Index difference = upper[0] - lower[0];
  return difference.is_constant() ? std::optional(difference.constant) : std::nullopt;
}

const Buffer *Kernel::find_buffer(std::string_view buffer_name) const {
  for (const std::vector<Buffer> *list : {&inputs, &outputs, &locals})
    for (const Buffer &buffer : *list)
      if (buffer.name == buffer_name)
        return &buffer;
  return nullptr;
}

const Table *Kernel::find_table(std::string_view table_name) const {
  for (const Table &table : tables)
    if (table.name == table_name)
      return &table;
  return nullptr;
}

int64_t limited(int64_t element, int64_t limit) {
  if (limit == 0)
    return element;
  return std::clamp<int64_t>(element < 0 ? element + limit : element, 0, limit - 1);
}

std::optional<int64_t>
Table::looked_up(const Term &lookup,
                 const std::function<std::optional<int64_t>(const Index &)> &constant) const {
  int64_t position = 0;
  if (dtype != DType::i32 || lookup.subscripts.size() != shape.size())
    return std::nullopt;
  for (size_t i = 0; i < shape.size(); ++i) {
    std::optional<int64_t> subscript = constant(lookup.subscripts[i]);
    if (!subscript || *subscript < 0 || *subscript >= shape[i])
      return std::nullopt;
    position = position * shape[i] + *subscript;
  }
  if (position >= std::ssize(values))
    return std::nullopt;
  return limited(static_cast<int64_t>(values[static_cast<size_t>(position)]), lookup.limit);
}

Statement make_for(std::string variable, Index extent, std::vector<Statement> body, LoopKind kind) {
  For loop;
  loop.kind = kind;
  loop.variable = std::move(variable);
  loop.upper = {std::move(extent)};
  loop.body = std::move(body);
  return {std::move(loop), {}};
}

Statement make_assign(Access target, Expression value, bool accumulate) {
  return {Assign{std::move(target), accumulate, std::move(value)}, {}};
}

Statement make_register(std::string name, std::vector<int64_t> shape, DType dtype) {
  return {Register{std::move(name), dtype, std::move(shape)}, {}};
}

Statement make_scratch(std::string name, std::vector<int64_t> shape) {
  return {Register{std::move(name), DType::f32, std::move(shape), true}, {}};
}

std::vector<Statement> nest(const std::vector<std::pair<std::string, int64_t>> &loops,
                            std::vector<Statement> body) {
  for (auto loop = loops.rbegin(); loop != loops.rend(); ++loop) {
    Statement outer = make_for(loop->first, loop->second, std::move(body));
    body.clear();
    body.push_back(std::move(outer));
  }
  return body;
}

} // namespace cnnc::loop
