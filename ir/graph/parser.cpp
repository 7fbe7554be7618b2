#include "ir/graph/parser.h"

#include "ir/graph/attribute_parser.h"
#include "ir/type/parser.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <span>
#include <unordered_set>

namespace cnnc {

namespace {

class Parser {
public:
  explicit Parser(TokenCursor &cursor)
      : cursor_(cursor), errors_before_(cursor.diagnostics().error_count()) {}

  std::optional<Graph> model(Graph *incomplete) {
    if (!header())
      return std::nullopt;
    while (!cursor_.at_end() && !cursor_.is("}") && !cursor_.is_word("return"))
      if (!statement())
        resynchronise();
    bool complete = return_statement() && cursor_.expect("}");
    if (complete && cursor_.diagnostics().error_count() == errors_before_)
      return std::move(graph_);
    if (incomplete)
      *incomplete = std::move(graph_);
    return std::nullopt;
  }

private:
  bool header() {
    cursor_.next(); // model
    std::optional<Token> name = cursor_.expect(TokenKind::symbol, "the model's name, as in @lenet");
    if (!name || !cursor_.expect("("))
      return false;
    graph_.name = name->text;
    graph_.range = name->range;
    if (!cursor_.is(")"))
      do
        if (!parameter())
          return false;
      while (cursor_.accept(","));
    if (!cursor_.expect(")"))
      return false;
    if (cursor_.accept_word("weights")) {
      if (!cursor_.expect("="))
        return false;
      std::optional<Token> file = cursor_.expect(TokenKind::string, "a file name in quotes");
      if (!file)
        return false;
      graph_.weights_file = file->text;
    }
    return cursor_.expect("{");
  }

  bool parameter() {
    std::optional<Token> name = cursor_.expect(TokenKind::value, "an input, as in %image");
    if (!name || !cursor_.expect(":"))
      return false;
    std::optional<TensorType> type = parse_type(cursor_);
    if (!type)
      return false;
    if (is_defined({&*name, 1}))
      return true;
    const ValueId id = define(*name);
    graph_.values[id].type = std::move(type);
    graph_.inputs.push_back(id);
    return true;
  }

  bool defined_twice(const Token &name, const SourceRange &first) {
    cursor_.error_at(name.range, fmt::format("%{} is defined twice", format_name(name.text)));
    cursor_.diagnostics().note(first, "the first definition is here");
    return true;
  }

  /// Looks at all names of a statement before the first is defined: a value without an op would
  /// have no type in a graph that is incomplete.
  bool is_defined(std::span<const Token> names) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (std::optional<ValueId> first = graph_.find_value(names[i].text))
        return defined_twice(names[i], graph_.values[*first].range);
      for (size_t other = 0; other < i; ++other)
        if (names[other].text == names[i].text)
          return defined_twice(names[i], names[other].range);
    }
    return false;
  }

  ValueId define(const Token &name) {
    ValueId id = graph_.add_value(name.text, std::nullopt);
    graph_.values[id].range = name.range;
    return id;
  }

  std::optional<ValueId> use(const Token &name) {
    if (std::optional<ValueId> id = graph_.find_value(name.text))
      return id;
    if (poisoned_.contains(name.text))
      return std::nullopt; // its definition was wrong: one error is enough
    std::vector<std::string_view> known;
    for (const Value &value : graph_.values)
      known.push_back(value.name);
    std::sort(known.begin(), known.end());
    std::string_view guess = closest(name.text, known);
    cursor_.error_at(
        name.range,
        fmt::format("%{} is not defined above{}", format_name(name.text),
                    guess.empty() ? "" : fmt::format("; did you mean %{}?", format_name(guess))));
    return std::nullopt;
  }

  bool statement() {
    statement_begin_ = cursor_.peek().range;
    if (cursor_.is_word("kernel"))
      return kernel();
    std::vector<Token> names;
    do {
      std::optional<Token> name =
          cursor_.expect(TokenKind::value, "a statement, as in %y = relu %x");
      if (!name)
        return false;
      names.push_back(*name);
    } while (cursor_.accept(","));
    bool parsed = definition(names);
    if (!parsed)
      for (const Token &name : names)
        poisoned_.insert(name.text);
    return parsed;
  }

