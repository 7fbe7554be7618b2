#include "compiler/lowering/dot.h"

#include <fmt/format.h>

namespace cnnc {

using loop::Expression;
using loop::Index;
using loop::Statement;

Dot::Dot(std::string name, int64_t count, int64_t block, Window window, DType dtype)
    : name_(std::move(name)), count_(count), block_(std::max<int64_t>(1, block)),
      window_(std::move(window)), part_(count), dtype_(dtype) {}

bool Dot::take_partial(Lowering &lowering) {
  const std::optional<LoopFactor> partial = lowering.take(&Schedule::partial, name_);
  if (!partial || partial->size >= count_)
    return true;
  if (partial->size % block_ != 0)
    return lowering.error(
        partial->range, fmt::format("partial sums are made of whole blocks of {}, not of {} of {}",
                                    block_, partial->size, name_));
  part_ = partial->size;
  return true;
}

std::vector<Statement> Dot::add_up(const std::string &sum, const Index &first, int64_t blocks,
                                   int64_t rest,
                                   const std::function<Expression(const Index &)> &product) const {
  std::vector<Statement> statements;
  auto add = [&](const Index &start, int64_t elements) {
    std::vector<Statement> body = loop::nest(
        {{name_, elements}}, one(loop::make_assign({sum, {}}, product(start + var(name_)), true)));
    return window_ ? window_(std::move(body)) : body;
  };
  const std::string block = name_ + "b";
  if (blocks > 1)
    append(statements, loop::nest({{block, blocks}}, add(first + var(block) * block_, block_)));
  else if (blocks == 1)
    append(statements, add(first, block_));
  if (rest > 0)
    append(statements, add(first + blocks * block_, rest));
  return statements;
}

Expression Dot::append_to(std::vector<Statement> &body,
                          const std::function<Expression(const Index &)> &product,
                          Expression start) const {
  // Without blocks all elements of a part are one loop.
  auto sum = [&](const std::string &name, const Index &first, int64_t count) {
    const int64_t blocks = block_ > 1 ? count / block_ : 0;
    return add_up(name, first, blocks, count - blocks * block_, product);
  };
  const int64_t parts = count_ / part_, left = count_ % part_;
  if (parts == 1 && left == 0) {
    body.push_back(loop::make_register("sum", {}, dtype_));
    body.push_back(set("sum", std::move(start)));
    append(body, sum("sum", 0, count_));
    return scalar("sum");
  }
  body.push_back(loop::make_scratch("total", {}));
  body.push_back(set("total", std::move(start)));
  std::vector<Statement> part;
  define(part, "sum", loop::number(0));
  append(part, sum("sum", var(name_ + ".p") * part_, part_));
  part.push_back(loop::make_assign({"total", {}}, scalar("sum"), true));
  body.push_back(loop::make_for(name_ + ".p", parts, std::move(part)));
  if (left == 0)
    return scalar("total");
  define(body, "rest", loop::number(0));
  append(body, sum("rest", parts * part_, left));
  return scalar("total") + scalar("rest");
}

} // namespace cnnc
