#include "ir/graph/ops/internal.h"

#include "ir/graph/ops/checks.h"

namespace cnnc {

InferredTypes Relayout::infer(InferContext &context) const {
  if (context.declared().empty())
    return context.error("nothing tells the new layout: write the result type with it, as in "
                         "relayout %x : f32[1, 64, 56, 56] nchw16c");
  TensorType type = context.operand(0);
  const TensorType &declared = *context.declared().front();
  type.layout = declared.layout;
  if (type.dtype == DType::f32 && is_narrow(declared.dtype))
    type.dtype = declared.dtype;
  return one_type(std::move(type));
}

InferredTypes Call::infer(InferContext &context) const {
  if (kernel.empty())
    return context.error_at_attribute("kernel", "the name of a kernel cannot be empty");
  if (context.declared().empty())
    return context.error("nothing tells the results of a kernel: write their types");
  std::vector<TensorType> types;
  for (const TensorType *type : context.declared())
    types.push_back(*type);
  return types;
}

} // namespace cnnc
