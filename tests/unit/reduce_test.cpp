// Models that are made smaller while something planted in them is still there.
#include "compiler/api/session.h"
#include "tests/unit/test_files.h"

#include <algorithm>
#include <set>

namespace cnnc {
namespace {

const Graph &graph_of(const Model &model) { return model.content().module.models.front(); }
std::string text_of(const Model &model) { return to_string(model.content().module); }

/// Whether an op of the first kind reads what one of the second kind computes.
template <class Reader, class Producer> bool reads(const Model &model) {
  const Graph &graph = graph_of(model);
  return std::ranges::any_of(graph.nodes, [&](const Node &node) {
    if (!std::holds_alternative<Reader>(node.op))
      return false;
    const NodeId producer = graph.value(node.operands[0]).producer;
    return producer != no_id && std::holds_alternative<Producer>(graph.nodes[producer].op);
  });
}

template <class Wanted> bool has(const Model &model) {
  return std::ranges::any_of(graph_of(model).nodes, [](const Node &node) {
    return std::holds_alternative<Wanted>(node.op);
  });
}

std::string reduced(const Model &model, const std::function<bool(const Model &)> &test) {
  Result<Model> result = reduce(model, test);
  EXPECT_TRUE(result) << result.error();
  return result ? text_of(*result) : "";
}

Model example(const std::string &file) {
  return *load(std::string(CNNC_SOURCE_DIR) + "/examples/" + file);
}

/// Two branches, joined, in front of an atrous convolution, with a head behind it.
constexpr const char *branches = R"(
  model @branches(%image: f32[2, 3, 32, 32]) {
    %w1 = random(1, he) : f32[16, 3, 3, 3]
    %c1 = conv2d %image, %w1 pad=[1, 1, 1, 1] : f32[2, 16, 32, 32]
    %r1 = relu %c1
    %w2 = random(2, he) : f32[8, 16, 1, 1]
    %b2 = random(3, uniform) : f32[8]
    %left = conv2d %r1, %w2, %b2
    %w3 = random(4, he) : f32[8, 16, 5, 5]
    %right = conv2d %r1, %w3 pad=[2, 2, 2, 2]
    %both = concat %left, %right axis=1
    %w4 = random(5, he) : f32[16, 16, 3, 3]
    %atrous = conv2d %both, %w4 pad=[2, 2, 2, 2] dilation=[2, 2]
    %sum = add %r1, %atrous
    %mean = global_avg_pool2d %sum
    %flat = flatten %mean
    %w5 = random(6, he) : f32[10, 16]
    %y = dense %flat, %w5
    return %y, %r1
  })";

bool atrous_after_concat(const Model &model) {
  const Graph &graph = graph_of(model);
  return std::ranges::any_of(graph.nodes, [&](const Node &node) {
    const Conv2d *conv = std::get_if<Conv2d>(&node.op);
    const NodeId producer = conv ? graph.value(node.operands[0]).producer : no_id;
    return conv && conv->dilation[0] == 2 && producer != no_id &&
           std::holds_alternative<Concat>(graph.nodes[producer].op);
  });
}

TEST(Reduce, WhatIsPlantedRemains) {
  EXPECT_EQ(reduced(*parse(branches), atrous_after_concat),
            R"(model @m(%x0: f32[1, 1, 1, 1], %x1: f32[1, 1, 1, 1]) {
  %v2 = concat %x0, %x1 axis=1
  %c3 = splat 1 : f32[1, 2, 1, 1]
  %v4 = conv2d %v2, %c3 dilation=[2, 2]
  return %v4
}
)");
}

TEST(Reduce, LeNetToOnePoolAndConvolution) {
  EXPECT_EQ(reduced(example("lenet/lenet.ir"), reads<Conv2d, MaxPool2d>),
            R"(model @m(%x0: f32[1, 1, 3, 3]) {
  %c1 = splat 1 : f32[1, 1, 1, 1]
  %v2 = max_pool2d %x0 kernel=[2, 2]
  %v3 = conv2d %v2, %c1
  return %v3
}
)");
}

TEST(Reduce, ResNetToOneSum) {
  Result<Model> result = reduce(example("nets/resnet18.ir"), reads<Unary, Binary>);
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(text_of(*result), R"(model @m(%x0: f32[1, 1, 1, 1], %x1: f32[1, 1, 1, 1]) {
  %v2 = add %x1, %x0
  %v3 = relu %v2
  return %v3
}
)");
}

