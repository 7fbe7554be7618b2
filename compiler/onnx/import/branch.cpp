// If, where it is known which way it goes: exporters write it where the rank or the size of a
// tensor decides, which are constants here. Only the nodes of that way are looked at.
#include "compiler/onnx/import/ops.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

bool import_if(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  node.ignore("then_branch");
  node.ignore("else_branch");
  const FixedTensor *condition = node.fixed(0);
  if (!condition)
    return node.fail("which way it goes must be known when the model is compiled, but depends on "
                     "the model's inputs: export the model for one fixed path, or compute both and "
                     "choose with Where");
  if (condition->count() != 1 || condition->has_marker())
    return node.fail("its condition must be one truth value");
  bool taken = condition->number(0) != 0;
  const onnx::GraphProto *branch = node.graph(taken ? "then_branch" : "else_branch");
  if (!branch || branch->input_size() != 0 ||
      static_cast<size_t>(branch->output_size()) != node.output_count())
    return node.fail(fmt::format("its {} must be a graph without inputs, and with as many outputs",
                                 taken ? "'then_branch'" : "'else_branch'"));
  bool ok = node.importer().import_branch(*branch);
  for (int i = 0; ok && i < branch->output_size(); ++i)
    ok = node.result_is(branch->output(i).name(), static_cast<size_t>(i));
  return ok;
}

constexpr ImportRow rows[] = {{"If", import_if}};

} // namespace

std::span<const ImportRow> branch_imports() { return rows; }

} // namespace cnnc
