// The passes over the graph, one file each. Function = file = `--passes=name` = test.
// A pass returns false after it has reported an error. compiler/pipeline/pipeline.cpp orders them.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"

namespace cnnc {

bool infer_shapes(Graph &graph, PassContext &context);
bool differentiate(Graph &graph, PassContext &context);
bool make_training_step(Graph &graph, PassContext &context);
bool expand_training_ops(Graph &graph, PassContext &context);
bool lower_conv_transpose(Graph &graph, PassContext &context);
bool canonicalize(Graph &graph, PassContext &context);
bool lower_quantized(Graph &graph, PassContext &context);
bool recognize_ops(Graph &graph, PassContext &context);
bool fold_constants(Graph &graph, PassContext &context);
bool fold_batch_norm(Graph &graph, PassContext &context);
bool flatten_matmul(Graph &graph, PassContext &context);
bool absorb_scales(Graph &graph, PassContext &context);
bool equalize_channels(Graph &graph, PassContext &context);
bool trim_padding(Graph &graph, PassContext &context);
bool eliminate_dead_values(Graph &graph, PassContext &context);
bool eliminate_common_values(Graph &graph, PassContext &context);
bool widen_integers(Graph &graph, PassContext &context);
bool choose_algorithms(Graph &graph, PassContext &context);
bool fuse_kernels(Graph &graph, PassContext &context);
bool assign_layouts(Graph &graph, PassContext &context);
bool rematerialize(Graph &graph, PassContext &context);
bool choose_schedule(Graph &graph, PassContext &context);
bool pack_weights(Graph &graph, PassContext &context);
bool narrow_weights(Graph &graph, PassContext &context);
bool plan_memory(Graph &graph, PassContext &context);

/// An operand that pack_weights has still to fill up to whole blocks, since its kernel reads the
/// lanes that fill it. Empty when there is none.
std::optional<ValueId> find_unpacked(const Graph &graph, const Machine &machine);

} // namespace cnnc
