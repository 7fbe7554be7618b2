#include "tests/fuzz/checks.h"

#include "compiler/api/session.h"
#include "compiler/graph_passes/graph_passes.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace cnnc::fuzz {

namespace {

constexpr int64_t largest_tensor = 1 << 14;
constexpr size_t most_nodes = 200;

bool is_small(const TensorType &type) {
  std::optional<int64_t> bytes = byte_size(type);
  return bytes && *bytes <= largest_tensor;
}

[[noreturn]] void fail(const char *what, std::string_view text) {
  std::fprintf(stderr, "%s:\n%.*s\n", what, static_cast<int>(text.size()), text.data());
  std::abort();
}

void check_error(std::string_view error) {
  if (error.find("internal error") != std::string_view::npos)
    fail("an internal error", error);
}

/// The text of a stage; empty after an error of the input's.
std::string emit_checked(const Model &model, Stage stage, const Options &options) {
  Result<std::string> text = emit(model, stage, options);
  if (!text) {
    check_error(text.error());
    return "";
  }
  return *text;
}

/// Printed texts parse, and print as they are.
void check_round_trip(const std::string &text, Stage stage) {
  if (text.empty())
    return;
  Result<Model> again = parse(text);
  if (!again)
    fail("a printed text that does not parse", std::string(again.error()) + text);
  Options nothing;
  nothing.passes = std::vector<std::string>();
  std::string printed = emit_checked(*again, stage, nothing);
  if (printed != text)
    fail("a text that prints differently", text + "\n---\n" + printed);
}

} // namespace

bool is_small(const Model &model) {
  const Module &module = model.content().module;
  for (Graph graph : module.models) {
    Diagnostics ignored;
    PassContext context{ignored, {}, {}};
    infer_shapes(graph, context);
    bool small = graph.nodes.size() <= most_nodes &&
                 std::ranges::all_of(graph.values, [](const Value &value) {
                   return !value.type || is_small(*value.type);
                 });
    if (!small)
      return false;
  }
  return true;
}

void check_passes(const Model &model) {
  Options options;
  options.cpu = "x86-64-v3";
  check_round_trip(emit_checked(model, Stage::graph, options), Stage::graph);
  // By name, since the loops that are compiled take code generation, which is too slow for this.
  options.passes.emplace();
  for (const Pass *pass : default_pipeline())
    options.passes->emplace_back(pass->name);
  check_round_trip(emit_checked(model, Stage::loops, options), Stage::loops);
}

} // namespace cnnc::fuzz
