#include "ir/loop/parser.h"
#include "ir/loop/functions.h"
#include "ir/loop/words.h"
#include "ir/type/parser.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc::loop {

namespace {

constexpr int deepest_nesting = 200;
constexpr int most_operators = 2000; // of one expression, a tree that is walked by recursion
constexpr size_t most_terms = 100;
constexpr int64_t largest_number = int64_t(1) << 40; // in an index; products of two are caught

std::optional<LoopKind> loop_kind(const Token &token) {
  if (token.kind != TokenKind::identifier)
    return std::nullopt;
  if (token.text == "for")
    return LoopKind::serial;
  if (token.text == "parallel")
    return LoopKind::parallel;
  if (token.text == "unroll")
    return LoopKind::unroll;
  if (token.text == "vector")
    return LoopKind::vector;
  return std::nullopt;
}

class Parser {
public:
  explicit Parser(TokenCursor &cursor) : cursor_(cursor) {}

  std::optional<Kernel> kernel() {
    cursor_.next(); // kernel
    Kernel result;
    std::optional<Token> name = cursor_.expect(TokenKind::symbol, "the kernel's name, as in @c1");
    if (!name)
      return std::nullopt;
    result.name = name->text;
    result.range = name->range;
    if (!buffers(result.inputs) || !cursor_.expect("->") || !buffers(result.outputs))
      return std::nullopt;
    if (cursor_.accept_word("local") && !buffers(result.locals))
      return std::nullopt;
    if (cursor_.accept_word("schedule")) {
      std::optional<Schedule> schedule = parse_schedule(cursor_);
      if (!schedule)
        return std::nullopt;
      result.schedule = *schedule;
    }
    if (!cursor_.expect("{") || !tables(result.tables) || !statements(result.body))
      return std::nullopt;
    return result;
  }

private:
  /// The name that a declaration gives to `what`.
  std::optional<Token> new_name(std::string_view what) {
    std::optional<Token> name =
        cursor_.expect(TokenKind::identifier, fmt::format("the name of a {}", what));
    if (!name || !is_reserved(name->text))
      return name;
    cursor_.error_at(name->range, fmt::format("{} is a word of the loops text and cannot be the "
                                              "name of a {}",
                                              name->text, what));
    return std::nullopt;
  }

  bool buffers(std::vector<Buffer> &list) {
    if (!cursor_.expect("("))
      return false;
    if (cursor_.accept(")"))
      return true;
    do {
      std::optional<Token> name = new_name("buffer");
      Buffer buffer;
      if (!name || !cursor_.expect(":") || !physical_type(buffer.dtype, buffer.shape))
        return false;
      if (cursor_.accept_word("prefetch")) {
        std::optional<int64_t> bytes;
        if (!cursor_.expect("=") || !(bytes = parse_prefetch_distance(cursor_)))
          return false;
        buffer.prefetch = *bytes;
      }
      buffer.name = name->text;
      list.push_back(std::move(buffer));
    } while (cursor_.accept(","));
    return cursor_.expect(")");
  }

  /// `f32[4, 58, 58, 16]`, or `f32` for a scalar.
  bool physical_type(DType &dtype, std::vector<int64_t> &shape) {
    if (cursor_.peek().kind == TokenKind::identifier && cursor_.peek(1).text != "[")
      if (std::optional<DType> scalar = dtype_named(cursor_.peek().text)) {
        cursor_.next();
        dtype = *scalar;
        return true;
      }
    SourceRange range = cursor_.peek().range;
    std::optional<TensorType> type = parse_type(cursor_);
    if (!type)
      return false;
    if (!type->layout.plain() || type->has_symbolic_batch()) {
      cursor_.error_at(range, "a buffer has a plain constant shape");
      return false;
    }
    dtype = type->dtype;
    shape = type->shape;
    return true;
  }

  bool at_table() const {
    return cursor_.is_word("table") && cursor_.peek(1).kind == TokenKind::identifier;
  }

  bool tables(std::vector<Table> &list) {
    while (at_table()) {
      cursor_.next();
      Table table;
      std::optional<Token> name = new_name("table");
      if (!name || !cursor_.expect(":") || !physical_type(table.dtype, table.shape) ||
          !cursor_.expect("=") || !cursor_.expect("["))
        return false;
      table.name = name->text;
      do {
        std::optional<double> value = cursor_.expect_number("an element of the table");
        if (!value)
          return false;
        // Elements are compared as what they are in memory.
        table.values.push_back(
            table.dtype == DType::f32 ? static_cast<double>(static_cast<float>(*value)) : *value);
      } while (cursor_.accept(","));
      if (!cursor_.expect("]"))
        return false;
      list.push_back(std::move(table));
    }
    return true;
  }

