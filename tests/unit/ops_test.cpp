// Every op: the types it computes and the mistakes it finds. Each row is a statement that defines
// %y from the values of `prelude`.
#include "compiler/analysis/definition.h"
#include "compiler/graph_passes/graph_passes.h"
#include "ir/graph/ops/window.h"
#include "ir/graph/parser.h"
#include "ir/graph/printer.h"

#include <fstream>
#include <gtest/gtest.h>
#include <regex>

namespace cnnc {
namespace {

constexpr std::string_view prelude = R"(
model @m(%x: f32[1, 3, 8, 8], %b: f32[n, 3, 8, 8], %v: f32[2, 12], %bv: f32[n, 12],
         %i: i32[2, 3, 4], %d: f64[2, 2], %l: f32[1, 3, 8, 8] nchw4c) {
  %w = random(1, he) : f32[4, 3, 3, 3]
  %wg = random(1, he) : f32[6, 1, 3, 3]
  %w5 = random(1, he) : f32[4, 3, 5, 5]
  %w9 = random(1, he) : f32[4, 3, 9, 9]
  %wl = random(1, he) : f32[6, 6, 2, 3, 3, 3]
  %bl = splat 0 : f32[2, 6, 6]
  %wd = random(1, he) : f32[5, 12]
  %k3 = splat 1 : f32[3]
  %k4 = splat 1 : f32[4]
  %k5 = splat 1 : f32[5]
  %c = splat 1 : f32[3, 1, 1]
  %one = splat 1 : f32[1, 3, 1, 1]
  %two = splat 1 : f32[2, 3, 8, 8]
  %huge = splat 0 : f32[1099511627776]
  %tall = splat 0 : f32[1099511627776, 1]
  %line = splat 0 : f32[1, 1, 1, 3]
  %w3 = random(1, he) : f32[3, 4, 3, 3]
  %wide = splat 0 : f32[1, 1, 1, 1099511627776]
  %one1 = splat 0 : f32[1, 1, 1, 1]
  %nothing = splat 0 : f32[2, 0]
  %pixel = splat 0 : f32[1, 4, 1, 1]
)";

/// Parses the statement behind the prelude and infers it. `types` holds the types of %y (and %z),
/// or nothing after an error.
struct Outcome {
  std::vector<std::string> types;
  std::string errors;
  size_t error_count = 0;
  std::string underlined; // the text under the carets of the first error
};

Outcome run(std::string_view statement) {
  auto source = std::make_shared<Source>(
      Source{"test.ir", std::string(prelude) + std::string(statement) + "\nreturn %y\n}\n"});
  Diagnostics diagnostics;
  Outcome outcome;
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  if (std::optional<Graph> graph = parse_graph(cursor)) {
    PassContext context{diagnostics, {}, {}};
    if (infer_shapes(*graph, context))
      for (std::string_view name : {"y", "z"})
        if (std::optional<ValueId> id = graph->find_value(name))
          outcome.types.push_back(to_string(graph->type(*id)));
  }
  outcome.errors = diagnostics.to_string();
  outcome.error_count = diagnostics.error_count();
  if (outcome.error_count > 0) {
    const SourceRange &range = diagnostics.all().front().range;
    if (range.known())
      outcome.underlined = source->text.substr(range.begin, range.end - range.begin);
  }
  return outcome;
}

struct Good {
  std::string_view statement;
  std::string_view type; // of %y
};

class GoodOp : public testing::TestWithParam<Good> {};

TEST_P(GoodOp, has_the_type) {
  Outcome outcome = run(GetParam().statement);
  EXPECT_EQ(outcome.errors, "");
  ASSERT_FALSE(outcome.types.empty()) << GetParam().statement;
  EXPECT_EQ(outcome.types[0], GetParam().type) << GetParam().statement;
}

const Good good[] = {
    {"%y = conv2d %x, %w", "f32[1, 4, 6, 6]"},
    {"%y = conv2d %x, %w, %k4 pad=[1, 1, 1, 1]", "f32[1, 4, 8, 8]"},
    {"%y = conv2d %b, %w stride=[2, 3]", "f32[n, 4, 3, 2]"},
    {"%y = conv2d %x, %w pad=[0, 1, 2, 3] dilation=[2, 1]", "f32[1, 4, 6, 10]"},
    {"%y = conv2d %x, %wg groups=3", "f32[1, 6, 6, 6]"},
    {"%y = conv2d %l, %w", "f32[1, 4, 6, 6]"},
    {"%y = conv2d %x, %w : f32[1, 4, 6, 6] nchw4c halo=[1, 1, 1, 1]",
     "f32[1, 4, 6, 6] nchw4c halo=[1, 1, 1, 1]"},
    {"%y = conv_transpose2d %b, %w3", "f32[n, 4, 10, 10]"},
    {"%y = conv_transpose2d %x, %w3, %k4 stride=[2, 3] output_padding=[1, 0]", "f32[1, 4, 18, 24]"},
    {"%y = conv_transpose2d %b, %w3 groups=3 pad=[1, 0, 0, 2] dilation=[2, 1]",
     "f32[n, 12, 11, 8]"},
    {"%y = local2d %b, %wl, %bl", "f32[n, 2, 6, 6]"},
    {"%y = dense %v, %wd, %k5", "f32[2, 5]"},
    {"%y = dense %bv, %wd", "f32[n, 5]"},
    {"%y = max_pool2d %x kernel=[2, 2] stride=[2, 2]", "f32[1, 3, 4, 4]"},
    {"%y = max_pool2d %b kernel=[3, 3] stride=[2, 2]", "f32[n, 3, 3, 3]"},
    {"%y = max_pool2d %b kernel=[3, 3] stride=[2, 2] ceil_mode=true", "f32[n, 3, 4, 4]"},
    {"%y = max_pool2d %x kernel=[2, 2] stride=[3, 3] pad=[0, 0, 1, 1] ceil_mode=true",
     "f32[1, 3, 3, 3]"},
    {"%y = max_pool2d %x kernel=[1, 1] stride=[3, 3] pad=[0, 0, 1, 1] ceil_mode=true",
     "f32[1, 3, 3, 3]"},
    {"%y = max_pool2d %x kernel=[3, 3] pad=[2, 2, 2, 2]", "f32[1, 3, 10, 10]"},
    {"%y = max_pool2d %x kernel=[2, 2] dilation=[3, 3]", "f32[1, 3, 5, 5]"},
    {"%y = avg_pool2d %x kernel=[3, 3] stride=[2, 2] pad=[1, 1, 1, 1] count_padding=true",
     "f32[1, 3, 4, 4]"},
    {"%y = global_avg_pool2d %b", "f32[n, 3, 1, 1]"},
    {"%y = clip %b min=0 max=6", "f32[n, 3, 8, 8]"},
    {"%y = clip %b", "f32[n, 3, 8, 8]"},
    {"%y = dropout %v", "f32[2, 12]"},
    {"%y = add %x, %c", "f32[1, 3, 8, 8]"},
    {"%y = sub %c, %b", "f32[n, 3, 8, 8]"},
    {"%y = mul %b, %one", "f32[n, 3, 8, 8]"},
    {"%y = div %b, %b", "f32[n, 3, 8, 8]"},
    {"%y = max %x, %two", "f32[2, 3, 8, 8]"},
    {"%y = prelu %b, %c", "f32[n, 3, 8, 8]"},
    {"%y = batch_norm %b, %k3, %k3, %k3, %k3", "f32[n, 3, 8, 8]"},
    {"%y = softmax %bv", "f32[n, 12]"},
    {"%y = softmax %v axis=0", "f32[2, 12]"},
    {"%y = reduce_mean %b axes=[2, 3]", "f32[n, 3, 1, 1]"},
    {"%y = reduce_mean %b axes=[-1, 1] keep_dims=false", "f32[n, 8]"},
    {"%y = reduce_mean %v axes=[0, 1] keep_dims=false", "f32[]"},
    {"%y = concat %b, %b, %b axis=1", "f32[n, 9, 8, 8]"},
    {"%y = concat %x, %two axis=0", "f32[3, 3, 8, 8]"},
    {"%y = concat %i, %i axis=-1", "i32[2, 3, 8]"},
    {"%y, %z = split %b axis=1 sizes=[1, 2]", "f32[n, 1, 8, 8]"},
    {"%y = slice %i starts=[0, 1] ends=[1, 3]", "i32[1, 2, 4]"},
    {"%y = slice %i starts=[-1] ends=[-100] axes=[2] steps=[-2]", "i32[2, 3, 2]"},
    {"%y = slice %b starts=[1] ends=[9223372036854775807] axes=[1]", "f32[n, 2, 8, 8]"},
    {"%y = pad %b before=[0, 0, 1, 2] after=[0, 1, 3, 4]", "f32[n, 4, 12, 14]"},
    {"%y = pad %v before=[1, 11] after=[0, 0] mode=reflect", "f32[3, 23]"},
    {"%y = pad %i before=[0, 9, 0] after=[0, 0, 0] mode=edge", "i32[2, 12, 4]"},
    {"%y = pad %i before=[5, 9, 0] after=[0, 0, 4] mode=wrap", "i32[7, 12, 8]"},
    {"%y = space_to_depth %b block=[4, 4]", "f32[n, 48, 2, 2]"},
    {"%y = space_to_depth %b block=[1, 8]", "f32[n, 24, 8, 1]"},
    {"%y = depth_to_space %pixel block=[2, 1] crop=[1, 0, 0, 0]", "f32[1, 2, 1, 1]"},
    {"%y = depth_to_space %pixel block=[2, 2] mode=crd", "f32[1, 1, 2, 2]"},
    {"%y = reshape %x shape=[3, -1]", "f32[3, 64]"},
    {"%y = reshape %b shape=[0, -1]", "f32[n, 192]"},
    {"%y = reshape %b shape=[-1, 3, 64]", "f32[n, 3, 64]"},
    {"%y = reshape %b shape=[0, 0, 64]", "f32[n, 3, 64]"},
    {"%y = flatten %b", "f32[n, 192]"},
    {"%y = flatten %i axis=-1", "i32[6, 4]"},
    {"%y = flatten %i axis=0", "i32[1, 24]"},
    {"%y = flatten %i axis=3", "i32[24, 1]"},
    {"%y = transpose %b permutation=[0, 2, 3, 1]", "f32[n, 8, 8, 3]"},
    {"%y = transpose %i permutation=[2, 0, 1]", "i32[4, 2, 3]"},
    {"%y = relayout %x : f32[1, 3, 8, 8] nchw16c", "f32[1, 3, 8, 8] nchw16c"},
    {"%y = relayout %l : f32[1, 3, 8, 8]", "f32[1, 3, 8, 8]"},
    {"%y = call \"c1\" %x, %w : f32[1, 4, 6, 6]", "f32[1, 4, 6, 6]"},
    {"%y = weight \"a\" : i64[3]", "i64[3]"},
    {"%y = literal [1, -2.5] : f32[2]", "f32[2]"},
    {"%y = splat -inf : f32[]", "f32[]"},
    {"%y = splat 255 : u8[4]", "u8[4]"},
    {"%y = random(7, uniform) : f32[3]", "f32[3]"},
};
INSTANTIATE_TEST_SUITE_P(ops, GoodOp, testing::ValuesIn(good));

struct Bad {
  std::string_view statement;
  std::string_view underlined;
  std::string_view message; // a part of it
};

class BadOp : public testing::TestWithParam<Bad> {};

TEST_P(BadOp, is_reported_at_the_mistake) {
  Outcome outcome = run(GetParam().statement);
  EXPECT_TRUE(outcome.types.empty()) << GetParam().statement;
  EXPECT_EQ(outcome.error_count, 1u) << outcome.errors;
  EXPECT_EQ(outcome.underlined, GetParam().underlined) << outcome.errors;
  EXPECT_NE(outcome.errors.find(GetParam().message), std::string::npos) << outcome.errors;
}

const Bad bad[] = {
    // conv2d, local2d, dense
    {"%y = conv2d %v, %w", "%v", "must have 4 dimensions, [n, ic, h, w], but is f32[2, 12]"},
    {"%y = conv2d %x, %wd", "%wd", "must have 4 dimensions, [oc, ic / groups, kh, kw]"},
    {"%y = conv2d %x, %b", "%b", "sizes of the filter must be known, but it is f32[n, 3, 8, 8]"},
    {"%y = conv2d %x, %w, %k3", "%k3", "must have the shape [4], but is f32[3]"},
    {"%y = conv2d %x, %wg", "%wg",
     "the filter f32[6, 1, 3, 3] is for 1 input channels, but the input f32[1, 3, 8, 8] has 3"},
    {"%y = conv2d %x, %w groups=3", "groups=3", "3 groups do not divide the 4 output channels"},
    {"%y = conv2d %x, %w groups=2", "groups=2", "2 groups do not divide the 3 input channels"},
    {"%y = conv2d %x, %w groups=0", "groups=0", "must be at least 1, but is 0"},
    {"%y = conv2d %x, %w stride=[1, 0]", "stride=[1, 0]", "but one of its numbers is 0"},
    {"%y = conv2d %x, %w dilation=[0, 1]", "dilation=[0, 1]", "between 1 and"},
    {"%y = conv2d %x, %w pad=[0, -1, 0, 0]", "pad=[0, -1, 0, 0]", "one of its numbers is -1"},
    {"%y = conv2d %x, %w pad=[9223372036854775807, 0, 0, 0]", "pad=[9223372036854775807, 0, 0, 0]",
     "9223372036854775807"},
    {"%y = conv2d %x, %w5 dilation=[2, 2]", "%w5",
     "the window of 5 x 5 with dilation 2 covers 9 x 9, larger than the input of 8 x 8"},
    {"%y = conv2d %x, %w9 pad=[0, 0, 0, 1]", "%w9",
     "the window of 9 x 9 is larger than the padded input of 8 x 9"},
    {"%y = conv2d %i, %w", "%w", "must be of type i8, but is f32[4, 3, 3, 3]"},
    {"%y = conv_transpose2d %x, %wd", "%wd", "must have 4 dimensions, [ic, oc / groups, kh, kw]"},
    {"%y = conv_transpose2d %x, %w", "%w", "is for 4 input channels (its dimension 0), but"},
    {"%y = conv_transpose2d %x, %w3, %k4 groups=3", "%k4", "must have the shape [12]"},
    {"%y = conv_transpose2d %x, %w3 pad=[9, 0, 1, 0]", "pad=[9, 0, 1, 0]",
     "pads of 9 and 1 leave nothing of the 10 rows of the output"},
    {"%y = conv_transpose2d %wide, %one1 stride=[1, 16777216]", "conv_transpose2d",
     "has a dimension above"},
    {"%y = depth_to_space %x block=[2, 2]", "block=[2, 2]",
     "the 3 channels of f32[1, 3, 8, 8] do not make blocks of 2 x 2 pixels"},
    {"%y = depth_to_space %pixel block=[4, 1] crop=[1, 0, 3, 0]", "crop=[1, 0, 3, 0]",
     "1 and 3 cannot be cut off 4 rows"},
    {"%y = depth_to_space %pixel block=[1, 4] crop=[0, -1, 0, 0]", "crop=[0, -1, 0, 0]",
     "-1 and 0 cannot be cut off 4 columns"},
    {"%y = space_to_depth %x block=[3, 3]", "block=[3, 3]",
     "cannot be cut into blocks of 3 x 3 pixels"},
    {"%y = space_to_depth %x block=[0, 0]", "block=[0, 0]",
     "a block of 0 x 0 pixels is not possible"},
    {"%y = local2d %x, %w", "%w", "must have 6 dimensions"},
    {"%y = local2d %x, %wl stride=[2, 2]", "%wl", "is for 6 x 6 positions, but"},
    {"%y = local2d %x, %wl, %k3", "%k3", "must have the shape [2, 6, 6]"},
    {"%y = dense %x, %wd", "%x", "must have 2 dimensions, [n, ic]"},
    {"%y = dense %v, %tall", "%tall", "is for 1 inputs, but the input f32[2, 12] has 12"},
    {"%y = dense %v, %wd, %k3", "%k3", "must have the shape [5]"},
    // pools
    {"%y = max_pool2d %v kernel=[2, 2]", "%v", "must have 4 dimensions"},
    {"%y = max_pool2d %x kernel=[2, 0]", "kernel=[2, 0]", "one of its numbers is 0"},
    {"%y = max_pool2d %x kernel=[9, 2]", "kernel=[9, 2]",
     "the window of 9 x 2 is larger than the input of 8 x 8"},
    {"%y = max_pool2d %x kernel=[2, 2] pad=[2, 0, 0, 0]", "pad=[2, 0, 0, 0]",
     "window 0 of 9 down covers only padding"},
    {"%y = avg_pool2d %x kernel=[2, 2] pad=[0, 0, 0, 2]", "pad=[0, 0, 0, 2]",
     "window 8 of 9 across covers only padding"},
    {"%y = max_pool2d %line kernel=[1, 2] dilation=[1, 4] pad=[0, 1, 0, 1]", "pad=[0, 1, 0, 1]",
     "window 0 of 1 across covers only padding"},
    {"%y = avg_pool2d %x kernel=[2, 2] stride=[0, 1]", "stride=[0, 1]", "between 1 and"},
    {"%y = global_avg_pool2d %v", "%v", "must have 4 dimensions"},
    // element-wise
    {"%y = relu %i", "%i", "must be of type f32"},
    {"%y = clip %x min=2 max=1", "min=2", "'min' is above 'max': 2 > 1"},
    {"%y = leaky_relu %x alpha=nan", "alpha=nan", "not a number"},
    {"%y = dropout %x ratio=1.5", "ratio=1.5", "between 0 and 1, but is 1.5"},
    {"%y = add %x, %v", "%v", "8 meets 12, counted from the end in dimension 1"},
    {"%y = add %b, %two", "%two", "the symbolic batch meets 2"},
    {"%y = mul %two, %b", "%b", "the symbolic batch meets 2"},
    {"%y = add %bv, %huge", "%huge", "12 meets 1099511627776"},
    {"%y = add %tall, %huge", "add", "too many elements"},
    {"%y = prelu %c, %x", "%x", "does not broadcast to the shape of the input f32[3, 1, 1]"},
    // batch_norm, softmax, reduce_mean
    {"%y = batch_norm %k3, %k3, %k3, %k3, %k3", "%k3", "at least 2 dimensions"},
    {"%y = batch_norm %x, %k3, %k3, %k4, %k3", "%k4", "the mean, one number per channel"},
    {"%y = batch_norm %x, %k3, %k3, %k3, %k3 epsilon=-1", "epsilon=-1", "but is -1"},
    {"%y = softmax %x axis=4", "axis=4", "axis 4 is not one of the 4 dimensions of"},
    {"%y = softmax %bv axis=0", "axis=0", "the symbolic batch, which cannot be summed over"},
    {"%y = reduce_mean %x axes=[]", "axes=[]", "names no axis"},
    {"%y = reduce_mean %x axes=[1, -3]", "axes=[1, -3]", "axis -3 is given twice"},
    {"%y = reduce_mean %b axes=[0]", "axes=[0]", "cannot be reduced"},
    // shapes
    {"%y = concat %x, %two axis=1", "%two", "along dimension 1"},
    {"%y = concat %x, %v axis=1", "%v", "f32[2, 12] cannot be joined to f32[1, 3, 8, 8]"},
    {"%y = concat %v, %d axis=1", "%d", "f64[2, 2] cannot be joined to f32[2, 12]"},
    {"%y = concat %b, %b axis=0", "axis=0", "the symbolic batch, which cannot be joined"},
    {"%y = concat %x, %b axis=0", "%b", "must be known"},
    {"%y = concat %x axis=7", "axis=7", "axis 7 is not one of"},
    {"%y = concat %huge, %huge axis=0", "concat", "has a dimension above"},
    {"%y = split %x axis=1 sizes=[1, 1]", "sizes=[1, 1]",
     "the sizes add up to 2, but dimension 1 of f32[1, 3, 8, 8] is 3"},
    {"%y = split %x axis=1 sizes=[4]", "sizes=[4]", "a size of 4 is not between 1 and 3"},
    {"%y = split %x axis=1 sizes=[]", "sizes=[]", "lists no size"},
    {"%y = split %x axis=1 sizes=[1, 2]", "split", "split has 2 results, but 1 is named"},
    {"%y, %z = relu %x", "relu", "relu has 1 result, but 2 are named"},
    {"%y, %z = split %b axis=0 sizes=[1, 2]", "axis=0", "which cannot be cut"},
    {"%y = slice %i starts=[0] ends=[1, 2]", "ends=[1, 2]",
     "'starts' has 1 numbers, but 'ends' has 2"},
    {"%y = slice %i starts=[0] ends=[1] steps=[0]", "steps=[0]", "a step of 0"},
    {"%y = slice %i starts=[0, 0] ends=[1, 1] axes=[1, -2]", "axes=[1, -2]", "given twice"},
    {"%y = slice %d starts=[0, 0, 0] ends=[1, 1, 1]", "starts=[0, 0, 0]", "3 slices are given for"},
    {"%y = slice %b starts=[0] ends=[1]", "starts=[0]", "which cannot be cut"},
    {"%y = pad %v before=[1] after=[0, 0]", "before=[1]", "for each of the 2 dimensions"},
    {"%y = pad %v before=[0, 0] after=[0, -1]", "after=[0, -1]", "use slice to cut"},
    {"%y = pad %v before=[2, 0] after=[0, 0] mode=reflect", "before=[2, 0]",
     "2 in dimension 0 of f32[2, 12]"},
    {"%y = pad %b before=[1, 0, 0, 0] after=[0, 0, 0, 0]", "before=[1, 0, 0, 0]", "be padded"},
    {"%y = pad %i before=[0, 0, 1] after=[0, 0, 0] value=0.5", "value=0.5",
     "not a value of the type i32"},
    {"%y = pad %nothing before=[0, 1] after=[0, 0] mode=wrap", "before=[0, 1]",
     "dimension 1 of f32[2, 0] has no elements to repeat"},
    {"%y = pad %huge before=[1099511627776] after=[0]", "pad", "has a dimension above"},
    {"%y = reshape %x shape=[3, 63]", "shape=[3, 63]",
     "has 192 elements, which do not make [3, 63] with 189"},
    {"%y = reshape %x shape=[-1, 5]", "shape=[-1, 5]", "in steps of 5"},
    {"%y = reshape %x shape=[-1, -1]", "shape=[-1, -1]", "only one dimension"},
    {"%y = reshape %x shape=[-2]", "shape=[-2]", "-2 is not a dimension"},
    {"%y = reshape %v shape=[2, 12, 0]", "shape=[2, 12, 0]", "the 0 in dimension 2 keeps nothing"},
    {"%y = reshape %x shape=[1099511627776, 1099511627776]", "shape=[1099511627776, 1099511627776]",
     "too many elements"},
    {"%y = reshape %b shape=[1, 192]", "shape=[1, 192]", "begin the new shape with 0"},
    {"%y = reshape %b shape=[-1, 64]", "shape=[-1, 64]", "192 elements an image"},
    {"%y = flatten %x axis=5", "axis=5", "axis 5 is not between 0 and 4"},
    {"%y = flatten %b axis=0", "axis=0", "only axis=1 leaves alone"},
    {"%y = transpose %v permutation=[0, 0]", "permutation=[0, 0]",
     "not an order of the 2 dimensions"},
    {"%y = transpose %v permutation=[0]", "permutation=[0]", "not an order"},
    {"%y = transpose %bv permutation=[1, 0]", "permutation=[1, 0]", "which cannot be moved"},
    // constants and what passes make
    {"%y = weight \"a\"", "weight", "write its type, as in weight \"a\" : f32[6, 1, 5, 5]"},
    {"%y = weight \"\" : f32[1]", "\"\"", "cannot be empty"},
    {"%y = splat 0", "splat", "write its type"},
    {"%y = splat 0 : f32[n, 3]", "splat", "cannot have a symbolic dimension, as f32[n, 3] has"},
    {"%y = splat 256 : u8[3]", "256", "256 is not a value of the type u8"},
    {"%y = splat 1e300 : f32[3]", "1e300", "not a value of the type f32"},
    {"%y = literal [1, 2] : f32[3]", "[1, 2]", "2 values are listed, but f32[3] has 3 elements"},
    {"%y = literal [0.5] : i64[1]", "[0.5]", "0.5 is not a value of the type i64"},
    {"%y = random(1, he) : i32[3]", "random", "random elements are of type f32, not i32"},
    {"%y = relayout %x", "relayout", "write the result type with it"},
    {"%y = relayout %x : f32[1, 3, 8, 9] nchw4c", "%y",
     "is written here, but by its operands it is"},
    {"%y = call \"c1\" %x", "call", "write their types"},
    // stated types
    {"%y = relu %x : f32[1, 3, 8, 9]", "%y",
     "the type f32[1, 3, 8, 9] is written here, but by its operands it is f32[1, 3, 8, 8]"},
    {"%y = relu %b : f32[m, 3, 8, 8]", "%y", "the type f32[m, 3, 8, 8] is written here"},
};
INSTANTIATE_TEST_SUITE_P(ops, BadOp, testing::ValuesIn(bad));

TEST(infer_shapes, shows_all_errors_but_no_consequences) {
  Outcome outcome = run(R"(%a = conv2d %x, %wg
%a2 = relu %a
%a3 = dense %a2, %wd
%e = flatten %x axis=9
%y = add %a3, %e)");
  EXPECT_EQ(outcome.error_count, 2u) << outcome.errors;
}

TEST(infer_shapes, every_part_of_a_split_has_its_size) {
  Outcome outcome = run("%y, %z = split %b axis=1 sizes=[1, 2]");
  EXPECT_EQ(outcome.types, (std::vector<std::string>{"f32[n, 1, 8, 8]", "f32[n, 2, 8, 8]"}));
}

std::string errors_of(std::string_view text) {
  Diagnostics diagnostics;
  auto source = std::make_shared<Source>(Source{"test.ir", std::string(text)});
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  if (std::optional<Graph> graph = parse_graph(cursor)) {
    PassContext context{diagnostics, {}, {}};
    bool ok = infer_shapes(*graph, context);
    EXPECT_EQ(ok, !diagnostics.has_errors());
  }
  return diagnostics.to_string();
}

TEST(infer_shapes, has_one_symbolic_batch) {
  EXPECT_NE(errors_of("model @m(%a: f32[n, 2], %b: f32[k, 2]) {\nreturn %a, %b }")
                .find("it is 'k' here and 'n' at %a"),
            std::string::npos);
}

TEST(infer_shapes, returns_inputs_and_constants) {
  EXPECT_EQ(errors_of("model @m(%a: f32[n, 2]) {\n%c = splat 1 : f32[2]\nreturn %a, %c }"), "");
}

/// Whether the op's own file has models that are right and some that are not.
bool has_file_of_cases(const std::string &op) {
  std::ifstream stream(CNNC_SOURCE_DIR "/tests/ops/" + op + ".ir");
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  return text.find("SHAPES:") != std::string::npos && text.find("BAD:") != std::string::npos;
}

/// An op without rows above and without a file would be one whose shapes nobody checks.
TEST(ops, all_have_good_and_bad_cases) {
  for (const OpInfo &info : op_table()) {
    auto mentions = [&](std::string_view statement) {
      return statement.find(" " + info.name + " ") != std::string_view::npos ||
             statement.find(" " + info.name + "(") != std::string_view::npos;
    };
    auto any = [&](const auto &rows) {
      return std::any_of(std::begin(rows), std::end(rows),
                         [&](const auto &row) { return mentions(row.statement); });
    };
    EXPECT_TRUE((any(good) && any(bad)) || has_file_of_cases(info.name)) << info.name;
  }
}

/// Window::output against counting positions.
TEST(ops, window_output_counts_the_positions) {
  for (int64_t input = 1; input <= 7; ++input)
    for (int64_t kernel = 1; kernel <= 4; ++kernel)
      for (int64_t stride = 1; stride <= 4; ++stride)
        for (int64_t dilation = 1; dilation <= 2; ++dilation)
          for (int64_t before = 0; before <= 2; ++before)
            for (int64_t after = 0; after <= 2; ++after) {
              int64_t reach = dilation * (kernel - 1) + 1, end = input + after, count = 0;
              while (-before + count * stride + reach <= end)
                ++count;
              Window window{input, kernel, stride, before, after, dilation};
              EXPECT_EQ(std::max<int64_t>(*window.output(), 0), count);
              // Rounded up: one more if elements are left over, unless it starts behind the input.
              bool left_over = count > 0 && -before + (count - 1) * stride + reach < end;
              bool more = left_over && -before + count * stride < input;
              window.ceil_mode = true;
              if (count > 0 && -before + (count - 1) * stride < input) {
                EXPECT_EQ(*window.output(), count + more);
              }
            }
}

bool has_word(const std::string &text, const std::string &word) {
  return std::regex_search(text, std::regex("(^|[^A-Za-z_0-9])" + word + "($|[^A-Za-z_0-9])"));
}

TEST(Definitions, NameEveryOperandAndSayWhatShapeFollows) {
  for (const OpInfo &info : op_table()) {
    const Op op = info.make();
    const Definition definition = definition_of(op);
    const bool constant = gradient_rule(op) == GradientRule::constant;
    EXPECT_EQ(constant, info.operands.empty()) << info.name;
    if (category_of(op) == Category::internal)
      continue;
    EXPECT_EQ(definition.shape.find(" -> ") == std::string::npos, constant) << info.name;
    for (const OperandInfo &operand : info.operands) {
      const std::string name = operand.name == "input" ? "x" : operand.name;
      EXPECT_TRUE(has_word(definition.formula, name)) << info.name << ": " << operand.name;
    }
  }
}

TEST(Definitions, HaveTheSizeOfWindows) {
  MaxPool2d pool;
  EXPECT_EQ(definition_of(pool).size.rfind("floor((in + pads ", 0), 0u);
  pool.ceil_mode = true;
  EXPECT_EQ(definition_of(pool).size.rfind("ceil((in + pads ", 0), 0u);
  EXPECT_EQ(definition_of(Dense()).size, "");
}

TEST(Definitions, KnowWhichOpsHaveGradients) {
  EXPECT_EQ(gradient_rule(Conv2d()), GradientRule::given);
  EXPECT_EQ(gradient_rule(find_op("relu")->make()), GradientRule::given);
  EXPECT_EQ(gradient_rule(find_op("floor")->make()), GradientRule::zero);
  EXPECT_EQ(gradient_rule(find_op("less")->make()), GradientRule::zero);
  EXPECT_EQ(gradient_rule(ArgMax()), GradientRule::zero);
  EXPECT_EQ(gradient_rule(Splat()), GradientRule::constant);
  EXPECT_EQ(gradient_rule(Call()), GradientRule::missing);
}

} // namespace
} // namespace cnnc
