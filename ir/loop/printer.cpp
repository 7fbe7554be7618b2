// Loops to text. parse_kernel(to_string(x)) gives x again.
#include "ir/loop/functions.h"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc::loop {

namespace {

std::string spell(const std::vector<Index> &bound, const char *combine) {
  std::vector<std::string> items;
  for (const Index &index : bound)
    items.push_back(to_string(index));
  return items.size() == 1 ? items[0] : fmt::format("{}({})", combine, fmt::join(items, ", "));
}

std::string format_shape(DType dtype, const std::vector<int64_t> &shape) {
  return std::string(name_of(dtype)) + (shape.empty() ? "" : cnnc::to_string(shape));
}

std::string spell(const std::vector<Buffer> &buffers) {
  std::vector<std::string> items;
  for (const Buffer &buffer : buffers)
    items.push_back(fmt::format("{}: {}{}", buffer.name, format_shape(buffer.dtype, buffer.shape),
                                buffer.prefetch > 0 ? fmt::format(" prefetch={}", buffer.prefetch)
                                                    : std::string()));
  return fmt::format("({})", fmt::join(items, ", "));
}

std::string_view word(LoopKind kind) {
  switch (kind) {
  case LoopKind::serial:
    return "for";
  case LoopKind::parallel:
    return "parallel";
  case LoopKind::unroll:
    return "unroll";
  case LoopKind::vector:
    return "vector";
  }
  return "";
}

/// Binding strength, for parentheses: sums 1, products 2, all else 3.
int strength(const Expression &expression) {
  if (expression.kind == Expression::Kind::number)
    return expression.number < 0 ? 2 : 3;
  if (expression.kind != Expression::Kind::call)
    return 3;
  switch (expression.function) {
  case Function::add:
  case Function::sub:
    return 1;
  case Function::mul:
  case Function::div:
  case Function::neg:
    return 2;
  default:
    return 3;
  }
}

std::string wrapped(const Expression &expression, int at_least) {
  std::string text = to_string(expression);
  return strength(expression) < at_least ? "(" + text + ")" : text;
}

std::string format_infix(const Expression &e, std::string_view sign, int own) {
  return fmt::format("{} {} {}", wrapped(e.arguments[0], own), sign,
                     wrapped(e.arguments[1], own + 1));
}

std::string format_function(const Expression &e, std::string_view name) {
  std::vector<std::string> items;
  for (const Expression &argument : e.arguments)
    items.push_back(to_string(argument));
  return fmt::format("{}({})", name, fmt::join(items, ", "));
}

std::string format_select(const Expression &e, std::string_view comparison) {
  return fmt::format("select({} {} {}, {}, {})", to_string(e.arguments[0]), comparison,
                     to_string(e.arguments[1]), to_string(e.arguments[2]),
                     to_string(e.arguments[3]));
}

std::string format_call(const Expression &e) {
  switch (e.function) {
  case Function::add:
    return format_infix(e, "+", 1);
  case Function::sub:
    return format_infix(e, "-", 1);
  case Function::mul:
    return format_infix(e, "*", 2);
  case Function::div:
    return format_infix(e, "/", 2);
  case Function::neg:
    // -1 is a number, -(1) the negation of one.
    return e.arguments[0].kind == Expression::Kind::number ? "-(" + to_string(e.arguments[0]) + ")"
                                                           : "-" + wrapped(e.arguments[0], 3);
  case Function::select_less:
    return format_select(e, "<");
  case Function::select_equal:
    return format_select(e, "==");
  default:
    return format_function(e, name_of(e.function));
  }
  return "";
}

class Printer {
public:
  std::string result;

  void block(const std::vector<Statement> &statements) {
    for (const Statement &statement : statements)
      std::visit([this](const auto &node) { print(node); }, statement.node);
  }

  void indent(int by) { indentation_ += by; }

  void tables(const std::vector<Table> &tables) {
    for (const Table &table : tables) {
      std::vector<std::string> values;
      for (double value : table.values) // of f32: the shortest spelling of the float
        values.push_back(table.dtype == DType::f32 && std::isfinite(value)
                             ? fmt::format("{}", static_cast<float>(value))
                             : format_number(value));
      line(fmt::format("table {}: {} = [{}]", table.name, format_shape(table.dtype, table.shape),
                       fmt::join(values, ", ")));
    }
  }

private:
  void line(std::string_view text) {
    result += std::string(indentation_, ' ');
    result += text;
    result += '\n';
  }

  void print(const Register &reg) {
    line(fmt::format("{} {}: {}", reg.in_memory ? "scratch" : "reg", reg.name,
                     format_shape(reg.dtype, reg.shape)));
  }

  void print(const Assign &assign) {
    line(fmt::format("{} {} {}", to_string(assign.target), assign.accumulate ? "+=" : "=",
                     to_string(assign.value)));
  }

  /// Loops that hold nothing but one loop share a line with it.
  void print(const For &loop) {
    std::string header;
    const For *current = &loop;
    std::optional<LoopKind> kind;
    while (true) {
      header += header.empty() ? "" : ", ";
      if (kind != current->kind)
        header += fmt::format("{} ", word(current->kind));
      kind = current->kind;
      header += fmt::format("{} in {}..{}", current->variable, spell(current->lower, "max"),
                            spell(current->upper, "min"));
      const For *inner =
          current->body.size() == 1 ? std::get_if<For>(&current->body[0].node) : nullptr;
      if (!inner)
        break;
      current = inner;
    }
    line(header + " {");
    indentation_ += 2;
    block(current->body);
    indentation_ -= 2;
    line("}");
  }

  int indentation_ = 0;
};

} // namespace

std::string to_string(const Access &access) {
  std::vector<std::string> items;
  for (const Index &subscript : access.subscripts)
    items.push_back(to_string(subscript));
  return items.empty() ? access.buffer
                       : fmt::format("{}[{}]", access.buffer, fmt::join(items, ", "));
}

std::string to_string(const Expression &expression) {
  switch (expression.kind) {
  case Expression::Kind::number:
    return format_number(expression.number);
  case Expression::Kind::load:
    return to_string(expression.access);
  case Expression::Kind::call:
    return format_call(expression);
  case Expression::Kind::value:
    return fmt::format("value({})", to_string(expression.access.subscripts[0]));
  case Expression::Kind::uniform:
    return fmt::format("uniform({}, {}, {})", to_string(expression.access.subscripts[0]),
                       static_cast<int64_t>(expression.number), to_string(expression.arguments[0]));
  }
  return "";
}

std::string to_string(const Kernel &kernel) {
  Printer printer;
  std::string schedule = to_string(kernel.schedule);
  printer.result = fmt::format("kernel @{}{} -> {}{}{} {{\n", format_name(kernel.name),
                               spell(kernel.inputs), spell(kernel.outputs),
                               kernel.locals.empty() ? "" : " local" + spell(kernel.locals),
                               schedule.empty() ? "" : " " + schedule);
  printer.indent(2);
  printer.tables(kernel.tables);
  printer.block(kernel.body);
  return printer.result + "}\n";
}

} // namespace cnnc::loop
