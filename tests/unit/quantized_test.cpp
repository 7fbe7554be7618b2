// Integer kernels: random quantised models give the bits of the reference interpreter, on every
// instruction set and with any number of threads.
#include "compiler/cnnc.h"
#include "compiler/codegen/target/target.h"
#include "compiler/graph_passes/graph_passes.h"
#include "ir/graph/printer.h"
#include "tests/unit/property_models.h"
#include "tests/unit/test_models.h"

#include <cstring>

namespace cnnc {

namespace {

/// The text of a convolution of quantised numbers, and of what stands around it in networks.
class QuantizedText {
public:
  explicit QuantizedText(Choices &choices) : choices_(choices) {}

  std::string convolution() {
    const int64_t batch = choices_.between(1, 2);
    choose_channels();
    const int64_t kh = choices_.between(1, 3), kw = choices_.between(1, 3);
    const int64_t h = choices_.between(kh, 11), w = choices_.between(kw, 17);
    input(fmt::format("{}, {}, {}, {}", batch, inputs_, h, w));
    weights(fmt::format("{}, {}, {}, {}", outputs_, inputs_ / groups_, kh, kw));
    const int64_t stride = choices_.between(1, 2);
    line("%c = conv2d %x, %w{} stride=[{}, {}] pad=[{}, {}, {}, {}] groups={}",
         choices_.between(0, 1) ? ", %b" : "", stride, stride, choices_.between(0, kh - 1),
         choices_.between(0, kw - 1), choices_.between(0, kh - 1), choices_.between(0, kw - 1),
         groups_);
    return finish(true);
  }

  std::string dense() {
    inputs_ = choices_.between(1, 70);
    outputs_ = choices_.between(1, 50);
    input(fmt::format("{}, {}", choices_.between(1, 3), inputs_));
    weights(fmt::format("{}, {}", outputs_, inputs_));
    line("%c = dense %x, %w{}", choices_.between(0, 1) ? ", %b" : "");
    return finish(false);
  }

  /// Ops without weights between quantised numbers.
  std::string map() {
    inputs_ = outputs_ = choices_.between(1, 40);
    const int64_t h = choices_.between(2, 9), w = choices_.between(2, 9);
    input(fmt::format("{}, {}, {}, {}", choices_.between(1, 2), inputs_, h, w));
    switch (choices_.between(0, 8)) {
    case 0:
      other_numbers();
      line("%c = add %x, %o");
      break;
    case 1:
      other_numbers();
      line("%c = mul %x, %o");
      break;
    case 2:
      other_numbers();
      line("%s = sub %x, %o");
      line("%c = div %s, %gate");
      break;
    case 3:
      line("%c = avg_pool2d %x kernel=[2, 2] pad=[0, 1, 1, 0] stride=[{}, 1]",
           choices_.between(1, 2));
      break;
    case 4:
      line("%g = global_avg_pool2d %x");
      line("%c = mul %x, %g");
      break;
    case 5:
      line("%c = resize2d %x sizes=[{}, {}] mode={} coordinates={}", choices_.between(1, 20),
           choices_.between(1, 20), choices_.between(0, 3) ? "linear" : "cubic",
           choices_.between(0, 1) ? "half_pixel" : "align_corners");
      break;
    case 6:
      line("%c = resize2d %x sizes=[{}, {}]", choices_.between(1, 20), choices_.between(1, 20));
      break;
    case 7:
      line("%p = pad %x before=[0, 0, 1, 2] after=[0, 0, 0, 1] value=0.04");
      line("%c = slice %p starts=[1, 1] ends=[{}, {}] axes=[2, 3]", h + 1, w + 2);
      break;
    default:
      line("%t = transpose %x permutation=[0, 2, 1, 3]");
      line("%i = literal [1, 0, 0, -1] : i64[4]");
      line("%c = gather %t, %i axis=1");
    }
    return finish(true);
  }