  bool block(std::vector<Statement> &body) { return cursor_.expect("{") && statements(body); }

  /// The statements of a block, behind its opening brace.
  bool statements(std::vector<Statement> &body) {
    if (++depth_ > deepest_nesting)
      return cursor_.error("the loops are nested too deeply");
    while (!cursor_.at_end() && !cursor_.is("}")) {
      std::optional<Statement> next = statement();
      if (!next)
        return false;
      body.push_back(std::move(*next));
    }
    --depth_;
    return cursor_.expect("}");
  }

  std::optional<Statement> statement() {
    if (std::optional<LoopKind> kind = loop_kind(cursor_.peek())) {
      cursor_.next();
      return loops(*kind);
    }
    SourceRange range = cursor_.peek().range;
    if (at_table()) {
      cursor_.error("tables stand at the begin of the kernel, before all statements");
      return std::nullopt;
    }
    bool scratch = cursor_.accept_word("scratch");
    if (scratch || cursor_.accept_word("reg")) {
      std::optional<Token> name = new_name(scratch ? "scratch" : "register");
      Register reg;
      reg.in_memory = scratch;
      if (!name || !cursor_.expect(":") || !physical_type(reg.dtype, reg.shape))
        return std::nullopt;
      reg.name = name->text;
      return Statement{std::move(reg), name->range};
    }
    Assign assign;
    operators_ = 0;
    if (!access(assign.target, "a loop, a register or an assignment"))
      return std::nullopt;
    if (cursor_.accept("+="))
      assign.accumulate = true;
    else if (!cursor_.expect("="))
      return std::nullopt;
    std::optional<Expression> value = sum();
    if (!value)
      return std::nullopt;
    assign.value = std::move(*value);
    return Statement{std::move(assign), range};
  }

  std::optional<Statement> loops(LoopKind kind) {
    For loop;
    loop.kind = kind;
    std::optional<Token> variable = new_name("loop variable");
    if (!variable)
      return std::nullopt;
    loop.variable = variable->text;
    loop.lower.clear();
    if (!cursor_.accept_word("in")) {
      cursor_.error("expected 'in' after the loop variable");
      return std::nullopt;
    }
    if (!bound("max", loop.lower) || !cursor_.expect("..") || !bound("min", loop.upper))
      return std::nullopt;
    if (cursor_.accept(",")) {
      std::optional<LoopKind> inner_kind = loop_kind(cursor_.peek());
      if (inner_kind)
        cursor_.next();
      if (++depth_ > deepest_nesting) {
        cursor_.error("the loops are nested too deeply");
        return std::nullopt;
      }
      std::optional<Statement> inner = loops(inner_kind.value_or(kind));
      --depth_;
      if (!inner)
        return std::nullopt;
      loop.body.push_back(std::move(*inner));
    } else if (!block(loop.body)) {
      return std::nullopt;
    }
    return Statement{std::move(loop), variable->range};
  }

  bool bound(std::string_view combine, std::vector<Index> &list) {
    if (!(cursor_.is_word(combine) && cursor_.peek(1).text == "(")) {
      std::optional<Index> single = index();
      if (single)
        list.push_back(std::move(*single));
      return single.has_value();
    }
    cursor_.next();
    cursor_.next();
    do {
      std::optional<Index> next = index();
      if (!next)
        return false;
      list.push_back(std::move(*next));
    } while (cursor_.accept(","));
    return cursor_.expect(")");
  }

  std::optional<Index> index() {
    bool negative = cursor_.accept("-");
    std::optional<Index> result = index_product();
    if (result && negative)
      result = *result * -1;
    while (result && (cursor_.is("+") || cursor_.is("-"))) {
      bool minus = cursor_.next().text == "-";
      std::optional<Index> next = index_product();
      if (!next)
        return std::nullopt;
      result = fitting(minus ? *result - *next : *result + *next);
    }
    return result;
  }