  bool definition(const std::vector<Token> &names) {
    if (!cursor_.expect("="))
      return false;
    std::optional<Token> op_name = cursor_.expect(TokenKind::identifier, "the name of an op");
    if (!op_name)
      return false;
    const OpInfo *info = find_op(op_name->text);
    if (!info)
      return unknown_op(*op_name);
    Node node;
    node.op = info->make();
    node.range = op_name->range;
    node.kernel = open_kernel_;
    std::vector<std::string> seen;
    if (!positional_attributes(*info, node, seen) || !operands(*info, node) ||
        !named_attributes(*info, node, seen) || !missing_attributes(*info, node, seen))
      return false;
    return results(names, std::move(node));
  }

  bool unknown_op(const Token &name) {
    std::vector<std::string_view> known;
    for (const OpInfo &info : op_table())
      known.push_back(info.name);
    std::string_view guess = closest(name.text, known);
    cursor_.error_at(name.range,
                     fmt::format("there is no op '{}'{}", name.text,
                                 guess.empty() ? "; cnnc --list-ops shows all"
                                               : fmt::format("; did you mean '{}'?", guess)));
    return false;
  }

  bool positional_attributes(const OpInfo &info, Node &node, std::vector<std::string> &seen) {
    if (info.positional == 0)
      return true;
    bool several = info.positional > 1;
    if (several && !cursor_.expect("("))
      return false;
    for (size_t i = 0; i < info.positional; ++i) {
      if (i > 0 && !cursor_.expect(","))
        return false;
      if (!attribute_value(info.attributes[i], node))
        return false;
      seen.push_back(info.attributes[i].name);
    }
    return !several || cursor_.expect(")");
  }

  bool operands(const OpInfo &info, Node &node) {
    bool ok = true;
    if (cursor_.peek().kind == TokenKind::value && !begins_definition(cursor_))
      do {
        std::optional<Token> name = cursor_.expect(TokenKind::value, "an operand, as in %x");
        if (!name)
          return false;
        std::optional<ValueId> id = use(*name);
        ok = ok && id;
        node.operands.push_back(id.value_or(0));
        node.operand_ranges.push_back(name->range);
      } while (cursor_.accept(","));
    return operand_count(info, node) && ok;
  }

  bool operand_count(const OpInfo &info, const Node &node) {
    size_t least = 0;
    bool variadic = false;
    std::vector<std::string> spelling;
    for (const OperandInfo &operand : info.operands) {
      least += !operand.optional;
      variadic = variadic || operand.variadic;
      spelling.push_back(operand.name + (operand.optional ? "?" : operand.variadic ? "..." : ""));
    }
    size_t count = node.operands.size();
    bool call = std::holds_alternative<Call>(node.op); // a kernel may read nothing
    if (call || (count >= least && (variadic || count <= info.operands.size())))
      return true;
    SourceRange range =
        count > info.operands.size() ? node.operand_ranges[info.operands.size()] : node.range;
    cursor_.error_at(range,
                     fmt::format("{} takes the operands ({}), but {} {} given", info.name,
                                 fmt::join(spelling, ", "), count, count == 1 ? "is" : "are"));
    return false;
  }

  bool named_attributes(const OpInfo &info, Node &node, std::vector<std::string> &seen) {
    bool ok = true;
    while (cursor_.peek().kind == TokenKind::identifier && cursor_.peek(1).text == "=") {
      Token name = cursor_.next();
      cursor_.next(); // =
      auto attribute = std::find_if(info.attributes.begin(), info.attributes.end(),
                                    [&](const AttributeInfo &a) { return a.name == name.text; });
      if (attribute == info.attributes.end()) {
        unknown_attribute(info, name);
        ok = false;
        if (!parse_attribute_value(cursor_))
          return false;
        continue;
      }
      if (std::find(seen.begin(), seen.end(), name.text) != seen.end()) {
        cursor_.error_at(name.range, fmt::format("'{}' is given twice", name.text));
        ok = false;
      }
      seen.push_back(name.text);
      ok = attribute_value(*attribute, node, name.range) && ok;
    }
    return ok;
  }

  void unknown_attribute(const OpInfo &info, const Token &name) {
    std::vector<std::string> known;
    for (const AttributeInfo &attribute : info.attributes)
      known.push_back(attribute.name);
    cursor_.error_at(name.range,
                     known.empty()
                         ? fmt::format("{} has no attributes, hence no '{}'", info.name, name.text)
                         : fmt::format("{} has no attribute '{}'; it has {}", info.name, name.text,
                                       fmt::join(known, ", ")));
  }

