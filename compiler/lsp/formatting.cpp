#include "compiler/lsp/formatting.h"

#include "ir/graph/printer.h"

#include <algorithm>

namespace cnnc::lsp {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(blanks);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view trim_end(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  lines.push_back(text);
  return lines;
}

/// What the printer makes of a part of the text that it writes without line breaks around.
struct Printed {
  SourceRange range;
  std::string indentation;
  std::string text; // behind the indentation
  bool closes = false;
};

class Formatting {
public:
  explicit Formatting(const Document &document) : document_(document) {}

  std::vector<Edit> edits() {
    if (!document_.as_written())
      return {};
    for (const Section &section : document_.sections())
      section.is_model ? print_model(section) : print_kernel(section);
    uint32_t written = 0;
    for (const Printed &part : parts_) {
      replace(written, part.range.begin, before(part, written));
      replace(part.range.begin, part.range.end, part.text);
      written = part.range.end;
    }
    const auto end = static_cast<uint32_t>(document_.text().size());
    replace(written, end,
            lines_between(std::string(trim_end(between(written, end))) + "\n", "", ""));
    return std::move(edits_);
  }

private:
  std::string_view between(uint32_t begin, uint32_t end) const {
    return std::string_view(document_.text()).substr(begin, end - begin);
  }

  void replace(uint32_t begin, uint32_t end, const std::string &text) {
    if (between(begin, end) != text)
      edits_.push_back({{document_.tokens().back().range.source, begin, end}, text});
  }

  bool has_comment(size_t first, size_t end) const {
    for (size_t i = first + 1; i < end; ++i)
      if (between(document_.tokens()[i - 1].range.end, document_.tokens()[i].range.begin)
              .find("//") != std::string_view::npos)
        return true;
    return false;
  }

  /// A line of the printer for each piece.
  void print_model(const Section &section) {
    const uint32_t name = section.name(document_.tokens()).range.begin;
    const auto graph = std::ranges::find(document_.as_written()->models, name,
                                         [](const Graph &model) { return model.range.begin; });
    const std::string printed = to_string(*graph);
    std::vector<std::string_view> lines = split_lines(trim_end(printed));
    if (lines.size() != section.pieces.size()) // a kernel without statements is not printed
      return print_as_it_is(section.first, section.end, "");
    for (size_t i = 0; i < lines.size(); ++i)
      print_piece(section.pieces[i], lines[i]);
  }

  void print_piece(const Piece &piece, std::string_view line) {
    const size_t text = line.find_first_not_of(' ');
    const std::string indentation(line.substr(0, text));
    if (has_comment(piece.first, piece.end))
      return print_as_it_is(piece.first, piece.end, indentation);
    parts_.push_back({document_.range_of(piece), indentation, std::string(line.substr(text)),
                      piece.kind == PieceKind::close});
  }

  void print_kernel(const Section &section) {
    const uint32_t name = section.name(document_.tokens()).range.begin;
    const auto kernel = std::ranges::find(document_.as_written()->kernels, name,
                                          [](const loop::Kernel &k) { return k.range.begin; });
    if (has_comment(section.first, section.end))
      return print_as_it_is(section.first, section.end, "");
    parts_.push_back(
        {document_.range_of(section), "", std::string(trim_end(loop::to_string(*kernel))), false});
  }

  void print_as_it_is(size_t first, size_t end, const std::string &indentation) {
    const SourceRange range =
        join(document_.tokens()[first].range, document_.tokens()[end - 1].range);
    parts_.push_back({range, indentation, std::string(between(range.begin, range.end)), false});
  }

  /// Comments and blank lines between what was written last and a part.
  std::string before(const Printed &part, uint32_t written) const {
    const std::string_view text = between(written, part.range.begin);
    const std::string comments = part.closes ? part.indentation + "  " : part.indentation;
    if (written == 0) // there is no line that the first one could stand behind
      return lines_between("\n" + std::string(text), comments, part.indentation).substr(1);
    return lines_between(text, comments, part.indentation);
  }

  /// The first of the lines stands behind a part, the last before one.
  static std::string lines_between(std::string_view text, const std::string &comments,
                                   const std::string &indentation) {
    std::vector<std::string_view> lines = split_lines(text);
    std::string result;
    if (std::string_view comment = trim(lines.front()); !comment.empty())
      result =
          std::string(std::max<size_t>(1, lines.front().find(comment)), ' ') + std::string(comment);
    bool blank = false;
    for (size_t i = 1; i + 1 < lines.size(); ++i) {
      const std::string_view comment = trim(lines[i]);
      if (!comment.empty())
        result += "\n" + comments + std::string(comment);
      else if (!blank)
        result += "\n";
      blank = comment.empty();
    }
    return result + "\n" + indentation;
  }

  const Document &document_;
  std::vector<Printed> parts_;
  std::vector<Edit> edits_;
};

} // namespace

std::vector<Edit> format(const Document &document) { return Formatting(document).edits(); }

std::string edited(const std::string &text, const std::vector<Edit> &edits) {
  std::string result;
  uint32_t written = 0;
  for (const Edit &edit : edits) {
    result += text.substr(written, edit.range.begin - written) + edit.text;
    written = edit.range.end;
  }
  return result + text.substr(written);
}

} // namespace cnnc::lsp
