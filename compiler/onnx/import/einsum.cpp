// Einsum as transposes, sums and products of matrices: two operands at a time, from the left.
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace cnnc {

namespace {

/// A dimension of the equation: its letter, or the place counted from the last one of `...`, below.
using Label = int;
using Labels = std::vector<Label>;
constexpr Label first_of_ellipsis = -1;

bool holds(const Labels &labels, Label label) {
  return std::ranges::find(labels, label) != labels.end();
}

/// An operand or what was made of some: one label per dimension.
struct Term {
  ValueId value = no_id;
  Labels labels;
};

struct Equation {
  std::vector<Labels> operands;
  Labels result;
};

/// The parts of the equation's left side, and its right side if it is there.
struct Sides {
  std::vector<std::string> operands;
  std::optional<std::string> result;
};

Sides split_equation(std::string text) {
  std::erase(text, ' ');
  Sides sides;
  if (size_t arrow = text.find("->"); arrow != std::string::npos) {
    sides.result = text.substr(arrow + 2);
    text.resize(arrow);
  }
  for (size_t start = 0; start <= text.size();) {
    size_t comma = std::min(text.find(',', start), text.size());
    sides.operands.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  return sides;
}

/// The labels of "b...ij"; `...` has that many dimensions. Empty after a report.
std::optional<Labels> read_labels(OnnxNode &node, std::string_view text, size_t ellipsis) {
  Labels labels;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("...")) {
      for (size_t dim = ellipsis; dim-- > 0;)
        labels.push_back(first_of_ellipsis - static_cast<int>(dim));
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(text[i]))) {
      if (holds(labels, text[i])) {
        node.fail(fmt::format("'{}' names two dimensions of '{}': diagonals are not supported",
                              text[i], printable(text)));
        return std::nullopt;
      }
      labels.push_back(text[i]);
    } else {
      node.fail(fmt::format("the equation holds '{}'; only letters, '...', ',' and '->' may be "
                            "in it",
                            printable(text.substr(i, 1))));
      return std::nullopt;
    }
  }
  return labels;
}

/// Without "->" the result has the dimensions of `...`, then the letters that occur once, sorted.
Labels implied_result(const std::vector<Labels> &operands) {
  std::map<Label, int> counts; // those of `...` are negative, hence first and in their order
  for (const Labels &labels : operands)
    for (Label label : labels)
      ++counts[label];
  Labels result;
  for (auto [label, count] : counts)
    if (label < 0 || count == 1)
      result.push_back(label);
  return result;
}

std::optional<Equation> read_equation(OnnxNode &node) {
  Sides sides = split_equation(node.word("equation", ""));
  if (sides.operands.size() != node.input_count()) {
    node.fail(fmt::format("the equation is for {} operands, but there are {}",
                          sides.operands.size(), node.input_count()));
    return std::nullopt;
  }
  Equation equation;
  size_t widest = 0; // of all `...`
  for (size_t i = 0; i < sides.operands.size(); ++i) {
    std::optional<Labels> letters = read_labels(node, sides.operands[i], 0);
    if (!letters)
      return std::nullopt;
    size_t rank = node.rank(i);
    bool has_ellipsis = sides.operands[i].find("...") != std::string::npos;
    if (has_ellipsis ? letters->size() > rank : letters->size() != rank) {
      node.fail(fmt::format("'{}' of the equation does not fit {}", sides.operands[i],
                            to_string(node.type(i))));
      return std::nullopt;
    }
    widest = has_ellipsis ? std::max(widest, rank - letters->size()) : widest;
    equation.operands.push_back(*read_labels(node, sides.operands[i], rank - letters->size()));
  }
  if (!sides.result) {
    equation.result = implied_result(equation.operands);
    return equation;
  }
  std::optional<Labels> result = read_labels(node, *sides.result, widest);
  if (!result)
    return std::nullopt;
  equation.result = *result;
  for (Label label : equation.result)
    if (std::ranges::none_of(equation.operands,
                             [&](const Labels &labels) { return holds(labels, label); })) {
      node.fail("the equation's result has a dimension that no operand has");
      return std::nullopt;
    }
  return equation;
}

class Contraction {
public:
  Contraction(OnnxNode &node, Equation equation) : node_(node), equation_(std::move(equation)) {}

  ValueId run() {
    if (!measure())
      return no_id;
    std::vector<Term> terms;
    for (size_t i = 0; i < equation_.operands.size(); ++i)
      terms.push_back(squeezed({node_.operand(i), equation_.operands[i]}));
    Term result = summed(terms[0], later(terms, 1));
    for (size_t i = 1; i < terms.size(); ++i) {
      Labels needed = later(terms, i + 1);
      Labels of_both = needed;
      of_both.insert(of_both.end(), result.labels.begin(), result.labels.end());
      result = joined(result, summed(terms[i], of_both), needed);
    }
    return finished(result);
  }

private:
  /// The size of every label; those of 1 broadcast. The symbolic batch must stay.
  bool measure() {
    for (size_t i = 0; i < equation_.operands.size(); ++i)
      for (size_t dim = 0; dim < equation_.operands[i].size(); ++dim) {
        int64_t size = node_.shape(i)[dim];
        int64_t &known = sizes_.try_emplace(equation_.operands[i][dim], size).first->second;
        if (known != size && known != 1 && size != 1)
          return node_.fail(
              fmt::format("a dimension of the equation has the sizes {} and {}", known, size));
        known = known == 1 ? size : known;
      }
    for (auto [label, size] : sizes_)
      if (size == symbolic_dim && !holds(equation_.result, label))
        return node_.fail(fmt::format("it sums over the symbolic batch: {}",
                                      node_.importer().advice_to_fix_batch()));
    return true;
  }

