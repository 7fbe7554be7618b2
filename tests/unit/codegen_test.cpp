// Code generation from hand-written LLVM IR to a running model: objects, tables, shared library,
// static library, JIT.
#include "compiler/codegen/jit.h"
#include "compiler/codegen/link.h"
#include "compiler/codegen/model_table.h"
#include "compiler/codegen/object.h"
#include "compiler/codegen/weights_object.h"
#include "runtime/embedded.h"
#include "tests/unit/codegen_test_helpers.h"

#include <chrono>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <llvm/IR/Module.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>
#include <set>
#include <thread>

namespace cnnc::codegen {
namespace {

namespace fs = std::filesystem;

constexpr int64_t width = 1024;                 // floats of the test tensor
constexpr uint64_t weights_bytes = 4u << 20;    // most of it only tests the size
constexpr uint64_t second_offset = 3u << 20;    // where the weights of the second step begin
constexpr uint64_t workspace_bytes = width * 4; // one tensor

/// out[i] = weights[i] * in[i], a parallel loop over 4 rows of 256.
constexpr const char *scale_ir = R"(
declare hidden void @cnnc_parallel_for(ptr, ptr, ptr, i64)

define hidden void @scale(ptr %task, ptr %buffers) nounwind {
  call void @cnnc_parallel_for(ptr %task, ptr @scale.body, ptr %buffers, i64 4)
  ret void
}

define internal void @scale.body(ptr %buffers, i64 %begin, i64 %end, i32 %worker) nounwind {
entry:
  %weights = load ptr, ptr %buffers
  %input.at = getelementptr ptr, ptr %buffers, i64 1
  %input = load ptr, ptr %input.at
  %output.at = getelementptr ptr, ptr %buffers, i64 2
  %output = load ptr, ptr %output.at
  %first = mul i64 %begin, 256
  %last = mul i64 %end, 256
  br label %loop
loop:
  %i = phi i64 [ %first, %entry ], [ %next, %loop ]
  %w.at = getelementptr float, ptr %weights, i64 %i
  %w = load <8 x float>, ptr %w.at, align 4
  %x.at = getelementptr float, ptr %input, i64 %i
  %x = load <8 x float>, ptr %x.at, align 4
  %y = fmul <8 x float> %w, %x
  %y.at = getelementptr float, ptr %output, i64 %i
  store <8 x float> %y, ptr %y.at, align 4
  %next = add i64 %i, 8
  %more = icmp slt i64 %next, %last
  br i1 %more, label %loop, label %done
done:
  ret void
}
)";

ModelDescription two_step_model(const std::string &name) {
  ModelDescription model;
  model.name = name;
  model.target = native_target();
  model.inputs = {{"image", CNNC_F32, {1, 4, 256}, workspace_bytes}};
  model.outputs = {{"scaled", CNNC_F32, {1, width}, workspace_bytes}};
  cnnc_buffer value = {CNNC_SPACE_WORKSPACE, 0, 0};
  model.steps = {{"first", "scale", {{CNNC_SPACE_WEIGHTS, 0, 0}, {CNNC_SPACE_INPUT, 0, 0}, value}},
                 {"second",
                  "scale",
                  {{CNNC_SPACE_WEIGHTS, 0, second_offset}, value, {CNNC_SPACE_OUTPUT, 0, 0}}}};
  model.workspace_size = workspace_bytes;
  model.weights_size = weights_bytes;
  return model;
}

std::vector<ObjectCode> compile_model(const ModelDescription &model, const std::string &ir) {
  Diagnostics diagnostics;
  auto objects = compile_all({{"the kernels", [&](llvm::LLVMContext &context,
                                                  Diagnostics &) { return parse_ir(ir, context); }},
                              {"the table",
                               [&](llvm::LLVMContext &context, Diagnostics &errors) {
                                 return build_model_table(context, model, errors);
                               }}},
                             model.target, diagnostics);
  EXPECT_TRUE(objects) << diagnostics.to_string();
  std::vector<ObjectCode> code;
  for (CompiledObject &object : *objects)
    code.push_back(std::move(object.code));
  return code;
}

/// Weights whose two used ranges are i + 1 and `factor`.
struct Weights {
  explicit Weights(float factor)
      : data(static_cast<float *>(std::aligned_alloc(weights_alignment, weights_bytes)),
             &std::free) {
    std::fill_n(data.get(), weights_bytes / 4, 0.0f);
    for (int64_t i = 0; i < width; ++i) {
      data.get()[i] = static_cast<float>(i + 1);
      data.get()[second_offset / 4 + i] = factor;
    }
  }
  std::span<const std::byte> bytes() const {
    return std::as_bytes(std::span<const float>(data.get(), weights_bytes / 4));
  }
  std::unique_ptr<float, decltype(&std::free)> data;
};

void expect_scaled(const cnnc_model_v1 *model, float factor, uint32_t threads) {
  std::vector<float> input(width, 0.5f);
  std::vector<float> output(width, -1.0f);
  const void *inputs[] = {input.data()};
  void *outputs[] = {output.data()};
  cnnc_context context = {};
  context.threads = threads;
  ASSERT_EQ(model->run(inputs, outputs, nullptr, &context), CNNC_OK);
  for (int64_t i = 0; i < width; ++i)
    ASSERT_EQ(output[i], 0.5f * static_cast<float>(i + 1) * factor) << "at " << i;
}

std::string read_file(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class CodegenTest : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cnnc-codegen-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { fs::remove_all(folder); }

  fs::path write_weights(const Weights &weights, const std::string &name) {
    auto writer =
        WeightsObjectWriter::open(folder / name, native_target(), weights_bytes, diagnostics);
    EXPECT_TRUE(writer &&
                writer->write(second_offset, weights.bytes().subspan(second_offset), diagnostics) &&
                writer->write(0, weights.bytes().first(width * 4), diagnostics) &&
                writer->finish(diagnostics));
    return folder / name;
  }

  /// Runs a linker that makes `output`.
  template <class Linker>
  static bool make(Linker link, const LinkInputs &inputs, const fs::path &output,
                   Diagnostics &diagnostics) {
    const TemporaryFolder scratch(output, diagnostics);
    return scratch.valid() && link(inputs, scratch, diagnostics);
  }

  bool write_shared(const std::string &name, float factor, const fs::path &output) {
    ModelDescription model = two_step_model(name);
    std::vector<ObjectCode> objects = compile_model(model, scale_ir);
    fs::path weights = write_weights(Weights(factor), name + "_weights.o");
    return make(link_shared_library, {native_target(), objects, {weights}, model_symbol(model), ""},
                output, diagnostics);
  }

  void write_text(const std::string &name, const std::string &text) {
    std::ofstream(folder / name) << text;
  }

  /// Runs a shell command in the folder.
  int shell(const std::string &command) {
    return std::system(("cd '" + folder.string() + "' && " + command).c_str());
  }

  fs::path folder;
  Diagnostics diagnostics;
};

std::ptrdiff_t thread_count() {
  return std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator());
}

