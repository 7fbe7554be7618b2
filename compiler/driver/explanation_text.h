// What is known of kernels as text and as JSON.
#pragma once

#include "compiler/cnnc.h"

#include <map>

namespace cnnc::driver {

/// Times of kernels by their names, and what the machine does at most.
struct MeasuredKernels {
  std::map<std::string, double> medians; // seconds; empty where nothing was measured
  double peak = 0, bandwidth = 0;        // operations and bytes a second
  double batch = 1;                      // images
};
MeasuredKernels measured_kernels(const cnnc_model_v1 &model, const Profile &profile,
                                 const ProfileOptions &how);

/// What the kernel computes and where, and a line each for its algorithm, schedule, registers and
/// time.
std::string short_explanation(const KernelExplanation &kernel, const MeasuredKernels &measured);
/// All that is known: its ops and their lines, every decision with what was considered.
std::string long_explanation(const KernelExplanation &kernel, const MeasuredKernels &measured);
std::string explanation_json(const std::vector<KernelExplanation> &kernels,
                             const MeasuredKernels &measured);

} // namespace cnnc::driver
