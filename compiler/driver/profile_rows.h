// Times of kernels as rows of a table: what they reach of what the machine can do.
#pragma once

#include "compiler/cnnc.h"

namespace cnnc::driver {

/// A kernel, or several with the same code and the same ops. Times are of one of them: the mean of
/// what they have.
struct ProfileRow {
  KernelInfo info; // of the first
  std::vector<std::string> names;
  double median = 0, least = 0;     // seconds
  double ideal = 0, best_ideal = 0; // seconds, at the peak of its instructions: median and best

  double count() const { return static_cast<double>(names.size()); }
  double operations() const { return 2.0 * static_cast<double>(info.multiplications); }
  double bytes() const {
    return static_cast<double>(info.weight_bytes + info.input_bytes + info.output_bytes);
  }
};

struct MeasuredModel {
  std::string name, cpu, features;
  uint32_t threads = 1;
  int64_t batch = 1;
  bool symbolic = false;        // the batch
  std::vector<ProfileRow> rows; // in the order in which they run
  ProfileRow total;
  size_t kernel_count = 0, runs = 0;
  double kernels = 0;                             // seconds, sum of the medians of all kernels
  double peak = 0, best_peak = 0, bandwidth = 0;  // operations and bytes a second
  double integer_peak = 0, best_integer_peak = 0; // of sums of integers; 0: there are none

  /// Would moving its bytes from memory take longer than its arithmetic?
  bool bound_by_memory(const ProfileRow &row) const { return row.bytes() / bandwidth > row.ideal; }
};

double median(std::vector<double> values);

/// `each`: a row for every kernel, not one for all that are equal.
MeasuredModel measured_model(const cnnc_model_v1 &model, const std::vector<KernelInfo> &kernels,
                             const Profile &profile, const ProfileOptions &how, bool each);

std::string profile_table(const MeasuredModel &model);
std::string profile_json(const MeasuredModel &model);
/// The trace as Perfetto and chrome://tracing read it: kernels above, then a lane for each thread.
std::string trace_json(const std::vector<KernelInfo> &kernels, const Profile &profile);

} // namespace cnnc::driver
