// A kernel in all the ways that the compiler can compute it, measured: where a policy is wrong.
#include "compiler/analysis/cost.h"
#include "compiler/api/jit.h"
#include "compiler/api/judge.h"
#include "compiler/api/session.h"
#include "compiler/profile/machine_speed.h"
#include "compiler/profile/profiled_program.h"
#include "compiler/reduce/cut_kernel.h"
#include "compiler/schedule/alternatives.h"
#include "compiler/schedule/register_tile.h"
#include "compiler/support/machine_memory.h"
#include "ir/weights/random.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace cnnc {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A way to compute the kernel, and the model of it alone that says so.
struct Variant {
  ScheduleCandidate candidate;
  Model model;
  KernelTime time;
  std::set<std::string> copies; // kernels that bring inputs and outputs into other layouts
};

/// A variant that is compiled, and what its runs took.
class Measured {
public:
  Measured(const Variant &variant, Program program, std::vector<bool> counts,
           std::span<const void *const> inputs, uint32_t threads)
      : candidate_(variant.candidate), time_(variant.time), program_(std::move(program)),
        counts_(std::move(counts)), profiled_(program_, inputs, threads, 1) {}
  Measured(const Measured &) = delete;
  Measured &operator=(const Measured &) = delete;

  Result<void> run() {
    if (Result<double> ran = profiled_.run(); !ran)
      return Error{std::string(ran.error())};
    double seconds = 0;
    for (size_t i = 0; i < counts_.size(); ++i)
      seconds += counts_[i] ? profiled_.kernel_seconds()[i] : 0;
    times_.push_back(seconds);
    return {};
  }
  void forget_times() { times_.clear(); }
  uint64_t bytes() const { return program_.table().weights_size + profiled_.workspace_size(); }

  /// Of the last run, all outputs, one behind the other.
  std::vector<double> values() const {
    std::vector<double> values;
    for (uint32_t i = 0; i < program_.table().output_count; ++i) {
      const std::vector<std::byte> &bytes = profiled_.outputs()[i];
      if (program_.table().outputs[i].dtype != CNNC_F32)
        continue;
      std::vector<float> floats(bytes.size() / sizeof(float));
      std::memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
      values.insert(values.end(), floats.begin(), floats.end());
    }
    return values;
  }

  ScheduleCandidate &candidate() { return candidate_; }
  /// With what the machine can do, in operations and bytes a second.
  ScheduleCandidate finished(double peak, double bandwidth) {
    std::ranges::sort(times_);
    candidate_.median = times_[times_.size() / 2];
    candidate_.least = times_.front();
    candidate_.expected = time_.seconds(peak, bandwidth);
    return candidate_;
  }

private:
  ScheduleCandidate candidate_;
  KernelTime time_;
  Program program_;
  std::vector<bool> counts_; // which of the kernels are no copies into other layouts
  ProfiledProgram profiled_;
  std::vector<double> times_;
};

class Comparison {
public:
  Comparison(const Model &model, const CompareSchedulesOptions &how, const Options &options)
      : model_(model), how_(how), options_(quiet(options)) {
    options_.remark = {};
    options_.statistics = {};
    options_.timing = {};
  }

  Result<ScheduleComparison> run(const std::string &kernel) {
    if (Result<void> cut = cut_out(kernel); !cut)
      return Error{std::string(cut.error())};
    if (Result<void> found = find_variants(); !found)
      return Error{std::string(found.error())};
    if (Result<void> compiled = compile(); !compiled)
      return Error{std::string(compiled.error())};
    if (Result<void> same = compare_results(); !same)
      return Error{std::string(same.error())};
    if (Result<void> measured = measure(); !measured)
      return Error{std::string(measured.error())};
    for (const std::unique_ptr<Measured> &variant : measured_)
      result_.candidates.push_back(variant->finished(median_peak(), bandwidth_));
    std::ranges::stable_sort(result_.candidates, {}, &ScheduleCandidate::median);
    result_.kernel.name = kernel;
    return std::move(result_);
  }

private:
  /// The model up to where there are kernels, and of it the one that is meant.
  Result<void> cut_out(const std::string &kernel) {
    Options options = options_;
    options.print_kernel = kernel; // an error when there is none
    options.stop_after = "fuse_kernels";
    Result<Session> session = Session::open(model_, options, {true, graph_pipeline()});
    if (!session)
      return Error{std::string(session.error())};
    const Graph &graph = session->model();
    const auto found = std::ranges::find(graph.kernels, kernel, &KernelGroup::name);
    if (found == graph.kernels.end())
      return error_of(fmt::format("the kernel @{} is loops already, in which all is decided",
                                  format_name(kernel)));
    cut_ = cut_kernel(graph, static_cast<KernelId>(found - graph.kernels.begin()));
    // It stands alone from here on.
    options_.gradients.reset();
    options_.training.reset();
    options_.rematerialize = false;
    options_.batch = 0;
    options_.model.clear();
    options_.name.clear();
    return {};
  }

