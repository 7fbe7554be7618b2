// Where the models, kernels and statements of a text stand, by its tokens alone: also in texts with
// mistakes, which most texts are while somebody types.
#pragma once

#include "ir/text/lexer.h"

namespace cnnc::lsp {

enum class PieceKind {
  model,      // model @name(..) weights=".." {
  kernel,     // kernel @name(..) -> (..) schedule(..) {   inside of a model
  definition, // %y = relu %x : f32[..]
  output,     // return %y
  close       // }
};

/// Tokens [first, end).
struct Piece {
  PieceKind kind = PieceKind::definition;
  size_t first = 0, end = 0;
};

/// A model, or a kernel of loops.
struct Section {
  bool is_model = true;
  size_t first = 0, end = 0; // its tokens, the first of which is the word
  std::vector<Piece> pieces; // of a model, in their order and without gaps

  const Token &name(const std::vector<Token> &tokens) const { return tokens[first + 1]; }
};

/// The sections of a text in their order. What stands in none of them is left out.
std::vector<Section> outline(const std::vector<Token> &tokens);

/// The values that a definition defines: of its tokens those before the `=`.
std::vector<size_t> defined_values(const std::vector<Token> &tokens, const Piece &piece);

bool is_punctuation(const Token &token, std::string_view text);

} // namespace cnnc::lsp
