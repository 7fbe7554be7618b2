#include "compiler/lsp/completion.h"

#include "compiler/api/list_ops.h"
#include "compiler/lsp/hover.h"

#include <algorithm>
#include <ranges>
#include <set>

namespace cnnc::lsp {

namespace {

/// Whether all braces of a section are closed: then nothing behind it belongs to it.
bool is_closed(const Document &document, const Section &section) {
  int depth = 0;
  for (size_t i = section.first; i < section.end; ++i)
    depth += is_punctuation(document.tokens()[i], "{") - is_punctuation(document.tokens()[i], "}");
  return depth <= 0 && is_punctuation(document.tokens()[section.end - 1], "}");
}

/// The section at a byte, or the one before that is not closed there.
const Section *section_for(const Document &document, uint32_t offset) {
  const Section *last = nullptr;
  for (const Section &section : document.sections())
    if (document.range_of(section).begin < offset)
      last = &section;
  if (!last || (document.range_of(*last).end < offset && is_closed(document, *last)))
    return nullptr;
  return last;
}

class Completion {
public:
  Completion(const Document &document, const Section &section, uint32_t offset)
      : document_(document), tokens_(document.tokens()), section_(section), offset_(offset) {
    find_place();
  }

  Proposals operator()() {
    if (!piece_ || first_ <= piece_->first || is_on_new_line() || is_in_comment())
      return result_;
    switch (piece_->kind) {
    case PieceKind::definition:
      complete_definition();
      break;
    case PieceKind::output:
      add_values();
      break;
    case PieceKind::model:
    case PieceKind::kernel:
    case PieceKind::close:
      break;
    }
    return result_;
  }

private:
  /// The word that is being typed, and the piece in which the token before it stands.
  void find_place() {
    const auto behind = std::ranges::lower_bound(
        tokens_, offset_, {}, [](const Token &token) { return token.range.begin; });
    first_ = static_cast<size_t>(behind - tokens_.begin());
    result_.replaced = {document_.range_of(section_).source, offset_, offset_};
    if (first_ > 0 && is_typed(tokens_[first_ - 1])) {
      --first_;
      typed_ = true;
      result_.replaced = tokens_[first_].range;
      sign_ = tokens_[first_].kind != TokenKind::identifier;
    }
    for (const Piece &piece : section_.pieces)
      if (piece.first < first_)
        piece_ = &piece;
  }

  bool is_typed(const Token &token) const {
    return token.range.end >= offset_ &&
           (token.kind == TokenKind::identifier || token.kind == TokenKind::value ||
            is_punctuation(token, "%"));
  }

  std::string_view blank_before() const {
    const uint32_t end = tokens_[first_ - 1].range.end;
    return std::string_view(document_.text()).substr(end, result_.replaced.begin - end);
  }
  bool is_on_new_line() const { return blank_before().find('\n') != std::string_view::npos; }
  bool is_in_comment() const { return blank_before().find("//") != std::string_view::npos; }

  void complete_definition() {
    size_t sign = piece_->first;
    while (sign < first_ && !is_punctuation(tokens_[sign], "="))
      ++sign;
    if (sign + 1 == first_)
      return sign_ ? void() : add_ops();
    const OpInfo *op = sign + 1 < first_ ? find_op(tokens_[sign + 1].text) : nullptr;
    if (!op)
      return;
    if (op->positional > 1 && depth_since(sign + 2) == 1 && is_punctuation(tokens_[sign + 2], "("))
      return add_positional_words(*op, sign + 2);
    if (depth_since(sign + 2) > 0 || is_in_type(sign + 2))
      return;
    if (is_punctuation(tokens_[first_ - 1], "="))
      return add_words(*op, tokens_[first_ - 2].text);
    if (!has_attribute(sign + 2)) // operands stand before them
      add_values();
    if (!sign_ && !is_punctuation(tokens_[first_ - 1], ","))
      add_attributes(*op, sign + 2);
  }

  /// Brackets that are open at the cursor.
  int depth_since(size_t begin) const {
    int depth = 0;
    for (size_t i = begin; i < first_; ++i) {
      depth += is_punctuation(tokens_[i], "[") || is_punctuation(tokens_[i], "(");
      depth -= is_punctuation(tokens_[i], "]") || is_punctuation(tokens_[i], ")");
    }
    return depth;
  }