  std::vector<int64_t> shape_of(const Labels &labels) const {
    std::vector<int64_t> shape;
    for (Label label : labels)
      shape.push_back(sizes_.at(label));
    return shape;
  }

  /// What the result and the operands from `first` on read.
  Labels later(const std::vector<Term> &terms, size_t first) const {
    Labels labels = equation_.result;
    for (size_t i = first; i < terms.size(); ++i)
      labels.insert(labels.end(), terms[i].labels.begin(), terms[i].labels.end());
    return labels;
  }

  /// Without the dimensions of 1 that broadcast to others.
  Term squeezed(const Term &term) {
    Term result;
    const std::vector<int64_t> shape =
        term.value == no_id ? std::vector<int64_t>() : node_.type_of(term.value).shape;
    std::vector<int64_t> kept;
    for (size_t i = 0; i < shape.size(); ++i)
      if (shape[i] == sizes_.at(term.labels[i])) {
        result.labels.push_back(term.labels[i]);
        kept.push_back(shape[i]);
      }
    result.value = reshaped(node_, term.value, kept);
    return result;
  }

  /// Adds up what nobody else reads.
  Term summed(const Term &term, const Labels &needed) {
    std::vector<int64_t> axes;
    Term result = {term.value, {}};
    for (size_t i = 0; i < term.labels.size(); ++i)
      if (holds(needed, term.labels[i]))
        result.labels.push_back(term.labels[i]);
      else
        axes.push_back(static_cast<int64_t>(i));
    if (!axes.empty())
      result.value = node_.emit("reduce_sum", {term.value}, {{"axes", axes}, {"keep_dims", false}});
    return result;
  }

  /// The value with its dimensions in this order, as groups of which each becomes one dimension,
  /// but for the first, whose dimensions stay; those that the term lacks are 1.
  ValueId arranged(const Term &term, const Labels &batch, const std::vector<Labels> &groups) {
    Labels order;
    std::vector<int64_t> shape, permutation;
    for (Label label : batch) {
      shape.push_back(holds(term.labels, label) ? sizes_.at(label) : 1);
      if (holds(term.labels, label))
        order.push_back(label);
    }
    for (const Labels &group : groups) {
      shape.push_back(element_count(shape_of(group)).value_or(0));
      order.insert(order.end(), group.begin(), group.end());
    }
    for (Label label : order)
      permutation.push_back(std::ranges::find(term.labels, label) - term.labels.begin());
    return reshaped(node_, transposed(node_, term.value, permutation), shape);
  }

  /// The product of two terms, summed over what is not `needed`: [batch, own of a, sum] times
  /// [batch, sum, own of b].
  Term joined(const Term &a, const Term &b, const Labels &needed) {
    Labels batch, sum, own_a, own_b;
    for (Label label : in_order(a.labels, b.labels)) {
      bool in_a = holds(a.labels, label), in_b = holds(b.labels, label);
      if (sizes_.at(label) == symbolic_dim) // cannot become a part of another dimension
        batch.insert(batch.begin(), label);
      else if (in_a && in_b)
        (holds(needed, label) ? batch : sum).push_back(label);
      else
        (in_a ? own_a : own_b).push_back(label);
    }
    Term result = {no_id, batch};
    result.labels.insert(result.labels.end(), own_a.begin(), own_a.end());
    result.labels.insert(result.labels.end(), own_b.begin(), own_b.end());
    ValueId left = arranged(a, batch, {own_a, sum}), right = arranged(b, batch, {sum, own_b});
    result.value =
        sum.empty() ? node_.emit("mul", {left, right}) : node_.emit("matmul", {left, right});
    result.value = reshaped(node_, result.value, shape_of(result.labels));
    return result;
  }

  /// Labels of both, those of the equation's result first and in its order.
  Labels in_order(const Labels &a, const Labels &b) const {
    Labels order;
    for (const Labels *list : {&equation_.result, &a, &b})
      for (Label label : *list)
        if (!holds(order, label) && (holds(a, label) || holds(b, label)))
          order.push_back(label);
    return order;
  }

  /// In the result's order of dimensions. Each of its labels is there, as broadcast ones of 1 are
  /// of that size in every operand.
  ValueId finished(const Term &term) {
    std::vector<int64_t> permutation;
    for (Label label : equation_.result)
      permutation.push_back(std::ranges::find(term.labels, label) - term.labels.begin());
    return transposed(node_, term.value, permutation);
  }

  OnnxNode &node_;
  Equation equation_;
  std::map<Label, int64_t> sizes_;
};

bool import_einsum(OnnxNode &node) {
  if (!node.require_inputs(std::max<size_t>(1, node.input_count()), node.input_count()))
    return false;
  for (size_t i = 0; i < node.input_count(); ++i)
    if (node.type(i).dtype != DType::f32)
      return node.fail(
          fmt::format("its operands must be of type f32, but one is {}", to_string(node.type(i))));
  std::optional<Equation> equation = read_equation(node);
  if (!equation)
    return false;
  return node.result(Contraction(node, std::move(*equation)).run());
}

constexpr ImportRow rows[] = {{"Einsum", import_einsum}};

} // namespace

std::span<const ImportRow> einsum_imports() { return rows; }

} // namespace cnnc
