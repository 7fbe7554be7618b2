// Importer: constants of the file, and those that the import computes.
#include "compiler/onnx/import/importer.h"
#include "compiler/tensor/element.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

/// Longer lists of integers are weights.
constexpr size_t longest_literal = 64;
/// Integers that a number of the text holds exactly.
constexpr int64_t largest_exact = int64_t(1) << 53;

double spelled(const FixedTensor &fixed, size_t index) {
  return fixed.is_float() ? shortest_double(fixed.floats()[index]) : fixed.number(index);
}

bool is_short(const FixedTensor &fixed) {
  if (fixed.is_float())
    return fixed.count() <= longest_literal;
  return fixed.count() <= longest_literal && std::ranges::all_of(fixed.ints(), [](int64_t value) {
           return -largest_exact <= value && value <= largest_exact;
         });
}

std::vector<std::byte> packed(const FixedTensor &fixed) {
  std::vector<std::byte> bytes(fixed.count() * static_cast<size_t>(size_of(fixed.dtype)));
  with_element(fixed.dtype, [&](auto element) {
    for (size_t i = 0; i < fixed.count(); ++i) {
      element = fixed.is_float() ? static_cast<decltype(element)>(fixed.floats()[i])
                                 : static_cast<decltype(element)>(fixed.ints()[i]);
      std::memcpy(bytes.data() + i * sizeof element, &element, sizeof element);
    }
  });
  return bytes;
}

Op literal_op(const FixedTensor &fixed) {
  std::vector<double> values;
  for (size_t i = 0; i < fixed.count(); ++i)
    values.push_back(spelled(fixed, i));
  bool alike = !values.empty() && std::ranges::all_of(values, [&](double value) {
    return value == values.front() && std::signbit(value) == std::signbit(values.front());
  });
  if (alike)
    return Splat{values.front()};
  return Literal{std::move(values)};
}

} // namespace

OnnxValue Importer::constant(const onnx::TensorProto &tensor, const SourceRange &range) {
  OnnxValue value;
  std::optional<SafetensorsTensor> stored = reader_.read(tensor, "", range, diagnostics_);
  if (!stored) {
    value.failed = true;
    return value;
  }
  if (tensor.data_type() == onnx::TensorProto::DOUBLE)
    remark("constants of type DOUBLE are rounded to f32");
  value.type = {*dtype_of(tensor.data_type()), stored->shape};
  value.stored = std::move(*stored);
  return value;
}

const FixedTensor *Importer::fixed(OnnxValue &value, size_t most) {
  if (value.failed)
    return nullptr;
  if (!value.fixed && !value.stored.dtype.empty() &&
      value.stored.data.size() / *safetensors_dtype_size(value.stored.dtype) <= most)
    value.fixed = std::make_shared<const FixedTensor>(decode(value.stored, value.type.dtype));
  return value.fixed && value.fixed->count() <= most ? value.fixed.get() : nullptr;
}

ValueId Importer::add_constant(Op op, const TensorType &type, const std::string &name,
                               const SourceRange &range) {
  ValueId id = graph_.add_value(name, type);
  graph_.value(id).range = range;
  Node node;
  node.op = std::move(op);
  node.results = {id};
  node.range = range;
  graph_.append(std::move(node));
  return id;
}

ValueId Importer::add_weight(SafetensorsTensor stored, const TensorType &type,
                             const SourceRange &range) {
  std::string name = stored.name;
  weights_.emplace(name, std::move(stored));
  return add_constant(Weight{name}, type, name, range);
}

ValueId Importer::add_fixed(const FixedTensor &fixed, const std::string &name,
                            const SourceRange &range) {
  TensorType type = {fixed.dtype, fixed.shape, "", {}};
  if (is_short(fixed) && fixed.count() > 0)
    return add_constant(literal_op(fixed), type, name, range);
  made_.push_back(packed(fixed));
  return add_weight(
      {name, std::string(info_of(fixed.dtype).safetensors), fixed.shape, made_.back()}, type,
      range);
}

ValueId Importer::tensor(OnnxValue &value, const SourceRange &range) {
  if (value.failed || value.id != no_id)
    return value.id;
  const std::string &name = names_.of(value.name);
  if (fixed(value, longest_literal) && value.fixed->has_marker()) {
    diagnostics_.error(range, fmt::format("'{}' holds the size of the batch, which is not known: "
                                          "{}",
                                          printable(value.name), advice_to_fix_batch()));
    return no_id;
  }
  bool small = value.fixed && is_short(*value.fixed) && value.fixed->count() > 0 &&
               (!value.fixed->is_float() || value.fixed->count() == 1);
  if (small || value.stored.dtype.empty()) {
    value.id = add_fixed(*value.fixed, name, range);
  } else {
    value.stored.name = name;
    value.id = add_weight(value.stored, value.type, range);
  }
  return value.id;
}

std::string Importer::advice_to_fix_batch() const {
  for (ValueId id : graph_.inputs)
    if (const TensorType &type = graph_.type(id); type.has_symbolic_batch()) {
      std::string shape = "1";
      for (size_t i = 1; i < type.rank(); ++i)
        shape += fmt::format("x{}", type.shape[i]);
      return fmt::format("fix it with --shape {}={}", graph_.value(id).name, shape);
    }
  return "fix it with --shape";
}

} // namespace cnnc
