// From a float model and images to a model of integers.
#include "compiler/api/session.h"
#include "compiler/pass/rewrite.h"
#include "compiler/pass/scale_channels.h"
#include "compiler/quantize/bias_inputs.h"
#include "compiler/quantize/equalize.h"
#include "compiler/quantize/error_sum.h"
#include "compiler/quantize/layer_switches.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <numeric>
#include <set>

namespace cnnc {

namespace {

using Bytes = std::vector<std::byte>;
using Image = std::vector<Bytes>; // one tensor for each input of the model

std::span<const float> floats_of(const Bytes &bytes) {
  return {reinterpret_cast<const float *>(bytes.data()), bytes.size() / sizeof(float)};
}

/// Some of a sequence of unknown length, evenly spread over it: at most so many.
class ImageSample {
public:
  static constexpr size_t most = 16;
  void add(const Image &image) {
    if (seen_++ % stride_ != 0)
      return;
    images_.push_back(image);
    if (images_.size() <= most)
      return;
    stride_ *= 2;
    for (size_t i = 1; 2 * i < images_.size(); ++i)
      images_[i] = std::move(images_[2 * i]);
    images_.resize((images_.size() + 1) / 2);
  }
  const std::vector<Image> &images() const { return images_; }
  size_t seen() const { return seen_; }

private:
  std::vector<Image> images_;
  size_t seen_ = 0, stride_ = 1;
};

/// The passes that bring a network into the form in which its layers are what they will be, without
/// those that make filters of values that are no constants.
std::vector<const Pass *> folding_passes() {
  std::vector<const Pass *> passes;
  for (const Pass *pass : graph_pipeline()) {
    if (pass->name == "choose_algorithms")
      break;
    if (pass->name != "lower_quantized" && pass->name != "absorb_scales" &&
        pass->name != "flatten_matmul" && pass->name != "trim_padding")
      passes.push_back(pass);
  }
  // Once more, where arithmetic without effect was in between: the values inside of an activation that is
  // one op are not rounded.
  passes.push_back(*std::ranges::find(passes, "recognize_ops", &Pass::name));
  return passes;
}

RangeRule rule_of(RangeMethod method) {
  switch (method) {
  case RangeMethod::min_max:
    return RangeRule::min_max;
  case RangeMethod::percentile:
    return RangeRule::percentile;
  case RangeMethod::mse:
    break;
  }
  return RangeRule::squared_error;
}

/// A compiled graph, and memory for what it gives.
class Runner {
public:
  static Result<Runner> compile(Graph graph, const WeightStore &store, const Options &options,
                                uint32_t threads) {
    Options here; // the code is for this machine, and nobody wants to see how it is made
    here.jobs = options.jobs;
    here.max_memory = options.max_memory;
    auto content = std::make_shared<Model::Content>();
    content->tensors = store.tensors_of(graph);
    content->module.models = {std::move(graph)};
    Result<Program> program = jit(Model(std::move(content)), here);
    if (!program)
      return Error{std::string(program.error())};
    return Runner(std::move(*program), threads);
  }

  const cnnc_model_v1 &table() const { return program_.table(); }

  /// Of one image. The result holds until the next call.
  Result<void> run(const Image &image, std::span<const Bytes> more_inputs = {}) {
    std::vector<const void *> inputs;
    for (const Bytes &input : image)
      inputs.push_back(input.data());
    for (const Bytes &input : more_inputs)
      inputs.push_back(input.data());
    std::vector<void *> outputs;
    for (Bytes &output : outputs_)
      outputs.push_back(output.data());
    return program_.run(inputs, outputs, &context_);
  }
  const std::vector<Bytes> &outputs() const { return outputs_; }

private:
  Runner(Program program, uint32_t threads) : program_(std::move(program)) {
    for (uint32_t i = 0; i < table().output_count; ++i)
      outputs_.emplace_back(table().outputs[i].size);
    context_.threads = threads;
  }

  Program program_;
  std::vector<Bytes> outputs_;
  cnnc_context context_ = {};
};

/// What the images say of a layer alone.
struct LayerErrors {
  ErrorSum result, output;
  std::vector<double> means; // of the float result, a channel each
};

class Calibrator {
public:
  Calibrator(const CalibrateOptions &how, const Options &options) : how_(how), options_(options) {}

  Result<Calibration> run(const Model &model, const ImageReader &next_image) {
    Result<void> done = open(model);
    if (done && how_.equalize)
      done = equalize(next_image);
    if (done)
      done = observe(next_image);
    if (done)
      done = measure_layers();
    if (done)
      done = choose_float_layers();
    if (!done)
      return Error{std::string(done.error())};
    return result();
  }

private:
  // ---- the float network

