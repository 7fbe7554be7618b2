// ONNX's own tests, as Debian's libonnx-testdata installs them, through the importer and the JIT: a
// model, its inputs and the outputs that it should give.
//
// The suites: `node` (single ops, those listed in conformance/node.txt), `pytorch-converted` and
// `pytorch-operator` (all of them; opset 6). Inputs that the compiler has to know, as shapes, axes
// and pads, become initializers. Tolerances are those of ONNX's backend tests, but for the absolute
// one, which is 1e-6 instead of 1e-7: the outputs were computed in double.
#include "compiler/cnnc.h"
#include "unit/test_files.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <onnx/onnx_pb.h>

namespace cnnc {
namespace {

const fs::path data_folder = CNNC_ONNX_TESTDATA;
const fs::path lists_folder = CNNC_SOURCE_DIR "/tests/onnx/conformance";
constexpr double relative_tolerance = 1e-3, absolute_tolerance = 1e-6;

std::vector<std::string> lines_of(const fs::path &file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);)
    if (!line.empty() && line[0] != '#')
      lines.push_back(line);
  return lines;
}

/// suite/test of every test there is to run.
std::vector<std::string> all_tests() {
  std::vector<std::string> tests;
  for (const std::string &name : lines_of(lists_folder / "node.txt"))
    tests.push_back("node/" + name);
  for (const char *suite : {"pytorch-converted", "pytorch-operator"})
    if (fs::is_directory(data_folder / suite))
      for (const auto &entry : fs::directory_iterator(data_folder / suite))
        tests.push_back(std::string(suite) + "/" + entry.path().filename().string());
  std::sort(tests.begin(), tests.end());
  return tests;
}

/// The reason why a test is known not to pass; empty for all others.
std::string known_failure(const std::string &test) {
  for (const std::string &line : lines_of(lists_folder / "skipped.txt"))
    if (line.starts_with(test + ": "))
      return line.substr(test.size() + 2);
  return "";
}

template <class Message> Message read_message(const fs::path &file) {
  Message message;
  std::ifstream stream(file, std::ios::binary);
  EXPECT_TRUE(message.ParseFromIstream(&stream)) << file;
  return message;
}

/// The tensors NAME_0.pb, NAME_1.pb ... of a folder.
std::vector<onnx::TensorProto> read_tensors(const fs::path &folder, const std::string &name) {
  std::vector<onnx::TensorProto> tensors;
  for (int i = 0;; ++i) {
    fs::path file = folder / fmt::format("{}_{}.pb", name, i);
    if (!fs::exists(file))
      return tensors;
    tensors.push_back(read_message<onnx::TensorProto>(file));
  }
}

template <class Element, class Field> std::string bytes_of_field(const Field &field) {
  std::string bytes;
  for (auto value : field) {
    auto element = static_cast<Element>(value);
    bytes.append(reinterpret_cast<const char *>(&element), sizeof element);
  }
  return bytes;
}

/// Doubles become floats, as they do in the importer.
std::string floats_of_doubles(const onnx::TensorProto &tensor) {
  std::vector<double> values(tensor.double_data().begin(), tensor.double_data().end());
  if (tensor.has_raw_data()) {
    values.resize(tensor.raw_data().size() / sizeof(double));
    std::memcpy(values.data(), tensor.raw_data().data(), values.size() * sizeof(double));
  }
  return bytes_of_field<float>(values);
}

std::string bytes_of(const onnx::TensorProto &tensor) {
  if (tensor.data_type() == onnx::TensorProto::DOUBLE)
    return floats_of_doubles(tensor);
  if (tensor.has_raw_data())
    return tensor.raw_data();
  switch (tensor.data_type()) {
  case onnx::TensorProto::FLOAT:
    return bytes_of_field<float>(tensor.float_data());
  case onnx::TensorProto::INT64:
    return bytes_of_field<int64_t>(tensor.int64_data());
  case onnx::TensorProto::BOOL:
  case onnx::TensorProto::UINT8:
    return bytes_of_field<uint8_t>(tensor.int32_data());
  case onnx::TensorProto::INT8:
    return bytes_of_field<int8_t>(tensor.int32_data());
  default:
    return bytes_of_field<int32_t>(tensor.int32_data());
  }
}

