// Every op is lowered in many random shapes, attributes and layouts, its loops are run, and the
// result is compared with the reference. Operands have numbers instead of zeros in the lanes that
// blocked layouts add, because nobody may read those into an element of the result.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/lowering/lowering.h"
#include "compiler/physical.h"
#include "compiler/reference/evaluate.h"
#include "ir/graph/parser.h"
#include "ir/loop/parser.h"
#include "tests/unit/loop_interpreter.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <random>

namespace cnnc {
namespace {

using Shape = std::vector<int64_t>;

constexpr int rounds = 40; // random cases per row of the table

/// Random choices, the same on every machine.
class Choices {
public:
  explicit Choices(uint32_t seed) : engine_(seed) {}
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint32_t>(high - low + 1));
  }
  bool flip() { return between(0, 1) == 1; }
  float number() { return static_cast<float>(between(-4000, 4000)) / 1000; }
  template <class T> T one_of(std::initializer_list<T> items) {
    return items.begin()[between(0, static_cast<int64_t>(items.size()) - 1)];
  }

private:
  std::mt19937 engine_;
};

std::string list(const Shape &numbers) { return fmt::format("[{}]", fmt::join(numbers, ", ")); }

/// The text of one op and its operands: `%y = OP : RESULT` in a model with INPUTS as parameters.
struct Case {
  std::string inputs, op, results = "%y";
};

/// A layout for activations of rank 4 that both operands and result may have: blocks or none, and a
/// halo of its own for each.
class Layouts {
public:
  explicit Layouts(Choices &choices)
      : choices_(choices), blocks_(choices.one_of({"", " nchw16c", " nchw8c", " nchw16c"})) {}
  /// ` nchw16c halo=[1, 0, 2, 1]`. Seldom other blocks than the others.
  std::string next() {
    bool odd = choices_.between(0, 7) == 0;
    std::string text = odd ? choices_.one_of({"", " nchw16c", " nchw4c"}) : blocks_;
    if (choices_.flip())
      text += " halo=" + list({choices_.between(0, 2), choices_.between(0, 2),
                               choices_.between(0, 2), choices_.between(0, 2)});
    return text;
  }
  bool blocked() const { return *blocks_ != 0; }

private:
  Choices &choices_;
  const char *blocks_;
};

std::string f32(const Shape &shape, const std::string &layout = "") {
  return "f32" + list(shape) + layout;
}

// ---- running a case

