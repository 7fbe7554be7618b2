// A model that shows what it computes on the way.
#pragma once

#include "compiler/api/session.h"

namespace cnnc {

/// The model that the options choose, as it is written, with other outputs: the values that it
/// computes from its inputs and for whose names `wanted` holds, in the order of the text. Everything
/// else is left out, but no input.
Result<Model> return_values(const Model &model,
                            const std::function<bool(const std::string &name)> &wanted,
                            const Options &options);

} // namespace cnnc
