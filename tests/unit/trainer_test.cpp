// Training in this process: cnnc::differentiate and cnnc::Trainer.
#include "compiler/cnnc.h"
#include "tests/unit/test_files.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <random>

namespace cnnc {
namespace {

/// Two classes of images: a bright left half, or a bright right one.
constexpr const char *network = R"(
  model @halves(%image: f32[n, 1, 6, 6]) {
    %w = random(1, he) : f32[20, 1, 3, 3]
    %b = random(2, uniform) : f32[20]
    %c = conv2d %image, %w, %b pad=[1, 1, 1, 1]
    %scale = random(3, uniform) : f32[20]
    %shift = random(4, uniform) : f32[20]
    %mean = random(5, uniform) : f32[20]
    %variance = random(6, uniform) : f32[20]
    %norm = batch_norm %c, %scale, %shift, %mean, %variance
    %r = relu %norm
    %p = max_pool2d %r kernel=[2, 2] stride=[2, 2]
    %flat = flatten %p
    %dropped = dropout %flat ratio=0.1
    %w2 = random(7, he) : f32[2, 180]
    %y = dense %dropped, %w2
    return %y
  })";

/// The same with layers whose results are cheap to compute again: norms, activations, a sum, parts
/// that are joined, a pool.
constexpr const char *deep_network = R"(
  model @halves(%image: f32[n, 1, 6, 6]) {
    %w = random(1, he) : f32[20, 1, 3, 3]
    %c = conv2d %image, %w pad=[1, 1, 1, 1]
    %scale = random(3, uniform) : f32[20]
    %shift = random(4, uniform) : f32[20]
    %mean = random(5, uniform) : f32[20]
    %variance = random(6, uniform) : f32[20]
    %norm = batch_norm %c, %scale, %shift, %mean, %variance
    %s = silu %norm
    %w1 = random(7, he) : f32[20, 20, 3, 3]
    %c1 = conv2d %s, %w1 pad=[1, 1, 1, 1]
    %scale1 = random(8, uniform) : f32[20]
    %zeros = splat 0 : f32[20]
    %ones = splat 1 : f32[20]
    %norm1 = batch_norm %c1, %scale1, %zeros, %zeros, %ones
    %sum = add %norm1, %s
    %s1 = gelu %sum
    %both = concat %s1, %s axis=1
    %w3 = random(9, he) : f32[12, 40, 1, 1]
    %c3 = conv2d %both, %w3
    %s3 = elu %c3
    %p = max_pool2d %s3 kernel=[2, 2] stride=[2, 2]
    %flat = flatten %p
    %dropped = dropout %flat ratio=0.1
    %w2 = random(10, he) : f32[2, 108]
    %y = dense %dropped, %w2
    return %y
  })";
constexpr int batch = 8;

struct Images {
  std::vector<float> pixels;
  std::vector<int64_t> labels;
};

Images images(uint32_t seed) {
  std::mt19937 engine(seed);
  Images result;
  for (int i = 0; i < batch; ++i) {
    const auto label = static_cast<int64_t>(engine() % 2);
    result.labels.push_back(label);
    for (int p = 0; p < 36; ++p) {
      const float noise = static_cast<float>(engine() % 1000) / 1000;
      result.pixels.push_back(noise + (p % 6 / 3 == label ? 1.0F : 0.0F));
    }
  }
  return result;
}

Trainer make_trainer(const char *text = network, Optimizer optimizer = Optimizer::sgd,
                     Options options = {}) {
  options.training.emplace().optimizer = optimizer;
  options.training->weight_decay = 1e-3;
  options.batch = batch;
  Result<Trainer> trainer = Trainer::create(*parse(text), options);
  EXPECT_TRUE(trainer) << trainer.error();
  std::mt19937 engine(7);
  for (const std::string &name : trainer->tensor_names()) {
    const bool weight = name.find('.') == std::string::npos &&
                        (name.starts_with("w") || name.starts_with("scale") || name == "variance");
    for (float &element : trainer->tensor(name))
      element = weight ? static_cast<float>(engine() % 1000) / 1000 - 0.2F : 0;
  }
  return std::move(*trainer);
}

std::vector<float> losses(Trainer &trainer, uint32_t first, uint32_t count, uint32_t threads = 1) {
  cnnc_context context = {};
  context.threads = threads;
  std::vector<float> result;
  for (uint32_t i = first; i < first + count; ++i) {
    const Images seen = images(i);
    Result<float> loss = trainer.step({seen.pixels.data(), seen.labels.data()}, 0.01F, &context);
    EXPECT_TRUE(loss) << loss.error();
    result.push_back(loss ? *loss : NAN);
  }
  return result;
}