  std::optional<Index> index_product() {
    std::optional<Index> result = index_atom();
    while (result && (cursor_.is("*") || cursor_.is("/") || cursor_.is("%"))) {
      std::string sign = cursor_.next().text;
      SourceRange range = cursor_.peek().range;
      std::optional<Index> right = index_atom();
      if (!right)
        return std::nullopt;
      if (sign == "*" && result->is_constant())
        std::swap(*result, *right);
      if (!right->is_constant() || (sign != "*" && right->constant <= 0)) {
        cursor_.error_at(range, sign == "*" ? "one factor must be a constant"
                                            : "the divisor must be a positive constant");
        return std::nullopt;
      }
      result = fitting(sign == "*"   ? *result * right->constant
                       : sign == "/" ? *result / right->constant
                                     : *result % right->constant);
    }
    return result;
  }

  /// The index, or an error when it has grown beyond all use.
  std::optional<Index> fitting(Index index) {
    bool fits = index.constant <= largest_number && index.constant >= -largest_number;
    for (const Term &term : index.terms)
      fits = fits && term.factor <= largest_number && term.factor >= -largest_number;
    if (fits && index.terms.size() <= most_terms)
      return index;
    cursor_.error_at(cursor_.previous().range, fits ? "this index has too many terms"
                                                    : "the numbers of an index end at 2^40");
    return std::nullopt;
  }

  std::optional<Index> index_atom() {
    if (++depth_ > deepest_nesting) {
      cursor_.error("this expression is nested too deeply");
      return std::nullopt;
    }
    std::optional<Index> result;
    if (cursor_.accept("(")) {
      result = index();
      if (result && !cursor_.expect(")"))
        result.reset();
    } else if (cursor_.peek().kind == TokenKind::integer) {
      result = fitting(Index(cursor_.next().integer));
    } else if (cursor_.is_word("lookup") && cursor_.peek(1).text == "(") {
      result = limited_lookup();
    } else if (cursor_.peek().kind == TokenKind::identifier && cursor_.peek(1).text == "[") {
      Access read;
      if (access(read, "a table"))
        result = Index::lookup(read.buffer, read.subscripts);
    } else if (std::optional<Token> name =
                   cursor_.expect(TokenKind::identifier, "a loop variable or an integer")) {
      result = Index::variable(name->text);
    }
    --depth_;
    return result;
  }

  /// `lookup(indices[i], 80)`
  std::optional<Index> limited_lookup() {
    cursor_.next();
    cursor_.next(); // (
    Access read;
    if (!access(read, "a table or an input") || !cursor_.expect(","))
      return std::nullopt;
    SourceRange range = cursor_.peek().range;
    std::optional<int64_t> limit = cursor_.expect_integer("the limit of the lookup");
    if (!limit || !cursor_.expect(")"))
      return std::nullopt;
    if (*limit < 1 || *limit > largest_number) {
      cursor_.error_at(range, "the limit of a lookup is between 1 and 2^40");
      return std::nullopt;
    }
    return Index::lookup(read.buffer, read.subscripts, *limit);
  }

  bool access(Access &result, std::string_view what) {
    std::optional<Token> name = cursor_.expect(TokenKind::identifier, what);
    if (!name)
      return false;
    result.buffer = name->text;
    if (!cursor_.accept("["))
      return true;
    do {
      std::optional<Index> subscript = index();
      if (!subscript)
        return false;
      result.subscripts.push_back(std::move(*subscript));
    } while (cursor_.accept(","));
    return cursor_.expect("]");
  }

  bool count_operator() {
    if (++operators_ > most_operators)
      return cursor_.error("this expression is too long");
    return true;
  }

  std::optional<Expression> sum() {
    std::optional<Expression> result = product();
    while (result && (cursor_.is("+") || cursor_.is("-"))) {
      bool minus = cursor_.next().text == "-";
      std::optional<Expression> right = product();
      if (!right || !count_operator())
        return std::nullopt;
      result = call(minus ? Function::sub : Function::add, {std::move(*result), std::move(*right)});
    }
    return result;
  }

  std::optional<Expression> product() {
    std::optional<Expression> result = atom();
    while (result && (cursor_.is("*") || cursor_.is("/"))) {
      bool divide = cursor_.next().text == "/";
      std::optional<Expression> right = atom();
      if (!right || !count_operator())
        return std::nullopt;
      result =
          call(divide ? Function::div : Function::mul, {std::move(*result), std::move(*right)});
    }
    return result;
  }

  std::optional<Expression> atom() {
    if (++depth_ > deepest_nesting) {
      cursor_.error("this expression is nested too deeply");
      return std::nullopt;
    }
    std::optional<Expression> result = nested_atom();
    --depth_;
    return result;
  }

