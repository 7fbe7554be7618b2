// Every value of a model for one input, computed by compiled code where that can be: the reference
// interpreter takes seconds for a network of the size of ResNet-50.
#pragma once

#include "compiler/api/session.h"
#include "compiler/report/known_values.h"

namespace cnnc {

/// The values that depend on an input, and the inputs, of one image. `graph` is one of the model's,
/// as passes have left it before they choose layouts; `inputs` one image of each of its inputs. The
/// code is for the machine that runs this, whatever the options say. An error where constants are
/// missing, and for kernels that the text has as loops alone.
Result<report::NamedValues> computed_values(const Model &model, Graph graph,
                                            const std::vector<Tensor> &inputs,
                                            const Options &options);

} // namespace cnnc
