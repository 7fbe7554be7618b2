// From float models to integers: ranges against the reference interpreter's values, weights, which
// values are quantised, and what LeNet reads afterwards.
#include "compiler/api/session.h"
#include "compiler/pass/scale_channels.h"
#include "compiler/quantize/equalize.h"
#include "compiler/quantize/insert_quantization.h"
#include "compiler/quantize/quantize_filter.h"
#include "test_models.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <random>

namespace cnnc {

namespace {

std::vector<float> normal_numbers(size_t count, float deviation, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> numbers(count);
  std::ranges::generate(numbers, [&] { return normal(random); });
  return numbers;
}

TEST(Histogram, GrowsWithItsNumbersAndLosesNone) {
  Histogram histogram;
  std::vector<float> all;
  for (float deviation : {0.001F, 1.0F, 300.0F}) {
    const std::vector<float> numbers = normal_numbers(1000, deviation, 7);
    ASSERT_TRUE(histogram.add(numbers));
    all.insert(all.end(), numbers.begin(), numbers.end());
  }
  const auto [least, largest] = std::ranges::minmax(all);
  EXPECT_EQ(histogram.extremes().least, least);
  EXPECT_EQ(histogram.extremes().largest, largest);
  const std::vector<Histogram::Bin> bins = histogram.bins();
  uint64_t below = 0, count = 0;
  for (const Histogram::Bin &bin : bins) {
    count += bin.count;
    below += bin.center < 0 ? bin.count : 0;
  }
  EXPECT_EQ(count, all.size());
  EXPECT_EQ(below, static_cast<uint64_t>(
                       std::ranges::count_if(all, [](float number) { return number < 0; })));
}

TEST(Histogram, RefusesNumbersThatAreNotFinite) {
  Histogram histogram;
  EXPECT_FALSE(histogram.add(std::vector<float>{1, std::nanf("")}));
  EXPECT_FALSE(histogram.add(std::vector<float>{INFINITY}));
  EXPECT_TRUE(histogram.bins().empty());
  EXPECT_TRUE(histogram.add(std::vector<float>{0, 0}));
  EXPECT_EQ(scale_of(histogram.extremes()).scale, 1);
}

double mean_squared_error(const std::vector<float> &numbers, const ValueRange &range) {
  const ActivationScale scale = scale_of(range);
  double error = 0;
  for (float number : numbers) {
    const double steps = std::clamp<double>(
        std::nearbyint(number / scale.scale) + static_cast<double>(scale.zero_point), 0, 255);
    error += std::pow((steps - static_cast<double>(scale.zero_point)) * scale.scale - number, 2);
  }
  return error / static_cast<double>(numbers.size());
}

TEST(Range, LeavesOutliersOutsideWhereThatIsBetter) {
  std::vector<float> numbers = normal_numbers(1000000, 1, 3);
  numbers.push_back(20);
  Histogram histogram;
  ASSERT_TRUE(histogram.add(numbers));
  const ValueRange all = choose_range(histogram, RangeRule::min_max);
  EXPECT_EQ(all.largest, 20);
  const ValueRange most = choose_range(histogram, RangeRule::percentile);
  EXPECT_NEAR(most.largest, 3.72, 0.3); // 1 in 10,000 of a normal distribution lies beyond
  EXPECT_NEAR(most.least, -3.72, 0.3);
  const ValueRange best = choose_range(histogram, RangeRule::squared_error);
  EXPECT_LT(mean_squared_error(numbers, best), mean_squared_error(numbers, all) / 2);
  for (double part = 0.1; part <= 1; part += 0.15) // of ranges that are tried one by one
    EXPECT_LE(mean_squared_error(numbers, best),
              1.02 * mean_squared_error(numbers, {all.least, all.largest * part}))
        << part;
}

TEST(Range, RepresentsZeroExactly) {
  for (const ValueRange range : {ValueRange{-1, 2}, ValueRange{0, 6}, ValueRange{-0.3, 0}}) {
    const ActivationScale scale = scale_of(range);
    EXPECT_GE(scale.zero_point, 0);
    EXPECT_LE(scale.zero_point, 255);
    EXPECT_NEAR(-static_cast<double>(scale.zero_point) * scale.scale, range.least, scale.scale);
    EXPECT_NEAR(static_cast<double>(255 - scale.zero_point) * scale.scale, range.largest,
                scale.scale);
  }
}

TEST(QuantizeFilter, HasTheLargestWeightOfEachChannelAtStep127) {
  const Tensor filter = tensor_of({3, 1, 1, 4}, {1, -2, 0.5, 0, 0, 0, 0, 0, 10, 20, 30, 40});
  const QuantizedFilter quantized = quantize_filter(filter);
  EXPECT_EQ(values_of(quantized.scales), (std::vector<float>{2.0F / 127, 1, 40.0F / 127}));
  const std::span<const int8_t> integers = quantized.integers.elements<int8_t>();
  EXPECT_EQ(std::vector<int>(integers.begin(), integers.end()),
            (std::vector<int>{64, -127, 32, 0, 0, 0, 0, 0, 32, 64, 95, 127}));
}

/// "x+p: of one scale, y": groups of points, by names.
std::string points_of(const std::string &body) {
  const std::optional<Graph> graph = model_of("model @m(%x: f32[1, 4, 8, 8]) {\n"
                                              "%w = random(1, he) : f32[4, 4, 3, 3]\n" +
                                              body + "\n}\n");
  std::map<size_t, std::string> groups;
  std::string result;
  for (const QuantizationPoint &point : choose_points(*graph, quantizable_layers(*graph)))
    groups[point.group] += " " + graph->value(point.value).name;
  for (const auto &[group, names] : groups)
    result += (result.empty() ? "" : ",") + names;
  return result;
}

TEST(Points, AreWhatLayersReadAndGive) {
  EXPECT_EQ(points_of("%a = conv2d %x, %w\n%r = relu %a\n%b = conv2d %r, %w\nreturn %b"), " x, r");
  // What only moves numbers shares their scale.
  EXPECT_EQ(points_of("%a = conv2d %x, %w\n%p = max_pool2d %a kernel=[2, 2]\n"
                      "%b = conv2d %p, %w\nreturn %b"),
            " x, a p");
  EXPECT_EQ(points_of("%a = conv2d %x, %w\n%b = conv2d %x, %w\n%j = concat %a, %b axis=2\n"
                      "%c = conv2d %j, %w\nreturn %c"),
            " x, a b j");
  // A sum joins the kernel of one of its operands, which need not be rounded before.
  EXPECT_EQ(points_of("%a = conv2d %x, %w pad=[1, 1, 1, 1]\n%s = add %x, %a\n%r = relu %s\n"
                      "%b = conv2d %r, %w\nreturn %b"),
            " x, r");
  EXPECT_EQ(points_of("%a = conv2d %x, %w\n%b = conv2d %x, %w\n%s = add %b, %a\n"
                      "%c = conv2d %s, %w\nreturn %c"),
            " x, a, s");
  // Without a layer in integers behind it, arithmetic gains nothing from rounded operands.
  EXPECT_EQ(points_of("%a = conv2d %x, %w\n%s = add %a, %a\n%p = max_pool2d %s kernel=[2, 2]\n"
                      "%y = softmax %p axis=1\nreturn %y"),
            " x");
  EXPECT_EQ(points_of("%a = conv2d %x, %w pad=[1, 1, 1, 1]\n%s = add %x, %a\n%r = relu %s\n"
                      "%t = add %r, %a\nreturn %t"),
            " x");
  // What stays float behind a layer has a reader that wants it so.
  EXPECT_EQ(points_of("%a = conv2d %x, %w\n%y = softmax %a axis=1\nreturn %y"), " x");
}

/// One image after the other, of a model with one input.
ImageReader reader_of(const std::vector<std::vector<float>> &images) {
  using Image = std::vector<std::vector<std::byte>>;
  return
      [&images, next = size_t(0)](const cnnc_model_v1 &) mutable -> Result<std::optional<Image>> {
        if (next == images.size()) {
          next = 0;
          return std::optional<Image>();
        }
        const std::span<const std::byte> bytes = std::as_bytes(std::span(images[next++]));
        return std::optional<Image>(Image{{bytes.begin(), bytes.end()}});
      };
}

const char *const small_model = "model @m(%x: f32[1, 4, 8, 8]) {\n"
                                "  %w = random(1, he) : f32[4, 4, 3, 3]\n"
                                "  %b = random(2, he) : f32[4]\n"
                                "  %a = conv2d %x, %w, %b pad=[1, 1, 1, 1]\n"
                                "  %r = relu %a\n"
                                "  %v = random(3, he) : f32[8, 4, 3, 3]\n"
                                "  %y = conv2d %r, %v\n"
                                "  return %y\n}\n";

std::vector<std::vector<float>> small_images() {
  return {normal_numbers(256, 1, 1), normal_numbers(256, 3, 2), normal_numbers(256, 0.5, 3)};
}

TEST(Calibrate, RangesAreThoseOfTheReference) {
  const std::optional<Graph> graph = model_of(small_model);
  const std::vector<std::vector<float>> images = small_images();
  std::map<std::string, ValueRange> expected;
  for (const std::vector<float> &image : images) {
    Diagnostics diagnostics;
    auto observe = [&](ValueId id, const Tensor &tensor) {
      const auto [least, largest] = std::ranges::minmax(tensor.floats());
      ValueRange &range = expected[graph->value(id).name];
      range = join(range, {least, largest});
    };
    ASSERT_TRUE(run_model(*graph, {tensor_of({1, 4, 8, 8}, image)}, diagnostics, observe));
    const auto [least, largest] = std::ranges::minmax(image);
    expected["x"] = join(expected["x"], {least, largest});
  }
  CalibrateOptions how;
  how.method = RangeMethod::min_max;
  how.equalize = false;
  const Result<Calibration> calibration =
      calibrate(*parse(small_model), reader_of(images), how, {});
  ASSERT_TRUE(calibration) << calibration.error();
  EXPECT_EQ(calibration->images, 3U);
  const Graph &quantized = calibration->model.content().module.models.front();
  size_t count = 0;
  for (const Node &node : quantized.nodes)
    if (const auto *quantize = std::get_if<Quantize>(&node.op)) {
      const ActivationScale scale = scale_of(expected.at(quantized.value(node.operands[0]).name));
      EXPECT_NEAR(quantize->scale, scale.scale, 1e-5 * scale.scale);
      EXPECT_EQ(quantize->zero_point, scale.zero_point);
      ++count;
    }
  EXPECT_EQ(count, 2U);
}

/// Layers and what may stand between them, at random, for f32[1, 4, 7, 7].
std::string random_network(std::mt19937 &random) {
  auto below = [&](int count) { return static_cast<int>(random() % static_cast<uint32_t>(count)); };
  std::string text = "model @m(%x: f32[1, 4, 7, 7]) {\n", last = "%x";
  int channels = 4, seed = 1;
  auto add = [&](const std::string &result, const std::string &op) {
    text += fmt::format("  {} = {}\n", result, op);
    last = result;
  };
  auto constant = [&](const std::string &result, const std::string &shape, const char *kind) {
    text += fmt::format("  {} = random({}, {}) : f32[{}]\n", result, seed++, kind, shape);
    return result;
  };
  for (int i = 0; i < 4; ++i) {
    const bool depthwise = below(3) == 0;
    const int groups = depthwise ? channels : below(2) + 1;
    const int outputs = (depthwise ? channels : 4) * (below(2) + 1);
    std::string op = "conv2d " + last + ", " +
                     constant(fmt::format("%w{}", i),
                              fmt::format("{}, {}, 3, 3", outputs, channels / groups), "he");
    if (below(2) > 0)
      op += ", " + constant(fmt::format("%b{}", i), std::to_string(outputs), "uniform");
    add(fmt::format("%c{}", i), fmt::format("{} pad=[1, 1, 1, 1] groups={}", op, groups));
    channels = outputs;
    const std::string factors =
        constant(fmt::format("%k{}", i), std::to_string(channels) + ", 1, 1", "uniform");
    for (int more = below(3); more > 0; --more) {
      const std::string result = fmt::format("%v{}.{}", i, more);
      const std::array<std::string, 10> ops = {
          "relu " + last,
          "leaky_relu " + last + " alpha=0.2",
          "hard_swish " + last,
          "abs " + last,
          "mul " + last + ", " + factors,
          "div " + factors + ", %one",
          "sub " + factors + ", " + last,
          "add " + last + ", " + factors,
          "max_pool2d " + last + " kernel=[3, 3] pad=[1, 1, 1, 1]",
          "avg_pool2d " + last + " kernel=[3, 3] pad=[1, 1, 1, 1]"};
      if (const int which = below(11); which == 5) {
        add(result, "div " + last + ", " + factors);
      } else if (which < 10) {
        add(result, ops[static_cast<size_t>(which)]);
      } else { // a gate
        const std::string value = last;
        add(result + ".mean", "global_avg_pool2d " + last);
        add(result + ".gate",
            "conv2d " + last + ", " +
                constant(result + ".w", fmt::format("{0}, {0}, 1, 1", channels), "he"));
        add(result + ".sigmoid", "hard_sigmoid " + last);
        add(result + ".scaled", "mul " + last + ", " + factors);
        add(result, "mul " + value + ", " + last);
      }
    }
  }
  add("%mean", "reduce_mean " + last + " axes=[2, 3] keep_dims=false");
  add("%y", "dense %mean, " + constant("%w", fmt::format("3, {}", channels), "he"));
  return text + "  return %y\n}\n";
}

void expect_same_numbers(const Graph &graph, const std::vector<float> &expected,
                         const std::vector<float> &image) {
  Diagnostics diagnostics;
  const auto outputs = run_model(graph, {tensor_of({1, 4, 7, 7}, image)}, diagnostics);
  ASSERT_TRUE(outputs) << diagnostics.to_string();
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(outputs->front().floats()[i], expected[i], 2e-5 * (1 + std::abs(expected[i])));
}

TEST(ScaleChannels, KeepsWhatRandomNetworksCompute) {
  size_t absorbed = 0, multiplied = 0, equalized = 0;
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    const std::string text = random_network(random);
    std::optional<Graph> graph = model_of(text);
    ASSERT_TRUE(graph);
    SCOPED_TRACE(text);
    const std::vector<float> image = normal_numbers(4 * 7 * 7, 1, seed);
    Diagnostics diagnostics;
    const std::vector<float> expected =
        values_of(run_model(*graph, {tensor_of({1, 4, 7, 7}, image)}, diagnostics)->front());

    Graph passed = *graph;
    PassContext context{diagnostics};
    ASSERT_TRUE(equalize_channels(passed, context));
    equalized += passed.nodes.size() > graph->nodes.size() ? 1 : 0;
    expect_same_numbers(passed, expected, image);

    for (ValueId value : equalizable_values(*graph)) {
      (absorbs_factors(*graph, value) ? absorbed : multiplied) += 1;
      const std::vector<int64_t> shape = {graph->type(value).shape[1]};
      const ValueId uniform = graph->add_node(
          Random{static_cast<int64_t>(random()), RandomKind::uniform}, {},
          graph->unique_value_name("factors"), TensorType{DType::f32, shape, "", {}});
      scale_channels(*graph, value, uniform);
    }
    ASSERT_TRUE(graph->sort());
    graph->erase_dead_nodes();
    expect_same_numbers(*graph, expected, image);
  }
  EXPECT_GT(absorbed, 20U);
  EXPECT_GT(multiplied, 10U);
  EXPECT_GT(equalized, 20U);
}

/// A depthwise convolution of channels that reach to 1 and to 100, and one that adds them up evenly.
const char *const uneven_model = "model @m(%x: f32[1, 4, 8, 8]) {\n"
                                 "  %w = random(1, he) : f32[4, 4, 3, 3]\n"
                                 "  %k = literal [1, 100, 0.1, 3] : f32[4]\n"
                                 "  %k.1 = reshape %k shape=[4, 1, 1, 1]\n"
                                 "  %w.1 = mul %w, %k.1\n"
                                 "  %a = conv2d %x, %w.1 pad=[1, 1, 1, 1]\n"
                                 "  %h = hard_swish %a\n"
                                 "  %d = random(2, he) : f32[4, 1, 3, 3]\n"
                                 "  %d.1 = div %d, %k.1\n"
                                 "  %c = conv2d %h, %d.1 groups=4\n"
                                 "  %v = random(3, he) : f32[8, 4, 1, 1]\n"
                                 "  %y = conv2d %c, %v\n"
                                 "  return %y\n}\n";

TEST(Calibrate, ChannelsOfOneScaleReachEquallyFar) {
  const std::vector<std::vector<float>> images = small_images();
  std::map<bool, double> errors;
  for (bool equalize : {false, true}) {
    CalibrateOptions how;
    how.equalize = equalize;
    const Result<Calibration> calibration =
        calibrate(*parse(uneven_model), reader_of(images), how, {});
    ASSERT_TRUE(calibration) << calibration.error();
    errors[equalize] = calibration->error;
    EXPECT_EQ(calibration->layers[1].value, "c");
    EXPECT_EQ(calibration->layers[1].equalized, equalize);
  }
  EXPECT_LT(errors[true], errors[false] / 3);
}

/// Means of the channels of %y over the images, by the reference.
std::vector<double> output_means(const Graph &graph, const Constants &constants,
                                 const std::vector<std::vector<float>> &images) {
  std::vector<double> means(8);
  Diagnostics diagnostics;
  for (const std::vector<float> &image : images) {
    const auto outputs =
        interpret(graph, {tensor_of({1, 4, 8, 8}, image)}, constants.provider(graph), diagnostics);
    const std::span<const float> numbers = outputs->front().floats();
    for (size_t i = 0; i < numbers.size(); ++i)
      means[i * means.size() / numbers.size()] += numbers[i];
  }
  return means;
}

TEST(Calibrate, MeansOfChannelsStay) {
  const std::vector<std::vector<float>> images = small_images();
  const std::optional<Graph> graph = model_of(small_model);
  Diagnostics diagnostics;
  const std::vector<double> expected =
      output_means(*graph, *Constants::open(*graph, {}, diagnostics), images);
  std::map<bool, double> off;
  for (bool correct : {false, true}) {
    CalibrateOptions how;
    how.correct_bias = correct;
    const Result<Calibration> calibration =
        calibrate(*parse(small_model), reader_of(images), how, {});
    ASSERT_TRUE(calibration) << calibration.error();
    const Graph &quantized = calibration->model.content().module.models.front();
    const auto constants =
        Constants::open(quantized, {calibration->model.content().tensors, {}}, diagnostics);
    const std::vector<double> means = output_means(quantized, *constants, images);
    for (size_t channel = 0; channel < means.size(); ++channel)
      off[correct] += std::abs(means[channel] - expected[channel]);
  }
  EXPECT_LT(off[true], off[false] / 20);
}

TEST(Calibrate, ErrorsAreOfWhatASoftmaxReads) {
  // Sure of one class: its probabilities hide all errors.
  const std::string text = std::string(small_model)
                               .replace(std::string(small_model).find("  return"), 100,
                                        "  %k = splat 1000 : f32[]\n  %z = mul %y, %k\n  %p = "
                                        "softmax %z axis=1\n  return %p\n}\n");
  const Result<Calibration> calibration =
      calibrate(*parse(text), reader_of(small_images()), {}, {});
  ASSERT_TRUE(calibration) << calibration.error();
  EXPECT_GT(calibration->error, 1e-3);
  EXPECT_LT(calibration->error, 0.05);
}

/// The relative error of the model on the images, by the reference interpreter.
double reference_error(const Model &model, const std::vector<std::vector<float>> &images) {
  const std::optional<Graph> expected = model_of(small_model);
  Graph graph = model.content().module.models.front();
  Diagnostics diagnostics;
  const auto constants = Constants::open(graph, {model.content().tensors, {}}, diagnostics);
  double difference = 0, size = 0;
  for (const std::vector<float> &image : images) {
    const Tensor input = tensor_of({1, 4, 8, 8}, image);
    const auto outputs = interpret(graph, {input}, constants->provider(graph), diagnostics);
    const auto reference = run_model(*expected, {input}, diagnostics);
    for (size_t i = 0; i < reference->front().floats().size(); ++i) {
      const double number = reference->front().floats()[i];
      difference += std::pow(outputs->front().floats()[i] - number, 2);
      size += number * number;
    }
  }
  return std::sqrt(difference / size);
}

TEST(Calibrate, ErrorsAreThoseOfTheText) {
  const std::vector<std::vector<float>> images = small_images();
  for (size_t keep_float : {0, 1, 2}) {
    CalibrateOptions how;
    how.keep_float = keep_float;
    const Result<Calibration> calibration =
        calibrate(*parse(small_model), reader_of(images), how, {});
    ASSERT_TRUE(calibration) << calibration.error();
    const double expected = reference_error(calibration->model, images);
    EXPECT_NEAR(calibration->error, expected, 0.02 * expected + 1e-6);
    EXPECT_EQ(std::ranges::count(calibration->layers, false, &CalibratedLayer::quantized),
              static_cast<std::ptrdiff_t>(keep_float));
    EXPECT_LT(calibration->error, keep_float == 2 ? 1e-6 : 0.05);
  }
}

TEST(Calibrate, KeepsAsManyLayersFloatAsTheErrorNeeds) {
  const std::vector<std::vector<float>> images = small_images();
  auto error_without = [&](size_t keep_float) {
    CalibrateOptions how;
    how.keep_float = keep_float;
    return calibrate(*parse(small_model), reader_of(images), how, {})->error;
  };
  CalibrateOptions how;
  how.max_error = (error_without(0) + error_without(1)) / 2;
  const Result<Calibration> calibration =
      calibrate(*parse(small_model), reader_of(images), how, {});
  ASSERT_TRUE(calibration) << calibration.error();
  EXPECT_LE(calibration->error, *how.max_error);
  EXPECT_EQ(std::ranges::count(calibration->layers, false, &CalibratedLayer::quantized), 1);
}

TEST(Calibrate, SaysWhatIsWrong) {
  auto error = [](const std::string &text, const std::vector<std::vector<float>> &images) {
    return std::string(calibrate(*parse(text), reader_of(images), {}, {}).error());
  };
  EXPECT_EQ(error(small_model, {}), "cnnc: error: there are no images to calibrate with: name .npy "
                                    "files, as in --calibrate 'images/*.npy'\n");
  std::vector<std::vector<float>> images = small_images();
  images[1][17] = std::nanf("");
  EXPECT_EQ(error(small_model, images),
            "cnnc: error: image 2 of %x has a NaN or an infinity: leave it out\n");
  EXPECT_EQ(error("model @m(%x: f32[1, 4]) {\n  %y = relu %x\n  return %y\n}\n", {}),
            "cnnc: error: there is nothing to quantise: the model has no conv2d or dense of f32 "
            "whose filter is a constant\n");
  EXPECT_EQ(error("model @m(%x: f32[1, 4]) {\n  %w = splat 1 : f32[4, 4]\n  %l = log %x\n"
                  "  %y = dense %l, %w\n  return %y\n}\n",
                  {{1, 2, 0, 3}}),
            "cnnc: error: %l has a NaN or an infinity for image 1: integers represent neither\n");
}

// ---- LeNet

constexpr size_t pixels = 784, classes = 10, digit_count = 2000;

struct Digits {
  std::vector<uint8_t> labels;
  std::vector<std::vector<float>> images;
};

/// The format is described in examples/lenet/digits.py.
Digits read_digits() {
  std::ifstream file(CNNC_SOURCE_DIR "/examples/lenet/held_out_digits.bin", std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  Digits digits;
  for (size_t at = 16; at + pixels < bytes.size(); at += 1 + pixels) {
    digits.labels.push_back(static_cast<uint8_t>(bytes[at]));
    std::vector<float> &image = digits.images.emplace_back();
    for (size_t i = 1; i <= pixels; ++i)
      image.push_back(static_cast<float>(static_cast<uint8_t>(bytes[at + i])) / 255);
  }
  return digits;
}

size_t read_right(const Model &model, const Digits &digits) {
  const Result<Program> program = jit(model);
  EXPECT_TRUE(program) << program.error();
  size_t right = 0;
  for (size_t i = 0; program && i < digits.images.size(); ++i) {
    std::array<float, classes> probabilities = {};
    EXPECT_TRUE(program->run({digits.images[i].data()}, {probabilities.data()}));
    right += std::ranges::max_element(probabilities) - probabilities.begin() == digits.labels[i];
  }
  return right;
}

TEST(Calibrate, LeNetReadsDigitsAsWell) {
  const Digits digits = read_digits();
  ASSERT_EQ(digits.images.size(), digit_count);
  std::vector<std::vector<float>> every_20th;
  for (size_t i = 0; i < digit_count; i += 20)
    every_20th.push_back(digits.images[i]);
  const Result<Model> lenet = load(CNNC_SOURCE_DIR "/examples/lenet/lenet.ir");
  ASSERT_TRUE(lenet) << lenet.error();
  const size_t expected = read_right(*lenet, digits);
  for (RangeMethod method : {RangeMethod::min_max, RangeMethod::percentile, RangeMethod::mse}) {
    CalibrateOptions how;
    how.method = method;
    const Result<Calibration> calibration = calibrate(*lenet, reader_of(every_20th), how);
    ASSERT_TRUE(calibration) << calibration.error();
    EXPECT_EQ(calibration->layers.size(), 5U);
    EXPECT_NEAR(static_cast<double>(read_right(calibration->model, digits)),
                static_cast<double>(expected), 0.002 * digit_count);
  }
}

} // namespace

} // namespace cnnc
