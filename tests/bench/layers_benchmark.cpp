// Time of every kernel of a network, as it runs in the network: with the caches as the kernels
// before it leave them. See README.md for the columns.
#include "tests/bench/machine.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace {

struct Settings {
  std::string network, json;
  cnnc::Options options;
  uint32_t threads = 1;
  int runs = 0; // 0: as many as fit into a few seconds
  bool all = false, check = false;
};

/// One line: a kernel, or several with the same code. Times are of one call: the mean of what the
/// kernels have.
struct Row {
  cnnc::KernelInfo info; // of the first
  std::vector<std::string> names;
  double median = 0, least = 0; // seconds

  double count() const { return static_cast<double>(names.size()); }
  double operations() const { return 2.0 * static_cast<double>(info.multiplications); }
  double bytes() const {
    return static_cast<double>(info.weight_bytes + info.input_bytes + info.output_bytes);
  }
};

struct Machine {
  double peak = 0, best_peak = 0; // multiply-adds, operations per second
  double bandwidth = 0;           // bytes per second

  /// Would moving its bytes from memory take longer than its arithmetic?
  bool bound_by_memory(const Row &row) const {
    return row.bytes() / bandwidth > row.operations() / peak;
  }
};

struct Measurement {
  std::vector<Row> rows;
  Machine machine;
  int runs = 0;
  double whole = 0, least_whole = 0; // seconds of a run, all included
  double kernels = 0;                // sum of the medians
  std::string cpu, features;
  size_t kernel_count = 0;
  cnnc::KernelInfo sums; // multiplications and bytes of all kernels
};

/// Kernels that share their code and their ops come together, at the place of the first.
std::vector<Row> make_rows(const std::vector<cnnc::KernelInfo> &kernels,
                           const std::vector<std::vector<double>> &times, bool all) {
  std::vector<Row> rows;
  std::map<std::string, size_t> known;
  for (size_t i = 0; i < kernels.size(); ++i) {
    std::string key = all ? std::to_string(i) : kernels[i].code + "\n" + kernels[i].ops;
    auto [entry, inserted] = known.try_emplace(key, rows.size());
    if (inserted)
      rows.push_back({kernels[i], {}});
    Row &row = rows[entry->second];
    row.names.push_back(kernels[i].name);
    row.median += median(times[i]);
    row.least += least(times[i]);
  }
  for (Row &row : rows) {
    row.median /= row.count();
    row.least /= row.count();
  }
  return rows;
}

/// A few seconds of runs, at least 11.
int default_runs(double seconds_of_one) {
  return static_cast<int>(std::clamp(3 / seconds_of_one, 11.0, 1000.0));
}

void add_up(const std::vector<cnnc::KernelInfo> &kernels, Measurement &result) {
  result.kernel_count = kernels.size();
  result.sums.name = "total";
  for (const cnnc::KernelInfo &kernel : kernels) {
    result.sums.multiplications += kernel.multiplications;
    result.sums.weight_bytes += kernel.weight_bytes;
    result.sums.input_bytes += kernel.input_bytes;
    result.sums.output_bytes += kernel.output_bytes;
  }
}

Measurement measure(const Settings &settings, const cnnc::Model &model) {
  std::vector<cnnc::KernelInfo> kernels =
      value_or_exit(cnnc::describe_kernels(model, settings.options));
  Runner runner(value_or_exit(cnnc::jit(model, settings.options)), settings.threads, true);
  FmaPeak peak(settings.options, settings.threads);
  Measurement result;
  result.machine.bandwidth = read_bandwidth(settings.threads);
  runner.run();
  result.runs = settings.runs > 0 ? settings.runs : default_runs(runner.run());
  std::vector<std::vector<double>> times(kernels.size());
  std::vector<double> peaks, whole;
  for (int run = 0; run < result.runs; ++run) {
    peaks.push_back(peak.measure());
    whole.push_back(runner.run());
    for (size_t i = 0; i < kernels.size(); ++i)
      times[i].push_back(runner.kernel_seconds()[i]);
  }
  result.rows = make_rows(kernels, times, settings.all);
  result.machine.peak = median(peaks);
  result.machine.best_peak = *std::max_element(peaks.begin(), peaks.end());
  result.whole = median(whole);
  result.least_whole = least(whole);
  result.cpu = runner.table().target_cpu;
  result.features = runner.table().target_features;
  for (const Row &row : result.rows)
    result.kernels += row.median * row.count();
  add_up(kernels, result);
  return result;
}

