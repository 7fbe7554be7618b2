#include "compiler/reduce/candidate.h"

#include "compiler/graph_passes/graph_passes.h"
#include "ir/graph/verifier.h"

namespace cnnc {

std::optional<Candidate> read_candidate(const Module &module) {
  Candidate result;
  result.text = to_string(module);
  Diagnostics ignored;
  auto source = std::make_shared<const Source>(Source{"<candidate>", result.text});
  std::optional<Module> parsed = parse_module(source, ignored);
  if (!parsed)
    return std::nullopt;
  result.module = std::move(*parsed);
  result.typed = result.graph();
  PassContext context{ignored};
  if (!infer_shapes(result.typed, context) || !verify(result.typed, ignored, "reduce"))
    return std::nullopt;
  return result;
}

} // namespace cnnc