  bool has_attribute(size_t begin) const {
    return std::any_of(tokens_.begin() + static_cast<std::ptrdiff_t>(begin),
                       tokens_.begin() + static_cast<std::ptrdiff_t>(first_),
                       [](const Token &token) { return is_punctuation(token, "="); });
  }

  bool is_in_type(size_t begin) const {
    return std::any_of(tokens_.begin() + static_cast<std::ptrdiff_t>(begin),
                       tokens_.begin() + static_cast<std::ptrdiff_t>(first_),
                       [](const Token &token) { return is_punctuation(token, ":"); });
  }

  /// `random(7, he)`: attributes by their place.
  void add_positional_words(const OpInfo &op, size_t begin) {
    size_t place = 0;
    for (size_t i = begin; i < first_; ++i)
      place += is_punctuation(tokens_[i], ",");
    if (place < op.positional)
      add_words(op, op.attributes[place].name);
  }

  void add_ops() {
    for (const OpInfo &op : op_table())
      result_.all.push_back({ProposalKind::op, op.name, operands_of(op), describe(op)});
  }

  /// Those above that begin with what is typed, the last first.
  void add_values() {
    const CheckedModel *model = document_.model_of(section_);
    const std::string_view typed =
        sign_ ? std::string_view(document_.text())
                    .substr(result_.replaced.begin, offset_ - result_.replaced.begin)
              : std::string_view();
    std::set<std::string_view> seen;
    for (const Piece &piece : std::views::reverse(section_.pieces))
      if (piece.first < piece_->first && result_.complete &&
          (piece.kind == PieceKind::definition || piece.kind == PieceKind::model))
        for (size_t i : defined_values(tokens_, piece))
          if (spell(tokens_[i].text).starts_with(typed) && seen.insert(tokens_[i].text).second)
            add_value(model, tokens_[i].text);
  }

  static std::string spell(const std::string &name) { return "%" + format_name(name); }

  void add_value(const CheckedModel *model, const std::string &name) {
    result_.complete = result_.all.size() < most_values;
    if (!result_.complete)
      return;
    const std::optional<ValueId> id = model ? model->graph.find_value(name) : std::nullopt;
    const Node *node = id ? producer_of(model->graph, name) : nullptr;
    result_.all.push_back({ProposalKind::value, spell(name),
                           id ? to_string(model->graph.type(*id)) : "",
                           node ? info_of(node->op).name : ""});
  }

  void add_attributes(const OpInfo &op, size_t begin) {
    for (size_t i = op.positional; i < op.attributes.size(); ++i) {
      const AttributeInfo &attribute = op.attributes[i];
      bool given = false;
      for (size_t token = begin; token < piece_->end; ++token)
        given = given ||
                (!(typed_ && token == first_) && tokens_[token].kind == TokenKind::identifier &&
                 tokens_[token].text == attribute.name);
      if (!given)
        result_.all.push_back({ProposalKind::attribute, attribute.name + "=", attribute.type,
                               attribute.required ? "" : "default " + cnnc::spell(attribute)});
    }
  }

  void add_words(const OpInfo &op, std::string_view name) {
    const auto attribute = std::ranges::find(op.attributes, name, &AttributeInfo::name);
    if (attribute == op.attributes.end())
      return;
    for (std::string &word : words_of(*attribute))
      result_.all.push_back({ProposalKind::word, std::move(word), std::string(name), ""});
  }

  const Document &document_;
  const std::vector<Token> &tokens_;
  const Section &section_;
  uint32_t offset_;
  bool typed_ = false;
  size_t first_ = 0;  // the token that is typed, or the one behind the cursor
  bool sign_ = false; // what is typed begins with %
  const Piece *piece_ = nullptr;
  Proposals result_;
};

} // namespace

std::vector<std::string> words_of(const AttributeInfo &attribute) {
  constexpr std::string_view between = " | ";
  std::vector<std::string> words;
  std::string_view left = attribute.type;
  while (attribute.type.find(between) != std::string::npos && !left.empty()) {
    const size_t end = left.find(between);
    words.emplace_back(left.substr(0, end));
    left = end == std::string_view::npos ? std::string_view() : left.substr(end + between.size());
  }
  return words;
}

Proposals proposals_at(const Document &document, uint32_t offset) {
  const Section *section = section_for(document, offset);
  return section && section->is_model ? Completion(document, *section, offset)() : Proposals();
}

} // namespace cnnc::lsp
