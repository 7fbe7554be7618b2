#include "ir/graph/op.h"

#include <fmt/format.h>
#include <unordered_map>

namespace cnnc {

Op::Op() = default;
Op::Op(const Op &) = default;
Op::Op(Op &&) noexcept = default;
Op &Op::operator=(const Op &) = default;
Op &Op::operator=(Op &&) noexcept = default;
Op::~Op() = default;

namespace {

/// "input, filter, bias?" or "inputs..." as a list.
std::vector<OperandInfo> parse_operands(std::string_view text) {
  std::vector<OperandInfo> result;
  while (!text.empty()) {
    size_t comma = text.find(", ");
    std::string_view item = text.substr(0, comma);
    OperandInfo operand;
    operand.optional = item.ends_with("?");
    operand.variadic = item.ends_with("...");
    item.remove_suffix(operand.optional ? 1 : operand.variadic ? 3 : 0);
    operand.name = item;
    result.push_back(operand);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 2);
  }
  return result;
}

template <class T, class Field> AttributeInfo attribute_info(const Attribute<T, Field> &attribute) {
  using Type = AttributeType<Field>;
  auto field = attribute.field;
  return {std::string(attribute.name),
          Type::description(),
          attribute.required,
          Type::write(T{}.*field),
          [field](const Op &op) { return Type::write(std::get<T>(op).*field); },
          [field](Op &op, const AttributeValue &value) {
            return Type::read(value, std::get<T>(op).*field);
          }};
}

template <class T> void add_struct(std::vector<OpInfo> &table) {
  OpInfo info;
  info.name = T::name;
  info.summary = T::summary;
  info.operands = parse_operands(T::operands);
  std::apply(
      [&](const auto &...attribute) {
        (info.attributes.push_back(attribute_info<T>(attribute)), ...);
      },
      T::attributes());
  if constexpr (requires { T::positional; })
    info.positional = T::positional;
  info.make = [] { return Op(T{}); };
  table.push_back(std::move(info));
}

AttributeInfo parameter_info(const UnaryParameter &parameter, size_t index) {
  using Type = AttributeType<double>;
  return {std::string(parameter.name),
          Type::description(),
          false,
          Type::write(parameter.default_value),
          [index](const Op &op) { return Type::write(std::get<Unary>(op).parameters[index]); },
          [index](Op &op, const AttributeValue &value) {
            return Type::read(value, std::get<Unary>(op).parameters[index]);
          }};
}

void add_unary(std::vector<OpInfo> &table) {
  for (const UnaryRow &row : unary_table()) {
    OpInfo info;
    info.name = row.name;
    info.summary = row.formula;
    info.operands = {{"input"}};
    Unary prototype{&row};
    for (size_t i = 0; i < row.parameter_count(); ++i) {
      prototype.parameters[i] = row.parameters[i].default_value;
      info.attributes.push_back(parameter_info(row.parameters[i], i));
    }
    info.make = [prototype] { return Op(prototype); };
    table.push_back(std::move(info));
  }
}

void add_binary(std::vector<OpInfo> &table) {
  for (const BinaryRow &row : binary_table()) {
    OpInfo info;
    info.name = row.name;
    info.summary = row.formula;
    info.operands = {{"a"}, {"b"}};
    info.make = [&row] { return Op(Binary{&row}); };
    table.push_back(std::move(info));
  }
}

template <class... Ops> std::vector<OpInfo> make_table(std::variant<Ops...> *) {
  std::vector<OpInfo> table;
  auto add = [&]<class T>(T *) {
    if constexpr (std::is_same_v<T, Unary>)
      add_unary(table);
    else if constexpr (std::is_same_v<T, Binary>)
      add_binary(table);
    else
      add_struct<T>(table);
  };
  (add(static_cast<Ops *>(nullptr)), ...);
  return table;
}

std::string_view name_of_op(const Op &op) {
  return std::visit(overloaded{[](const Unary &unary) { return unary.row->name; },
                               [](const Binary &binary) { return binary.row->name; },
                               []<class T>(const T &) { return T::name; }},
                    op);
}

} // namespace

const std::vector<OpInfo> &op_table() {
  static const std::vector<OpInfo> table = make_table(static_cast<AnyOp *>(nullptr));
  return table;
}

const OpInfo *find_op(std::string_view name) {
  static const auto by_name = [] {
    std::unordered_map<std::string_view, const OpInfo *> result;
    for (const OpInfo &info : op_table())
      result.emplace(info.name, &info);
    return result;
  }();
  auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

const OpInfo &info_of(const Op &op) { return *find_op(name_of_op(op)); }

const OpTraits &traits_of(const Op &op) {
  return std::visit([]<class T>(const T &) -> const OpTraits & { return T::traits; }, op);
}

bool is(const Op &op, const UnaryRow *row) {
  const Unary *unary = std::get_if<Unary>(&op);
  return unary && unary->row == row;
}
bool is(const Op &op, const BinaryRow *row) {
  const Binary *binary = std::get_if<Binary>(&op);
  return binary && binary->row == row;
}

bool is_formula(const Op &op) {
  return std::holds_alternative<Unary>(op) || std::holds_alternative<Binary>(op);
}

namespace {

/// Whether the op reads weights of 16 bits at this operand.
bool reads_narrow(const Op &op, size_t operand) {
  return is_one_of<Relayout, Call>(op) || (operand == 1 && is_one_of<Conv2d, Dense, Matmul>(op));
}

} // namespace

InferredTypes infer(const Op &op, InferContext &context) {
  for (size_t i = 0; i < context.operand_count(); ++i)
    if (is_narrow(context.operand(i).dtype) && !reads_narrow(op, i))
      return context.error_at_operand(
          i, fmt::format("this is {}, but floats of 16 bits are only read as the filter of conv2d, "
                         "the weight of dense and the right operand of matmul",
                         to_string(context.operand(i))));
  for (const TensorType *declared : context.declared())
    if (is_narrow(declared->dtype) && !std::holds_alternative<Relayout>(op))
      return context.error(fmt::format("{} does not make {}: only relayout stores in 16 bits, as "
                                       "--weights-type has it written",
                                       info_of(op).name, name_of(declared->dtype)));
  for (size_t i = 0; i < context.operand_count(); ++i)
    if (is_empty(context.operand(i)) && !traits_of(op).takes_empty)
      return context.error_at_operand(i,
                                      fmt::format("{} needs elements, and {} has none",
                                                  info_of(op).name, to_string(context.operand(i))));
  return std::visit([&](const auto &o) { return o.infer(context); }, op);
}

} // namespace cnnc