/// Channels that have to be many stay so; all that is around them becomes small.
TEST(Reduce, SizesGoAsFarAsTheyCan) {
  auto wide = [](const Model &model) {
    return std::ranges::any_of(graph_of(model).nodes, [&](const Node &node) {
      const Graph &graph = graph_of(model);
      return std::holds_alternative<Conv2d>(node.op) && graph.type(node.operands[1]).shape[0] >= 5;
    });
  };
  EXPECT_EQ(reduced(*parse(branches), wide), R"(model @m(%x0: f32[1, 1, 1, 1]) {
  %c1 = splat 1 : f32[8, 1, 1, 1]
  %v2 = conv2d %x0, %c1
  return %v2
}
)");
}

TEST(Reduce, SizesInAttributesFollow) {
  const Model model = *parse(R"(
    model @sizes(%x: f32[4, 8, 16, 16]) {
      %wide = resize2d %x sizes=[32, 32]
      %a, %b = split %wide axis=1 sizes=[4, 4]
      %sum = add %a, %b
      %rows = reshape %sum shape=[4, 4096]
      %w = random(1, he) : f32[10, 4096]
      %y = dense %rows, %w
      return %y
    })");
  auto all = [](const Model &candidate) {
    return has<Resize2d>(candidate) && has<Split>(candidate) && has<Reshape>(candidate) &&
           reads<Dense, Reshape>(candidate) && reads<Split, Resize2d>(candidate) &&
           reads<Reshape, Binary>(candidate);
  };
  EXPECT_EQ(reduced(model, all), R"(model @m(%x0: f32[1, 2, 1, 1]) {
  %v1 = resize2d %x0 sizes=[2, 2]
  %v2, %v3 = split %v1 axis=1 sizes=[1, 1]
  %v4 = add %v2, %v3
  %v5 = reshape %v4 shape=[1, -1]
  %c6 = splat 1 : f32[1, 4]
  %v7 = dense %v5, %c6
  return %v7
}
)");
}

/// All ops have to stay, and their constants become as small as what they read.
TEST(Reduce, ConstantsFollow) {
  const Model model = *parse(R"(
    model @constants(%x: f32[2, 16, 12, 12]) {
      %scale = random(1, uniform) : f32[16]
      %shift = random(2, uniform) : f32[16]
      %mean = random(3, uniform) : f32[16]
      %variance = random(4, uniform) : f32[16]
      %norm = batch_norm %x, %scale, %shift, %mean, %variance
      %w = random(5, he) : f32[16, 8, 2, 2]
      %up = conv_transpose2d %norm, %w stride=[2, 2]
      %factor = random(6, uniform) : f32[1, 8, 24, 24]
      %scaled = mul %up, %factor
      %m = random(7, he) : f32[24, 10]
      %product = matmul %scaled, %m
      %gain = random(8, uniform) : f32[10]
      %lines = layer_norm %product, %gain
      return %lines
    })");
  auto all = [](const Model &candidate) {
    return reads<ConvTranspose2d, BatchNorm>(candidate) &&
           reads<Binary, ConvTranspose2d>(candidate) && reads<Matmul, Binary>(candidate) &&
           reads<LayerNorm, Matmul>(candidate);
  };
  EXPECT_EQ(reduced(model, all), R"(model @m(%x0: f32[1, 1, 1, 1]) {
  %c1 = splat 1 : f32[1]
  %c2 = splat 1 : f32[1]
  %c3 = splat 1 : f32[1]
  %c4 = splat 1 : f32[1]
  %v5 = batch_norm %x0, %c1, %c2, %c3, %c4
  %c6 = splat 1 : f32[1, 1, 1, 1]
  %v7 = conv_transpose2d %v5, %c6
  %c8 = splat 1 : f32[1, 1, 1, 1]
  %v9 = mul %v7, %c8
  %c10 = splat 1 : f32[1, 1]
  %v11 = matmul %v9, %c10
  %v12 = layer_norm %v11
  return %v12
}
)");
}

TEST(Reduce, DepthwiseConvolutionsStayDepthwise) {
  const Model model = *parse(R"(
    model @depthwise(%x: f32[1, 32, 14, 14]) {
      %w = random(1, he) : f32[32, 1, 3, 3]
      %b = random(2, uniform) : f32[32]
      %y = conv2d %x, %w, %b pad=[1, 1, 1, 1] groups=32
      return %y
    })");
  auto grouped = [](const Model &candidate) {
    return std::ranges::any_of(graph_of(candidate).nodes, [](const Node &node) {
      const Conv2d *conv = std::get_if<Conv2d>(&node.op);
      return conv && conv->groups > 3;
    });
  };
  EXPECT_EQ(reduced(model, grouped), R"(model @m(%x0: f32[1, 4, 1, 1]) {
  %c1 = splat 1 : f32[4, 1, 1, 1]
  %v2 = conv2d %x0, %c1 groups=4
  return %v2
}
)");
}

