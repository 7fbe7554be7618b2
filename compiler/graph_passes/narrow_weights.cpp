// Narrow weights: large constants that convolutions, dense layers and products of matrices multiply
// by are stored in 16 bits, here of --weights-type=bf16.
//
//   %w.oihw16i32o = relayout %w : f32[64, 64, 3, 3] oihw16i32o
//   kernel @c(%x.blocked, %w.oihw16i32o) -> (%c) schedule(vector=oc:16, tile=[oc:32, ow:6]) {
//     %c = conv2d %x.blocked, %w.oihw16i32o
//   }
// becomes
//   %w.oihw16i32o = relayout %w : bf16[64, 64, 3, 3] oihw16i32o
//   kernel @c(%x.blocked, %w.oihw16i32o) -> (%c) schedule(vector=oc:16, tile=[oc:32, ow:6]) {
//     %c = conv2d %x.blocked, %w.oihw16i32o
//   }
//
// Kernels widen each vector of weights when they load it, before all pixels of a tile use it, and
// compute in f32. What is small stays as it is: it would save nothing. Weights that are known only
// when the model runs stay as well. Filters of Winograd's method are transformed, and then rounded
// once more, always to f16: bf16 would be off by nine times what it is in a direct convolution. Tiles
// of more than 4x4, which choose_algorithms leaves out, stay in f32 (pass/narrow.h has numbers).
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/narrow.h"
#include "compiler/pass/rewrite.h"

#include <algorithm>

namespace cnnc {

namespace {

class Narrower {
public:
  Narrower(Graph &graph, const PassContext &context) : graph_(graph), context_(context) {}

  void run() {
    for (NodeId id = 0, count = static_cast<NodeId>(graph_.nodes.size()); id < count; ++id)
      if (multiplies_by_constant(id))
        narrow(id);
  }

private:
  bool multiplies_by_constant(NodeId id) const {
    const Node &node = graph_.nodes[id];
    return node.kernel != no_id && is_one_of<Conv2d, Dense, Matmul>(node.op) &&
           graph_.is_constant(node.operands[1]) &&
           graph_.type(node.operands[1]).dtype == DType::f32;
  }

  static int64_t winograd_of(const Node &node) {
    const auto *conv = std::get_if<Conv2d>(&node.op);
    return conv ? std::max<int64_t>(conv->winograd, 0) : 0;
  }

  void narrow(NodeId id) {
    const Node &node = graph_.nodes[id];
    const ValueId weight = node.operands[1];
    const int64_t winograd = winograd_of(node);
    const Recorder recorder =
        context_.recorder("narrow_weights", graph_.value(node.results[0]).name);
    if (!is_large_weight(graph_.type(weight)))
      recorder.note("weights", "f32", text("fewer than {} numbers", fewest_narrow_weights));
    else if (winograd > largest_narrow_winograd)
      recorder.note("weights", "f32",
                    text("16 bits are too few for transforms of winograd={}", winograd));
    else
      store(id, winograd > 0 ? DType::f16 : context_.weights_type, recorder);
  }

  void store(NodeId id, DType dtype, const Recorder &recorder) {
    const ValueId weight = graph_.nodes[id].operands[1];
    recorder.note("weights", name_of(dtype),
                  dtype == context_.weights_type
                      ? "half of the bytes, widened to f32 where they are loaded"
                      : "half of the bytes; bf16 has too few digits for Winograd's transforms");
    if (is_for_products_alone(weight)) {
      graph_.value(weight).type->dtype = dtype;
      return;
    }
    TensorType type = graph_.type(weight);
    type.dtype = dtype;
    const std::string name = graph_.value(weight).name + "." + std::string(name_of(dtype));
    graph_.set_operand(id, 1, graph_.add_node(Relayout{}, {weight}, name, type));
  }

  /// A constant in a layout that nobody reads but as a weight: it is stored in 16 bits itself.
  bool is_for_products_alone(ValueId weight) const {
    const Value &value = graph_.value(weight);
    const Node *producer = producer_of(graph_, weight);
    return producer && std::holds_alternative<Relayout>(producer->op) &&
           !graph_.is_output(weight) && std::ranges::all_of(value.users, [&](NodeId user) {
             return multiplies_by_constant(user) && graph_.nodes[user].operands[1] == weight &&
                    winograd_of(graph_.nodes[user]) == graph_.type(weight).layout.winograd &&
                    std::ranges::count(graph_.nodes[user].operands, weight) == 1;
           });
  }

  Graph &graph_;
  const PassContext &context_;
};

} // namespace

bool narrow_weights(Graph &graph, PassContext &context) {
  if (context.weights_type == DType::f32)
    return true;
  Narrower(graph, context).run();
  return graph.sort();
}

} // namespace cnnc
