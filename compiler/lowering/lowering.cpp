#include "compiler/lowering/lowering.h"

#include "compiler/support/ceil_div.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

using loop::Access;
using loop::Expression;
using loop::Index;
using loop::Statement;

namespace {

/// Logical subscripts to physical ones: the halo shifts the last two, a block divides its dimension
/// and adds the remainder at the end.
std::vector<Index> physical_subscripts(const TensorType &type, const Subscripts &logical) {
  std::vector<Index> result = logical;
  size_t rank = logical.size();
  if (rank >= 2) {
    result[rank - 2] = result[rank - 2] + type.layout.halo[0];
    result[rank - 1] = result[rank - 1] + type.layout.halo[1];
  }
  std::vector<Index> lanes(type.layout.blocks.size());
  for (size_t i = lanes.size();
       i-- > 0;) { // of several blocks of a dimension the last is innermost
    const Block &block = type.layout.blocks[i];
    Index &subscript = result[static_cast<size_t>(block.axis)];
    lanes[i] = subscript % block.size;
    subscript = subscript / block.size;
  }
  result.insert(result.end(), lanes.begin(), lanes.end());
  return result;
}

/// A nest over part of a physical shape (begin and end per dimension), innermost block as a vector.
Statement fill_nest(const std::string &buffer, const std::vector<int64_t> &begin,
                    const std::vector<int64_t> &end, int64_t value, bool vector_lanes) {
  std::vector<Index> subscripts;
  for (size_t i = 0; i < begin.size(); ++i)
    subscripts.push_back(Index::variable(fmt::format("z{}", i)) + begin[i]);
  Statement result =
      loop::make_assign({buffer, subscripts}, loop::number(static_cast<double>(value)));
  for (size_t i = begin.size(); i-- > 0;) {
    bool vector = vector_lanes && i + 1 == begin.size();
    std::vector<Statement> body;
    body.push_back(std::move(result));
    result = loop::make_for(fmt::format("z{}", i), end[i] - begin[i], std::move(body),
                            vector ? loop::LoopKind::vector : loop::LoopKind::serial);
  }
  return result;
}

} // namespace

bool Lowering::result_leaves_kernel() const {
  const std::string &name = buffer_names_.at(node_->results[0]);
  return std::any_of(kernel_.outputs.begin(), kernel_.outputs.end(),
                     [&](const loop::Buffer &output) { return output.name == name; });
}

bool Lowering::operand_is_local() const {
  const std::string &name = buffer_names_.at(node_->operands[0]);
  return std::any_of(kernel_.locals.begin(), kernel_.locals.end(),
                     [&](const loop::Buffer &local) { return local.name == name; });
}

Access Lowering::operand_access(size_t index, const Subscripts &subscripts) const {
  ValueId id = node_->operands[index];
  return {buffer_names_.at(id), physical_subscripts(graph_.type(id), subscripts)};
}

Access Lowering::result_access(const Subscripts &subscripts, size_t index) const {
  ValueId id = node_->results[index];
  return {buffer_names_.at(id), physical_subscripts(graph_.type(id), subscripts)};
}

Expression Lowering::read(size_t index, const Subscripts &subscripts) const {
  Access access = operand_access(index, subscripts);
  return loop::load(access.buffer, access.subscripts);
}

Index Lowering::look_up(size_t index, const Subscripts &subscripts, int64_t limit) const {
  Access access = operand_access(index, subscripts);
  return Index::lookup(access.buffer, access.subscripts, limit);
}

Statement Lowering::write(const Subscripts &subscripts, Expression value,
                          size_t result_index) const {
  return loop::make_assign(result_access(subscripts, result_index), std::move(value));
}

Expression Lowering::read_broadcast(size_t index, const Subscripts &subscripts) const {
  const std::vector<int64_t> &shape = operand(index).shape;
  Subscripts own(subscripts.end() - static_cast<std::ptrdiff_t>(shape.size()), subscripts.end());
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == 1)
      own[i] = 0;
  return read(index, own);
}

std::string Lowering::add_table(const std::string &name, DType dtype, std::vector<int64_t> shape,
                                std::vector<double> values) {
  loop::Table table;
  table.name = name;
  for (int i = 1; kernel_.find_buffer(table.name) || kernel_.find_table(table.name); ++i)
    table.name = fmt::format("{}_{}", name, i);
  table.dtype = dtype;
  table.shape = std::move(shape);
  if (dtype == DType::f32)
    for (double &value : values)
      value = static_cast<double>(static_cast<float>(value));
  table.values = std::move(values);
  kernel_.tables.push_back(std::move(table));
  return kernel_.tables.back().name;
}