TEST(Reduce, SchedulesKernelsAndLayoutsGo) {
  const std::string scheduled = *emit(*parse(branches), Stage::graph);
  ASSERT_NE(scheduled.find("schedule("), std::string::npos);
  const std::string small = reduced(*parse(scheduled), has<Conv2d>);
  EXPECT_EQ(small.find("kernel"), std::string::npos) << small;
  EXPECT_EQ(small.find("nchw"), std::string::npos) << small;
  auto kernel = [](const Model &model) { return !graph_of(model).kernels.empty(); };
  EXPECT_EQ(reduced(*parse(scheduled), kernel), R"(model @m(%x0: f32[1, 1, 1, 1]) {
  kernel @k0(%x0) -> (%v1) {
    %v1 = relayout %x0 : f32[1, 1, 1, 1]
  }
  return %v1
}
)");
}

TEST(Reduce, LoopsThatNobodyCallsGo) {
  const std::string loops = *emit(*parse(branches), Stage::loops);
  auto one_call = [](const Model &model) { return has<Call>(model); };
  Result<Model> result = reduce(*parse(loops), one_call);
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->content().module.kernels.size(), 1U);
}

TEST(Reduce, UpdatesOfInputsGo) {
  const Model model = *parse(R"(
    model @step(%x: f32[4], %w: f32[4], %unused: f32[2]) {
      %loss = reduce_sum %x axes=[0] keep_dims=false
      %next = add %w, %x
      return %loss, %next in %w
    })");
  EXPECT_EQ(reduced(model, has<Binary>), R"(model @m(%x0: f32[1], %x1: f32[1]) {
  %v2 = add %x1, %x0
  return %v2
}
)");
}

/// Weights that the test needs stay, and no others.
TEST(Reduce, WeightsThatAreNeededStay) {
  auto first_weight = [](const Model &model) {
    return std::ranges::any_of(graph_of(model).nodes, [](const Node &node) {
      const Weight *weight = std::get_if<Weight>(&node.op);
      return weight && weight->key == "conv1.weight";
    });
  };
  Result<Model> result = reduce(example("lenet/lenet.ir"), first_weight);
  ASSERT_TRUE(result) << result.error();
  ASSERT_EQ(result->content().tensors->tensors.size(), 1U);
  EXPECT_EQ(result->content().tensors->tensors[0].name, "conv1.weight");
  EXPECT_TRUE(check(*result)) << check(*result).error();
}

/// All that the test sees has types that fit, nothing comes twice, and every run is the same.
TEST(Reduce, CandidatesAreRight) {
  std::vector<std::string> seen[2];
  for (std::vector<std::string> &texts : seen)
    reduced(*parse(branches), [&](const Model &model) {
      texts.push_back(text_of(model));
      Result<void> checked = check(model);
      EXPECT_TRUE(checked) << checked.error() << texts.back();
      return atrous_after_concat(model);
    });
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(std::set(seen[0].begin(), seen[0].end()).size(), seen[0].size());
}

/// The names of a kind of change come with how far it is.
TEST(Reduce, RemarksSayHowFarItIs) {
  std::vector<std::string> remarks;
  Options options;
  options.remark = [&](const std::string &text) { remarks.push_back(text); };
  ASSERT_TRUE(reduce(*parse(branches), atrous_after_concat, options));
  ASSERT_FALSE(remarks.empty());
  EXPECT_NE(remarks.front().find("erase ops: "), std::string::npos) << remarks.front();
  EXPECT_NE(remarks.back().find("2 ops, "), std::string::npos) << remarks.back();
}

TEST(Reduce, NothingToReduce) {
  Result<Model> never = reduce(*parse(branches), [](const Model &) { return false; });
  EXPECT_NE(never.error().find("there is nothing to reduce: the test does not succeed"),
            std::string::npos);
  Result<Model> wrong = reduce(*parse("model @m(%x: f32[1]) { %y = dense %x, %x return %y }"),
                               [](const Model &) { return true; });
  EXPECT_NE(wrong.error().find("<memory>:1:"), std::string::npos) << wrong.error();
}

} // namespace
} // namespace cnnc