  bool missing_attributes(const OpInfo &info, const Node &node,
                          const std::vector<std::string> &seen) {
    bool ok = true;
    for (const AttributeInfo &attribute : info.attributes)
      if (attribute.required && std::find(seen.begin(), seen.end(), attribute.name) == seen.end()) {
        cursor_.error_at(node.range, fmt::format("{} needs the attribute '{}', {}", info.name,
                                                 attribute.name, attribute.type));
        ok = false;
      }
    return ok;
  }

  /// Reads a value and stores it. Its position, from the attribute's name on, is kept for infer().
  bool attribute_value(const AttributeInfo &attribute, Node &node, SourceRange begin = {}) {
    SourceRange value_begin = cursor_.peek().range;
    std::optional<AttributeValue> value = parse_attribute_value(cursor_);
    if (!value)
      return false;
    SourceRange value_range = join(value_begin, cursor_.previous().range);
    node.attribute_ranges.emplace_back(attribute.name, join(begin, value_range));
    if (attribute.set(node.op, *value))
      return true;
    cursor_.error_at(value_range, fmt::format("'{}' must be {}, not {}", attribute.name,
                                              attribute.type, to_string(*value)));
    return false;
  }

  /// The types after the colon, then the definition of the results.
  bool results(const std::vector<Token> &names, Node node) {
    std::vector<std::optional<TensorType>> types(names.size());
    std::vector<std::optional<int64_t>> offsets(names.size());
    if (cursor_.accept(":"))
      for (size_t i = 0; i < names.size(); ++i) {
        if (i > 0 && !cursor_.expect(","))
          return false;
        types[i] = parse_type(cursor_);
        if (!types[i])
          return false;
        if (cursor_.accept_word("at")) {
          offsets[i] = cursor_.expect_integer("an offset in bytes");
          if (!offsets[i])
            return false;
        }
      }
    if (is_defined(names))
      return false;
    for (size_t i = 0; i < names.size(); ++i) {
      const ValueId id = define(names[i]);
      Value &value = graph_.values[id];
      value.type = std::move(types[i]);
      value.offset = offsets[i];
      node.results.push_back(id);
    }
    graph_.append(std::move(node));
    return true;
  }

  /// `kernel @name(%a, %b) -> (%c) schedule(...) { statements }`. The lists are for the reader:
  /// they follow from the body, and are checked against it when the body is read.
  bool kernel() {
    cursor_.next(); // kernel
    std::optional<Token> name = cursor_.expect(TokenKind::symbol, "the kernel's name, as in @c1");
    if (!name)
      return false;
    for (const KernelGroup &other : graph_.kernels)
      if (other.name == name->text)
        cursor_.error_at(name->range, fmt::format("@{} is defined twice", format_name(name->text)));
    std::vector<Token> inputs, outputs;
    if (!value_list(inputs) || !cursor_.expect("->") || !value_list(outputs))
      return false;
    KernelGroup group{name->text, {}, name->range};
    if (cursor_.accept_word("schedule")) {
      std::optional<Schedule> schedule = parse_schedule(cursor_);
      if (!schedule)
        return false;
      group.schedule = *schedule;
    }
    if (!cursor_.expect("{"))
      return false;
    open_kernel_ = static_cast<KernelId>(graph_.kernels.size());
    graph_.kernels.push_back(std::move(group));
    while (!cursor_.at_end() && !cursor_.is("}"))
      if (!statement())
        resynchronise();
    open_kernel_ = no_id;
    declared_interfaces_.push_back({std::move(inputs), std::move(outputs)});
    return cursor_.expect("}");
  }

  bool value_list(std::vector<Token> &list) {
    if (!cursor_.expect("("))
      return false;
    if (cursor_.accept(")"))
      return true;
    do {
      std::optional<Token> name = cursor_.expect(TokenKind::value, "a value, as in %x");
      if (!name)
        return false;
      list.push_back(*name);
    } while (cursor_.accept(","));
    return cursor_.expect(")");
  }