/// Whether a compiler needs the value of this input of a single node.
bool is_fixed(const onnx::NodeProto &node, int index, int32_t type) {
  const std::string &op = node.op_type();
  if (op == "ConstantOfShape" || op == "If")
    return true;
  if (index == 0 || op == "Pow" || op == "Gather")
    return false;
  return type != onnx::TensorProto::FLOAT || op == "Resize" || op == "Upsample" || op == "Pad" ||
         op == "Dropout" || op == "OneHot" || op.ends_with("Linear") || op.starts_with("QLinear");
}

/// Makes initializers of the inputs that have to be known; returns the others.
std::vector<std::string> fix_inputs(onnx::ModelProto &model,
                                    const std::vector<onnx::TensorProto> &inputs, bool single_op) {
  std::vector<std::string> rest;
  std::map<std::string, int> position;
  if (single_op)
    for (int i = 0; i < model.graph().node(0).input_size(); ++i)
      position[model.graph().node(0).input(i)] = i;
  onnx::GraphProto graph = model.graph();
  model.mutable_graph()->clear_input();
  for (int i = 0, next = 0; i < graph.input_size(); ++i) {
    const onnx::ValueInfoProto &info = graph.input(i);
    bool initialized =
        std::any_of(graph.initializer().begin(), graph.initializer().end(),
                    [&](const auto &tensor) { return tensor.name() == info.name(); });
    const onnx::TensorProto *value =
        initialized || next >= int(inputs.size()) ? nullptr : &inputs[size_t(next++)];
    if (value && single_op && is_fixed(graph.node(0), position[info.name()], value->data_type())) {
      onnx::TensorProto *tensor = model.mutable_graph()->add_initializer();
      *tensor = *value;
      tensor->set_name(info.name());
      continue;
    }
    *model.mutable_graph()->add_input() = info;
    if (value)
      rest.push_back(bytes_of(*value));
  }
  return rest;
}

template <class Element>
std::string compare_elements(const std::string &actual, const std::string &expected, bool exactly) {
  for (size_t at = 0; at < expected.size(); at += sizeof(Element)) {
    Element a, e;
    std::memcpy(&a, &actual[at], sizeof a);
    std::memcpy(&e, &expected[at], sizeof e);
    auto x = static_cast<double>(a), y = static_cast<double>(e);
    bool same =
        exactly ? a == e
                : x == y || (std::isnan(x) && std::isnan(y)) ||
                      std::fabs(x - y) <= absolute_tolerance + relative_tolerance * std::fabs(y);
    if (!same)
      return fmt::format("element {} is {}, not {}", at / sizeof(Element), x, y);
  }
  return "";
}

/// What is wrong with an output; empty when nothing is.
std::string compare(const cnnc_tensor_v1 &description, const std::string &actual,
                    const onnx::TensorProto &expected) {
  std::vector<int64_t> shape(description.shape, description.shape + description.rank);
  if (!std::equal(shape.begin(), shape.end(), expected.dims().begin(), expected.dims().end()))
    return fmt::format("the rank or a dimension differs from the expected one (rank {}, not {})",
                       shape.size(), expected.dims_size());
  std::string bytes = bytes_of(expected);
  if (bytes.size() != actual.size())
    return fmt::format("{} bytes instead of {}", actual.size(), bytes.size());
  switch (expected.data_type()) {
  case onnx::TensorProto::FLOAT:
  case onnx::TensorProto::DOUBLE:
    return compare_elements<float>(actual, bytes, false);
  case onnx::TensorProto::INT64:
    return compare_elements<int64_t>(actual, bytes, true);
  case onnx::TensorProto::INT32:
    return compare_elements<int32_t>(actual, bytes, true);
  case onnx::TensorProto::BOOL:
  case onnx::TensorProto::UINT8:
    return compare_elements<uint8_t>(actual, bytes, true);
  case onnx::TensorProto::INT8:
    return compare_elements<int8_t>(actual, bytes, true);
  default:
    return fmt::format("an output of type {}", expected.data_type());
  }
}