  /// A product of matrices, with a constant on the right, of two inputs, or of one with itself.
  std::string product() {
    const int64_t i = choices_.between(1, 20);
    const bool square = choices_.between(0, 4) == 0;
    const int64_t k = square ? i : choices_.between(1, 70);
    outputs_ = choices_.between(1, 50);
    const int64_t rank = choices_.between(2, 4);
    const std::string images = rank == 2 ? "" : rank == 3 ? "2, " : "2, 3, ";
    input(fmt::format("{}{}, {}", images, i, k));
    if (square) {
      line("%c = matmul %x, %x");
      return finish(false);
    }
    if (choices_.between(0, 1)) {
      line("%f = random({}, he) : f32[{}, {}]", choices_.between(1, 1000), k, outputs_);
      line("%s = random({}, uniform) : f32[{}]", choices_.between(1, 1000), outputs_);
      line("%small = splat 0.01 : f32[]");
      line("%scales = mul %s, %small");
      const bool each = choices_.between(0, 1);
      const std::string of = each ? ", %scales axis=1" : " scale=0.013";
      line("%w.q = quantize %f{} to=i8", of);
      line("%w = dequantize %w.q{}", of);
    } else {
      parameter_ +=
          fmt::format(", %u: f32[{}{}, {}]", choices_.between(0, 1) ? images : "", k, outputs_);
      const int64_t zero_point = choices_.between(0, 2) ? choices_.between(-20, 20) : 0;
      const bool is_signed = choices_.between(0, 1);
      const std::string of =
          fmt::format(" scale=0.03 zero_point={}", is_signed ? zero_point : 128 + zero_point);
      line("%w.q = quantize %u{} to={}", of, is_signed ? "i8" : "u8");
      line("%w = dequantize %w.q{}", of);
    }
    line("%c = matmul %x, %w");
    return finish(false);
  }

  /// A function of one number, of all there are.
  std::string table() {
    const bool is_signed = choices_.between(0, 1);
    parameter_ = "%v: f32[1, 4, 8, 8]";
    line("%q0 = quantize %v to={}", is_signed ? "i8" : "u8");
    line("%x = dequantize %q0 scale=0.{}5 zero_point={}", choices_.between(0, 2),
         choices_.between(0, 127));
    static constexpr const char *functions[] = {"sigmoid", "tanh",     "silu", "hard_swish",
                                                "gelu",    "softplus", "mish", "hard_sigmoid"};
    line("%f = {} %x", functions[choices_.between(0, 7)]);
    std::string result = "%f";
    if (choices_.between(0, 1)) { // as files spell it, each step quantised
      line("%f.q = quantize %f scale=0.01 zero_point=3 to=u8");
      line("%f.d = dequantize %f.q scale=0.01 zero_point=3");
      line("%p = mul %x, %f.d");
      result = "%p";
    }
    line("%q = quantize {} scale=0.03 zero_point=20 to={}", result,
         choices_.between(0, 1) ? "u8" : "i8");
    return fmt::format("model @m({}) {{\n{}  return %q\n}}\n", parameter_, body_);
  }

private:
  /// Of the shape of the input, or a number for each channel.
  void other_numbers() {
    const size_t first = parameter_.find('[');
    const std::string shape =
        choices_.between(0, 1) ? parameter_.substr(first) : fmt::format("[1, {}, 1, 1]", inputs_);
    parameter_ += ", %u: f32" + shape;
    line("%o.q = quantize %u scale=0.03 zero_point=90 to=u8");
    line("%o = dequantize %o.q scale=0.03 zero_point=90");
    line("%gate = splat 1.7 : f32[]");
  }

  template <class... Arguments>
  void line(fmt::format_string<Arguments...> format, Arguments &&...arguments) {
    body_ += "  " + fmt::format(format, std::forward<Arguments>(arguments)...) + "\n";
  }

  void choose_channels() {
    switch (choices_.between(0, 3)) {
    case 0: // depthwise
      groups_ = inputs_ = outputs_ = choices_.between(2, 40);
      break;
    case 1:
      groups_ = choices_.between(2, 3);
      inputs_ = groups_ * (choices_.between(0, 1) ? 16 : choices_.between(1, 9));
      outputs_ = groups_ * (choices_.between(0, 1) ? 16 : choices_.between(1, 9));
      break;
    default:
      inputs_ = choices_.between(1, 40);
      outputs_ = choices_.between(1, 70);
    }
  }

  void input(const std::string &shape) {
    const bool is_signed = choices_.between(0, 1);
    const int64_t zero_point = choices_.between(0, 255) - (is_signed ? 128 : 0);
    parameter_ = fmt::format("%v: f32[{}]", shape);
    line("%x.q = quantize %v scale=0.02 zero_point={} to={}", zero_point, is_signed ? "i8" : "u8");
    line("%x = dequantize %x.q scale=0.02 zero_point={}", zero_point);
  }