/// Nothing for what does not count: rates of kernels without multiplications.
std::string unless_zero(const char *format, double value) {
  return value > 0 ? fmt::format(fmt::runtime(format), value) : "-";
}

std::string kilobytes(int64_t bytes) {
  return fmt::format("{:.0f}", std::ceil(static_cast<double>(bytes) / 1000));
}

/// Right-aligned but for the first column and those from `ops` to `tile`.
void print_table(const std::vector<std::vector<std::string>> &lines) {
  std::vector<size_t> widths(lines.front().size(), 0);
  for (const auto &line : lines)
    for (size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], line[i].size());
  for (const auto &line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i)
      text += i == 0 || (i >= 2 && i <= 4) ? fmt::format("{:<{}}  ", line[i], widths[i])
                                           : fmt::format("{:>{}}  ", line[i], widths[i]);
    text.erase(text.find_last_not_of(' ') + 1);
    fmt::print("{}\n", text);
  }
}

std::vector<std::string> line_of(const Row &row, const Measurement &m) {
  const cnnc::KernelInfo &info = row.info;
  double rate = row.operations() / row.median;
  return {info.name,
          std::to_string(row.names.size()),
          info.ops,
          info.algorithm,
          info.tile,
          fmt::format("{:.1f}", row.median * 1e6),
          fmt::format("{:.1f}", row.least * 1e6),
          unless_zero("{:.1f}", rate * 1e-9),
          unless_zero("{:.1f}", 100 * rate / m.machine.peak),
          unless_zero("{:.1f}", 100 * row.operations() / row.least / m.machine.best_peak),
          fmt::format("{:.1f}", 100 * row.median * row.count() / m.kernels),
          kilobytes(info.weight_bytes),
          kilobytes(info.input_bytes + info.output_bytes),
          m.machine.bound_by_memory(row) ? fmt::format("{:.1f}", row.bytes() / row.median * 1e-9)
                                         : "-"};
}

void print(const Settings &settings, const Measurement &m) {
  fmt::print("{}: {} kernels, {} lines; {}, {} thread{}, {} run{}\n", settings.network,
             m.kernel_count, m.rows.size(), m.cpu, settings.threads,
             settings.threads == 1 ? "" : "s", m.runs, m.runs == 1 ? "" : "s");
  fmt::print("FMA peak in the same run: {:.1f} GFLOP/s (median), {:.1f} (best); reading memory: "
             "{:.1f} GB/s\n\n",
             m.machine.peak * 1e-9, m.machine.best_peak * 1e-9, m.machine.bandwidth * 1e-9);
  std::vector<std::vector<std::string>> lines = {{"kernel", "n", "ops", "algorithm", "tile",
                                                  "median_us", "min_us", "GFLOP/s", "%peak",
                                                  "%best", "%time", "weightKB", "activKB", "GB/s"}};
  for (const Row &row : m.rows)
    lines.push_back(line_of(row, m));
  Row total{m.sums, {"total"}, m.whole, m.least_whole};
  lines.push_back(line_of(total, m));
  lines.back()[1] = std::to_string(m.kernel_count);
  lines.back().back() = "";
  print_table(lines);
  fmt::print("\nsum of the kernels' medians {:.1f} us; median of whole runs {:.1f} us\n",
             m.kernels * 1e6, m.whole * 1e6);
}

