#include "compiler/driver/print_passes.h"

#include "compiler/pipeline/pipeline.h"
#include "compiler/support/text_diff.h"

#include <fmt/format.h>
#include <iostream>
#include <memory>

namespace cnnc::driver {

namespace {

const char *comment_sign(std::string_view pass) { return pass == llvm_step ? ";" : "//"; }

/// The escape sequence that a line of a diff begins with.
const char *color_of(std::string_view line) {
  switch (line.empty() ? ' ' : line.front()) {
  case '+':
    return "\033[32m"; // green
  case '-':
    return "\033[31m"; // red
  case '@':
    return "\033[36m"; // cyan
  default:
    return "";
  }
}

std::string colored(std::string_view diff) {
  std::string result;
  while (!diff.empty()) {
    const size_t end = std::min(diff.find('\n'), diff.size());
    const std::string_view line = diff.substr(0, end);
    const std::string_view color = color_of(line);
    result += fmt::format("{}{}{}\n", color, line, color.empty() ? "" : "\033[0m");
    diff.remove_prefix(std::min(end + 1, diff.size()));
  }
  return result;
}

class PassPrinter {
public:
  explicit PassPrinter(const CommandLine &line)
      : changes_(line.changes), color_(line.color), before_(line.options.print_before),
        after_(line.options.print_after) {}

  void before(std::string_view pass, const std::string &text) {
    if (changes_ != Changes::no)
      text_ = text;
    if (names_pass(before_, pass))
      print("before", pass, text);
  }

  void after(std::string_view pass, const std::string &text) const {
    if (names_pass(after_, pass))
      print("after", pass, text);
    else if (changes_ == Changes::text && text != text_ && pass != llvm_step)
      print("after", pass, text);
    if (changes_ == Changes::diff && text != text_ && pass != llvm_step)
      print_diff(pass, diff_texts(text_, text));
  }

private:
  /// Passes before there are kernels have nothing of a kernel to show.
  static void print(const char *when, std::string_view pass, const std::string &text) {
    if (!text.empty())
      std::cout << comment_sign(pass) << " " << when << " " << pass << "\n"
                << text << "\n"
                << std::flush;
  }

  void print_diff(std::string_view pass, const TextDiff &diff) const {
    std::cout << fmt::format("// {}: {} line{} added, {} removed\n", pass, diff.added,
                             diff.added == 1 ? "" : "s", diff.removed)
              << (color_ ? colored(diff.hunks) : diff.hunks) << "\n"
              << std::flush;
  }

  Changes changes_;
  bool color_;
  std::vector<std::string> before_, after_; // names of passes
  std::string text_;                        // before the pass that runs
};

} // namespace

void print_passes(CommandLine &line) {
  auto printer = std::make_shared<PassPrinter>(line);
  line.options.before_pass = [printer](std::string_view pass, const std::string &text) {
    printer->before(pass, text);
  };
  line.options.after_pass = [printer](std::string_view pass, const std::string &text) {
    printer->after(pass, text);
  };
  if (line.changes != Changes::no)
    line.options.print_before = line.options.print_after = {"all"};
}

} // namespace cnnc::driver