TEST_F(CodegenTest, SharedLibraryRuns) {
  ASSERT_TRUE(write_shared("tiny", 2.0f, folder / "tiny.so")) << diagnostics.to_string();
  const std::ptrdiff_t threads = thread_count(); // with those that the linker keeps
  void *library = dlopen((folder / "tiny.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  auto get = reinterpret_cast<const cnnc_model_v1 *(*)()>(dlsym(library, "tiny_model"));
  ASSERT_NE(get, nullptr);
  expect_scaled(get(), 2.0f, 1);
  expect_scaled(get(), 2.0f, 3);
  EXPECT_EQ(thread_count(), threads + 2);
  dlclose(library);
  for (int wait = 0; wait < 1000 && thread_count() > threads; ++wait)
    std::this_thread::sleep_for(std::chrono::milliseconds(1)); // the system clears up behind join
  EXPECT_EQ(thread_count(), threads) << "workers stop before their code goes away";
  size_t files = 0;
  for (const auto &entry : fs::directory_iterator(folder)) {
    (void)entry;
    ++files;
  }
  EXPECT_EQ(files, 2u) << "the library and the weights, nothing temporary";
}

TEST_F(CodegenTest, SharedLibraryNeedsOnlyLibcAndExportsOnlyTheModel) {
  ASSERT_TRUE(write_shared("tiny", 2.0f, folder / "tiny.so")) << diagnostics.to_string();
  auto buffer = llvm::MemoryBuffer::getFile((folder / "tiny.so").string());
  ASSERT_TRUE(buffer);
  auto file = llvm::object::ELF64LEObjectFile::create((*buffer)->getMemBufferRef());
  ASSERT_TRUE(static_cast<bool>(file));
  std::set<std::string> exported;
  for (const auto &symbol : file->getDynamicSymbolIterators())
    if (!(llvm::cantFail(symbol.getFlags()) & llvm::object::SymbolRef::SF_Undefined))
      exported.insert(llvm::cantFail(symbol.getName()).str());
  EXPECT_EQ(exported, std::set<std::string>{"tiny_model"});

  const auto &elf = file->getELFFile();
  const char *names = nullptr;
  for (const auto &entry : llvm::cantFail(elf.dynamicEntries()))
    if (entry.getTag() == llvm::ELF::DT_STRTAB)
      names = reinterpret_cast<const char *>(llvm::cantFail(elf.toMappedAddr(entry.getPtr())));
  ASSERT_NE(names, nullptr);
  std::vector<std::string> needed, soname;
  for (const auto &entry : llvm::cantFail(elf.dynamicEntries())) {
    if (entry.getTag() == llvm::ELF::DT_NEEDED)
      needed.push_back(names + entry.getVal());
    if (entry.getTag() == llvm::ELF::DT_SONAME)
      soname.push_back(names + entry.getVal());
  }
  EXPECT_EQ(needed, std::vector<std::string>{"libc.so.6"});
  EXPECT_EQ(soname, std::vector<std::string>{"tiny.so"});
}

TEST_F(CodegenTest, LinkingIsReproducible) {
  fs::create_directory(folder / "again");
  ASSERT_TRUE(write_shared("tiny", 2.0f, folder / "tiny.so"));
  ASSERT_TRUE(write_shared("tiny", 2.0f, folder / "again/tiny.so"));
  EXPECT_EQ(read_file(folder / "tiny.so"), read_file(folder / "again/tiny.so"));
}

TEST_F(CodegenTest, JitModelsRunSideBySide) {
  Weights two(2.0f), three(3.0f);
  ModelDescription description = two_step_model("tiny");
  std::vector<ObjectCode> objects = compile_model(description, scale_ir);
  auto first = JitModel::create(objects, "tiny_model", two.data.get(), diagnostics);
  auto second = JitModel::create(objects, "tiny_model", three.data.get(), diagnostics);
  ASSERT_TRUE(first && second) << diagnostics.to_string();
  expect_scaled(first->model(), 2.0f, 1);
  expect_scaled(second->model(), 3.0f, 2);
  first.reset();
  expect_scaled(second->model(), 3.0f, 1);
}

TEST_F(CodegenTest, TableHoldsTheDescription) {
  ModelDescription description = two_step_model("tiny net");
  description.inputs.push_back({"odd \"name\"", CNNC_U8, {CNNC_SYMBOLIC_BATCH, 3}, 3});
  description.inputs.push_back({"scalar", CNNC_I64, {}, 8});
  std::vector<ObjectCode> objects = compile_model(description, scale_ir);
  Weights weights(1.0f);
  auto jit = JitModel::create(objects, model_symbol(description), weights.data.get(), diagnostics);
  ASSERT_TRUE(jit) << diagnostics.to_string();
  const cnnc_model_v1 &model = *jit->model();
  EXPECT_EQ(model.abi_version, CNNC_ABI_VERSION);
  EXPECT_STREQ(model.name, "tiny net");
  EXPECT_EQ(model.target_cpu, description.target.cpu);
  EXPECT_EQ(model.target_features, description.target.feature_summary());
  ASSERT_EQ(model.input_count, 3u);
  EXPECT_STREQ(model.inputs[0].name, "image");
  EXPECT_EQ(model.inputs[0].rank, 3u);
  EXPECT_EQ(model.inputs[0].shape[2], 256);
  EXPECT_EQ(model.inputs[0].size, workspace_bytes);
  EXPECT_STREQ(model.inputs[1].name, "odd \"name\"");
  EXPECT_EQ(model.inputs[1].dtype, CNNC_U8);
  EXPECT_EQ(model.inputs[1].shape[0], CNNC_SYMBOLIC_BATCH);
  EXPECT_EQ(model.inputs[2].rank, 0u);
  EXPECT_EQ(model.inputs[2].dtype, CNNC_I64);
  ASSERT_EQ(model.output_count, 1u);
  EXPECT_STREQ(model.outputs[0].name, "scaled");
  ASSERT_EQ(model.kernel_count, 2u);
  EXPECT_STREQ(model.kernel_names[0], "first");
  EXPECT_STREQ(model.kernel_names[1], "second");
  EXPECT_EQ(model.workspace_size, workspace_bytes);
  EXPECT_EQ(model.workspace_alignment, 64u);
  EXPECT_EQ(model.weights_size, weights_bytes);
}

TEST_F(CodegenTest, TwoModelsLinkIntoOneProgram) {
  std::string runtime_header(reinterpret_cast<const char *>(cnnc_embedded_header_begin),
                             reinterpret_cast<const char *>(cnnc_embedded_header_end));
  write_text("cnnc_runtime.h", runtime_header);
  for (std::string name : {"alpha", "beta"}) {
    ModelDescription model = two_step_model(name);
    std::vector<ObjectCode> objects = compile_model(model, scale_ir);
    fs::path weights = write_weights(Weights(name == "alpha" ? 2.0f : 3.0f), name + "_w.o");
    LinkInputs inputs = {model.target, objects, {weights}, model_symbol(model), ""};
    ASSERT_TRUE(make(link_relocatable, inputs, folder / (name + ".o"), diagnostics) &&
                make(write_archive, inputs, folder / ("lib" + name + ".a"), diagnostics))
        << diagnostics.to_string();
    write_text(name + ".h", write_header(model));
  }
  write_text("main.c", R"(
#include "alpha.h"
#include "beta.h"
static float in[1024], a[1024], b[1024];
int main(void) {
  for (int i = 0; i < 1024; ++i) in[i] = 1.0f;
  if (alpha_run(in, a, NULL, NULL) != CNNC_OK || beta_run(in, b, NULL, NULL) != CNNC_OK) return 1;
  for (int i = 0; i < 1024; ++i)
    if (a[i] != 2.0f * (float)(i + 1) || b[i] != 3.0f * (float)(i + 1)) return 2;
  return 0;
}
)");
  if (shell("command -v cc >/dev/null") != 0)
    GTEST_SKIP() << "no C compiler here";
  EXPECT_EQ(shell("cc main.c alpha.o beta.o -pthread -o objects && ./objects"), 0);
  EXPECT_EQ(shell("cc main.c -L. -lalpha -lbeta -pthread -o archives && ./archives"), 0);
}

TEST_F(CodegenTest, HeaderCompilesWithoutWarnings) {
  std::string runtime_header(reinterpret_cast<const char *>(cnnc_embedded_header_begin),
                             reinterpret_cast<const char *>(cnnc_embedded_header_end));
  write_text("cnnc_runtime.h", runtime_header);
  ModelDescription model = two_step_model("9 odd*/net");
  model.inputs = {
      {"int", CNNC_F32, {1}, 4},       {"a*/b\n\\", CNNC_BOOL, {CNNC_SYMBOLIC_BATCH, 2}, 2},
      {"a.b", CNNC_U8, {1}, 1},        {"a/b", CNNC_I64, {1}, 8},
      {"workspace", CNNC_F64, {1}, 8}, {"\xc3\xa9", CNNC_I32, {}, 4}};
  model.outputs = {{"int", CNNC_F32, {1}, 4}};
  write_text("odd.h", write_header(model));
  model.inputs.clear();
  model.name = "empty";
  write_text("empty.h", write_header(model));
  std::string use = "#include \"odd.h\"\n#include \"odd.h\"\n#include \"empty.h\"\n"
                    "cnnc_status call(float *x, void *w) { return empty_run(x, w, NULL); }\n";
  write_text("use.c", "#include \"cnnc_runtime.h\"\ncnnc_status call(float *x, void *w);\n" + use);
  write_text("use.cpp", use);
  if (shell("command -v cc >/dev/null && command -v c++ >/dev/null") != 0)
    GTEST_SKIP() << "no C compiler here";
  std::string warnings = " -Wall -Wextra -Wpedantic -Wshadow -Werror -fsyntax-only ";
  EXPECT_EQ(shell("cc -std=c11" + warnings + "use.c"), 0);
  EXPECT_EQ(shell("c++ -std=c++11" + warnings + "use.cpp"), 0);
}

// A training step: what is no state is a parameter, numbers by value; labels are looked at first.
TEST_F(CodegenTest, HeaderOfATrainingStepRunsOnItsState) {
  auto write_embedded = [&](const char *name, const unsigned char *begin,
                            const unsigned char *end) {
    write_text(name, {reinterpret_cast<const char *>(begin), reinterpret_cast<const char *>(end)});
  };
  write_embedded("cnnc_runtime.h", cnnc_embedded_header_begin, cnnc_embedded_header_end);
  write_embedded("cnnc_training.h", cnnc_embedded_training_header_begin,
                 cnnc_embedded_training_header_end);
  ModelDescription model = two_step_model("learn");
  model.inputs = {{"x", CNNC_F32, {4, 2}, 32},         {"labels", CNNC_I64, {4}, 32},
                  {"w.momentum", CNNC_F32, {2}, 8},    {"rate", CNNC_F32, {}, 4},
                  {"\"odd\"\n?\?/", CNNC_F32, {2}, 8}, {"step", CNNC_I64, {}, 8}};
  model.outputs = {{"odd.next", CNNC_F32, {2}, 8, 4},
                   {"state", CNNC_F32, {}, 4},
                   {"w.momentum.next", CNNC_F32, {2}, 8, 2},
                   {"step.next", CNNC_I64, {}, 8, 5}};
  model.label_count = 10;
  const std::string header = write_header(model);
  write_text("learn.h", header);
  EXPECT_NE(header.find("#define LEARN_STATE_SIZE ((size_t)192)"), std::string::npos) << header;
  write_text("use.c", R"(
#include "learn.h"
#include "learn.h"
static int same(const void *a, const void *b, size_t offset) {
  return a == (const void *)((const char *)b + offset);
}
static float x[8], loss;
static unsigned char state[LEARN_STATE_SIZE];
static int calls;
static cnnc_status run(const void *const *in, void *const *out, void *workspace, const cnnc_context *context) {
  ++calls;
  if (workspace || context || in[0] != (const void *)x || *(const float *)in[3] != 0.5f) return CNNC_INVALID_BATCH;
  if (!same(in[2], state, 0) || !same(in[4], state, 64) || !same(in[5], state, 128)) return CNNC_INVALID_BATCH;
  if (!same(out[0], state, 64) || out[1] != (void *)&loss || !same(out[2], state, 0) || !same(out[3], state, 128))
    return CNNC_INVALID_BATCH;
  return CNNC_OK;
}
const cnnc_model_v1 *learn_model(void) {
  static cnnc_model_v1 model;
  model.run = run;
  return &model;
}
int main(void) {
  const int64_t labels[] = {0, 9, 1, 2}, wrong[] = {0, 9, 10, 2}, below[] = {0, 9, 1, -1};
  const cnnc_state_tensor *odd = &learn_state.tensors[1];
  if (learn_step(x, wrong, 0.5f, state, &loss, NULL, NULL) != CNNC_INVALID_LABEL) return 1;
  if (learn_step(x, below, 0.5f, state, &loss, NULL, NULL) != CNNC_INVALID_LABEL || calls != 0) return 2;
  if (learn_step(x, labels, 0.5f, NULL, &loss, NULL, NULL) != CNNC_INVALID_ARGUMENT || calls != 0) return 3;
  if (learn_step(x, labels, 0.5f, state, &loss, NULL, NULL) != CNNC_OK || calls != 1) return 4;
  if (learn_state.count != 3 || learn_state.size != 192 || strcmp(learn_state.name, "learn") != 0) return 5;
  if (strcmp(odd->name, "\"odd\"\n\?\?/") != 0 || !odd->required || odd->offset != 64 || odd->size != 8) return 6;
  if (learn_state.tensors[0].required || learn_state.tensors[2].required || learn_state.tensors[2].rank) return 7;
  return learn_state.tensors[0].shape[0] == 2 ? 0 : 8;
}
)");
  fs::copy_file(folder / "use.c", folder / "use.cpp");
  if (shell("command -v cc >/dev/null && command -v c++ >/dev/null") != 0)
    GTEST_SKIP() << "no C compiler here";
  std::string warnings = " -Wall -Wextra -Wpedantic -Wshadow -Werror ";
  EXPECT_EQ(shell("cc -std=c11" + warnings + "use.c -o use && ./use"), 0);
  EXPECT_EQ(shell("c++ -std=c++17" + warnings + "use.cpp -o use && ./use"), 0);
}

TEST_F(CodegenTest, SymbolsOutsideOfLibcAreErrors) {
  std::string ir = "declare float @expf(float)\n"
                   "define hidden void @scale(ptr %t, ptr %b) {\n"
                   "  %x = load float, ptr %b\n  %y = call float @expf(float %x)\n"
                   "  store float %y, ptr %b\n  ret void\n}\n";
  ModelDescription model = two_step_model("tiny");
  std::vector<ObjectCode> objects = compile_model(model, ir);
  Weights weights(1.0f);
  LinkInputs inputs = {
      model.target, objects, {write_weights(weights, "w.o")}, model_symbol(model), ""};
  EXPECT_FALSE(make(link_shared_library, inputs, folder / "tiny.so", diagnostics));
  EXPECT_FALSE(make(link_relocatable, inputs, folder / "tiny.o", diagnostics));
  EXPECT_FALSE(JitModel::create(objects, "tiny_model", weights.data.get(), diagnostics));
  ASSERT_EQ(diagnostics.error_count(), 3u) << diagnostics.to_string();
  for (const Diagnostic &diagnostic : diagnostics.all())
    EXPECT_NE(diagnostic.message.find("expf"), std::string::npos) << diagnostic.message;
  EXPECT_FALSE(fs::exists(folder / "tiny.so"));
  EXPECT_FALSE(fs::exists(folder / "tiny.o"));
  // The linker still works after an error.
  Diagnostics clean;
  objects = compile_model(model, scale_ir);
  EXPECT_TRUE(make(link_shared_library,
                   {native_target(), objects, {folder / "w.o"}, "tiny_model", ""}, folder / "t.so",
                   clean))
      << clean.to_string();
}

TEST_F(CodegenTest, KernelsMayHaveAnyName) {
  ModelDescription model = two_step_model("tiny");
  for (std::string name : {"steps", "model", "free", "weights.0", "\xc3\xa9"}) {
    std::string symbol = kernel_symbol(model.name, name);
    std::string ir = scale_ir;
    for (size_t at = ir.find("@scale("); at != ir.npos; at = ir.find("@scale("))
      ir.replace(at, 6, "@\"" + symbol + "\"");
    model.steps[0].symbol = model.steps[1].symbol = symbol;
    Weights weights(2.0f);
    std::vector<ObjectCode> objects = compile_model(model, ir);
    auto jit = JitModel::create(objects, "tiny_model", weights.data.get(), diagnostics);
    ASSERT_TRUE(jit) << diagnostics.to_string();
    expect_scaled(jit->model(), 2.0f, 1);
    fs::path file = write_weights(weights, "w.o");
    EXPECT_TRUE(make(link_shared_library, {native_target(), objects, {file}, "tiny_model", ""},
                     folder / "t.so", diagnostics))
        << diagnostics.to_string();
  }
}

TEST_F(CodegenTest, ThreadsCompileAndLinkAtTheSameTime) {
  fs::path weights = write_weights(Weights(2.0f), "w.o");
  std::vector<std::string> errors(4);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < errors.size(); ++i)
      threads.emplace_back([&, i] {
        Diagnostics own;
        std::vector<ObjectCode> objects = compile_model(two_step_model("tiny"), scale_ir);
        make(link_shared_library, {native_target(), objects, {weights}, "tiny_model", ""},
             folder / (std::to_string(i) + ".so"), own);
        errors[i] = own.to_string();
      });
  }
  for (size_t i = 0; i < errors.size(); ++i) {
    EXPECT_EQ(errors[i], "");
    EXPECT_TRUE(fs::exists(folder / (std::to_string(i) + ".so")));
  }
}

