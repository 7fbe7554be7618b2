// What the lowering of an op sees: its operands and results as buffers with logical subscripts.
#pragma once

#include "compiler/lowering/loops.h"
#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"
#include "ir/loop/loop.h"

#include <functional>
#include <map>

namespace cnnc {

/// Logical subscripts of a tensor in the order of its shape.
using Subscripts = std::vector<loop::Index>;

class Lowering {
public:
  Lowering(const Graph &graph, loop::Kernel &kernel, PassContext &context,
           std::map<ValueId, std::string> buffer_names)
      : graph_(graph), kernel_(kernel), context_(context), buffer_names_(std::move(buffer_names)) {}

  /// Appends the loops of one node to the kernel.
  bool lower(const Node &node);

  // For the functions of the single ops:
  const Node &node() const { return *node_; }
  bool has_operand(size_t index) const { return index < node_->operands.size(); }
  const TensorType &operand(size_t index) const { return graph_.type(node_->operands[index]); }
  const TensorType &result(size_t index = 0) const { return graph_.type(node_->results[index]); }

  /// Whether other kernels read the first result; else it is a local of this one.
  bool result_leaves_kernel() const;
  /// Whether an op of this kernel computes the first operand.
  bool operand_is_local() const;

  /// An element by its logical subscripts, which the layout turns into physical ones.
  loop::Access operand_access(size_t index, const Subscripts &subscripts) const;
  loop::Access result_access(const Subscripts &subscripts, size_t index = 0) const;
  loop::Expression read(size_t index, const Subscripts &subscripts) const;
  loop::Statement write(const Subscripts &subscripts, loop::Expression value,
                        size_t result_index = 0) const;
  /// An element of an integer operand as an index in [0, limit).
  loop::Index look_up(size_t index, const Subscripts &subscripts, int64_t limit) const;
  /// An element of an operand that is broadcast (NumPy) to subscripts of the result.
  loop::Expression read_broadcast(size_t index, const Subscripts &subscripts) const;

  /// Adds a constant table to the kernel, under `name` or, if that is taken, one like it. Returns
  /// its name. i32 or f32, row-major.
  std::string add_table(const std::string &name, DType dtype, std::vector<int64_t> shape,
                        std::vector<double> values);

  const Schedule &schedule() const { return kernel_.schedule; }
  /// Takes what an entry of the schedule says of a loop, for the lowering to obey it itself: the
  /// loop passes will not see it. Empty when the entry does not name the loop.
  std::optional<LoopFactor> take(std::vector<LoopFactor> Schedule::*entry, std::string_view loop);

  void append(std::vector<loop::Statement> statements);
  bool error(std::string message) { return error({}, std::move(message)); }
  /// At a place in the text, or where it is unknown at the op.
  bool error(const SourceRange &range, std::string message);

private:
  const Graph &graph_;
  loop::Kernel &kernel_;
  PassContext &context_;
  std::map<ValueId, std::string> buffer_names_;
  const Node *node_ = nullptr;
};

/// Dimensions of a tensor as loops run over it: a symbolic batch counts 1, blocked dimensions are
/// rounded up to their block.
std::vector<int64_t> loop_extents(const TensorType &type);

/// Variables of these names as subscripts.
Subscripts variables(const std::vector<std::string> &names);

/// Statements that set the halo, and the lanes that a blocked layout adds, of a tensor to zero.
std::vector<loop::Statement> zero_halo(const TensorType &type, const std::string &buffer);

// What the loops of several ops are made of.
loop::Index var(const std::string &name);
loop::Expression scalar(const std::string &name); // of a register
loop::Expression load(const loop::Access &access);
loop::Statement set(const std::string &name, loop::Expression value);
/// Declares a scalar register and sets it.
void define(std::vector<loop::Statement> &body, const std::string &name, loop::Expression value);
void append(std::vector<loop::Statement> &to, std::vector<loop::Statement> statements);
std::vector<loop::Statement> one(loop::Statement statement);

/// Of the dimensions chosen the one whose loop is to be innermost: that of the lanes, else the
/// last.
size_t innermost(const std::vector<bool> &chosen, const std::vector<std::string> &names,
                 const Schedule &schedule);

/// A convolution with Winograd's method.
bool lower_winograd(const Conv2d &, Lowering &);
/// Its filter, transformed by a relayout.
bool lower_winograd_filter(Lowering &);

/// A max pool with the positions of the maxima in their windows.
bool lower_window_positions(const MaxPool2dIndices &, Lowering &);

// One per op, in the file named like the op's in ir/graph/ops.
bool lower(const Conv2d &, Lowering &);
bool lower(const ConvTranspose2d &, Lowering &);
bool lower(const Local2d &, Lowering &);
bool lower(const Dense &, Lowering &);
bool lower(const Matmul &, Lowering &);
bool lower(const MaxPool2d &, Lowering &);
bool lower(const MaxPool2dIndices &, Lowering &);
bool lower(const MaxUnpool2d &, Lowering &);
bool lower(const AvgPool2d &, Lowering &);
bool lower(const GlobalAvgPool2d &, Lowering &);
bool lower(const Unary &, Lowering &);
bool lower(const Binary &, Lowering &);
bool lower(const Where &, Lowering &);
bool lower(const Cast &, Lowering &);
bool lower(const Quantize &, Lowering &);
bool lower(const Dequantize &, Lowering &);
bool lower(const Lookup &, Lowering &);
bool lower(const BatchNorm &, Lowering &);
bool lower(const Softmax &, Lowering &);
bool lower(const LogSoftmax &, Lowering &);
bool lower(const Hardmax &, Lowering &);
bool lower(const LayerNorm &, Lowering &);
bool lower(const InstanceNorm &, Lowering &);
bool lower(const GroupNorm &, Lowering &);
bool lower(const Lrn &, Lowering &);
bool lower(const ReduceMean &, Lowering &);
bool lower(const ReduceSum &, Lowering &);
bool lower(const ReduceMax &, Lowering &);
bool lower(const ReduceMin &, Lowering &);
bool lower(const ReduceProd &, Lowering &);
bool lower(const ArgMax &, Lowering &);
bool lower(const ArgMin &, Lowering &);
bool lower(const TopK &, Lowering &);
bool lower(const Concat &, Lowering &);
bool lower(const Split &, Lowering &);
bool lower(const Slice &, Lowering &);
bool lower(const Pad &, Lowering &);
bool lower(const Transpose &, Lowering &);
bool lower(const DepthToSpace &, Lowering &);
bool lower(const SpaceToDepth &, Lowering &);
bool lower(const Gather &, Lowering &);
bool lower(const Resize2d &, Lowering &);
bool lower(const Expand &, Lowering &);
bool lower(const Relayout &, Lowering &);
bool lower(const Conv2dFilterGradient &, Lowering &);
bool lower(const MaxPool2dGradient &, Lowering &);
bool lower(const ScatterAdd &, Lowering &);
bool lower(const RandomUniform &, Lowering &);
bool lower(const Resize2dGradient &, Lowering &);

} // namespace cnnc
