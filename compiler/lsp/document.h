// A text that is open in an editor, and what is known of it.
#pragma once

#include "compiler/analysis/receptive_field.h"
#include "compiler/lsp/outline.h"
#include "compiler/lsp/text_positions.h"
#include "ir/module/module.h"

namespace cnnc::lsp {

/// What can be relied on of a model: without the statements that are wrong or follow from such.
struct CheckedModel {
  Graph graph; // all values have types
  std::vector<std::optional<ReceptiveField>> fields;
};

/// Reads and checks its text once, by the parser, the verifiers and infer_shapes.
class Document {
public:
  Document(std::string name, std::string text);
  Document(const Document &) = delete; // positions refer to the text
  Document &operator=(const Document &) = delete;

  const std::string &text() const { return source_->text; }
  const TextPositions &positions() const { return positions_; }
  const std::vector<Diagnostic> &diagnostics() const { return diagnostics_.all(); }
  const std::vector<Token> &tokens() const { return tokens_; } // the last is the end
  const std::vector<Section> &sections() const { return sections_; }

  /// The text as it was read, without the types that it does not state; empty when it has mistakes
  /// that keep it from being read.
  const std::optional<Module> &as_written() const { return written_; }

  /// The token at a byte, or that which ends there; null in blanks and comments.
  const Token *token_at(uint32_t offset) const;
  /// The section around a byte; null between sections.
  const Section *section_at(uint32_t offset) const;
  /// Where a section lies in the text.
  SourceRange range_of(const Section &section) const;
  SourceRange range_of(const Piece &piece) const;
  /// Null for kernels of loops, and for models whose first line is wrong.
  const CheckedModel *model_of(const Section &section) const;

private:
  void check();
  void keep(Graph graph, const std::vector<bool> &wrong);

  std::shared_ptr<const Source> source_;
  TextPositions positions_;
  Diagnostics diagnostics_;
  std::vector<Token> tokens_;
  std::vector<Section> sections_;
  std::optional<Module> written_;
  std::vector<CheckedModel> models_;
};

/// The node that defines a value of this name; null for inputs and where there is no such value.
const Node *producer_of(const Graph &graph, std::string_view value_name);

} // namespace cnnc::lsp