  Result<void> open(const Model &model) {
    Options folding = quiet(options_);
    folding.gradients.reset();
    folding.training.reset();
    Result<Session> session = Session::open(model, folding, {true, folding_passes(), {}, ""});
    if (!session)
      return Error{std::string(session.error())};
    const std::optional<Constants> constants = session->open_constants();
    if (!constants ||
        !store_constants(session->model(), *constants, store_, session->diagnostics()))
      return session->error();
    session->report_warnings();
    graph_ = std::move(session->model());
    graph_.weights_file.clear(); // they will stand beside the text
    layers_ = quantizable_layers(graph_);
    if (layers_.empty())
      return error("there is nothing to quantise: the model has no conv2d or dense of f32 whose "
                   "filter is a constant");
    return {};
  }

  static Error error(std::string_view text) { return {fmt::format("cnnc: error: {}\n", text)}; }
  std::string spell(ValueId id) const { return "%" + graph_.value(id).name; }

  // ---- what the images show

  /// The float network with these values as its outputs.
  Result<Runner> runner_of(std::vector<ValueId> values) const {
    Graph observed = graph_;
    observed.outputs = std::move(values);
    observed.updated.clear();
    observed.output_ranges.clear();
    return Runner::compile(std::move(observed), store_, options_, how_.threads);
  }

  /// Calls count(image) for each of a round.
  template <class Count>
  static Result<void> for_images(const ImageReader &next_image, Runner &runner, Count count) {
    size_t images = 0;
    for (;; ++images) {
      Result<std::optional<Image>> image = next_image(runner.table());
      if (!image)
        return Error{std::string(image.error())};
      if (!*image)
        break;
      if (Result<void> counted = count(**image); !counted)
        return counted;
    }
    return images > 0 ? Result<void>()
                      : error("there are no images to calibrate with: name .npy files, as "
                              "in --calibrate 'images/*.npy'");
  }

  // ---- channels that reach equally far

  Result<void> equalize(const ImageReader &next_image) {
    const std::vector<ValueId> values = equalizable_values(graph_);
    if (values.empty())
      return {};
    Result<Runner> runner = runner_of(values);
    if (!runner)
      return Error{std::string(runner.error())};
    std::vector<ChannelStatistics> statistics(values.size());
    Result<void> counted = for_images(next_image, *runner, [&](const Image &image) {
      Result<void> ran = runner->run(image);
      for (size_t i = 0; ran && i < values.size(); ++i)
        statistics[i].add(floats_of(runner->outputs()[i]), graph_.type(values[i]).shape);
      return ran;
    });
    if (!counted)
      return counted;
    for (size_t i = 0; i < values.size(); ++i)
      equalize(values[i], choose_factors(graph_, values[i], statistics[i], store_));
    return store_new_constants();
  }

  void equalize(ValueId value, const std::vector<float> &numbers) {
    if (numbers.empty())
      return;
    Tensor factors({DType::f32, {static_cast<int64_t>(numbers.size())}, "", {}});
    std::ranges::copy(numbers, factors.mutable_floats().begin());
    const std::string name = graph_.unique_value_name(graph_.value(value).name + ".factors");
    store_.add(name, factors);
    for (NodeId id : only_layers(graph_, value))
      equalized_.insert(graph_.value(graph_.nodes[id].results[0]).name);
    scale_channels(graph_, value, graph_.add_node(Weight{name}, {}, name, factors.type()));
  }

  Result<void> store_new_constants() {
    graph_.sort();
    graph_.erase_dead_nodes();
    Diagnostics diagnostics;
    const std::optional<Constants> constants =
        Constants::open(graph_, {store_.tensors_of(graph_), {}}, diagnostics);
    if (!constants || !store_constants(graph_, *constants, store_, diagnostics))
      return Error{diagnostics.to_string()};
    layers_ = quantizable_layers(graph_);
    return {};
  }

  // ---- ranges

  /// The outputs too, so that there is something to compute.
  std::vector<ValueId> observed_values() const {
    std::set<ValueId> values(graph_.outputs.begin(), graph_.outputs.end());
    for (ValueId id : possible_points(graph_))
      values.insert(id);
    std::vector<ValueId> observed;
    std::ranges::copy_if(values, std::back_inserter(observed), [&](ValueId id) {
      return !graph_.is_input(id) && graph_.type(id).dtype == DType::f32;
    });
    return observed;
  }

