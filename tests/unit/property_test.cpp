// Random models, compiled and compared with the reference interpreter: on several CPUs, with
// several numbers of threads, in this process and as libraries.
//
//   CNNC_PROPERTY_SOAK=10 property_test     ten times as many models
//   CNNC_PROPERTY_PRINT=1 property_test     prints each model before it runs, to find one that
//   crashes
#include "compiler/cnnc.h"
#include "compiler/codegen/target/target.h"
#include "tests/unit/property_models.h"
#include "tests/unit/test_files.h"
#include "tests/unit/test_models.h"

#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <sys/mman.h>

namespace cnnc {

namespace {

/// Memory whose end lies on an unreadable page, so that whatever reads or writes behind it crashes.
class GuardedMemory {
public:
  explicit GuardedMemory(size_t size, size_t alignment = 1) : size_(size) {
    constexpr size_t page = 4096;
    size_t used = (size + alignment - 1) / alignment * alignment;
    mapped_ = (used + page - 1) / page * page + page;
    auto *start = static_cast<std::byte *>(
        ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::mprotect(start + mapped_ - page, page, PROT_NONE);
    mapping_ = start;
    data_ = start + mapped_ - page - used;
    // Whatever is read before it is written shows: 0xff is a NaN of f32.
    std::memset(data_, 0xff, size);
  }
  ~GuardedMemory() { ::munmap(mapping_, mapped_); }
  GuardedMemory(const GuardedMemory &) = delete;
  GuardedMemory &operator=(const GuardedMemory &) = delete;

  std::byte *data() const { return data_; }
  std::vector<std::byte> bytes() const { return {data_, data_ + size_}; }

private:
  size_t size_, mapped_ = 0;
  std::byte *mapping_ = nullptr, *data_ = nullptr;
};

using Outputs = std::vector<std::vector<std::byte>>;

/// Runs a model in guarded memory. Empty when it reports anything but success.
std::optional<Outputs> run(const cnnc_model_v1 &model, const std::vector<Tensor> &inputs,
                           uint32_t threads, int64_t batch = 1) {
  std::vector<std::unique_ptr<GuardedMemory>> memory;
  std::vector<const void *> in;
  std::vector<void *> out;
  for (const Tensor &input : inputs) {
    memory.push_back(std::make_unique<GuardedMemory>(input.bytes().size()));
    std::memcpy(memory.back()->data(), input.bytes().data(), input.bytes().size());
    in.push_back(memory.back()->data());
  }
  for (uint32_t i = 0; i < model.output_count; ++i) {
    const cnnc_tensor_v1 &output = model.outputs[i];
    bool symbolic = output.rank > 0 && output.shape[0] == CNNC_SYMBOLIC_BATCH;
    size_t size = output.size * (symbolic ? static_cast<size_t>(batch) : 1);
    memory.push_back(std::make_unique<GuardedMemory>(size));
    out.push_back(memory.back()->data());
  }
  GuardedMemory workspace(cnnc_workspace_size(&model, threads), model.workspace_alignment);
  cnnc_context context = {};
  context.threads = threads;
  context.batch = batch;
  if (model.run(in.data(), out.data(), workspace.data(), &context) != CNNC_OK)
    return std::nullopt;
  Outputs outputs;
  for (size_t i = inputs.size(); i < memory.size(); ++i)
    outputs.push_back(memory[i]->bytes());
  return outputs;
}

/// The largest difference relative to the largest element; infinite when an element is not finite.
/// A few sums may all happen to be near zero: then relative to 1, the size of what they add up.
/// `scale`: what the largest element counts at least.
double error_of(const std::vector<std::byte> &computed, const Tensor &reference, double scale = 0) {
  double largest = scale, error = 0;
  if (computed.size() != reference.bytes().size())
    return INFINITY;
  if (reference.type().dtype != DType::f32) // indices and truth values are right or wrong
    return std::ranges::equal(computed, reference.bytes()) ? 0 : INFINITY;
  for (size_t i = 0; i < reference.floats().size(); ++i) {
    float wanted = reference.floats()[i], got = 0;
    std::memcpy(&got, computed.data() + i * sizeof got, sizeof got);
    if (!std::isfinite(wanted) || !std::isfinite(got))
      return INFINITY;
    largest = std::max(largest, std::abs(static_cast<double>(wanted)));
    error = std::max(error, std::abs(static_cast<double>(wanted) - got));
  }
  double least = reference.count() < 32 ? 1 : 1e-30;
  return error == 0 ? 0 : error / std::max(largest, least);
}

double largest_of(const Tensor &tensor) {
  double largest = 0;
  if (tensor.type().dtype == DType::f32)
    for (float element : tensor.floats())
      if (std::isfinite(element))
        largest = std::max(largest, std::abs(static_cast<double>(element)));
  return largest;
}

/// Functions that flatten: the operand's rounding error, which is relative to the sum that it is,
/// passes undiminished somewhere, while all results stay near 1.
bool flattens(const Op &op) {
  constexpr std::string_view names[] = {"clip", "cos",     "erf",      "hard_sigmoid",
                                        "sin",  "sigmoid", "softsign", "tanh"};
  const auto *unary = std::get_if<Unary>(&op);
  return unary && std::ranges::find(names, unary->row->name) != std::end(names);
}

/// The largest element that an output comes from through views and functions that flatten.
double scale_of(const Graph &graph, ValueId output, const std::map<ValueId, double> &largest) {
  double scale = 0;
  for (NodeId id = graph.values[output].producer; id != no_id;) {
    const Node &node = graph.nodes[id];
    if (!flattens(node.op) && category_of(node.op) != Category::view)
      break;
    if (auto found = largest.find(node.operands[0]); found != largest.end())
      scale = std::max(scale, found->second);
    id = graph.values[node.operands[0]].producer;
  }
  return scale;
}

std::vector<Tensor> random_inputs(const Graph &graph, Choices &choices, int64_t batch) {
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs) {
    Tensor tensor(logical_type(graph.type(id), batch));
    for (float &element : tensor.mutable_floats())
      element = choices.number();
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

/// How many models instead of `count`.
int64_t soaked(int64_t count) {
  const char *factor = std::getenv("CNNC_PROPERTY_SOAK");
  return count * (factor ? std::max(1, std::atoi(factor)) : 1);
}

/// One random model with its inputs and what the reference makes of them.
class RandomModel : public InFolder {
protected:
  void make(std::string (*maker)(Choices &), uint32_t seed, int64_t batch = 1) {
    Choices choices(seed);
    text_ = maker(choices);
    if (std::getenv("CNNC_PROPERTY_PRINT"))
      fmt::print(stderr, "seed {}\n{}", seed, text_);
    graph_ = model_of(text_);
    if (!graph_)
      return;
    batch_ = batch;
    inputs_ = random_inputs(*graph_, choices, batch);
    Diagnostics diagnostics;
    std::map<ValueId, double> largest;
    auto reference = run_model(*graph_, inputs_, diagnostics, [&](ValueId id, const Tensor &value) {
      largest[id] = largest_of(value);
    });
    ASSERT_TRUE(reference) << diagnostics.to_string();
    reference_ = std::move(*reference);
    scales_.clear();
    for (ValueId output : graph_->outputs)
      scales_.push_back(scale_of(*graph_, output, largest));
  }
  std::optional<Program> compile(const std::string &cpu = "") const {
    Result<Model> model = parse(text_);
    EXPECT_TRUE(model) << model.error();
    if (!model)
      return std::nullopt;
    Result<Program> program = jit(*model, options(cpu));
    EXPECT_TRUE(program) << program.error();
    return program ? std::optional(*program) : std::nullopt;
  }
  void compare(const Outputs &outputs, double tolerance) const {
    ASSERT_EQ(outputs.size(), reference_.size());
    for (size_t i = 0; i < outputs.size(); ++i)
      EXPECT_LE(error_of(outputs[i], reference_[i], scales_[i]), tolerance) << "output " << i;
  }
  /// Compiles, runs, compares.
  void check(double tolerance, const std::string &cpu = "") const {
    std::optional<Program> program = compile(cpu);
    ASSERT_TRUE(program);
    std::optional<Outputs> outputs = run(program->table(), inputs_, 1, batch_);
    ASSERT_TRUE(outputs);
    compare(*outputs, tolerance);
    for (uint32_t threads : {2u, 3u, 7u})
      EXPECT_EQ(run(program->table(), inputs_, threads, batch_), outputs) << threads << " threads";
  }
  /// A shared library gives the bits of the JIT.
  void check_library(uint32_t seed) const {
    std::optional<Program> program = compile();
    Result<Model> model = parse(text_);
    ASSERT_TRUE(program && model);
    fs::path file = folder_ / fmt::format("model{}.so", seed);
    Result<Artifact> written = write_shared_library(*model, file, options(""));
    ASSERT_TRUE(written) << written.error();
    void *library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << ::dlerror();
    auto *table = reinterpret_cast<const cnnc_model_v1 *(*)()>(::dlsym(library, "m_model"));
    ASSERT_NE(table, nullptr);
    EXPECT_EQ(run(*table(), inputs_, 2, batch_), run(program->table(), inputs_, 1, batch_));
    ::dlclose(library);
  }
  /// What the compiler prints after its passes is a model that gives the same bits.
  void check_texts() const {
    std::optional<Program> program = compile();
    Result<Model> model = parse(text_);
    ASSERT_TRUE(program && model);
    std::optional<Outputs> outputs = run(program->table(), inputs_, 1, batch_);
    for (Stage stage : {Stage::graph, Stage::loops}) {
      Result<std::string> text = emit(*model, stage, options(""));
      ASSERT_TRUE(text) << text.error();
      Result<Model> printed = parse(*text);
      ASSERT_TRUE(printed) << printed.error() << *text;
      Result<Program> again = jit(*printed, options(""));
      ASSERT_TRUE(again) << again.error() << *text;
      EXPECT_EQ(run(again->table(), inputs_, 1, batch_), outputs) << *text;
    }
  }
  /// Each image of a batch alone gives what the batch gives.
  void check_images(double tolerance) const {
    std::optional<Program> program = compile();
    ASSERT_TRUE(program);
    std::optional<Outputs> all = run(program->table(), inputs_, 1, batch_);
    ASSERT_TRUE(all);
    compare(*all, tolerance);
    EXPECT_EQ(run(program->table(), inputs_, 3, batch_), all) << "3 threads";
    for (int64_t image = 0; image < batch_; ++image) {
      std::optional<Outputs> one = run(program->table(), inputs_of(image), 1);
      ASSERT_TRUE(one);
      for (size_t i = 0; i < one->size(); ++i) {
        auto start = (*all)[i].begin() + image * static_cast<int64_t>((*one)[i].size());
        EXPECT_TRUE(std::equal((*one)[i].begin(), (*one)[i].end(), start)) << "output " << i;
      }
    }
  }
  bool made() const { return graph_ && !HasFatalFailure(); }

  std::string text_;

private:
  static Options options(const std::string &cpu) {
    Options options;
    options.cpu = cpu;
    options.jobs = 1;
    return options;
  }
  std::vector<Tensor> inputs_of(int64_t image) const {
    std::vector<Tensor> result;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const TensorType &type = graph_->type(graph_->inputs[i]);
      if (!type.has_symbolic_batch()) {
        result.push_back(inputs_[i]);
        continue;
      }
      Tensor tensor(logical_type(type, 1));
      auto count = static_cast<size_t>(tensor.count());
      std::span<const float> elements =
          inputs_[i].floats().subspan(static_cast<size_t>(image) * count, count);
      std::copy(elements.begin(), elements.end(), tensor.mutable_floats().begin());
      result.push_back(std::move(tensor));
    }
    return result;
  }

  std::optional<Graph> graph_;
  std::vector<Tensor> inputs_, reference_;
  std::vector<double> scales_; // of the outputs: scale_of()
  int64_t batch_ = 1;
};

/// CPUs besides this one: SSE, AVX2 with 16 registers, AVX-512.
constexpr const char *other_cpus[] = {"x86-64", "x86-64-v3", "x86-64-v4"};

/// Asked without compiling anything: a JIT that fails must not look like a machine that lacks something.
bool runs(const std::string &cpu) {
  Diagnostics diagnostics;
  const std::optional<codegen::Target> target = codegen::resolve_target(cpu, "", diagnostics);
  EXPECT_TRUE(target) << diagnostics.to_string();
  return target && codegen::runs_on_host(*target);
}

class RandomOp : public RandomModel, public testing::WithParamInterface<ModelMaker> {};

TEST_P(RandomOp, EqualsTheReference) {
  for (uint32_t seed = 1; seed <= soaked(24); ++seed) {
    make(GetParam().make, seed);
    SCOPED_TRACE(fmt::format("seed {}\n{}", seed, text_));
    if (made())
      check(1e-5);
    if (made() && seed % 10 == 0)
      check_library(seed);
    if (made() && seed % 10 == 5)
      check_texts();
    if (HasFailure())
      return;
  }
}

TEST_P(RandomOp, EqualsTheReferenceOnOtherCpus) {
  for (const char *cpu : other_cpus) {
    if (!runs(cpu))
      continue;
    for (uint32_t seed = 1001; seed <= 1000 + soaked(5); ++seed) {
      make(GetParam().make, seed);
      SCOPED_TRACE(fmt::format("{}, seed {}\n{}", cpu, seed, text_));
      if (made())
        check(1e-5, cpu);
      if (HasFailure())
        return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RandomOp, testing::ValuesIn(op_model_makers()),
                         [](const auto &maker) { return std::string(maker.param.name); });

class RandomBatch : public RandomModel, public testing::WithParamInterface<ModelMaker> {};

TEST_P(RandomBatch, EqualsItsImages) {
  for (uint32_t seed = 1; seed <= soaked(10); ++seed) {
    make(GetParam().make, seed, seed % 4 == 0 ? 1 : 3);
    SCOPED_TRACE(fmt::format("seed {}\n{}", seed, text_));
    if (made())
      check_images(2e-5);
    if (HasFailure())
      return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RandomBatch, testing::ValuesIn(batch_model_makers()),
                         [](const auto &maker) { return std::string(maker.param.name); });

/// Split over several tests, which ctest runs side by side.
class RandomNetwork : public RandomModel, public testing::WithParamInterface<uint32_t> {};

TEST_P(RandomNetwork, EqualsTheReference) {
  for (uint32_t i = 0; i < soaked(25); ++i) {
    uint32_t seed = GetParam() + 4 * i;
    make(random_network, seed);
    SCOPED_TRACE(fmt::format("seed {}\n{}", seed, text_));
    if (made())
      check(5e-5, i % 4 == 3 && runs(other_cpus[i / 4 % 3]) ? other_cpus[i / 4 % 3] : "");
    if (made() && i % 10 == 0)
      check_library(seed);
    if (made() && i % 5 == 2)
      check_texts();
    if (HasFailure())
      return;
  }
}

INSTANTIATE_TEST_SUITE_P(Part, RandomNetwork, testing::Range(1u, 5u));

} // namespace

} // namespace cnnc
