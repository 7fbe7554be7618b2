// Schedules of the gradients of filters: register tiles, parts of sums, tasks. A part of
// choose_schedule.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// A register tile is of vectors of output channels, loaded from the gradient, times input channels
/// or elements of the window, each taken from the input to all lanes. Some rows serve all tiles of
/// a task before the next rows come.
Schedule schedule_filter_gradient(const Conv2dFilterGradient &op, const TensorType &input,
                                  const TensorType &gradient, const Machine &machine,
                                  const Recorder &recorder = {});

} // namespace cnnc