  Result<void> observe(const ImageReader &next_image) {
    values_ = observed_values();
    Result<Runner> runner = runner_of(values_);
    if (!runner)
      return Error{std::string(runner.error())};
    return for_images(next_image, *runner,
                      [&](const Image &image) { return count(image, *runner); });
  }

  Result<void> count(const Image &image, Runner &runner) {
    for (size_t i = 0; i < graph_.inputs.size(); ++i)
      if (const ValueId id = graph_.inputs[i];
          graph_.type(id).dtype == DType::f32 && !histograms_[id].add(floats_of(image[i])))
        return error(fmt::format("image {} of {} has a NaN or an infinity: leave it out",
                                 sample_.seen() + 1, spell(id)));
    if (Result<void> ran = runner.run(image); !ran)
      return ran;
    for (size_t i = 0; i < values_.size(); ++i)
      if (!histograms_[values_[i]].add(floats_of(runner.outputs()[i])))
        return error(fmt::format("{} has a NaN or an infinity for image {}: integers represent "
                                 "neither",
                                 spell(values_[i]), sample_.seen() + 1));
    sample_.add(image);
    return {};
  }

  std::vector<QuantizedValue> quantized_values(const std::vector<NodeId> &layers) const {
    const std::vector<QuantizationPoint> points = choose_points(graph_, layers);
    std::map<size_t, ValueRange> ranges; // by group
    for (const QuantizationPoint &point : points) {
      const ValueRange range = choose_range(histograms_.at(point.value), rule_of(how_.method));
      const auto [known, added] = ranges.emplace(point.group, range);
      if (!added)
        known->second = join(known->second, range);
    }
    std::vector<QuantizedValue> result;
    for (const QuantizationPoint &point : points)
      result.push_back({point.value, scale_of(ranges.at(point.group))});
    return result;
  }

  /// What stands for the outputs of the model when errors are measured: what a softmax at its end reads,
  /// less the mean. The softmax hides errors where it is sure, and where it is not one image counts
  /// for all.
  static std::vector<ValueId> add_compared_values(Graph &graph) {
    std::vector<ValueId> values = graph.outputs;
    for (ValueId &value : values) {
      const Node *node = producer_of(graph, value);
      const auto *softmax = node ? std::get_if<Softmax>(&node->op) : nullptr;
      const auto *log_softmax = node ? std::get_if<LogSoftmax>(&node->op) : nullptr;
      if (!softmax && !log_softmax)
        continue;
      int64_t axis = softmax ? softmax->axis : log_softmax->axis;
      if (axis < 0)
        axis += static_cast<int64_t>(graph.type(value).rank());
      const ValueId read = node->operands[0];
      const std::string name = graph.value(value).name;
      const ValueId mean = add_inferred(graph, ReduceMean{{axis}, true}, {read},
                                        graph.unique_value_name(name + ".mean"));
      value = add_inferred(graph, Binary{binary::sub}, {read, mean},
                           graph.unique_value_name(name + ".compared"));
    }
    return values;
  }

  // ---- layers one at a time

  Result<void> measure_layers() {
    Graph switched = graph_;
    WeightStore store = store_;
    switched.outputs = add_compared_values(switched);
    add_layer_switches(switched, layers_, quantized_values(layers_), store);
    Result<Runner> runner = Runner::compile(std::move(switched), store, options_, how_.threads);
    if (!runner)
      return Error{std::string(runner.error())};
    errors_.resize(layers_.size());
    for (const Image &image : sample_.images())
      if (Result<void> measured = measure_layers(image, *runner); !measured)
        return measured;
    return {};
  }

  Result<void> measure_layers(const Image &image, Runner &runner) {
    std::vector<Bytes> switches(layers_.size(), Bytes(1));
    if (Result<void> ran = runner.run(image, switches); !ran)
      return ran;
    const std::vector<Bytes> reference = runner.outputs();
    float_outputs_.emplace_back(
        reference.begin(), reference.begin() + static_cast<std::ptrdiff_t>(graph_.outputs.size()));
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      add_means(layer, reference[graph_.outputs.size() + layer], errors_[layer].means);
      switches[layer][0] = std::byte(1);
      if (Result<void> ran = runner.run(image, switches); !ran)
        return ran;
      switches[layer][0] = std::byte(0);
      add_errors(layer, runner.outputs(), reference);
      if (options_.progress)
        options_.progress("layers measured",
                          (float_outputs_.size() - 1) * layers_.size() + layer + 1,
                          sample_.images().size() * layers_.size());
    }
    return {};
  }