  bool return_statement() {
    if (!cursor_.accept_word("return"))
      return cursor_.diagnostics().error_count() == errors_before_ &&
             cursor_.error("the model has no return statement: expected 'return %value'");
    do {
      std::optional<Token> name = cursor_.expect(TokenKind::value, "a value to return, as in %y");
      if (!name)
        return false;
      const std::optional<ValueId> id = use(*name);
      if (id) {
        graph_.outputs.push_back(*id);
        graph_.output_ranges.push_back(name->range);
      }
      if (cursor_.accept_word("in") && !updated_input(id.has_value()))
        return false;
    } while (cursor_.accept(","));
    return check_interfaces();
  }

  /// The input in whose memory the last output lies, if there is such an output.
  bool updated_input(bool output_known) {
    std::optional<Token> name = cursor_.expect(TokenKind::value, "an input to update, as in %w");
    if (!name)
      return false;
    const std::optional<ValueId> id = use(*name);
    if (!id)
      return true; // reported
    if (!graph_.is_input(*id) || std::ranges::find(graph_.updated, *id) != graph_.updated.end())
      cursor_.error_at(name->range, graph_.is_input(*id)
                                        ? "another output lies in this input already"
                                        : "this is no input of the model: only the memory of "
                                          "inputs can be updated");
    if (!output_known)
      return true; // reported
    graph_.updated.resize(graph_.outputs.size(), no_id);
    graph_.updated.back() = *id;
    return true;
  }

  bool check_interfaces() {
    if (cursor_.diagnostics().error_count() != errors_before_)
      return true; // the graph is incomplete; what follows would be misleading
    auto matches = [&](std::vector<Token> stated, const std::vector<ValueId> &actual) {
      bool same = stated.size() == actual.size();
      for (size_t i = 0; same && i < actual.size(); ++i)
        same = stated[i].text == graph_.values[actual[i]].name;
      return same;
    };
    auto spell = [&](const std::vector<ValueId> &ids) {
      std::vector<std::string> items;
      for (ValueId id : ids)
        items.push_back("%" + format_name(graph_.values[id].name));
      return fmt::format("({})", fmt::join(items, ", "));
    };
    std::vector<KernelInterface> interfaces = kernel_interfaces(graph_);
    for (KernelId id = 0; id < graph_.kernels.size(); ++id) {
      const KernelInterface &interface = interfaces[id];
      const auto &[inputs, outputs] = declared_interfaces_[id];
      if (!matches(inputs, interface.inputs) || !matches(outputs, interface.outputs))
        cursor_.error_at(graph_.kernels[id].range,
                         fmt::format("by its body, this kernel is {} -> {}",
                                     spell(interface.inputs), spell(interface.outputs)));
    }
    return true;
  }

  /// After an error: skips to what looks like the begin of the next statement.
  void resynchronise() {
    auto begins_line = [&] {
      const SourceRange &range = cursor_.peek().range;
      if (!range.known() || !statement_begin_.known() || range.begin <= statement_begin_.begin)
        return false;
      const uint32_t before = cursor_.previous().range.begin;
      return std::string_view(range.source->text).substr(before, range.begin - before).find('\n') !=
             std::string_view::npos;
    };
    while (!cursor_.at_end()) {
      bool statement_start = begins_definition(cursor_);
      bool keyword = cursor_.is_word("return") || cursor_.is_word("kernel") || cursor_.is("}");
      if ((statement_start || keyword) && begins_line())
        return;
      cursor_.next();
    }
  }

  TokenCursor &cursor_;
  size_t errors_before_; // an error in an earlier model of the text is none of this one
  Graph graph_;
  std::unordered_set<std::string> poisoned_;
  KernelId open_kernel_ = no_id;
  std::vector<std::pair<std::vector<Token>, std::vector<Token>>> declared_interfaces_;
  SourceRange statement_begin_;
};

} // namespace

bool begins_definition(const TokenCursor &cursor, size_t ahead) {
  if (cursor.peek(ahead).kind != TokenKind::value)
    return false;
  for (++ahead; cursor.peek(ahead).text == "," && cursor.peek(ahead + 1).kind == TokenKind::value;)
    ahead += 2;
  const Token &token = cursor.peek(ahead);
  return token.kind == TokenKind::punctuation && token.text == "=";
}

std::optional<Graph> parse_graph(TokenCursor &cursor, Graph *incomplete) {
  return Parser(cursor).model(incomplete);
}

} // namespace cnnc