std::vector<float> to_floats(const std::vector<std::byte> &bytes) {
  std::vector<float> result(bytes.size() / sizeof(float));
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

std::vector<float> physical(const Tensor &tensor, const TensorType &type) {
  std::vector<std::byte> memory(static_cast<size_t>(*byte_size(type)));
  write_physical(tensor, type, memory);
  return to_floats(memory);
}

/// 1 for every element of the physical tensor that holds one of the logical, with `lanes` also for
/// the lanes that blocks add; 0 for the others.
std::vector<float> mask(TensorType type, bool lanes) {
  if (lanes)
    type.shape = loop_extents(type);
  Tensor ones(type);
  for (float &element : ones.mutable_floats())
    element = 1;
  return physical(ones, type);
}

Tensor random_tensor(const TensorType &type, Choices &choices) {
  Tensor tensor(type);
  for (float &element : tensor.mutable_floats())
    element = choices.number();
  return tensor;
}

/// The operand in its layout, with 7 in the added lanes.
std::vector<float> operand_memory(const Tensor &tensor, const TensorType &type) {
  std::vector<float> memory = physical(tensor, type);
  std::vector<float> elements = mask(type, false), lanes = mask(type, true);
  for (size_t i = 0; i < memory.size(); ++i)
    if (lanes[i] != elements[i])
      memory[i] = 7;
  return memory;
}

loop::Buffer buffer_of(const Graph &graph, ValueId id) {
  const TensorType &type = graph.type(id);
  return {"b_" + graph.value(id).name, type.dtype, physical_shape(type)};
}

/// A kernel of the one node, with the halo of its results set to zero.
std::optional<loop::Kernel> lower_node(const Graph &graph, PassContext &context) {
  const Node &node = graph.nodes.front();
  loop::Kernel kernel;
  kernel.name = "k";
  std::map<ValueId, std::string> names;
  for (ValueId id : node.operands)
    if (names.emplace(id, buffer_of(graph, id).name).second)
      kernel.inputs.push_back(buffer_of(graph, id));
  for (ValueId id : node.results) {
    names.emplace(id, buffer_of(graph, id).name);
    kernel.outputs.push_back(buffer_of(graph, id));
    for (loop::Statement &statement : zero_halo(graph.type(id), names[id]))
      kernel.body.push_back(std::move(statement));
  }
  if (!Lowering(graph, kernel, context, names).lower(node))
    return std::nullopt;
  return kernel;
}

/// The kernel, printed and read again.
std::optional<loop::Kernel> through_text(const loop::Kernel &kernel, Diagnostics &diagnostics) {
  auto source = std::make_shared<Source>(Source{"kernel", loop::to_string(kernel)});
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  return loop::parse_kernel(cursor);
}

void compare(const std::vector<float> &memory, const Tensor &expected, const TensorType &type) {
  std::vector<float> values = physical(expected, type);
  std::vector<float> elements = mask(type, false), lanes = mask(type, true);
  ASSERT_EQ(memory.size(), values.size());
  for (size_t i = 0; i < memory.size(); ++i) {
    if (elements[i] == 1)
      ASSERT_NEAR(memory[i], values[i], 1e-4 + 1e-4 * std::abs(values[i])) << "at " << i;
    else if (lanes[i] == 1)
      ASSERT_TRUE(std::isfinite(memory[i])) << "added lane at " << i << " is " << memory[i];
    else
      ASSERT_EQ(memory[i], 0) << "halo at " << i;
  }
}

Graph parse_case(const Case &c, Diagnostics &diagnostics) {
  std::string text =
      fmt::format("model @m({}) {{\n  {} = {}\n  return %y\n}}\n", c.inputs, c.results, c.op);
  auto source = std::make_shared<Source>(Source{"case", text});
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  std::optional<Graph> graph = parse_graph(cursor);
  PassContext context{diagnostics, {}, {}};
  EXPECT_TRUE(graph && infer_shapes(*graph, context)) << text << diagnostics.to_string();
  return graph ? std::move(*graph) : Graph();
}

/// Runs a case on the operands that `make_operand` gives.
template <class MakeOperand> void run_case(const Case &c, MakeOperand make_operand) {
  Diagnostics diagnostics;
  Graph graph = parse_case(c, diagnostics);
  ASSERT_EQ(diagnostics.to_string(), "");
  PassContext context{diagnostics, {}, {}};
  std::optional<loop::Kernel> kernel = lower_node(graph, context);
  ASSERT_TRUE(kernel) << diagnostics.to_string();
  SCOPED_TRACE(loop::to_string(*kernel));
  std::optional<loop::Kernel> reread = through_text(*kernel, diagnostics);
  ASSERT_TRUE(reread) << diagnostics.to_string();
  EXPECT_EQ(reread->body, kernel->body) << loop::to_string(*reread);

  const Node &node = graph.nodes.front();
  std::map<ValueId, Tensor> tensors;
  std::vector<const Tensor *> operands;
  loop::Buffers buffers;
  for (ValueId id : node.operands) {
    const TensorType &type = graph.type(id);
    if (!tensors.count(id))
      tensors.emplace(id, make_operand(with_batch(type, 1), operands.size()));
    operands.push_back(&tensors.at(id));
    buffers[buffer_of(graph, id).name] = operand_memory(tensors.at(id), with_batch(type, 1));
  }
  std::vector<TensorType> types;
  for (ValueId id : node.results)
    types.push_back(with_batch(graph.type(id), 1));
  std::optional<std::vector<Tensor>> expected = evaluate(node.op, operands, types, diagnostics);
  ASSERT_TRUE(expected) << diagnostics.to_string();

  std::string error;
  ASSERT_TRUE(loop::run_loops(*kernel, buffers, error)) << error;
  for (size_t i = 0; i < node.results.size(); ++i)
    compare(buffers[buffer_of(graph, node.results[i]).name], (*expected)[i], types[i]);
}

// ---- the ops

std::string activation(Choices &r, Layouts &layouts, Shape &shape) {
  shape = {r.between(1, 2), r.between(1, 37), r.between(1, 9), r.between(1, 9)};
  return "%x: " + f32(shape, layouts.next());
}

Case random_conv(Choices &r, const Shape &groups_ic_oc) {
  Layouts layouts(r);
  int64_t groups = groups_ic_oc[0], ic = groups_ic_oc[1] * groups, oc = groups_ic_oc[2] * groups;
  Shape kernel = {r.between(1, 3), r.between(1, 3)}, stride = {r.between(1, 3), r.between(1, 3)};
  Shape dilation = {r.between(1, 2), r.between(1, 2)};
  Shape pad = {r.between(0, 2), r.between(0, 2), r.between(0, 2), r.between(0, 2)}, out;
  Shape input = {r.between(1, 2), ic, r.between(5, 8), r.between(5, 8)};
  for (size_t i = 0; i < 2; ++i)
    out.push_back(
        (input[2 + i] + pad[i] + pad[2 + i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1);
  Shape filter = {oc, ic / groups, kernel[0], kernel[1]};
  std::string blocks = layouts.blocked() ? r.one_of({" nchw16c", " nchw8c"}) : "";
  int64_t size = blocks.empty() ? 1 : std::stoll(blocks.substr(5));
  // A group of channels that is not a multiple of the block would be split across the lanes of a
  // block of the filter.
  bool pack = size > 1 && (groups == 1 || groups_ic_oc[2] % size == 0);
  bool depthwise = groups > 1 && groups_ic_oc[1] == 1 && groups_ic_oc[2] == 1;
  std::string filter_layout, bias_layout, result_layout;
  if (pack || (depthwise && size > 1)) {
    filter_layout = depthwise ? fmt::format(" oihw{}o", size)
                              : fmt::format(" oihw{}i{}o", r.one_of({1, 8, 16}), size);
    bias_layout = fmt::format(" c{}c", size);
    result_layout = blocks;
  }
  bool bias = r.flip();
  return {fmt::format("%x: {}, %w: {}{}", f32(input, blocks + fmt::format(" halo={}", list(pad))),
                      f32(filter, filter_layout), bias ? ", %b: " + f32({oc}, bias_layout) : ""),
          fmt::format("conv2d %x, %w{} stride={} pad={} dilation={} groups={} : {}",
                      bias ? ", %b" : "", list(stride), list(pad), list(dilation), groups,
                      f32({input[0], oc, out[0], out[1]}, result_layout))};
}

Case conv2d(Choices &r) { return random_conv(r, {1, r.between(1, 35), r.between(1, 35)}); }
Case grouped_conv2d(Choices &r) {
  return random_conv(r, {r.between(2, 4), r.between(1, 18), r.one_of<int64_t>({1, 3, 8, 16, 32})});
}
Case depthwise_conv2d(Choices &r) { return random_conv(r, {r.between(2, 35), 1, 1}); }

Case local2d(Choices &r) {
  Layouts layouts(r);
  Shape kernel = {r.between(1, 3), r.between(1, 3)}, pad = {1, r.between(0, 1), 0, 1};
  Shape input = {1, r.between(1, 20), r.between(3, 5), r.between(3, 5)};
  int64_t oc = r.between(1, 5), oh = input[2] + 1 - kernel[0] + 1;
  int64_t ow = input[3] + pad[1] + 1 - kernel[1] + 1;
  std::string blocks = layouts.blocked() ? " nchw8c" : "";
  return {fmt::format("%x: {}, %w: {}, %b: {}", f32(input, blocks + " halo=" + list(pad)),
                      f32({oh, ow, oc, input[1], kernel[0], kernel[1]}), f32({oc, oh, ow})),
          fmt::format("local2d %x, %w, %b pad={} : {}", list(pad), f32({1, oc, oh, ow}))};
}

Case dense(Choices &r) {
  int64_t n = r.between(1, 3), ic = r.between(1, 40), oc = r.between(1, 40);
  bool pack = r.flip();
  return {fmt::format("%x: {}, %w: {}, %b: {}", f32({n, ic}, r.one_of({"", " nc16c"})),
                      f32({oc, ic}, pack ? " oi16o" : ""), f32({oc}, pack ? " c16c" : "")),
          "dense %x, %w, %b : " + f32({n, oc}, pack ? " nc16c" : "")};
}

/// A pool whose windows all touch the input. Plain attributes of ours, ONNX's rules for the size.
Case pool(Choices &r, const std::string &op, const std::string &more, bool dilate) {
  Layouts layouts(r);
  bool ceil_mode = !dilate && r.flip();
  Shape x, kernel, stride, pad(4), out, dilation;
  std::string input;
  auto size = [&](size_t i) {
    int64_t span = x[2 + i] + pad[i] + pad[2 + i] - dilation[i] * (kernel[i] - 1) - 1;
    int64_t count = (span + (ceil_mode ? stride[i] - 1 : 0)) / stride[i] + 1;
    bool starts_behind = ceil_mode && (count - 1) * stride[i] >= x[2 + i] + pad[i];
    return span < 0 ? 0 : count - (starts_behind ? 1 : 0);
  };
  do {
    input = activation(r, layouts, x);
    kernel = {r.between(1, 4), r.between(1, 4)}, stride = {r.between(1, 3), r.between(1, 3)};
    dilation = dilate ? Shape{2, r.between(1, 3)} : Shape{1, 1};
    for (size_t i = 0; i < 4; ++i)
      pad[i] = dilate ? 0 : r.between(0, kernel[i % 2] - 1);
    out = {size(0), size(1)};
  } while (out[0] < 1 || out[1] < 1 || (out[0] - 1) * stride[0] - pad[0] >= x[2] ||
           (out[1] - 1) * stride[1] - pad[1] >= x[3]);
  return {input, fmt::format("{} %x kernel={} stride={} pad={}{}{}{} : {}", op, list(kernel),
                             list(stride), list(pad), ceil_mode ? " ceil_mode=true" : "", more,
                             dilate ? " dilation=" + list(dilation) : "",
                             f32({x[0], x[1], out[0], out[1]}, layouts.next()))};
}

Case max_pool2d(Choices &r) { return pool(r, "max_pool2d", "", false); }
Case dilated_max_pool2d(Choices &r) { return pool(r, "max_pool2d", "", true); }
Case avg_pool2d(Choices &r) { return pool(r, "avg_pool2d", "", false); }
Case padded_avg_pool2d(Choices &r) { return pool(r, "avg_pool2d", " count_padding=true", false); }

Case global_avg_pool2d(Choices &r) {
  Layouts layouts(r);
  Shape x;
  std::string input = activation(r, layouts, x);
  return {input, "global_avg_pool2d %x : " + f32({x[0], x[1], 1, 1}, layouts.next())};
}

Case unary(Choices &r) {
  Layouts layouts(r);
  Shape x;
  std::string input = activation(r, layouts, x);
  std::string op = r.one_of(
      {"relu %x", "leaky_relu %x alpha=0.2", "sigmoid %x", "tanh %x", "clip %x min=-1 max=2",
       "clip %x min=0", "clip %x max=0.5", "hard_sigmoid %x", "hard_sigmoid %x alpha=0.5 beta=0.1",
       "hard_swish %x", "silu %x", "elu %x alpha=1.5", "exp %x", "dropout %x"});
  return {input, op + " : " + f32(x, layouts.next())};
}

Case unary_of_other_rank(Choices &r) {
  Shape shape;
  for (int64_t i = r.one_of<int64_t>({0, 1, 2, 3, 5}); i > 0; --i)
    shape.push_back(r.between(1, 5));
  return {"%x: " + f32(shape), "relu %x : " + f32(shape)};
}

Case symbolic_batch(Choices &r) {
  std::string channels = std::to_string(r.between(1, 20)), block = r.one_of({"", " nchw8c"});
  std::string type = fmt::format("f32[n, {}, 3, 4]{}", channels, block);
  return {fmt::format("%x: {}, %c: f32[{}, 1, 1]", type, channels),
          r.one_of({"add %x, %c", "mul %c, %x", "relu %x", "transpose %x permutation=[0, 3, 2, 1]",
                    "concat %x, %x, %x axis=1", "softmax %x axis=1",
                    "slice %x starts=[1] ends=[9] axes=[2]",
                    "pad %x before=[0, 1, 0, 0] after=[0, 0, 2, 0]", "reduce_mean %x axes=[1]",
                    "global_avg_pool2d %x"})};
}

Case binary(Choices &r) {
  Layouts layouts(r);
  Shape x, y;
  std::string input = activation(r, layouts, x);
  std::string kind = r.one_of({"add", "sub", "mul", "min", "max", "prelu"});
  int64_t missing = r.one_of<int64_t>({0, 0, 1, 2, 3, 4});
  bool same = missing == 0 && r.flip();
  for (size_t i = static_cast<size_t>(missing); i < 4; ++i)
    y.push_back(same || r.flip() ? x[i] : 1);
  std::string layout = y.size() == 4                           ? layouts.next()
                       : y.size() == 3 && r.between(0, 1) == 1 ? " abc16a"
                                                               : "";
  bool swap = kind != "prelu" && r.flip();
  return {input + ", %z: " + f32(y, layout),
          fmt::format("{} {} : {}", kind, swap ? "%z, %x" : "%x, %z", f32(x, layouts.next()))};
}

Case batch_norm(Choices &r) {
  Layouts layouts(r);
  Shape x;
  std::string input = activation(r, layouts, x), vectors;
  for (const char *name : {"s", "b", "m", "v"})
    vectors += fmt::format(", %{}: {}", name, f32({x[1]}, r.one_of({"", " c16c", " c16c"})));
  return {input + vectors, fmt::format("batch_norm %x, %s, %b, %m, %v epsilon={} : {}",
                                       r.one_of({"0.001", "0"}), f32(x, layouts.next()))};
}

Case softmax(Choices &r) {
  Layouts layouts(r);
  Shape x;
  std::string input = activation(r, layouts, x);
  if (r.flip())
    return {input,
            fmt::format("softmax %x axis={} : {}", r.between(-4, 3), f32(x, layouts.next()))};
  std::string layout = r.one_of({"", " nc8c"});
  return {"%x: " + f32({x[0], x[1]}, layout), "softmax %x : " + f32({x[0], x[1]}, layout)};
}

Case reduce_mean(Choices &r) {
  Layouts layouts(r);
  Shape x, axes, kept, squeezed;
  std::string input = activation(r, layouts, x);
  for (int64_t i = 0; i < 4; ++i) {
    bool reduced = r.flip() || (i == 3 && axes.empty());
    if (reduced)
      axes.push_back(r.flip() ? i : i - 4);
    else
      squeezed.push_back(x[static_cast<size_t>(i)]);
    kept.push_back(reduced ? 1 : x[static_cast<size_t>(i)]);
  }
  bool keep = r.flip();
  return {input, fmt::format("reduce_mean %x axes={} keep_dims={} : {}", list(axes), keep,
                             keep ? f32(kept, layouts.next()) : f32(squeezed))};
}

Case concat(Choices &r) {
  Layouts layouts(r);
  Shape x, sum;
  std::string inputs = activation(r, layouts, x), operands = "%x";
  sum = x;
  auto axis = static_cast<size_t>(r.between(0, 3));
  for (int64_t i = r.between(0, 2); i > 0; --i) {
    Shape other = x;
    other[axis] = r.between(1, 20);
    sum[axis] += other[axis];
    inputs += fmt::format(", %z{}: {}", i, f32(other, layouts.next()));
    operands += fmt::format(", %z{}", i);
  }
  return {inputs, fmt::format("concat {} axis={} : {}", operands, axis, f32(sum, layouts.next()))};
}

Case split(Choices &r) {
  Layouts layouts(r);
  Shape x;
  activation(r, layouts, x);
  auto axis = static_cast<size_t>(r.between(1, 3));
  Shape first = x, second = x, whole = x;
  second[axis] = r.between(1, 20);
  whole[axis] += second[axis];
  return {"%x: " + f32(whole, layouts.next()),
          fmt::format("split %x axis={} sizes={} : {}, {}", axis, list({first[axis], second[axis]}),
                      f32(first, layouts.next()), f32(second, layouts.next())),
          "%y, %z"};
}

Case slice(Choices &r) {
  Layouts layouts(r);
  Shape x, starts, ends, axes, steps;
  std::string input = activation(r, layouts, x);
  Shape y = x;
  for (int64_t axis = 0; axis < 4; ++axis) {
    if (r.flip())
      continue;
    int64_t size = x[static_cast<size_t>(axis)], step = r.one_of<int64_t>({1, 2, 3, -1, -2});
    int64_t low = r.between(0, size - 1), high = r.between(low, size - 1);
    axes.push_back(axis);
    steps.push_back(step);
    starts.push_back(step > 0 ? low : high);
    ends.push_back(step > 0 ? high + 1 : low == 0 ? -1 - size : low - 1);
    y[static_cast<size_t>(axis)] = (high - low) / std::abs(step) + 1;
  }
  return {input, fmt::format("slice %x starts={} ends={} axes={} steps={} : {}", list(starts),
                             list(ends), list(axes), list(steps), f32(y, layouts.next()))};
}

Case pad(Choices &r) {
  Layouts layouts(r);
  Shape x, before, after;
  std::string input = activation(r, layouts, x);
  std::string mode = r.one_of({"constant", "constant value=-2.5", "reflect", "edge"});
  Shape y = x;
  for (size_t i = 0; i < 4; ++i) {
    int64_t most = mode == "reflect" ? std::min<int64_t>(3, x[i] - 1) : 3;
    before.push_back(r.flip() ? r.between(0, most) : 0);
    after.push_back(r.flip() ? r.between(0, most) : 0);
    y[i] += before[i] + after[i];
  }
  return {input, fmt::format("pad %x before={} after={} mode={} : {}", list(before), list(after),
                             mode, f32(y, layouts.next()))};
}

Case transpose(Choices &r) {
  Layouts layouts(r);
  Shape x, permutation = {0, 1, 2, 3}, y;
  std::string input = activation(r, layouts, x);
  for (size_t i = 3; i > 0; --i)
    std::swap(permutation[i],
              permutation[static_cast<size_t>(r.between(0, static_cast<int64_t>(i)))]);
  for (int64_t axis : permutation)
    y.push_back(x[static_cast<size_t>(axis)]);
  return {input, fmt::format("transpose %x permutation={} : {}", list(permutation),
                             f32(y, layouts.next()))};
}

Case relayout(Choices &r) {
  Layouts layouts(r), others(r);
  Shape x;
  std::string input = activation(r, layouts, x);
  return {input, "relayout %x : " + f32(x, others.next())};
}

Case relayout_of_filter(Choices &r) {
  Shape filter = {r.between(1, 20), r.between(1, 20), r.between(1, 3), r.between(1, 3)};
  return {"%x: " + f32(filter), "relayout %x : " + f32(filter, " oihw8i16o")};
}

struct Row {
  const char *name;
  Case (*make)(Choices &);
};

class LoweredOp : public testing::TestWithParam<Row> {};

TEST_P(LoweredOp, computes_what_the_reference_does) {
  for (uint32_t seed = 1; seed <= rounds; ++seed) {
    Choices choices(seed * 7919);
    Case c = GetParam().make(choices);
    SCOPED_TRACE(fmt::format("{} = {}\nwith {}", c.results, c.op, c.inputs));
    bool positive = c.op.starts_with("batch_norm"); // its variance is positive
    run_case(c, [&](const TensorType &type, size_t index) {
      Tensor tensor = random_tensor(type, choices);
      if (positive && index == 4)
        for (float &element : tensor.mutable_floats())
          element = 0.5f + std::abs(element);
      return tensor;
    });
    if (HasFatalFailure() || HasNonfatalFailure())
      return;
  }
}

#define ROW(op)                                                                                    \
  Row { #op, op }
INSTANTIATE_TEST_SUITE_P(Ops, LoweredOp,
                         testing::Values(ROW(conv2d), ROW(grouped_conv2d), ROW(depthwise_conv2d),
                                         ROW(local2d), ROW(dense), ROW(max_pool2d),
                                         ROW(dilated_max_pool2d), ROW(avg_pool2d),
                                         ROW(padded_avg_pool2d), ROW(global_avg_pool2d), ROW(unary),
                                         ROW(unary_of_other_rank), ROW(symbolic_batch), ROW(binary),
                                         ROW(batch_norm), ROW(softmax), ROW(reduce_mean),
                                         ROW(concat), ROW(split), ROW(slice), ROW(pad),
                                         ROW(transpose), ROW(relayout), ROW(relayout_of_filter)),
                         [](const auto &info) { return std::string(info.param.name); });
#undef ROW

// ---- what random numbers do not show

/// The result of one op on operands that all have these elements, plain and with static shapes.
std::vector<float> result_of(const Case &c, const std::vector<float> &elements) {
  Diagnostics diagnostics;
  Graph graph = parse_case(c, diagnostics);
  PassContext context{diagnostics, {}, {}};
  std::optional<loop::Kernel> kernel = lower_node(graph, context);
  EXPECT_TRUE(kernel) << diagnostics.to_string();
  loop::Buffers buffers;
  for (const loop::Buffer &buffer : kernel->inputs)
    buffers[buffer.name] = elements;
  std::string error;
  EXPECT_TRUE(loop::run_loops(*kernel, buffers, error)) << error;
  return buffers["b_y"];
}

TEST(Lowering, unary_ops_pass_nan_on_and_bear_infinity) {
  const float inf = INFINITY;
  for (const char *op : {"relu", "leaky_relu", "sigmoid", "tanh", "clip", "clip min=0 max=6",
                         "hard_sigmoid", "hard_swish", "silu", "elu", "exp", "sqrt"}) {
    std::string name = op, attributes;
    if (size_t space = name.find(' '); space != std::string::npos) {
      attributes = name.substr(space);
      name.resize(space);
    }
    Case c{"%x: f32[3]", name + " %x" + attributes};
    std::vector<float> given = {NAN, inf, 1}, results = result_of(c, given);
    EXPECT_TRUE(std::isnan(results[0])) << op;
    EXPECT_FALSE(std::isnan(results[1])) << op;
    EXPECT_FALSE(std::isnan(results[2])) << op;
  }
}

TEST(Lowering, min_and_max_pass_the_nan_of_either_operand_on) {
  for (const char *op : {"min", "max"}) {
    Case c{"%x: f32[2, 1], %z: f32[2]", std::string(op) + " %x, %z"};
    std::vector<float> results = result_of(c, {NAN, -INFINITY});
    for (size_t i = 0; i < 3; ++i)
      EXPECT_TRUE(std::isnan(results[i])) << op << i;
    EXPECT_EQ(results[3], -INFINITY) << op;
  }
}

std::string text_of(const Case &c) {
  Diagnostics diagnostics;
  Graph graph = parse_case(c, diagnostics);
  PassContext context{diagnostics, {}, {}};
  std::optional<loop::Kernel> kernel = lower_node(graph, context);
  return kernel ? loop::to_string(*kernel) : diagnostics.to_string();
}

TEST(Lowering, windows_that_stay_inside_have_constant_loops) {
  std::string text = text_of({"%x: f32[1, 3, 8, 8]", "max_pool2d %x kernel=[2, 2] stride=[2, 2]"});
  EXPECT_EQ(text.find("min("), std::string::npos) << text;
  EXPECT_NE(text.find("kh in 0..2"), std::string::npos) << text;
}

TEST(Lowering, windows_are_clipped_only_where_they_can_leave_the_input) {
  std::string text = text_of(
      {"%x: f32[1, 3, 8, 8]", "max_pool2d %x kernel=[3, 3] stride=[2, 2] pad=[1, 0, 0, 1]"});
  EXPECT_NE(text.find("kh in max(0, 1 - oh * 2)..3"), std::string::npos) << text;
  EXPECT_NE(text.find("kw in 0..min(3, 8 - ow * 2)"), std::string::npos) << text;
}

TEST(Lowering, mean_over_whole_windows_multiplies_by_a_constant) {
  std::string whole = text_of({"%x: f32[1, 3, 8, 8]", "avg_pool2d %x kernel=[2, 2]"});
  EXPECT_NE(whole.find("sum * 0.25"), std::string::npos) << whole;
  std::string padded = text_of(
      {"%x: f32[1, 3, 8, 8]", "avg_pool2d %x kernel=[2, 2] pad=[1, 1, 1, 1] count_padding=true"});
  EXPECT_NE(padded.find("sum * 0.25"), std::string::npos) << padded;
  std::string counted =
      text_of({"%x: f32[1, 3, 8, 8]", "avg_pool2d %x kernel=[2, 2] pad=[1, 1, 1, 1]"});
  EXPECT_NE(counted.find("sum / count"), std::string::npos) << counted;
}

TEST(Lowering, dilated_pools_with_padding_are_rewritten_before) {
  std::string text = text_of(
      {"%x: f32[1, 3, 8, 8]", "max_pool2d %x kernel=[2, 2] dilation=[2, 2] pad=[1, 1, 1, 1]"});
  EXPECT_NE(text.find("internal error: a dilated pool with padding"), std::string::npos) << text;
}

TEST(Lowering, constant_pads_of_two_dimensions_are_five_nests) {
  Diagnostics diagnostics;
  Graph graph = parse_case({"%x: f32[1, 3, 8, 8]", "pad %x before=[0, 0, 1, 1] after=[0, 0, 1, 1]"},
                           diagnostics);
  PassContext context{diagnostics, {}, {}};
  std::optional<loop::Kernel> kernel = lower_node(graph, context);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->body.size(), 5u) << loop::to_string(*kernel);
}

TEST(Lowering, moves_of_integers_keep_their_type) {
  std::string text = text_of({"%x: i32[2, 3]", "transpose %x permutation=[1, 0]"});
  EXPECT_NE(text.find("b_x: i32[2, 3]"), std::string::npos) << text;
  EXPECT_NE(text.find("b_y[n, c] = b_x[c, n]"), std::string::npos) << text;
}

} // namespace
} // namespace cnnc