  void weights(const std::string &shape) {
    line("%f = random({}, he) : f32[{}]", choices_.between(1, 1000), shape);
    line("%s = random({}, uniform) : f32[{}]", choices_.between(1, 1000), outputs_);
    line("%small = splat 0.01 : f32[]");
    line("%scales = mul %s, %small");
    line("%b = random({}, he) : f32[{}]", choices_.between(1, 1000), outputs_);
    if (choices_.between(0, 2)) {
      line("%w.q = quantize %f, %scales axis=0 to=i8");
      line("%w = dequantize %w.q, %scales axis=0");
    } else {
      line("%w.q = quantize %f scale=0.013 to=i8");
      line("%w = dequantize %w.q scale=0.013");
    }
  }

  /// What follows a sum, up to the numbers that the next one reads.
  std::string finish(bool map) {
    switch (choices_.between(0, 5)) {
    case 0:
      line("%y = relu %c");
      break;
    case 1:
      line("%y = clip %c min=-0.5 max=2");
      break;
    case 2:
      line("%y = leaky_relu %c alpha=0.25");
      break;
    case 3:
      line("%c.q = quantize %c scale=0.03 zero_point=100 to=u8");
      line("%c.d = dequantize %c.q scale=0.03 zero_point=100");
      line("%y = add %c.d, %c.d");
      break;
    case 4:
      return finish_with(" %c", map && choices_.between(0, 1));
    default:
      line("%y = hard_swish %c");
    }
    return finish_with(" %y", map && choices_.between(0, 1));
  }

  std::string finish_with(const std::string &value, bool mean) {
    line("%q = quantize{} scale=0.05 zero_point={} to={}", value, choices_.between(0, 1) * 60,
         choices_.between(0, 1) ? "u8" : "i8");
    std::string outputs = "%q";
    if (mean) {
      line("%d = dequantize %q scale=0.05");
      line("%m = global_avg_pool2d %d");
      outputs += ", %m";
    }
    return fmt::format("model @m({}) {{\n{}  return {}\n}}\n", parameter_, body_, outputs);
  }

  Choices &choices_;
  int64_t inputs_ = 1, outputs_ = 1, groups_ = 1;
  std::string parameter_, body_;
};

using Outputs = std::vector<std::vector<std::byte>>;

Outputs run(const Program &program, const std::vector<Tensor> &inputs, uint32_t threads) {
  Outputs outputs;
  std::vector<const void *> in;
  std::vector<void *> out;
  for (const Tensor &input : inputs)
    in.push_back(input.bytes().data());
  const cnnc_model_v1 &table = program.table();
  for (uint32_t i = 0; i < table.output_count; ++i)
    outputs.emplace_back(table.outputs[i].size);
  for (std::vector<std::byte> &bytes : outputs)
    out.push_back(bytes.data());
  cnnc_context context = {};
  context.threads = threads;
  const Result<void> ran = program.run(in, out, &context);
  EXPECT_TRUE(ran) << ran.error();
  return outputs;
}

class QuantizedModel : public testing::TestWithParam<std::string> {
protected:
  /// Compares what the pass makes of a text, compiled, with the reference of the same.
  void check(const std::string &text, Choices &choices) {
    SCOPED_TRACE(text);
    std::optional<Graph> graph = model_of(text);
    ASSERT_TRUE(graph);
    Diagnostics diagnostics;
    PassContext context{diagnostics};
    ASSERT_TRUE(canonicalize(*graph, context) && lower_quantized(*graph, context));
    SCOPED_TRACE(to_string(*graph));
    std::vector<Tensor> inputs;
    for (ValueId id : graph->inputs) {
      inputs.emplace_back(logical_type(graph->type(id), 1));
      for (float &element : inputs.back().mutable_floats())
        element = choices.number() * 3;
    }
    std::optional<std::vector<Tensor>> expected = run_model(*graph, inputs, diagnostics);
    ASSERT_TRUE(expected) << diagnostics.to_string();
    std::optional<std::vector<Tensor>> written = run_model(*model_of(text), inputs, diagnostics);
    ASSERT_TRUE(written) << diagnostics.to_string();
    expect_few_steps((*expected)[0], (*written)[0]);
    compare(text, inputs, *expected);
  }

