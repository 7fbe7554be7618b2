// Stubs, until the rules are written.
#include "ir/graph/gradients/backward.h"

namespace cnnc {
void Weight::differentiate(Backward &) const {}
void Splat::differentiate(Backward &) const {}
void Literal::differentiate(Backward &) const {}
void Random::differentiate(Backward &) const {}
void Conv2d::differentiate(Backward &) const {}
void ConvTranspose2d::differentiate(Backward &) const {}
void Local2d::differentiate(Backward &) const {}
void Dense::differentiate(Backward &) const {}
void Unary::differentiate(Backward &) const {}
void Binary::differentiate(Backward &) const {}
void Where::differentiate(Backward &) const {}
void Cast::differentiate(Backward &) const {}
void Relayout::differentiate(Backward &) const {}
void Call::differentiate(Backward &) const {}
void Matmul::differentiate(Backward &) const {}
void BatchNorm::differentiate(Backward &) const {}
void Softmax::differentiate(Backward &) const {}
void LogSoftmax::differentiate(Backward &) const {}
void Hardmax::differentiate(Backward &) const {}
void LayerNorm::differentiate(Backward &) const {}
void InstanceNorm::differentiate(Backward &) const {}
void GroupNorm::differentiate(Backward &) const {}
void Lrn::differentiate(Backward &) const {}
void MaxPool2d::differentiate(Backward &) const {}
void MaxPool2dIndices::differentiate(Backward &) const {}
void MaxUnpool2d::differentiate(Backward &) const {}
void AvgPool2d::differentiate(Backward &) const {}
void GlobalAvgPool2d::differentiate(Backward &) const {}
template <ReduceKind kind> void Reduce<kind>::differentiate(Backward &) const {}
template void Reduce<ReduceKind::mean>::differentiate(Backward &) const;
template void Reduce<ReduceKind::sum>::differentiate(Backward &) const;
template void Reduce<ReduceKind::max>::differentiate(Backward &) const;
template void Reduce<ReduceKind::min>::differentiate(Backward &) const;
template void Reduce<ReduceKind::prod>::differentiate(Backward &) const;
template <bool largest> void ArgExtreme<largest>::differentiate(Backward &) const {}
template void ArgExtreme<true>::differentiate(Backward &) const;
template void ArgExtreme<false>::differentiate(Backward &) const;
void TopK::differentiate(Backward &) const {}
void Resize2d::differentiate(Backward &) const {}
void Resize2dGradient::differentiate(Backward &) const {}
void Concat::differentiate(Backward &) const {}
void Split::differentiate(Backward &) const {}
void Slice::differentiate(Backward &) const {}
void Pad::differentiate(Backward &) const {}
void Reshape::differentiate(Backward &) const {}
void Flatten::differentiate(Backward &) const {}
void Gather::differentiate(Backward &) const {}
void Transpose::differentiate(Backward &) const {}
void DepthToSpace::differentiate(Backward &) const {}
void SpaceToDepth::differentiate(Backward &) const {}
void Expand::differentiate(Backward &) const {}
void Conv2dFilterGradient::differentiate(Backward &) const {}
void MaxPool2dGradient::differentiate(Backward &) const {}
void ScatterAdd::differentiate(Backward &) const {}
void CrossEntropy::differentiate(Backward &) const {}
void MeanSquaredError::differentiate(Backward &) const {}
void BinaryCrossEntropy::differentiate(Backward &) const {}
void RandomUniform::differentiate(Backward &) const {}
} // namespace cnnc