  void add_errors(size_t layer, const std::vector<Bytes> &outputs,
                  const std::vector<Bytes> &reference) {
    LayerErrors &errors = errors_[layer];
    add_output_errors(errors.output, outputs, reference);
    const size_t own = graph_.outputs.size() + layer;
    const std::span<const float> now = floats_of(outputs[own]), then = floats_of(reference[own]);
    errors.result.add(now, then);
  }

  /// Sums over a layer's result, a channel each, as parts of the number of images and positions.
  void add_means(size_t layer, const Bytes &result, std::vector<double> &means) const {
    const std::vector<int64_t> &shape = graph_.type(graph_.nodes[layers_[layer]].results[0]).shape;
    const auto channels = static_cast<size_t>(shape[1]);
    const auto inner = static_cast<size_t>(*element_count({shape.begin() + 2, shape.end()}));
    const std::span<const float> numbers = floats_of(result);
    const double positions = static_cast<double>(numbers.size() / channels) *
                             static_cast<double>(sample_.images().size());
    means.resize(channels);
    for (size_t i = 0; i < numbers.size(); ++i)
      means[i / inner % channels] += static_cast<double>(numbers[i]) / positions;
  }

  /// Of the model's outputs, which come first.
  void add_output_errors(ErrorSum &sum, const std::vector<Bytes> &outputs,
                         const std::vector<Bytes> &reference) const {
    for (size_t i = 0; i < graph_.outputs.size(); ++i)
      if (graph_.type(graph_.outputs[i]).dtype == DType::f32)
        sum.add(floats_of(outputs[i]), floats_of(reference[i]));
  }

  // ---- mixed precision

  /// Indices of layers, those first with which quantised alone the output is worst.
  std::vector<size_t> by_sensitivity() const {
    std::vector<size_t> order(layers_.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::ranges::stable_sort(order, std::ranges::greater(),
                             [&](size_t layer) { return errors_[layer].output.relative(); });
    return order;
  }

  std::vector<NodeId> layers_without(size_t float_count) const {
    std::vector<size_t> order = by_sensitivity();
    order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(float_count));
    std::vector<NodeId> result;
    for (size_t layer : order)
      result.push_back(layers_[layer]);
    std::ranges::sort(result);
    return result;
  }

  /// The error falls with every layer that stays float, more or less: halving finds a number of
  /// layers that is enough while one less is not.
  Result<void> choose_float_layers() {
    float_count_ = std::min(how_.keep_float, layers_.size());
    if (Result<void> measured = measure(float_count_);
        !measured || !how_.max_error || error_ <= *how_.max_error)
      return measured;
    size_t too_few = float_count_, enough = layers_.size();
    while (enough - too_few > 1) {
      const size_t middle = too_few + (enough - too_few) / 2;
      if (Result<void> measured = measure(middle); !measured)
        return measured;
      (error_ <= *how_.max_error ? enough : too_few) = middle;
    }
    float_count_ = enough;
    return measure(enough);
  }

  /// The error of the whole model, into error_.
  Result<void> measure(size_t float_count) {
    const std::vector<NodeId> layers = layers_without(float_count);
    corrections_.clear();
    if (how_.correct_bias)
      if (Result<void> corrected = correct_biases(layers); !corrected)
        return corrected;
    auto [graph, store] = quantized_model(layers);
    graph.outputs = add_compared_values(graph);
    graph.updated.clear();
    graph.output_ranges.clear();
    graph.sort();
    Result<Runner> runner = Runner::compile(std::move(graph), store, options_, how_.threads);
    if (!runner)
      return Error{std::string(runner.error())};
    ErrorSum sum;
    for (size_t i = 0; i < sample_.images().size(); ++i) {
      if (Result<void> ran = runner->run(sample_.images()[i]); !ran)
        return ran;
      add_output_errors(sum, runner->outputs(), float_outputs_[i]);
    }
    error_ = sum.relative();
    return {};
  }

  // ---- the network of integers

  std::pair<Graph, WeightStore> quantized_model(const std::vector<NodeId> &layers) const {
    Graph graph = graph_;
    WeightStore store = store_;
    for (NodeId id : layers)
      if (corrections_.contains(id))
        correct_bias(id, graph, store);
    insert_quantization(graph, layers, quantized_values(layers), store);
    return {std::move(graph), std::move(store)};
  }

  // ---- biases