/// Runs a model file on one set of inputs. Returns what is wrong.
std::string run_and_compare(const fs::path &file, const std::vector<std::string> &inputs,
                            const std::vector<onnx::TensorProto> &expected) {
  Result<Model> model = load(file);
  if (!model)
    return std::string(model.error());
  Result<Program> program = jit(*model);
  if (!program)
    return std::string(program.error());
  const cnnc_model_v1 &table = program->table();
  if (table.input_count != inputs.size() || table.output_count != expected.size())
    return fmt::format("{} inputs and {} outputs instead of {} and {}", table.input_count,
                       table.output_count, inputs.size(), expected.size());
  std::vector<const void *> input_pointers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].size() != table.inputs[i].size)
      return fmt::format("input {} has {} bytes instead of {}", i, table.inputs[i].size,
                         inputs[i].size());
    input_pointers.push_back(inputs[i].data());
  }
  std::vector<std::string> outputs;
  std::vector<void *> output_pointers;
  for (uint32_t i = 0; i < table.output_count; ++i)
    outputs.emplace_back(table.outputs[i].size, '\x7f');
  for (std::string &output : outputs)
    output_pointers.push_back(output.data());
  if (Result<void> ran = program->run(input_pointers, output_pointers); !ran)
    return std::string(ran.error());
  for (size_t i = 0; i < outputs.size(); ++i)
    if (std::string wrong = compare(table.outputs[i], outputs[i], expected[i]); !wrong.empty())
      return fmt::format("output {}: {}", i, wrong);
  return "";
}

/// What is wrong with a test; models are written to `scratch`.
std::string run_test(const std::string &test, const fs::path &scratch) {
  fs::path folder = data_folder / test;
  auto original = read_message<onnx::ModelProto>(folder / "model.onnx");
  bool single_op = test.starts_with("node/");
  for (int set = 0;; ++set) {
    fs::path set_folder = folder / fmt::format("test_data_set_{}", set);
    if (!fs::exists(set_folder))
      return set == 0 ? "there is no test data" : "";
    onnx::ModelProto model = original;
    std::vector<std::string> inputs =
        fix_inputs(model, read_tensors(set_folder, "input"), single_op);
    fs::path file = scratch / fmt::format("set_{}.onnx", set);
    std::ofstream stream(file, std::ios::binary);
    if (!model.SerializeToOstream(&stream))
      return "the model could not be written";
    stream.close();
    std::string wrong = run_and_compare(file, inputs, read_tensors(set_folder, "output"));
    if (!wrong.empty())
      return wrong;
  }
}

class Conformance : public InFolder, public testing::WithParamInterface<std::string> {};

TEST_P(Conformance, gives_the_expected_outputs) {
  std::string wrong = run_test(GetParam(), folder_);
  std::string reason = known_failure(GetParam());
  if (reason.empty())
    EXPECT_EQ(wrong, "");
  else if (wrong.empty())
    ADD_FAILURE() << "passes now: take it off tests/onnx/conformance/skipped.txt";
  else
    GTEST_SKIP() << reason << "\n" << wrong;
}

std::string test_name(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Onnx, Conformance, testing::ValuesIn(all_tests()), test_name);

// A missing package, or lists that no longer say what there is, must not look like success.
TEST(ConformanceLists, are_complete) {
  size_t counts[3] = {};
  for (const std::string &test : all_tests()) {
    EXPECT_TRUE(fs::exists(data_folder / test / "model.onnx")) << test;
    ++counts[test.starts_with("node/") ? 0 : test.starts_with("pytorch-converted/") ? 1 : 2];
  }
  EXPECT_EQ(counts[0], 532U);
  EXPECT_EQ(counts[1], 82U);
  EXPECT_EQ(counts[2], 35U);
  std::vector<std::string> tests = all_tests();
  for (const std::string &line : lines_of(lists_folder / "skipped.txt")) {
    std::string test = line.substr(0, line.find(": "));
    EXPECT_TRUE(std::binary_search(tests.begin(), tests.end(), test)) << "no such test: " << line;
  }
}

} // namespace
} // namespace cnnc
