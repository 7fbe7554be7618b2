// The parts of the language server below its protocol; tests/lsp/ has whole sessions.
#include "compiler/analysis/shape_rule.h"
#include "compiler/lsp/completion.h"
#include "compiler/lsp/formatting.h"
#include "compiler/lsp/hints.h"
#include "compiler/lsp/hover.h"
#include "compiler/lsp/occurrences.h"
#include "compiler/lsp/symbols.h"
#include "ir/graph/printer.h"
#include "ir/text/files.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

namespace cnnc::lsp {
namespace {

// --- positions ---

const std::vector<std::string> &characters() {
  static const std::vector<std::string> list = {"a", "%", "é", "€", "😀", "\n", "\r\n", "\r"};
  return list;
}

int units(const std::string &character) { return character == "😀" ? 2 : 1; }

/// Positions of all characters of a text, counted one by one.
TEST(TextPositions, AgreeWithCountingCharacters) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    std::vector<std::pair<uint32_t, TextPosition>> expected;
    TextPosition position;
    for (size_t i = random() % 200; i > 0; --i) {
      const std::string &character = characters()[random() % characters().size()];
      if (character == "\n" && text.ends_with('\r')) // would be one end of line
        continue;
      expected.emplace_back(static_cast<uint32_t>(text.size()), position);
      text += character;
      const bool line_end = character.find_first_of("\r\n") != std::string::npos;
      position = line_end ? TextPosition{position.line + 1, 0}
                          : TextPosition{position.line, position.character + units(character)};
    }
    expected.emplace_back(static_cast<uint32_t>(text.size()), position);
    const TextPositions positions(text);
    for (const auto &[offset, place] : expected) {
      EXPECT_EQ(positions.position(offset), place) << text;
      EXPECT_EQ(positions.offset(place), offset) << text;
    }
  }
}

TEST(TextPositions, StayInsideOfTheText) {
  const std::string text = "a😀\r\nbc";
  const TextPositions positions(text);
  EXPECT_EQ(positions.offset({0, 2}), 1u); // between the two units of a character
  EXPECT_EQ(positions.offset({0, 9}), 5u); // behind a line
  EXPECT_EQ(positions.offset({7, 0}), 9u); // behind the text
  EXPECT_EQ(positions.offset({-1, 3}), 0u);
  EXPECT_EQ(positions.offset({1, -3}), 7u);
  EXPECT_EQ(positions.position(1000), (TextPosition{1, 2}));
}

// --- all texts that there are ---

/// In the order of their names: what fails with a seed must fail with it everywhere.
std::vector<std::string> all_texts() {
  std::vector<std::filesystem::path> files;
  for (const char *folder : {"tests", "examples"})
    for (const auto &entry : std::filesystem::recursive_directory_iterator(
             std::filesystem::path(CNNC_SOURCE_DIR) / folder))
      if (entry.path().extension() == ".ir")
        files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<std::string> texts;
  for (const std::filesystem::path &file : files) {
    Diagnostics diagnostics;
    texts.push_back(*read_file(file, diagnostics));
  }
  EXPECT_GT(texts.size(), 100u);
  return texts;
}

std::vector<std::string> comments_of(const Document &document) {
  std::vector<std::string> comments;
  uint32_t begin = 0;
  for (const Token &token : document.tokens()) {
    const std::string blank = document.text().substr(begin, token.range.begin - begin);
    for (size_t at = blank.find("//"); at != std::string::npos; at = blank.find("//", at)) {
      const size_t end = std::min(blank.find('\n', at), blank.size());
      std::string comment = blank.substr(at, end - at);
      comment.erase(comment.find_last_not_of(" \t\r") + 1);
      comments.push_back(comment);
      at = end;
    }
    begin = token.range.end;
  }
  return comments;
}

TEST(Formatting, KeepsMeaningAndCommentsOfAllTexts) {
  int read = 0;
  for (const std::string &text : all_texts()) {
    const Document document("text.ir", text);
    if (!document.as_written())
      continue;
    ++read;
    const std::string formatted = edited(text, format(document));
    const Document again("text.ir", formatted);
    ASSERT_TRUE(again.as_written()) << formatted;
    EXPECT_EQ(to_string(*again.as_written()), to_string(*document.as_written()));
    EXPECT_EQ(comments_of(again), comments_of(document)) << text << formatted;
    EXPECT_EQ(edited(formatted, format(again)), formatted);
  }
  EXPECT_GT(read, 50);
}

TEST(Formatting, LeavesPrintedTextsAlone) {
  for (const std::string &text : all_texts())
    if (const Document document("text.ir", text); document.as_written()) {
      const std::string printed = to_string(*document.as_written());
      EXPECT_TRUE(format(Document("text.ir", printed)).empty()) << printed;
    }
}