  Model model_of(Graph graph) const {
    auto content = std::make_shared<Model::Content>(model_.content());
    content->module = {};
    content->module.models.push_back(std::move(graph));
    return Model(std::move(content));
  }

  Conv2d *convolution(Graph &graph) const {
    for (Node &node : graph.nodes)
      if (auto *conv = std::get_if<Conv2d>(&node.op); conv && !graph.is_constant(node.results[0]))
        return conv;
    return nullptr;
  }

  /// The compiler's choice first.
  Result<void> find_variants() {
    const Conv2d *conv = convolution(cut_);
    const int64_t chosen = !conv ? 0 : conv->winograd > 0 ? conv->winograd : -1;
    if (Result<void> first = add_algorithm(chosen, true, true); !first || !conv)
      return first;
    for (int64_t winograd : {-1, 2, 3, 4, 5, 6})
      if (winograd != chosen && !add_algorithm(winograd, false, winograd < 0))
        ++result_.left_out; // its shape, or this CPU, does not allow it
    return {};
  }

  /// With Winograd's method for tiles of this size; -1: without. 0: the kernel has no convolution.
  Result<void> add_algorithm(int64_t winograd, bool chosen, bool alternatives) {
    Graph graph = cut_;
    if (Conv2d *conv = convolution(graph))
      conv->winograd = winograd;
    Variant variant{{}, model_of(std::move(graph)), {}, {}};
    Options options = options_;
    options.stop_after = "choose_schedule";
    Result<Session> session = Session::open(variant.model, options, {true, graph_pipeline()});
    if (!session)
      return Error{std::string(session.error())};
    const Graph &scheduled = session->model();
    const std::vector<std::vector<NodeId>> members = kernel_members(scheduled);
    const KernelId kernel = main_kernel(scheduled, members);
    for (KernelId id = 0; id < members.size(); ++id)
      if (std::holds_alternative<Relayout>(scheduled.nodes[members[id].front()].op))
        variant.copies.insert(scheduled.kernels[id].name);
    const Machine machine = codegen::machine_of(session->target());
    const KernelTimes times(scheduled, machine);
    const auto take = [&](const Schedule &taken) {
      const TileSize tile = scheduled_tile(scheduled, members[kernel], taken);
      variant.candidate.schedule = to_string(taken);
      variant.candidate.loads = loads_of_tile(tile);
      variant.time = times.of(kernel, tile, !taken.vector.empty());
    };
    Result<std::vector<KernelInfo>> described = describe_kernels(variant.model, options_);
    if (!described)
      return Error{std::string(described.error())};
    const KernelInfo &info =
        *std::ranges::find(*described, scheduled.kernels[kernel].name, &KernelInfo::name);
    if (chosen)
      result_.kernel = info;
    variant.candidate.algorithm = info.algorithm;
    variant.candidate.chosen = chosen;
    take(scheduled.kernels[kernel].schedule);
    variants_.push_back(variant);
    if (!alternatives)
      return {};
    variant.candidate.chosen = false;
    for (ScheduleAlternative &other :
         schedule_alternatives(scheduled, scheduled.kernels[kernel], members[kernel], machine)) {
      variant.candidate.change = other.change;
      take(other.schedule);
      Graph changed = scheduled;
      changed.kernels[kernel].schedule = std::move(other.schedule);
      variant.model = model_of(std::move(changed));
      variants_.push_back(variant);
    }
    return {};
  }

  /// The one with the most multiplications, else the first that is no copy.
  static KernelId main_kernel(const Graph &graph, const std::vector<std::vector<NodeId>> &members) {
    KernelId main = no_id;
    int64_t most = -1;
    for (KernelId id = 0; id < members.size(); ++id) {
      const Node &anchor = graph.nodes[members[id].front()];
      const int64_t own = multiplications(graph, anchor);
      if (main == no_id || (own > most && !std::holds_alternative<Relayout>(anchor.op))) {
        main = id;
        most = std::holds_alternative<Relayout>(anchor.op) ? -1 : own;
      }
    }
    return main;
  }

  Result<void> compile() {
    for (size_t i = 0; i < variants_.size(); ++i) {
      Result<Program> program = jit(variants_[i].model, options_);
      if (!program && i == 0)
        return Error{std::string(program.error())};
      if (program && (i == 0 || fits_memory(program->table())))
        add_program(variants_[i], std::move(*program));
      else
        ++result_.left_out;
      if (options_.progress)
        options_.progress("candidates compiled", i + 1, variants_.size());
    }
    return {};
  }