/// What the model gives for both classes.
std::vector<float> run(const Model &model, const Options &options, const Images &seen) {
  std::vector<float> result(2 * batch);
  cnnc_context context = {};
  context.batch = batch;
  Result<Program> program = jit(model, options);
  EXPECT_TRUE(program) << program.error();
  if (!program)
    return result;
  Result<void> ran = program->run({seen.pixels.data()}, {result.data()}, &context);
  EXPECT_TRUE(ran) << ran.error();
  return result;
}

class Training : public InFolder {};

TEST_F(Training, LearnsWithEveryOptimizer) {
  for (Optimizer optimizer : {Optimizer::sgd, Optimizer::adamw}) {
    Trainer trainer = make_trainer(network, optimizer);
    const std::vector<float> seen = losses(trainer, 0, 60);
    EXPECT_GT(seen.front(), 0.5F);
    EXPECT_LT(*std::max_element(seen.end() - 5, seen.end()), 0.1F);
  }
}

TEST_F(Training, GivesTheSameBitsWithEveryNumberOfThreads) {
  Trainer one = make_trainer();
  const std::vector<float> expected = losses(one, 0, 10);
  for (uint32_t threads : {1, 2, 3, 7}) {
    Trainer other = make_trainer();
    EXPECT_EQ(losses(other, 0, 10, threads), expected) << threads;
    for (const std::string &name : one.tensor_names())
      EXPECT_TRUE(std::ranges::equal(one.tensor(name), other.tensor(name))) << name;
  }
}

TEST_F(Training, GivesTheSameBitsWithLessMemory) {
  Trainer kept = make_trainer(deep_network);
  const std::vector<float> expected = losses(kept, 0, 10);
  EXPECT_LT(expected.back(), expected.front());
  Options options;
  options.rematerialize = true;
  for (uint32_t threads : {1, 3}) {
    Trainer again = make_trainer(deep_network, Optimizer::sgd, options);
    EXPECT_LT(again.program().table().workspace_size, kept.program().table().workspace_size);
    EXPECT_EQ(losses(again, 0, 10, threads), expected) << threads;
    for (const std::string &name : kept.tensor_names())
      EXPECT_TRUE(std::ranges::equal(kept.tensor(name), again.tensor(name))) << name;
  }
}

TEST_F(Training, GoesOnFromAFileAsIfItHadNeverStopped) {
  Trainer whole = make_trainer(network, Optimizer::adamw);
  losses(whole, 0, 5);
  ASSERT_TRUE(whole.write(folder_ / "state.safetensors"));
  Trainer resumed = make_trainer(network, Optimizer::adamw);
  Result<void> read = resumed.read(folder_ / "state.safetensors");
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(losses(resumed, 5, 5), losses(whole, 5, 5));
}

TEST_F(Training, WritesWeightsThatTheModelReads) {
  std::string text = network;
  for (const char *name : {"w2", "w", "b", "scale", "shift", "mean", "variance"}) {
    const std::string before = std::string("%") + name + " = random(";
    const size_t at = text.find(before), end = text.find(')', at);
    text.replace(at, end + 1 - at, std::string("%") + name + " = weight \"" + name + "\"");
  }
  Trainer trainer = make_trainer(text.c_str());
  losses(trainer, 0, 60);
  ASSERT_TRUE(trainer.write(folder_ / "trained.safetensors"));
  Options options;
  options.weights = {folder_ / "trained.safetensors"};
  const Images seen = images(1000);
  const std::vector<float> logits = run(*parse(text), options, seen);
  for (size_t i = 0; i < batch; ++i)
    EXPECT_EQ(logits[2 * i + 1] > logits[2 * i], seen.labels[i] == 1) << i;
}