std::optional<LoopFactor> Lowering::take(std::vector<LoopFactor> Schedule::*entry,
                                         std::string_view loop) {
  std::vector<LoopFactor> &factors = kernel_.schedule.*entry;
  auto found =
      std::ranges::find_if(factors, [&](const LoopFactor &factor) { return factor.loop == loop; });
  if (found == factors.end())
    return std::nullopt;
  LoopFactor taken = std::move(*found);
  factors.erase(found);
  return taken;
}

void Lowering::append(std::vector<Statement> statements) {
  for (Statement &statement : statements)
    kernel_.body.push_back(std::move(statement));
}

bool Lowering::error(const SourceRange &range, std::string message) {
  context_.diagnostics.error(range.known() ? range : node_->range, std::move(message));
  return false;
}

namespace {

/// Ops with a function lower() in lowering.h.
template <class T>
concept Lowered = requires(const T &op, Lowering &lowering) {
  cnnc::lower(op, lowering);
};

} // namespace

bool Lowering::lower(const Node &node) {
  node_ = &node;
  return match(
      node.op, [&](const Lowered auto &op) { return cnnc::lower(op, *this); },
      // Views have no kernel, constants are evaluated by the compiler.
      [&](const OfCategory<Category::view> auto &) {
        return error("internal error: a view in a kernel");
      },
      [&](const Call &) { return error("internal error: a call in a kernel"); },
      [&](const OfCategory<Category::loss> auto &) {
        return error(
            "a loss is computed by other ops; run expand_training_ops before fuse_kernels");
      },
      [&](const OfCategory<Category::constant> auto &) {
        return error("internal error: a constant in a kernel");
      });
}

std::vector<int64_t> loop_extents(const TensorType &type) {
  std::vector<int64_t> result = type.shape;
  if (type.has_symbolic_batch())
    result[0] = 1;
  for (size_t axis = 0; axis < result.size(); ++axis) {
    const int64_t block = type.layout.block_of(static_cast<int64_t>(axis));
    result[axis] = ceil_div(result[axis], block) * block;
  }
  return result;
}

Subscripts variables(const std::vector<std::string> &names) {
  Subscripts result;
  for (const std::string &name : names)
    result.push_back(Index::variable(name));
  return result;
}

Index var(const std::string &name) { return Index::variable(name); }
Expression scalar(const std::string &name) { return loop::load(name, {}); }
Expression load(const Access &access) { return loop::load(access.buffer, access.subscripts); }

Statement set(const std::string &name, Expression value) {
  return loop::make_assign({name, {}}, std::move(value));
}

void define(std::vector<Statement> &body, const std::string &name, Expression value) {
  body.push_back(loop::make_register(name));
  body.push_back(set(name, std::move(value)));
}

void append(std::vector<Statement> &to, std::vector<Statement> statements) {
  std::move(statements.begin(), statements.end(), std::back_inserter(to));
}

std::vector<Statement> one(Statement statement) {
  std::vector<Statement> result;
  result.push_back(std::move(statement));
  return result;
}

size_t innermost(const std::vector<bool> &chosen, const std::vector<std::string> &names,
                 const Schedule &schedule) {
  size_t last = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (!chosen[i])
      continue;
    for (const LoopFactor &factor : schedule.vector)
      if (factor.loop == names[i])
        return i;
    last = i;
  }
  return last;
}

std::vector<Statement> zero_halo(const TensorType &type, const std::string &buffer) {
  std::vector<Statement> result;
  if (!type.layout.has_halo())
    return result;
  std::vector<int64_t> shape = physical_shape(type);
  size_t h = type.rank() - 2, w = type.rank() - 1;
  const auto &[top, left, bottom, right] = type.layout.halo;
  std::vector<int64_t> zero(shape.size(), 0);
  bool lanes = !type.layout.blocks.empty();
  auto add = [&](int64_t h0, int64_t h1, int64_t w0, int64_t w1) {
    if (h0 == h1 || w0 == w1)
      return;
    std::vector<int64_t> begin = zero, end = shape;
    begin[h] = h0, end[h] = h1, begin[w] = w0, end[w] = w1;
    result.push_back(fill_nest(buffer, begin, end, type.layout.halo_value, lanes));
  };
  add(0, top, 0, shape[w]);
  add(shape[h] - bottom, shape[h], 0, shape[w]);
  add(top, shape[h] - bottom, 0, left);
  add(top, shape[h] - bottom, shape[w] - right, shape[w]);
  return result;
}

} // namespace cnnc