TEST_F(CodegenTest, UnwritableOutputIsAnError) {
  EXPECT_FALSE(write_shared("tiny", 2.0f, folder / "missing" / "tiny.so"));
  EXPECT_NE(diagnostics.to_string().find("cannot create"), std::string::npos);
}

TEST_F(CodegenTest, WeightsBeyondTheirSizeAreAnError) {
  auto writer = WeightsObjectWriter::open(folder / "w.o", native_target(), 8, diagnostics);
  const std::byte bytes[5] = {};
  ASSERT_TRUE(writer && writer->write(3, bytes, diagnostics));
  EXPECT_FALSE(writer->write(4, bytes, diagnostics));
  EXPECT_NE(diagnostics.to_string().find("weights at byte 4 end beyond their 8 bytes"),
            std::string::npos);
}

TEST_F(CodegenTest, MoreBuffersThanTheRuntimeHoldsAreAnError) {
  ModelDescription model = two_step_model("tiny");
  model.steps[0].buffers.resize(CNNC_MAX_KERNEL_BUFFERS + 1);
  llvm::LLVMContext context;
  EXPECT_EQ(build_model_table(context, model, diagnostics), nullptr);
  EXPECT_NE(diagnostics.to_string().find("the tables of the model are not those of "
                                         "runtime/program.h"),
            std::string::npos);
}

TEST_F(CodegenTest, TooManyWeightsAreAnError) {
  EXPECT_EQ(
      WeightsObjectWriter::open(folder / "w.o", native_target(), uint64_t{3} << 30, diagnostics),
      nullptr);
  EXPECT_NE(diagnostics.to_string().find("need 3072 MiB"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "w.o"));
}

} // namespace
} // namespace cnnc::codegen
