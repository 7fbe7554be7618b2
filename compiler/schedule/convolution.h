// Schedules of convolutions and fully connected layers: register tiles, unrolling, tasks. A part of
// choose_schedule.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// The schedule of a kernel with these members, of which the first is a conv2d: register tiles of
/// output channels times pixels, with Winograd's method what schedule_winograd says, and the order
/// in which tiles come, by what stays in the cache.
Schedule schedule_convolution(const Graph &graph, const std::vector<NodeId> &members,
                              const Machine &machine, const Recorder &recorder = {});

/// Weights are not shared between pixels: a vector of output channels at a time.
Schedule schedule_local(const TensorType &input, const std::vector<int64_t> &filter, int64_t lanes,
                        const Recorder &recorder = {});

/// One image reads every weight once: whole cache lines of several vectors of outputs. Several
/// images are the pixels of a register tile, and share the weights while those are in the cache.
Schedule schedule_dense(const TensorType &input, const TensorType &result,
                        const TensorType &weights, const Machine &machine,
                        const Recorder &recorder = {});

} // namespace cnnc
