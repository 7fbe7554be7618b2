// One function per op, found by overload: an op without one does not compile. Operands and result
// types have been checked by infer(); shapes are static.
#pragma once

#include "compiler/tensor/tensor.h"
#include "ir/graph/op.h"

namespace cnnc::reference {

using Operands = std::vector<const Tensor *>;
using Types = std::vector<TensorType>;
using Tensors = std::vector<Tensor>;

// sources.cpp
Tensors compute(const Splat &, const Operands &, const Types &);
Tensors compute(const Literal &, const Operands &, const Types &);
Tensors compute(const Random &, const Operands &, const Types &);

// convolution.cpp
Tensors compute(const Conv2d &, const Operands &, const Types &);
Tensors compute(const ConvTranspose2d &, const Operands &, const Types &);
Tensors compute(const Local2d &, const Operands &, const Types &);
Tensors compute(const Dense &, const Operands &, const Types &);

// matmul.cpp
Tensors compute(const Matmul &, const Operands &, const Types &);

// pool.cpp
Tensors compute(const MaxPool2d &, const Operands &, const Types &);
Tensors compute(const MaxPool2dIndices &, const Operands &, const Types &);
Tensors compute(const MaxPool2dGradient &, const Operands &, const Types &);
Tensors compute(const MaxUnpool2d &, const Operands &, const Types &);
Tensors compute(const AvgPool2d &, const Operands &, const Types &);
Tensors compute(const GlobalAvgPool2d &, const Operands &, const Types &);

// elementwise.cpp
Tensors compute(const Unary &, const Operands &, const Types &);
Tensors compute(const Binary &, const Operands &, const Types &);
Tensors compute(const Where &, const Operands &, const Types &);

// cast.cpp
Tensors compute(const Cast &, const Operands &, const Types &);

// quantization.cpp
Tensors compute(const Quantize &, const Operands &, const Types &);
Tensors compute(const Dequantize &, const Operands &, const Types &);
Tensors compute(const Lookup &, const Operands &, const Types &);

// resize.cpp
Tensors compute(const Resize2d &, const Operands &, const Types &);
Tensors compute(const Resize2dGradient &, const Operands &, const Types &);

// normalization.cpp
Tensors compute(const BatchNorm &, const Operands &, const Types &);
Tensors compute(const Softmax &, const Operands &, const Types &);
Tensors compute(const LogSoftmax &, const Operands &, const Types &);
Tensors compute(const Hardmax &, const Operands &, const Types &);
Tensors compute(const LayerNorm &, const Operands &, const Types &);
Tensors compute(const InstanceNorm &, const Operands &, const Types &);
Tensors compute(const GroupNorm &, const Operands &, const Types &);
Tensors compute(const Lrn &, const Operands &, const Types &);

// reduction.cpp
Tensors compute(const ReduceMean &, const Operands &, const Types &);
Tensors compute(const ReduceSum &, const Operands &, const Types &);
Tensors compute(const ReduceMax &, const Operands &, const Types &);
Tensors compute(const ReduceMin &, const Operands &, const Types &);
Tensors compute(const ReduceProd &, const Operands &, const Types &);
Tensors compute(const ArgMax &, const Operands &, const Types &);
Tensors compute(const ArgMin &, const Operands &, const Types &);
Tensors compute(const TopK &, const Operands &, const Types &);

// shape.cpp: these move elements of any type
Tensors compute(const Concat &, const Operands &, const Types &);
Tensors compute(const Split &, const Operands &, const Types &);
Tensors compute(const Slice &, const Operands &, const Types &);
Tensors compute(const Pad &, const Operands &, const Types &);
Tensors compute(const Reshape &, const Operands &, const Types &);
Tensors compute(const Flatten &, const Operands &, const Types &);
Tensors compute(const Transpose &, const Operands &, const Types &);
Tensors compute(const DepthToSpace &, const Operands &, const Types &);
Tensors compute(const SpaceToDepth &, const Operands &, const Types &);
Tensors compute(const Gather &, const Operands &, const Types &);
Tensors compute(const Expand &, const Operands &, const Types &);
Tensors compute(const Relayout &, const Operands &, const Types &);

// scatter.cpp
Tensors compute(const ScatterAdd &, const Operands &, const Types &);

// random.cpp
Tensors compute(const RandomUniform &, const Operands &, const Types &);

// losses.cpp
Tensors compute(const CrossEntropy &, const Operands &, const Types &);
Tensors compute(const MeanSquaredError &, const Operands &, const Types &);
Tensors compute(const BinaryCrossEntropy &, const Operands &, const Types &);

// training.cpp
Tensors compute(const Conv2dFilterGradient &, const Operands &, const Types &);

} // namespace cnnc::reference
