// Gradients of reductions.
#include "ir/graph/gradients/backward.h"

namespace cnnc {

namespace {

/// Whether each dimension is among the axes, which may count from the end.
std::vector<bool> reduced(const std::vector<int64_t> &axes, size_t rank) {
  std::vector<bool> result(rank, false);
  for (int64_t axis : axes)
    result[normalized_axis(axis, rank).value_or(0)] = true;
  return result;
}

/// The result's value or gradient with the reduced dimensions as 1.
Term kept(const Term &result, const Term &x, const std::vector<int64_t> &axes) {
  std::vector<int64_t> shape = x.shape();
  const std::vector<bool> gone = reduced(axes, x.rank());
  for (size_t i = 0; i < shape.size(); ++i)
    if (gone[i])
      shape[i] = 1;
  return reshape(result, shape);
}

/// Equal largest or smallest elements share it.
Term to_extremes(const Term &x, const Term &y, const Term &dy, const std::vector<int64_t> &axes) {
  const Term chosen = as_number(is_equal(x, y));
  return chosen * (dy / sum(chosen, axes));
}

/// The product of all others: of those that are not zero, where x is the only zero; nothing where
/// another is.
Term product_of_others(const Term &x, const std::vector<int64_t> &axes) {
  const Term zero = is_equal(x, 0);
  const Term zeros = sum(as_number(zero), axes);
  const Term others = where(zero, 1, x);
  const Term product = apply(ReduceProd{axes, true}, {others});
  const Term alone = where(is_equal(zeros, 1), product, 0);
  return where(zero, alone, where(is_equal(zeros, 0), product, 0) / others);
}

} // namespace

template <ReduceKind kind> void Reduce<kind>::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  const Term y = kept(backward.result(), x, axes), dy = kept(backward.gradient(), x, axes);
  switch (kind) {
  case ReduceKind::sum:
    return backward.give(0, dy);
  case ReduceKind::mean: {
    const int64_t count =
        element_count(x.shape()).value_or(0) / element_count(y.shape()).value_or(1);
    return backward.give(0, dy * (1 / static_cast<double>(count)));
  }
  case ReduceKind::max:
  case ReduceKind::min:
    return backward.give(0, to_extremes(x, y, dy, axes));
  case ReduceKind::prod:
    return backward.give(0, dy * product_of_others(x, axes));
  }
}
template void Reduce<ReduceKind::mean>::differentiate(Backward &) const;
template void Reduce<ReduceKind::sum>::differentiate(Backward &) const;
template void Reduce<ReduceKind::max>::differentiate(Backward &) const;
template void Reduce<ReduceKind::min>::differentiate(Backward &) const;
template void Reduce<ReduceKind::prod>::differentiate(Backward &) const;

template <bool largest>
void ArgExtreme<largest>::differentiate(Backward &) const {} // whole numbers
template void ArgExtreme<true>::differentiate(Backward &) const;
template void ArgExtreme<false>::differentiate(Backward &) const;

/// To where the elements came from: lines along the axis, one after the other.
void TopK::differentiate(Backward &backward) const {
  if (!backward.has_gradient(0))
    return;
  const Term x = backward.operand(0), at = backward.result(1);
  if (element_count(x.shape()).value_or(0) > (1 << 24))
    return backward.no_rule(
        "its input has more than 2^24 elements, whose positions f32 does not tell apart");
  const size_t along = normalized_axis(axis, x.rank()).value_or(0);
  const int64_t size = x.dim(along), lines = element_count(x.shape()).value_or(0) / size;
  // The axis last.
  std::vector<int64_t> order = range(0, x.rank()), back = order;
  order.erase(order.begin() + static_cast<std::ptrdiff_t>(along));
  order.push_back(static_cast<int64_t>(along));
  for (size_t i = 0; i < order.size(); ++i)
    back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  auto in_lines = [&](const Term &term) { return reshape(transpose(term, order), {lines, k}); };
  std::vector<double> starts;
  for (int64_t i = 0; i < lines; ++i)
    starts.push_back(static_cast<double>(i * size));
  const Term in_line = as_number(in_lines(at));
  const Term places = in_line + constant(x, std::move(starts), {lines, 1});
  const Term scattered = apply(ScatterAdd{0, lines * size}, {in_lines(backward.gradient(0)),
                                                             apply(Cast{CastType::i64}, {places})});
  std::vector<int64_t> shape;
  for (int64_t dimension : order)
    shape.push_back(x.dim(static_cast<size_t>(dimension)));
  backward.give(0, transpose(reshape(scattered, shape), back));
}

} // namespace cnnc