nlohmann::json to_json(const Settings &settings, const Measurement &m) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Row &row : m.rows) {
    const cnnc::KernelInfo &info = row.info;
    rows.push_back({{"kernels", row.names},
                    {"ops", info.ops},
                    {"algorithm", info.algorithm},
                    {"tile", info.tile},
                    {"schedule", info.schedule},
                    {"median_us", row.median * 1e6},
                    {"min_us", row.least * 1e6},
                    {"multiplications", info.multiplications},
                    {"gflops", row.operations() / row.median * 1e-9},
                    {"percent_of_peak", 100 * row.operations() / row.median / m.machine.peak},
                    {"percent_of_time", 100 * row.median * row.count() / m.kernels},
                    {"weight_bytes", info.weight_bytes},
                    {"input_bytes", info.input_bytes},
                    {"output_bytes", info.output_bytes},
                    {"gb_per_s", row.bytes() / row.median * 1e-9},
                    {"bound_by_memory", m.machine.bound_by_memory(row)}});
  }
  return {{"network", settings.network},
          {"cpu", m.cpu},
          {"features", m.features},
          {"threads", settings.threads},
          {"runs", m.runs},
          {"peak_gflops", m.machine.peak * 1e-9},
          {"best_peak_gflops", m.machine.best_peak * 1e-9},
          {"read_gb_per_s", m.machine.bandwidth * 1e-9},
          {"median_us", m.whole * 1e6},
          {"min_us", m.least_whole * 1e6},
          {"sum_of_kernels_us", m.kernels * 1e6},
          {"multiplications", m.sums.multiplications},
          {"kernels", rows}};
}

/// The kernels' results on the inputs of the benchmark against the reference interpreter.
bool verify(const Settings &settings, const cnnc::Model &model) {
  auto inputs = [](const cnnc_model_v1 &table) {
    std::minstd_rand generator(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<std::vector<std::byte>> tensors;
    for (uint32_t i = 0; i < table.input_count; ++i) {
      std::vector<float> values(table.inputs[i].size / sizeof(float));
      std::generate(values.begin(), values.end(), [&] { return uniform(generator); });
      tensors.emplace_back(table.inputs[i].size);
      std::memcpy(tensors.back().data(), values.data(), values.size() * sizeof(float));
    }
    return cnnc::Result<std::vector<std::vector<std::byte>>>(std::move(tensors));
  };
  cnnc::Verification result = value_or_exit(cnnc::verify(model, inputs, 1e-4, settings.options));
  double largest = 0;
  for (const cnnc::VerifiedValue &value : result.values)
    largest = std::max(largest, value.relative());
  fmt::print("{}: {} values against the reference, largest error {:.2g} of the largest element\n",
             result.passed() ? "right" : "WRONG", result.values.size(), largest);
  return result.passed();
}

} // namespace

int main(int argc, char **argv) {
  Settings settings;
  CLI::App app("Times every kernel of a network.", "layers.sh");
  app.add_option("network", settings.network, "The network")->required()->type_name("NETWORK.ir");
  app.add_option("--threads", settings.threads, "Threads; default: 1")->check(CLI::Range(1u, 64u));
  app.add_option("--cpu", settings.options.cpu, "The CPU to compile for; default: this one");
  app.add_option("--runs", settings.runs, "Runs; default: as many as fit into three seconds")
      ->check(CLI::PositiveNumber);
  app.add_option("--json", settings.json, "Also write the numbers to this file");
  app.add_flag("--all", settings.all, "One line per kernel, not one per distinct kernel");
  app.add_flag("--check", settings.check, "First compare every kernel with the reference");
  CLI11_PARSE(app, argc, argv);
  cnnc::Model model = value_or_exit(cnnc::load(settings.network));
  if (settings.check && !verify(settings, model))
    return 1;
  Measurement measurement = measure(settings, model);
  print(settings, measurement);
  if (settings.json.empty())
    return 0;
  std::ofstream file(settings.json);
  file << to_json(settings, measurement).dump(2) << "\n";
  if (!file.flush()) {
    fmt::print(stderr, "layers.sh: error: cannot write {}\n", settings.json);
    return 1;
  }
  return 0;
}