  std::optional<Expression> nested_atom() {
    const Token token = cursor_.peek();
    if (cursor_.accept("(")) {
      std::optional<Expression> inner = sum();
      if (!inner || !cursor_.expect(")"))
        return std::nullopt;
      return inner;
    }
    bool literal = token.kind == TokenKind::integer || token.kind == TokenKind::number ||
                   cursor_.is_word("inf") || cursor_.is_word("nan");
    if (literal)
      return number(*cursor_.expect_number("a number"));
    if (cursor_.accept("-")) {
      bool negative_number = cursor_.peek().kind == TokenKind::integer ||
                             cursor_.peek().kind == TokenKind::number || cursor_.is_word("inf");
      std::optional<Expression> operand = atom();
      if (!operand)
        return std::nullopt;
      if (negative_number)
        return number(-operand->number);
      return call(Function::neg, {std::move(*operand)});
    }
    if (token.kind == TokenKind::identifier && cursor_.peek(1).text == "(")
      return function();
    Expression result;
    result.kind = Expression::Kind::load;
    if (!access(result.access, "a number, a buffer or a register"))
      return std::nullopt;
    return result;
  }

  std::optional<Expression> function() {
    Token name = cursor_.next();
    cursor_.next(); // (
    if (name.text == "select")
      return select();
    if (name.text == "value") {
      std::optional<Index> number = index();
      if (!number || !cursor_.expect(")"))
        return std::nullopt;
      return value(std::move(*number));
    }
    if (name.text == "uniform")
      return uniform_call();
    std::span<const FunctionRow> functions = named_functions();
    auto row = std::find_if(functions.begin(), functions.end(),
                            [&](const FunctionRow &f) { return f.name == name.text; });
    if (row == functions.end()) {
      std::string all;
      for (const FunctionRow &function : functions)
        all += fmt::format("{}, ", function.name);
      cursor_.error_at(name.range, fmt::format("there is no function '{}': there are {}select, "
                                               "uniform and value",
                                               name.text, all));
      return std::nullopt;
    }
    std::vector<Expression> arguments;
    do {
      std::optional<Expression> argument = sum();
      if (!argument)
        return std::nullopt;
      arguments.push_back(std::move(*argument));
    } while (cursor_.accept(","));
    if (arguments.size() != row->arguments) {
      cursor_.error_at(name.range,
                       fmt::format("{} takes {} argument{}, but {} {} given", row->name,
                                   row->arguments, row->arguments == 1 ? "" : "s", arguments.size(),
                                   arguments.size() == 1 ? "is" : "are"));
      return std::nullopt;
    }
    if (!cursor_.expect(")"))
      return std::nullopt;
    return call(row->function, std::move(arguments));
  }

  /// `uniform(index, seed, counter)` after its parenthesis.
  std::optional<Expression> uniform_call() {
    std::optional<Index> place = index();
    if (!place || !cursor_.expect(","))
      return std::nullopt;
    const Token token = cursor_.peek();
    const std::optional<int64_t> seed = cursor_.expect_integer("a seed");
    if (!seed)
      return std::nullopt;
    if (*seed < 0 || *seed >= int64_t(1) << 32) {
      cursor_.error_at(token.range, "a seed is at least 0 and below 2^32");
      return std::nullopt;
    }
    if (!cursor_.expect(","))
      return std::nullopt;
    std::optional<Expression> counter = sum();
    if (!counter || !cursor_.expect(")"))
      return std::nullopt;
    return uniform(std::move(*place), *seed, std::move(*counter));
  }

  /// `select(a < b, c, d)` or `select(a == b, c, d)` after its parenthesis.
  std::optional<Expression> select() {
    std::vector<Expression> arguments;
    Function function = Function::select_less;
    for (std::string_view separator : {"<", ",", ",", ")"}) {
      std::optional<Expression> argument = sum();
      if (!argument)
        return std::nullopt;
      bool equal = separator == "<" && cursor_.accept("==");
      if (equal)
        function = Function::select_equal;
      else if (!cursor_.expect(separator))
        return std::nullopt;
      arguments.push_back(std::move(*argument));
    }
    return call(function, std::move(arguments));
  }

  TokenCursor &cursor_;
  int depth_ = 0;
  int operators_ = 0;
};

} // namespace

std::optional<Kernel> parse_kernel(TokenCursor &cursor) { return Parser(cursor).kernel(); }

} // namespace cnnc::loop