  /// Of two tensors of u8 or i8. One that lies between two steps may make two in what reads it.
  static void expect_few_steps(const Tensor &a, const Tensor &b) {
    ASSERT_EQ(a.type().dtype, b.type().dtype);
    const bool is_signed = a.type().dtype == DType::i8;
    auto number = [&](const Tensor &tensor, int64_t i) {
      const auto at = static_cast<size_t>(i);
      return is_signed ? int(tensor.elements<int8_t>()[at]) : int(tensor.elements<uint8_t>()[at]);
    };
    for (int64_t i = 0; i < a.count(); ++i)
      ASSERT_LE(std::abs(number(a, i) - number(b, i)), 2) << "element " << i;
  }

  /// Compares a text, compiled, with the reference of the text as it was written.
  void check_as_written(const std::string &text) {
    SCOPED_TRACE(text);
    std::optional<Graph> graph = model_of(text);
    ASSERT_TRUE(graph);
    Tensor input(logical_type(graph->type(graph->inputs[0]), 1));
    for (int64_t i = 0; i < input.count(); ++i)
      input.mutable_floats()[static_cast<size_t>(i)] = static_cast<float>(
          graph->type(graph->nodes[0].results[0]).dtype == DType::u8 ? i : i - 128);
    Diagnostics diagnostics;
    std::optional<std::vector<Tensor>> expected = run_model(*graph, {input}, diagnostics);
    ASSERT_TRUE(expected) << diagnostics.to_string();
    compare(text, {input}, *expected);
  }

  void compare(const std::string &text, const std::vector<Tensor> &inputs,
               const std::vector<Tensor> &expected) {
    Outputs wanted;
    for (const Tensor &tensor : expected)
      wanted.emplace_back(tensor.bytes().begin(), tensor.bytes().end());
    Options options;
    options.cpu = GetParam();
    Result<Model> model = parse(text);
    ASSERT_TRUE(model) << model.error();
    Result<Program> program = jit(*model, options);
    ASSERT_TRUE(program) << program.error();
    for (uint32_t threads : {1u, 2u, 3u})
      EXPECT_EQ(run(*program, inputs, threads), wanted) << threads << " threads";
  }

  static bool runs_here() {
    Diagnostics diagnostics;
    std::optional<codegen::Target> target = codegen::resolve_target(GetParam(), "", diagnostics);
    return target && codegen::runs_on_host(*target);
  }
};

TEST_P(QuantizedModel, GivesTheBitsOfTheReference) {
  if (!runs_here())
    GTEST_SKIP() << "this machine has no " << GetParam();
  for (uint32_t seed = 1; seed <= 40 && !HasFailure(); ++seed) {
    Choices choices(seed);
    QuantizedText text(choices);
    const std::string model = seed % 4 == 0 ? text.dense() : text.convolution();
    check(model, choices);
  }
}

TEST_P(QuantizedModel, GivesTheBitsOfTheReferenceWithoutWeights) {
  if (!runs_here())
    GTEST_SKIP() << "this machine has no " << GetParam();
  for (uint32_t seed = 1; seed <= 40 && !HasFailure(); ++seed) {
    Choices choices(seed);
    check(QuantizedText(choices).map(), choices);
  }
}

TEST_P(QuantizedModel, MultipliesMatricesToTheBit) {
  if (!runs_here())
    GTEST_SKIP() << "this machine has no " << GetParam();
  for (uint32_t seed = 1; seed <= 30 && !HasFailure(); ++seed) {
    Choices choices(seed);
    check(QuantizedText(choices).product(), choices);
  }
}

TEST_P(QuantizedModel, LooksUpFunctionsOfOneNumber) {
  if (!runs_here())
    GTEST_SKIP() << "this machine has no " << GetParam();
  for (uint32_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
    Choices choices(seed);
    check_as_written(QuantizedText(choices).table());
  }
}

INSTANTIATE_TEST_SUITE_P(Cpus, QuantizedModel,
                         testing::Values("x86-64", "haswell", "x86-64-v4", "cascadelake"),
                         [](const auto &row) {
                           std::string name = row.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

} // namespace

} // namespace cnnc
