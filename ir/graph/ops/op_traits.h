// What passes may ask of an op without knowing which one it is: the member `traits` that the struct
// of every op has.
#pragma once

#include "ir/type/type.h"

namespace cnnc {

/// What the rule of an op for its gradients sees: ir/graph/gradients/backward.h.
class Backward;

/// Families of ops that passes treat alike, unless they name one of them.
enum class Category {
  constant,               // elements that the text lists, or a file
  convolution,            // sums over windows, with filters
  transposed_convolution, // the same backwards: input elements are scattered
  matrix_product,         // fully connected layers and products of matrices
  pool,                   // one number of every window or plane
  max_position,           // pools that give or take the positions of maxima
  elementwise,            // every element of the result from one element of each operand
  normalization,          // lines or planes that are scaled by their own statistics
  reduction,              // one number, or a few, of all along some axes
  movement,               // the same elements at other places
  view,                   // the same memory under another shape
  resize,                 // images of another size
  training,               // what only the gradients of other ops are made of
  loss,                   // one number that training makes small
  internal                // what passes put into the graph
};

/// How an op can do without a loop, where layouts allow it: its values share memory.
enum class View {
  none,
  whole, // the result is all of the operand
  cut,   // the results are parts of the operand
  joined // the operands are parts of the result
};

struct OpTraits {
  Category category;
  View view = View::none;
  bool broadcasts = false;  // its operands are broadcast (NumPy)
  bool takes_empty = false; // means something for tensors without elements
  /// Operands that hold learned numbers where they are constants: from `first` on, before `end`.
  struct Operands {
    int first = 0, end = 0;
  } parameters = {};
  /// The dimension of operand 1 with an entry for every channel of the result, where operand 2 is
  /// a bias of these channels; -1 for ops that are not of this form.
  int filter_channels = -1;
};

/// For the `macs()` of ops that multiply: types of the operands that are given, in their order.
using OperandTypes = std::vector<const TensorType *>;

} // namespace cnnc