  /// All programs are there at a time.
  bool fits_memory(const cnnc_model_v1 &table) const {
    uint64_t taken = 0;
    for (const std::unique_ptr<Measured> &variant : measured_)
      taken += variant->bytes();
    return taken + table.weights_size + cnnc_workspace_size(&table, how_.threads) <=
           usable_memory(options_.max_memory);
  }

  void add_program(const Variant &variant, Program program) {
    const cnnc_model_v1 &table = program.table();
    if (input_pointers_.empty())
      make_inputs(table);
    std::vector<bool> counts;
    for (uint32_t i = 0; i < table.kernel_count; ++i)
      counts.push_back(!variant.copies.contains(table.kernel_names[i]));
    measured_.push_back(std::make_unique<Measured>(variant, std::move(program), std::move(counts),
                                                   input_pointers_, how_.threads));
  }

  void make_inputs(const cnnc_model_v1 &table) {
    constexpr int64_t unit_deviation = 2;
    for (uint32_t i = 0; i < table.input_count; ++i) {
      inputs_.emplace_back(table.inputs[i].size);
      if (table.inputs[i].dtype == CNNC_F32)
        fill_random_he({reinterpret_cast<float *>(inputs_.back().data()),
                        inputs_.back().size() / sizeof(float)},
                       unit_deviation, how_.seed + i);
    }
    for (const std::vector<std::byte> &input : inputs_)
      input_pointers_.push_back(input.data());
  }

  /// Runs each for the first time.
  Result<void> compare_results() {
    std::vector<double> expected;
    for (const std::unique_ptr<Measured> &variant : measured_) {
      if (Result<void> ran = variant->run(); !ran)
        return ran;
      variant->forget_times();
      if (expected.empty())
        expected = variant->values();
      const Difference found = difference(variant->values(), expected, tolerance());
      ScheduleCandidate &candidate = variant->candidate();
      candidate.error = found.error;
      candidate.largest = found.largest;
      if (found.wrong > 0)
        return error_of(fmt::format("{} with {} computes other values than the choice of the "
                                    "compiler: the error {:.3g} is more than {:g} of the largest "
                                    "value {:.4g}",
                                    candidate.algorithm, candidate.schedule, found.error,
                                    tolerance(), found.largest));
    }
    return {};
  }

  /// Algorithms round weights of 16 bits in different places.
  double tolerance() const {
    constexpr double of_narrow = 0.02;
    return options_.weights_type == WeightsType::f32 ? how_.tolerance
                                                     : std::max(how_.tolerance, of_narrow);
  }

  /// In turn, as other programs share the machine.
  Result<void> measure() {
    constexpr size_t least_rounds = 5, most_rounds = 1000;
    FmaPeak peak(options_, how_.threads);
    bandwidth_ = read_bandwidth(options_, how_.threads);
    const Clock::time_point start = Clock::now();
    while (result_.rounds < least_rounds ||
           (result_.rounds < most_rounds && seconds_since(start) < how_.seconds)) {
      peaks_.push_back(peak.measure());
      for (const std::unique_ptr<Measured> &variant : measured_)
        if (Result<void> ran = variant->run(); !ran)
          return ran;
      ++result_.rounds;
      if (options_.progress)
        options_.progress("rounds measured", result_.rounds,
                          expected_rounds(seconds_since(start), least_rounds, most_rounds));
    }
    return {};
  }

  double median_peak() {
    std::ranges::sort(peaks_);
    return peaks_[peaks_.size() / 2];
  }

  size_t expected_rounds(double elapsed, size_t least, size_t most) const {
    const double rounds = static_cast<double>(result_.rounds) * how_.seconds / elapsed;
    return std::clamp(static_cast<size_t>(rounds), std::max(least, result_.rounds), most);
  }

  const Model &model_;
  const CompareSchedulesOptions &how_;
  Options options_;
  Graph cut_;
  std::vector<Variant> variants_;
  std::vector<std::vector<std::byte>> inputs_;
  std::vector<const void *> input_pointers_;
  std::vector<std::unique_ptr<Measured>> measured_;
  std::vector<double> peaks_; // operations a second, before each round
  double bandwidth_ = 0;      // bytes a second
  ScheduleComparison result_;
};

} // namespace

Result<ScheduleComparison> compare_schedules(const Model &model, const std::string &kernel,
                                             const CompareSchedulesOptions &how,
                                             const Options &options) {
  return Comparison(model, how, options).run(kernel);
}

} // namespace cnnc
