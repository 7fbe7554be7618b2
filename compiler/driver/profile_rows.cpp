#include "compiler/driver/profile_rows.h"

#include "compiler/driver/json_text.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace cnnc::driver {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

namespace {

/// Kernels that share their code and their ops come together, at the place of the first. Of a
/// symbolic batch all images count.
std::vector<ProfileRow> make_rows(const std::vector<KernelInfo> &kernels, const Profile &profile,
                                  int64_t batch, bool each) {
  std::vector<ProfileRow> rows;
  std::map<std::string, size_t> known;
  for (size_t i = 0; i < kernels.size(); ++i) {
    const std::string key = each ? std::to_string(i) : kernels[i].code + "\n" + kernels[i].ops;
    auto [entry, inserted] = known.try_emplace(key, rows.size());
    if (inserted)
      rows.push_back({kernels[i], {}});
    ProfileRow &row = rows[entry->second];
    row.names.push_back(kernels[i].name);
    row.median += median(profile.kernels[i]);
    row.least += std::ranges::min(profile.kernels[i]);
  }
  for (ProfileRow &row : rows) {
    row.median /= row.count();
    row.least /= row.count();
    for (int64_t KernelInfo::*number :
         {&KernelInfo::multiplications, &KernelInfo::input_bytes, &KernelInfo::output_bytes})
      row.info.*number *= batch;
  }
  return rows;
}

ProfileRow add_up(const std::vector<ProfileRow> &rows, const Profile &profile) {
  ProfileRow total;
  total.info.name = "total";
  total.names = {"total"};
  for (const ProfileRow &row : rows)
    for (int64_t KernelInfo::*number : {&KernelInfo::multiplications, &KernelInfo::weight_bytes,
                                        &KernelInfo::input_bytes, &KernelInfo::output_bytes})
      total.info.*number += row.info.*number * static_cast<int64_t>(row.names.size());
  total.median = median(profile.runs);
  total.least = std::ranges::min(profile.runs);
  return total;
}

/// Nothing for what does not count: rates of kernels without multiplications.
std::string unless_zero(const char *format, double value) {
  return value > 0 ? fmt::format(fmt::runtime(format), value) : "-";
}

std::string kilobytes(int64_t bytes) {
  return fmt::format("{:.0f}", std::ceil(static_cast<double>(bytes) / 1000));
}

using Line = std::vector<std::string>;

const Line header = {"kernel",    "n",        "ops",     "algorithm", "tile",
                     "median_us", "min_us",   "GFLOP/s", "%peak",     "%best",
                     "%time",     "weightKB", "activKB", "GB/s",      "source"};

/// Right-aligned but for names and texts.
std::string align(const std::vector<Line> &lines) {
  std::vector<size_t> widths(header.size(), 0);
  for (const Line &line : lines)
    for (size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], line[i].size());
  std::string text;
  for (const Line &line : lines) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) {
      const bool left = i == 0 || (i >= 2 && i <= 4) || i + 1 == header.size();
      row += left ? fmt::format("{:<{}}  ", line[i], widths[i])
                  : fmt::format("{:>{}}  ", line[i], widths[i]);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

Line line_of(const ProfileRow &row, size_t count, const MeasuredModel &model) {
  const KernelInfo &info = row.info;
  const double rate = row.operations() / row.median;
  const bool memory = model.bound_by_memory(row);
  return {info.name,
          std::to_string(count),
          info.ops,
          info.algorithm,
          info.tile,
          fmt::format("{:.1f}", row.median * 1e6),
          fmt::format("{:.1f}", row.least * 1e6),
          unless_zero("{:.1f}", rate * 1e-9),
          unless_zero("{:.1f}", 100 * row.ideal / row.median),
          unless_zero("{:.1f}", 100 * row.best_ideal / row.least),
          fmt::format("{:.1f}", 100 * row.median * row.count() / model.kernels),
          kilobytes(info.weight_bytes),
          kilobytes(info.input_bytes + info.output_bytes),
          memory ? fmt::format("{:.1f}", row.bytes() / row.median * 1e-9) : "-",
          info.source};
}

std::string plural(size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

} // namespace

MeasuredModel measured_model(const cnnc_model_v1 &model, const std::vector<KernelInfo> &kernels,
                             const Profile &profile, const ProfileOptions &how, bool each) {
  MeasuredModel result;
  result.name = model.name;
  result.cpu = model.target_cpu;
  result.features = model.target_features;
  result.threads = how.threads;
  result.batch = how.batch;
  for (uint32_t i = 0; i < model.input_count; ++i)
    result.symbolic = result.symbolic ||
                      (model.inputs[i].rank > 0 && model.inputs[i].shape[0] == CNNC_SYMBOLIC_BATCH);
  result.rows = make_rows(kernels, profile, how.batch, each);
  result.total = add_up(result.rows, profile);
  result.kernel_count = kernels.size();
  result.runs = profile.runs.size();
  for (const ProfileRow &row : result.rows)
    result.kernels += row.median * row.count();
  result.peak = median(profile.peaks);
  result.best_peak = std::ranges::max(profile.peaks);
  if (!profile.integer_peaks.empty()) {
    result.integer_peak = median(profile.integer_peaks);
    result.best_integer_peak = std::ranges::max(profile.integer_peaks);
  }
  for (ProfileRow &row : result.rows) {
    const bool integers = row.info.products > 1 && result.integer_peak > 0;
    row.ideal = row.operations() / (integers ? result.integer_peak : result.peak);
    row.best_ideal = row.operations() / (integers ? result.best_integer_peak : result.best_peak);
    result.total.ideal += row.ideal * row.count();
    result.total.best_ideal += row.best_ideal * row.count();
  }
  result.bandwidth = profile.bandwidth;
  return result;
}

std::string profile_table(const MeasuredModel &model) {
  std::vector<Line> lines = {header};
  if (model.integer_peak > 0)
    lines[0][7] = "GOP/s";
  for (const ProfileRow &row : model.rows)
    lines.push_back(line_of(row, row.names.size(), model));
  lines.push_back(line_of(model.total, model.kernel_count, model));
  // The model's time is that of whole runs, with what lies between the kernels.
  lines.back()[10] = lines.back()[13] = "";
  return fmt::format(
             "{}: {} in {}; code for {}, {}{}, {}\n"
             "FMA peak in the same run: {:.1f} GFLOP/s (median), {:.1f} (best); {}reading memory: "
             "{:.1f} GB/s\n\n",
             model.name, plural(model.kernel_count, "kernel"), plural(model.rows.size(), "row"),
             model.cpu, plural(model.threads, "thread"),
             model.symbolic ? fmt::format(", batch {}", model.batch) : "",
             plural(model.runs, "run"), model.peak * 1e-9, model.best_peak * 1e-9,
             model.integer_peak > 0
                 ? fmt::format("peak of integers: {:.1f} GOP/s (median), {:.1f} (best); ",
                               model.integer_peak * 1e-9, model.best_integer_peak * 1e-9)
                 : "",
             model.bandwidth * 1e-9) +
         align(lines) +
         fmt::format("\nsum of the kernels' medians {:.1f} us; median of whole runs {:.1f} us\n",
                     model.kernels * 1e6, model.total.median * 1e6);
}

std::string profile_json(const MeasuredModel &model) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const ProfileRow &row : model.rows) {
    const KernelInfo &info = row.info;
    rows.push_back({{"kernels", row.names},
                    {"source", info.source},
                    {"ops", info.ops},
                    {"algorithm", info.algorithm},
                    {"tile", info.tile},
                    {"schedule", info.schedule},
                    {"median_us", row.median * 1e6},
                    {"min_us", row.least * 1e6},
                    {"multiplications", info.multiplications},
                    {"gflops", row.operations() / row.median * 1e-9},
                    {"percent_of_peak", 100 * row.ideal / row.median},
                    {"percent_of_time", 100 * row.median * row.count() / model.kernels},
                    {"weight_bytes", info.weight_bytes},
                    {"input_bytes", info.input_bytes},
                    {"output_bytes", info.output_bytes},
                    {"gb_per_s", row.bytes() / row.median * 1e-9},
                    {"bound_by_memory", model.bound_by_memory(row)}});
  }
  const nlohmann::ordered_json report = {{"model", model.name},
                                         {"cpu", model.cpu},
                                         {"features", model.features},
                                         {"threads", model.threads},
                                         {"batch", model.batch},
                                         {"runs", model.runs},
                                         {"peak_gflops", model.peak * 1e-9},
                                         {"best_peak_gflops", model.best_peak * 1e-9},
                                         {"integer_peak_gops", model.integer_peak * 1e-9},
                                         {"read_gb_per_s", model.bandwidth * 1e-9},
                                         {"median_us", model.total.median * 1e6},
                                         {"min_us", model.total.least * 1e6},
                                         {"sum_of_kernels_us", model.kernels * 1e6},
                                         {"multiplications", model.total.info.multiplications},
                                         {"kernels", rows}};
  return json_text(report, 2);
}