TEST(Formatting, CommentsAndBlankLines) {
  const Document document("text.ir", "// head\n"
                                     "model @m( %x:f32[1,2] ){ // inputs\n"
                                     "%a=relu %x   // behind\n"
                                     "\n\n\n"
                                     "     // above\n"
                                     "%b = clip %a max=6.0 min = 0.0\n"
                                     "%c = add %b, // inside\n"
                                     "      %a\n"
                                     "return %c\n"
                                     "// last\n"
                                     "} // end\n"
                                     "// tail");
  EXPECT_EQ(edited(document.text(), format(document)), "// head\n"
                                                       "model @m(%x: f32[1, 2]) { // inputs\n"
                                                       "  %a = relu %x   // behind\n"
                                                       "\n"
                                                       "  // above\n"
                                                       "  %b = clip %a min=0 max=6\n"
                                                       "  %c = add %b, // inside\n"
                                                       "      %a\n"
                                                       "  return %c\n"
                                                       "  // last\n"
                                                       "} // end\n"
                                                       "// tail\n");
}

/// The outline, which goes by tokens alone, has the statements that the parser has.
TEST(Outline, HasTheStatementsOfTheParser) {
  for (const std::string &text : all_texts()) {
    const Document document("text.ir", text);
    if (!document.as_written())
      continue;
    std::vector<uint32_t> expected, found;
    for (const Graph &graph : document.as_written()->models)
      for (const Node &node : graph.nodes)
        for (ValueId result : node.results)
          expected.push_back(graph.value(result).range.begin);
    for (const Section &section : document.sections())
      for (const Piece &piece : section.pieces)
        if (piece.kind == PieceKind::definition)
          for (size_t token : defined_values(document.tokens(), piece))
            found.push_back(document.tokens()[token].range.begin);
    EXPECT_EQ(found, expected) << text;
    EXPECT_EQ(document.sections().size(),
              document.as_written()->models.size() + document.as_written()->kernels.size());
  }
}

// --- texts with mistakes ---

/// Every question at one place. Only that they are answered matters.
void ask_everything(const std::string &text, uint32_t offset) {
  const Document document("text.ir", text);
  hover_at(document, offset);
  proposals_at(document, offset);
  occurrences_at(document, offset);
  new_name_at(document, offset, "y");
  symbols_of(document);
  type_hints(document, 0, static_cast<uint32_t>(text.size()));
  format(document);
}

constexpr std::string_view with_kernels = R"(// é
model @m(%x: f32[1, 4, 8, 8], %s: f32[4]) weights="other.safetensors" {
  %w = random(1, he) : f32[4, 4, 3, 3]
  kernel @k(%x, %w) -> (%a) schedule(tile=[oh:2]) {
    %c = conv2d %x, %w pad=[1, 1, 1, 1] : f32[1, 4, 8, 8]
    %a = clip %c min=0 max=6
  }
  %l, %r = split %a axis=1 sizes=[2, 2]
  %"odd name" = add %l, %r
  %n = add %s, %s
  return %"odd name", %n in %s
}

kernel @loops(x: f32[4]) -> (y: f32[4]) {
  for i in 0..4 {
    y[i] = x[i] * 2
  }
}
)";

TEST(Mistakes, EveryPrefixIsAnswered) {
  ASSERT_TRUE(Document("text.ir", std::string(with_kernels)).as_written());
  for (size_t size = 0; size <= with_kernels.size(); ++size)
    ask_everything(std::string(with_kernels.substr(0, size)), static_cast<uint32_t>(size));
}

TEST(Mistakes, RandomEditsAreAnswered) {
  const std::vector<std::string> texts = all_texts();
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text = round % 2 ? std::string(with_kernels) : texts[random() % texts.size()];
    text = text.substr(0, 3000);
    for (int edit = 0; edit < 4; ++edit) {
      const size_t begin = random() % (text.size() + 1), size = random() % 12;
      const size_t other = random() % (text.size() + 1);
      text.replace(begin, size, random() % 2 ? text.substr(other, random() % 20) : "");
    }
    ask_everything(text, static_cast<uint32_t>(random() % (text.size() + 1)));
  }
}

/// One of two names is taken: the statement is none, and the other name gets no value.
TEST(Mistakes, TwoResultsOneOfThemTaken) {
  for (const char *names : {"%new, %x", "%new, %new"}) {
    const std::string text = fmt::format("model @m(%x: f32[1, 4]) {{\n"
                                         "  %y = relu %x\n"
                                         "  {} = split %y axis=1 sizes=[2, 2]\n"
                                         "  return %y\n"
                                         "}}\n",
                                         names);
    const Document document("text.ir", text);
    EXPECT_EQ(document.diagnostics().size(), 2u); // the error and its note
    EXPECT_EQ(type_hints(document, 0, static_cast<uint32_t>(text.size())).size(), 1u);
    for (uint32_t at = 0; at < text.size(); ++at)
      ask_everything(text, at);
  }
}

