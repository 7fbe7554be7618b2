#include "compiler/report/report.h"

#include "compiler/report/embedded_files.h"
#include "compiler/report/sections.h"

#include <fmt/format.h>

namespace cnnc::report {

namespace {

struct Section {
  const char *name;
  Json (*make)(const Compilation &); // null: the page has no such section
};

/// What the page has, in this order.
constexpr Section sections[] = {
    {"model", model_section},
    {"facts", facts_section},
    {"graph", graph_section},
    {"passes", passes_section},
    {"kernels", kernels_section},
    {"memory", memory_section},
    {"convolution", convolution_section},
    {"maps", maps_section},
};

/// JSON as it may stand in a page: nothing in it ends the element or begins a comment.
std::string inside_of_markup(const std::string &json) {
  std::string text;
  text.reserve(json.size());
  for (char c : json)
    text += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return text;
}

std::string make_data(const Compilation &compilation, const Progress &progress) {
  std::string text;
  size_t done = 0;
  for (const Section &section : sections) {
    if (const Json json = section.make(compilation); !json.is_null())
      text += fmt::format("<script type=\"application/json\" id=\"data-{}\">{}</script>\n",
                          section.name, inside_of_markup(spelt(json)));
    if (progress)
      progress(++done, std::size(sections));
  }
  return text;
}

/// Text as it may stand between tags.
std::string escaped(std::string_view text) {
  std::string result;
  for (char c : text)
    result += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return result;
}

/// The parts that go into the template.
struct Parts {
  std::string title, style, script, data, page;
};

/// Views are scripts that nobody else uses.
bool is_view(std::string_view script) { return script.find("\naddView(") != script.npos; }

/// A view is a block of its own, whose names others do not see.
void add_file(Parts &parts, const cnnc_embedded_file &file) {
  const std::string_view name = file.name, text(file.begin, file.end);
  if (name.ends_with(".html"))
    parts.page = text;
  else if (name.ends_with(".css"))
    parts.style += text;
  else if (is_view(text))
    parts.script += fmt::format("{{\n{}}}\n", text);
  else
    parts.script += text;
}

/// The template with its parts in place of <!--name-->.
std::string join(const Parts &parts) {
  const std::pair<std::string_view, const std::string &> places[] = {
      {"<!--title-->", parts.title},
      {"<!--style-->", parts.style},
      {"<!--data-->", parts.data},
      {"<!--script-->", parts.script}};
  std::string result;
  std::string_view rest = parts.page;
  for (const auto &[mark, part] : places) {
    const size_t place = rest.find(mark);
    result.append(rest.substr(0, place)).append(part);
    rest.remove_prefix(place + mark.size());
  }
  return result.append(rest);
}

} // namespace

std::string make_page(const Compilation &compilation, const Progress &progress) {
  Parts parts;
  parts.title = escaped(compilation.written.name);
  parts.data = make_data(compilation, progress);
  for (const cnnc_embedded_file *file = cnnc_embedded_files; file->name; ++file)
    add_file(parts, *file);
  return join(parts);
}

} // namespace cnnc::report
