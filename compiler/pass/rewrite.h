// What the passes that rewrite ops share.
#pragma once

#include "ir/graph/graph.h"

#include <functional>

namespace cnnc {

/// Lets `to` stand wherever `from` is read or returned, and detaches the op that computed `from`,
/// which is dead from here on. An output of the model keeps its name: `to` takes it over. Does
/// nothing and returns false where `to` cannot, because it is an input or another output.
bool replace_value(Graph &graph, ValueId from, ValueId to);

/// The op that alone reads a value; empty when several do, or the value is an output of the model.
std::optional<NodeId> single_user(const Graph &graph, ValueId value);

/// The convolution that alone reads a value which does not come from constants, as its filter.
std::optional<NodeId> reader_of_filter(const Graph &graph, ValueId value);

/// The op that computes a value; null for an input of the model.
const Node *producer_of(const Graph &graph, ValueId value);

/// Types that the results of an op would have; empty, without a report, when infer() refuses.
InferredTypes try_infer(const Graph &graph, const Op &op, const std::vector<ValueId> &operands,
                        std::vector<TensorType> declared = {});

/// Makes another op of a node with one result; returns false and changes nothing where it would
/// compute another type. Layouts aside, which belong to the result.
bool become(Graph &graph, NodeId id, Op op, std::vector<ValueId> operands);

/// Calls rewrite(id) for every node, which may append nodes, and drops what is left unread; all
/// over again until nothing is rewritten any more.
void rewrite_until_unchanged(Graph &graph, const std::function<bool(NodeId)> &rewrite);

/// Puts the nodes of a graph without kernels in another order, which names each of them once and
/// every operand before its users. Ids change.
void reorder(Graph &graph, const std::vector<NodeId> &order);

/// Appends an op with one result. That infer() accepts it is the caller's promise.
ValueId add_inferred(Graph &graph, Op op, std::vector<ValueId> operands, const std::string &name);

/// A reshape to the shape of a type, spelt so that a symbolic batch is kept.
Reshape reshape_to(const TensorType &type);

/// A constant with an element per channel, repeated for the channels that a depth_to_space of
/// blocks of `pixels` makes these channels of.
ValueId repeat_for_pixels(Graph &graph, ValueId vector, int64_t pixels, DepthOrder order,
                          const std::string &name);

} // namespace cnnc