/// A statement that is wrong takes no other along: those that do not follow from it keep types.
TEST(Mistakes, OtherStatementsKeepTheirTypes) {
  const std::string text = "model @m(%x: f32[1, 2]) {\n"
                           "  %a = relu %x\n"
                           "  %b = reluu %a\n"
                           "  %c = matmul %a, %a\n"
                           "  %d = tanh %a\n"
                           "  %e = tanh %c\n"
                           "  return %b\n"
                           "}\n";
  const Document document("text.ir", text);
  ASSERT_EQ(document.diagnostics().size(), 2u);
  std::vector<std::pair<std::string, std::string>> shown;
  for (const Hint &hint : type_hints(document, 0, static_cast<uint32_t>(text.size()))) {
    const size_t line = text.rfind('\n', hint.offset - 1) + 1;
    shown.emplace_back(text.substr(line, hint.offset - line), hint.text);
  }
  EXPECT_EQ(shown, (std::vector<std::pair<std::string, std::string>>{
                       {"  %a = relu %x", ": f32[1, 2]"}, {"  %d = tanh %a", ": f32[1, 2]"}}));
}

// --- words ---

TEST(Completion, WordsAreWhatTheOpTakes) {
  int enumerations = 0;
  for (const OpInfo &info : op_table())
    for (const AttributeInfo &attribute : info.attributes) {
      Op op = info.make();
      const std::vector<std::string> words = words_of(attribute);
      enumerations += !words.empty();
      for (const std::string &word : words)
        EXPECT_TRUE(attribute.set(op, Word{word}) ||
                    (attribute.set(op, word == "true") && (word == "true" || word == "false")))
            << info.name << " " << attribute.name << " " << word;
      const bool takes_words = std::holds_alternative<Word>(attribute.get(op)) ||
                               std::holds_alternative<bool>(attribute.get(op));
      EXPECT_EQ(takes_words, !words.empty()) << info.name << " " << attribute.name;
    }
  EXPECT_GT(enumerations, 20);
}

// --- shapes ---

std::vector<std::string> rule_of(const std::string &statements) {
  const Document document("text.ir",
                          "model @m(%x: f32[1, 4, 9, 7]) {\n" + statements + "\n  return %y\n}\n");
  EXPECT_TRUE(document.diagnostics().empty());
  const Graph &graph = document.model_of(document.sections()[0])->graph;
  return shape_rule(graph, *producer_of(graph, "y"));
}

TEST(ShapeRule, NumbersOfWindows) {
  EXPECT_EQ(rule_of("%w = splat 1 : f32[2, 2, 3, 2]\n"
                    "%y = conv2d %x, %w groups=2 stride=[2, 1] pad=[1, 0, 0, 2] dilation=[2, 1]"),
            (std::vector<std::string>{
                "size    floor((in + pads - dilation * (kernel - 1) - 1) / stride) + 1",
                "height  floor((9 + 1 - 2 * (3 - 1) - 1) / 2) + 1 = 3",
                "width   floor((7 + 2 - 1 * (2 - 1) - 1) / 1) + 1 = 8"}));
  EXPECT_EQ(rule_of("%y = avg_pool2d %x kernel=[2, 2] stride=[2, 2] ceil_mode=true"),
            (std::vector<std::string>{
                "size    ceil((in + pads - dilation * (kernel - 1) - 1) / stride) + 1, less a "
                "window that begins in the padding behind",
                "height  ceil((9 + 0 - 1 * (2 - 1) - 1) / 2) + 1 = 5",
                "width   ceil((7 + 0 - 1 * (2 - 1) - 1) / 2) + 1 = 4"}));
  EXPECT_EQ(rule_of("%w = splat 1 : f32[4, 2, 3, 3]\n"
                    "%y = conv_transpose2d %x, %w stride=[2, 2] pad=[1, 1, 1, 1] "
                    "output_padding=[1, 0]"),
            (std::vector<std::string>{
                "size    (in - 1) * stride + dilation * (kernel - 1) + 1 - pads + output_padding",
                "height  (9 - 1) * 2 + 1 * (3 - 1) + 1 - 2 + 1 = 18",
                "width   (7 - 1) * 2 + 1 * (3 - 1) + 1 - 2 + 0 = 13"}));
  EXPECT_TRUE(rule_of("%y = relu %x").empty());
}

} // namespace
} // namespace cnnc::lsp