std::string trace_json(const std::vector<KernelInfo> &kernels, const Profile &profile) {
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  auto name_lane = [&](uint32_t lane, const std::string &name) {
    events.push_back({{"ph", "M"},
                      {"pid", 1},
                      {"tid", lane},
                      {"name", "thread_name"},
                      {"args", {{"name", name}}}});
  };
  std::vector<uint32_t> named;
  name_lane(0, "kernels");
  for (const Profile::Span &span : profile.trace) {
    const KernelInfo &kernel = kernels[span.kernel];
    const uint32_t lane = span.thread ? *span.thread + 1 : 0;
    if (lane > 0 && std::ranges::find(named, lane) == named.end()) {
      name_lane(lane, fmt::format("thread {}", lane - 1));
      named.push_back(lane);
    }
    events.push_back({{"ph", "X"},
                      {"pid", 1},
                      {"tid", lane},
                      {"name", kernel.name},
                      {"ts", span.begin * 1e6},
                      {"dur", (span.end - span.begin) * 1e6},
                      {"args",
                       {{"ops", kernel.ops},
                        {"algorithm", kernel.algorithm},
                        {"source", kernel.source},
                        {"multiplications", kernel.multiplications}}}});
  }
  return json_text({{"traceEvents", events}, {"displayTimeUnit", "ms"}}, -1);
}

} // namespace cnnc::driver