  /// Rounding errors of filters and of values that are often the same, such as borders, do not cancel
  /// out: the mean of a channel moves. One layer after the other, with those before it as they will be,
  /// has the mean of the float network again (Nagel et al. 2019, "Data-Free Quantization Through Weight
  /// Equalization and Bias Correction", 4.2, from images).
  Result<void> correct_biases(const std::vector<NodeId> &layers) {
    auto [graph, store] = quantized_model(layers);
    std::vector<std::string> names;
    std::vector<Bytes> corrections;
    for (NodeId id : layers) {
      const ValueId result = graph_.nodes[id].results[0];
      names.push_back(graph_.value(result).name);
      corrections.emplace_back(static_cast<size_t>(graph_.type(result).shape[1]) * sizeof(float));
    }
    if (layers.empty())
      return {};
    add_bias_inputs(graph, names);
    Result<Runner> runner = Runner::compile(std::move(graph), store, options_, how_.threads);
    if (!runner)
      return Error{std::string(runner.error())};
    for (size_t i = 0; i < layers.size(); ++i) {
      const auto layer =
          static_cast<size_t>(std::ranges::find(layers_, layers[i]) - layers_.begin());
      std::vector<double> means;
      for (const Image &image : sample_.images()) {
        if (Result<void> ran = runner->run(image, corrections); !ran)
          return ran;
        add_means(layer, runner->outputs()[i], means);
      }
      std::vector<float> &correction = corrections_[layers[i]];
      for (size_t channel = 0; channel < means.size(); ++channel)
        correction.push_back(static_cast<float>(errors_[layer].means[channel] - means[channel]));
      std::memcpy(corrections[i].data(), correction.data(), corrections[i].size());
      if (options_.progress)
        options_.progress("biases corrected", i + 1, layers.size());
    }
    return {};
  }

  /// Adds the correction to its bias.
  void correct_bias(NodeId id, Graph &graph, WeightStore &store) const {
    const std::vector<float> &correction = corrections_.at(id);
    std::vector<ValueId> operands = graph.nodes[id].operands;
    Tensor bias({DType::f32, {static_cast<int64_t>(correction.size())}, "", {}});
    std::span<float> values = bias.mutable_floats();
    if (operands.size() > 2) {
      const Node &weight = graph.nodes[graph.value(operands[2]).producer];
      const auto *stored = std::get_if<Weight>(&weight.op);
      if (!stored)
        return; // computed from the model's inputs
      std::ranges::copy(store.find(stored->key).floats(), values.begin());
    }
    for (size_t channel = 0; channel < values.size(); ++channel)
      values[channel] += correction[channel];
    const std::string name =
        graph.unique_value_name(graph.value(graph.nodes[id].results[0]).name + ".bias.corrected");
    store.add(name, bias);
    operands.resize(3);
    operands[2] = graph.add_node(Weight{name}, {}, name, bias.type());
    graph.set_operands(id, std::move(operands));
  }

  Result<Calibration> result() const {
    const std::vector<NodeId> quantized = layers_without(float_count_);
    auto [graph, store] = quantized_model(quantized);
    auto content = std::make_shared<Model::Content>();
    content->tensors = store.tensors_of(graph);
    content->module.models = {std::move(graph)};
    Calibration calibration{Model(std::move(content)), {}, error_, sample_.seen()};
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      const Node &node = graph_.nodes[layers_[layer]];
      calibration.layers.push_back(
          {graph_.value(node.results[0]).name, std::string(info_of(node.op).name),
           std::ranges::binary_search(quantized, layers_[layer]),
           equalized_.contains(graph_.value(node.results[0]).name),
           errors_[layer].result.relative(), errors_[layer].output.relative()});
    }
    return calibration;
  }

  const CalibrateOptions &how_;
  const Options &options_;
  Graph graph_; // the float network, whose constants are in the store
  WeightStore store_;
  std::vector<NodeId> layers_;
  std::set<std::string> equalized_; // results of layers whose input is
  std::vector<ValueId> values_;     // that are observed, but for inputs
  std::map<ValueId, Histogram> histograms_;
  ImageSample sample_;
  std::vector<std::vector<Bytes>> float_outputs_;    // of the images of the sample
  std::vector<LayerErrors> errors_;                  // by layer
  std::map<NodeId, std::vector<float>> corrections_; // of biases, by layer
  size_t float_count_ = 0;
  double error_ = 0;
};

} // namespace

Result<Calibration> calibrate(const Model &model, const ImageReader &next_image,
                              const CalibrateOptions &how, const Options &options) {
  return Calibrator(how, options).run(model, next_image);
}

} // namespace cnnc