/// The softmax at its end becomes part of the loss, and what is written are weights of the file.
TEST_F(Training, FineTunesAnOnnxModel) {
  std::string text = network;
  const std::string end = "return %y";
  text.replace(text.find(end), end.size(), "%s = softmax %y\n    return %s");
  ASSERT_TRUE(write_onnx(*parse(text), folder_ / "net.onnx"));
  const Model model = *load(folder_ / "net.onnx");
  ASSERT_TRUE(write_ir(model, folder_ / "net.ir"));

  Options options;
  options.training.emplace().freeze = {"*", "!w2"};
  options.batch = batch;
  Result<Trainer> trainer = Trainer::create(model, options);
  ASSERT_TRUE(trainer) << trainer.error();
  EXPECT_EQ(trainer->tensor_names(), (std::vector<std::string>{"w2", "w2.momentum", "step"}));
  ASSERT_TRUE(trainer->read(folder_ / "net.safetensors"));
  const std::vector<float> seen = losses(*trainer, 0, 60);
  EXPECT_LT(*std::max_element(seen.end() - 5, seen.end()), seen.front() / 4);
  ASSERT_TRUE(trainer->write(folder_ / "trained.safetensors"));

  Options trained;
  trained.weights = {folder_ / "trained.safetensors"};
  const Images others = images(1000);
  const std::vector<float> learned = run(model, trained, others);
  for (size_t i = 0; i < batch; ++i)
    EXPECT_EQ(learned[2 * i + 1] > learned[2 * i], others.labels[i] == 1) << i;
  EXPECT_NE(run(model, {}, others), learned);
  ASSERT_TRUE(write_ir(model, folder_ / "trained.ir", trained));
  EXPECT_EQ(run(*load(folder_ / "trained.ir"), {}, others), learned);
  trained.weights.insert(trained.weights.begin(), folder_ / "net.safetensors");
  EXPECT_EQ(run(*load(folder_ / "net.ir"), trained, others), learned);
}

TEST_F(Training, RefusesWhatIsWrong) {
  Trainer trainer = make_trainer();
  Images seen = images(1);
  seen.labels[3] = 2;
  const std::vector<float> before(trainer.tensor("w").begin(), trainer.tensor("w").end());
  Result<float> loss = trainer.step({seen.pixels.data(), seen.labels.data()}, 0.01F);
  EXPECT_NE(loss.error().find("label"), std::string_view::npos) << loss.error();
  EXPECT_TRUE(std::ranges::equal(before, trainer.tensor("w")));
  EXPECT_NE(trainer.step({seen.pixels.data()}, 0.01F)
                .error()
                .find("takes 2 inputs and a rate, but 1 inputs were given"),
            std::string_view::npos);
  seen.labels[3] = 1;
  seen.pixels[0] = INFINITY;
  EXPECT_NE(trainer.step({seen.pixels.data(), seen.labels.data()}, 0.01F)
                .error()
                .find("the rate may be too high, or an input no number"),
            std::string_view::npos);
  EXPECT_FALSE(trainer.read(folder_ / "nothing.safetensors"));
  Trainer other = make_trainer(
      "model @m(%x: f32[n, 36]) {\n  %w = random(1, he) : f32[2, 36]\n  %y = dense %x, %w\n"
      "  return %y\n}");
  ASSERT_TRUE(other.write(folder_ / "other.safetensors"));
  Result<void> read = trainer.read(folder_ / "other.safetensors");
  EXPECT_NE(read.error().find("is missing"), std::string_view::npos) << read.error();
}

TEST_F(Training, LeavesFrozenWeightsAlone) {
  Options options;
  options.training.emplace().freeze = {"w", "b", "sc*", "sh*", "mean", "variance"};
  options.batch = batch;
  Result<Trainer> trainer = Trainer::create(*parse(network), options);
  ASSERT_TRUE(trainer) << trainer.error();
  EXPECT_EQ(trainer->tensor_names(), (std::vector<std::string>{"w2", "w2.momentum", "step"}));
  // Nothing behind the frozen layers has a gradient.
  const cnnc_model_v1 &table = trainer->program().table();
  for (uint32_t i = 0; i < table.kernel_count; ++i)
    EXPECT_EQ(std::string_view(table.kernel_names[i]).find("c.gradient"), std::string_view::npos);
}

TEST(Differentiate, IsAModelLikeAnyOther) {
  GradientOptions gradients;
  gradients.of = {"x"};
  Result<Model> model =
      differentiate(*parse("model @m(%x: f32[3]) {\n  %s = mul %x, %x\n"
                           "  %y = reduce_sum %s axes=[0] keep_dims=false\n  return %y\n}"),
                    gradients);
  ASSERT_TRUE(model) << model.error();
  Result<Program> program = jit(*model);
  ASSERT_TRUE(program) << program.error();
  const std::vector<float> x = {1, -2, 3};
  float y = 0;
  std::vector<float> gradient(3);
  ASSERT_TRUE(program->run({x.data()}, {&y, gradient.data()}));
  EXPECT_EQ(y, 14);
  EXPECT_EQ(gradient, (std::vector<float>{2, -4, 6}));
}

} // namespace
} // namespace cnnc
