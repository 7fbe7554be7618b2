#include "ir/module/module.h"
#include "ir/graph/parser.h"
#include "ir/graph/printer.h"
#include "ir/loop/parser.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <set>

namespace cnnc {

namespace {

/// After an error: to the next `model` or `kernel` that begins a line.
void skip_to_next_item(TokenCursor &cursor) {
  while (!cursor.at_end()) {
    if (cursor.is_word("model") || cursor.is_word("kernel")) {
      const SourceRange &range = cursor.peek().range;
      if (range.begin == 0 || range.source->text[range.begin - 1] == '\n')
        return;
    }
    cursor.next();
  }
}

template <class Item>
void check_unique(const std::vector<Item> &items, const char *kind, Diagnostics &diagnostics) {
  std::set<std::string> names;
  for (const Item &item : items)
    if (!names.insert(item.name).second)
      diagnostics.error(item.range,
                        fmt::format("the {} @{} is defined twice", kind, format_name(item.name)));
}

} // namespace

std::optional<Module> parse_module(std::shared_ptr<const Source> source, Diagnostics &diagnostics,
                                   Module *incomplete) {
  size_t errors_before = diagnostics.error_count();
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  Module module;
  while (!cursor.at_end()) {
    if (cursor.is_word("model")) {
      Graph partial;
      if (std::optional<Graph> model = parse_graph(cursor, &partial)) {
        module.models.push_back(std::move(*model));
      } else {
        if (incomplete)
          incomplete->models.push_back(std::move(partial));
        skip_to_next_item(cursor);
      }
    } else if (cursor.is_word("kernel")) {
      if (std::optional<loop::Kernel> kernel = loop::parse_kernel(cursor))
        module.kernels.push_back(std::move(*kernel));
      else
        skip_to_next_item(cursor);
    } else {
      cursor.error("expected 'model @name(...) { ... }' or 'kernel @name(...) -> (...) { ... }'");
      skip_to_next_item(cursor);
    }
  }
  if (diagnostics.error_count() == errors_before && module.models.empty() && module.kernels.empty())
    cursor.error("this text is empty: expected 'model @name(%input: f32[1, 3, 8, 8]) { ... }'");
  check_unique(module.models, "model", diagnostics);
  check_unique(module.kernels, "kernel", diagnostics);
  if (diagnostics.error_count() == errors_before)
    return module;
  if (incomplete) {
    std::ranges::move(module.models, std::back_inserter(incomplete->models));
    incomplete->kernels = std::move(module.kernels);
  }
  return std::nullopt;
}

std::string to_string(const Module &module) {
  std::string result;
  for (const Graph &model : module.models)
    result += (result.empty() ? "" : "\n") + to_string(model);
  for (const loop::Kernel &kernel : module.kernels)
    result += (result.empty() ? "" : "\n") + loop::to_string(kernel);
  return result;
}

void erase_unused_kernels(Module &module) {
  std::set<std::string> used;
  for (const Graph &model : module.models)
    for (const Node &node : model.nodes)
      if (const Call *call = std::get_if<Call>(&node.op))
        used.insert(call->kernel);
  std::erase_if(module.kernels,
                [&](const loop::Kernel &kernel) { return !used.contains(kernel.name); });
}

} // namespace cnnc
