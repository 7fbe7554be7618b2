#include "compiler/driver/tensors.h"

#include "compiler/tensor/element.h"
#include "ir/weights/random.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <map>

namespace cnnc::driver {

namespace {

std::string_view name_of(cnnc_dtype dtype) { return name_of(static_cast<DType>(dtype)); }

bool is_symbolic(const cnnc_tensor_v1 &tensor) {
  return tensor.rank > 0 && tensor.shape[0] == CNNC_SYMBOLIC_BATCH;
}

std::string spell(std::string_view dtype, const std::vector<int64_t> &shape) {
  return fmt::format("{}[{}]", dtype, fmt::join(shape, ", "));
}

size_t count_of(const cnnc_tensor_v1 &tensor, int64_t batch) {
  size_t count = 1;
  for (int64_t dim : shape_of(tensor, batch))
    count *= static_cast<size_t>(dim);
  return count;
}

/// A normally distributed number as one of the type: whole ones of integers, four times as large.
double number_of(DType dtype, float value) {
  if (dtype == DType::boolean)
    return value > 0;
  if (is_float(dtype))
    return value;
  const double whole = std::trunc(least_of(dtype) == 0 ? std::abs(value * 4) : value * 4);
  return std::clamp(whole, static_cast<double>(least_of(dtype)),
                    static_cast<double>(largest_of(dtype)));
}

Bytes random_tensor(const cnnc_tensor_v1 &tensor, int64_t batch, uint64_t seed) {
  const auto dtype = static_cast<DType>(tensor.dtype);
  Bytes bytes(tensor_size(tensor, batch));
  const size_t count = count_of(tensor, batch);
  std::vector<float> values(count);
  fill_random_he(values, 2, seed); // fan_in 2: standard deviation 1
  for (size_t i = 0; i < count; ++i)
    with_element(dtype, [&](auto element) {
      element = static_cast<decltype(element)>(number_of(dtype, values[i]));
      std::memcpy(bytes.data() + i * sizeof element, &element, sizeof element);
    });
  return bytes;
}

/// Reads one file and checks it, as take_tensor() does.
Result<Bytes> read_tensor(const std::string &file, const char *role, const cnnc_tensor_v1 &tensor,
                          std::optional<int64_t> &batch, Budget &budget) {
  std::error_code no_size; // of a pipe, say
  const uintmax_t file_size = std::filesystem::file_size(file, no_size);
  if (Result<void> taken =
          budget.take(fmt::format("the {} %{}", role, tensor.name), no_size ? 0 : file_size);
      !taken)
    return Error{std::string(taken.error())};
  Diagnostics diagnostics;
  std::optional<NpyArray> array = read_npy(file, diagnostics);
  if (!array)
    return Error{diagnostics.to_string()};
  return take_tensor(std::move(*array), file, role, tensor, batch);
}

/// Per image the first elements and the largest one.
void print_tensor(const cnnc_tensor_v1 &tensor, const Bytes &bytes, int64_t batch) {
  constexpr size_t first_elements = 10, first_rows = 16;
  std::vector<double> values = as_numbers(tensor, bytes);
  std::vector<int64_t> shape = shape_of(tensor, batch);
  std::cout << fmt::format("%{}: {}\n", tensor.name, spell(name_of(tensor.dtype), shape));
  if (values.empty())
    return;
  size_t rows = shape.empty() ? 1 : static_cast<size_t>(shape[0]);
  size_t width = values.size() / rows;
  for (size_t row = 0; row < std::min(rows, first_rows); ++row) {
    std::span<const double> image = std::span(values).subspan(row * width, width);
    auto largest = std::max_element(image.begin(), image.end());
    std::cout << fmt::format("  {:.6g}{}  largest [{}] = {:.6g}\n",
                             fmt::join(image.first(std::min(width, first_elements)), " "),
                             width > first_elements ? " ..." : "", largest - image.begin(),
                             *largest);
  }
  if (rows > first_rows)
    std::cout << fmt::format("  ... {} more\n", rows - first_rows);
}

Result<void> write_tensor(const std::filesystem::path &file, const cnnc_tensor_v1 &tensor,
                          const Bytes &bytes, int64_t batch) {
  Diagnostics diagnostics;
  if (!write_npy(file, name_of(tensor.dtype), shape_of(tensor, batch), bytes, diagnostics))
    return Error{diagnostics.to_string()};
  return {};
}

/// A tensor's name as a file name: slashes would lead elsewhere.
std::string file_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name + ".npy";
}

/// Files of --outputs must not be those of inputs, nor one for two outputs.
Result<void> check_output_files(const CommandLine &line, const cnnc_model_v1 &model) {
  std::map<std::string, const char *> outputs; // by file
  std::error_code ignored;
  for (uint32_t i = 0; i < model.output_count && !line.output_folder.empty(); ++i) {
    const std::string name = file_name(model.outputs[i].name);
    const std::filesystem::path file = std::filesystem::path(line.output_folder) / name;
    const auto [known, added] = outputs.emplace(name, model.outputs[i].name);
    if (!added)
      return Error{fmt::format("cnnc: error: the outputs %{} and %{} would both be {}",
                               known->second, model.outputs[i].name, file.string())};
    for (const std::string &input : line.tensors)
      if (std::filesystem::equivalent(file, input, ignored))
        return Error{fmt::format("cnnc: error: the output %{} would overwrite '{}', which is read",
                                 model.outputs[i].name, input)};
  }
  return {};
}

} // namespace

namespace {

std::vector<double> as_numbers(DType dtype, const Bytes &bytes) {
  std::vector<double> numbers(bytes.size() / static_cast<size_t>(size_of(dtype)));
  with_element(dtype, [&](auto element) {
    for (size_t i = 0; i < numbers.size(); ++i) {
      std::memcpy(&element, bytes.data() + i * sizeof element, sizeof element);
      numbers[i] = static_cast<double>(element);
    }
  });
  return numbers;
}

} // namespace

std::vector<double> as_numbers(const cnnc_tensor_v1 &tensor, const Bytes &bytes) {
  return as_numbers(static_cast<DType>(tensor.dtype), bytes);
}

std::vector<double> as_numbers(const NpyArray &array) {
  return as_numbers(*dtype_named(array.dtype), array.data); // read_npy knows no other
}

std::vector<int64_t> shape_of(const cnnc_tensor_v1 &tensor, int64_t batch) {
  std::vector<int64_t> shape(tensor.shape, tensor.shape + tensor.rank);
  if (is_symbolic(tensor))
    shape[0] = batch;
  return shape;
}

std::string spell_type(const cnnc_tensor_v1 &tensor, int64_t batch) {
  return spell(name_of(tensor.dtype), shape_of(tensor, batch));
}

Result<Bytes> take_tensor(NpyArray array, const std::string &file, const char *role,
                          const cnnc_tensor_v1 &tensor, std::optional<int64_t> &batch) {
  if (is_symbolic(tensor) && !batch && !array.shape.empty() && array.shape[0] > 0)
    batch = array.shape[0];
  if (array.dtype != name_of(tensor.dtype) || array.shape != shape_of(tensor, batch.value_or(1)))
    return Error{fmt::format("{}: error: this is {}, but the {} %{} is {}", file,
                             spell(array.dtype, array.shape), role, tensor.name,
                             spell_type(tensor, batch.value_or(1)))};
  return std::move(array.data);
}

uint64_t size_as_numbers(const cnnc_tensor_v1 &tensor, int64_t batch) {
  return count_of(tensor, batch) * sizeof(double);
}

size_t tensor_size(const cnnc_tensor_v1 &tensor, int64_t batch) {
  return tensor.size * (is_symbolic(tensor) ? static_cast<size_t>(batch) : 1);
}
namespace {

template <class Number, class Function> void change(Bytes &bytes, Function function) {
  for (size_t at = 0; at + sizeof(Number) <= bytes.size(); at += sizeof(Number)) {
    Number number;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    number = function(number);
    std::memcpy(bytes.data() + at, &number, sizeof number);
  }
}

/// Random inputs of a training step as they could be: classes, a small rate, squares.
void make_plausible(const cnnc_tensor_v1 &tensor, Bytes &bytes) {
  const std::string_view name = tensor.name;
  if (name == "labels" && tensor.dtype == CNNC_I64)
    change<int64_t>(bytes, [](int64_t label) { return label & 1; });
  else if (name == "rate" && tensor.dtype == CNNC_F32)
    change<float>(bytes, [](float) { return 0.01F; });
  else if (name == "step" && tensor.dtype == CNNC_F32)
    change<float>(bytes, [](float) { return 0.0F; });
  else if (name.ends_with(".second_moment"))
    change<float>(bytes, [](float moment) { return std::abs(moment); });
}

} // namespace

Result<Inputs> make_inputs(const CommandLine &line, const cnnc_model_v1 &model, Budget &budget) {
  Inputs inputs;
  bool random = line.tensors.empty() || line.tensors == std::vector<std::string>{"random"};
  if (!random && line.tensors.size() != model.input_count)
    return Error{fmt::format("cnnc: error: the model @{} has {} inputs, but {} files were given",
                             model.name, model.input_count, line.tensors.size())};
  if (random) {
    if (line.batch > 1 && !std::any_of(model.inputs, model.inputs + model.input_count, is_symbolic))
      return Error{
          fmt::format("cnnc: error: --batch {} is for a model whose batch is given at each "
                      "call, f32[n, ..]; that of @{} is fixed: an ONNX file can be read "
                      "with --shape=nx3x224x224, a text says it in its inputs",
                      line.batch, model.name)};
    inputs.batch = line.batch;
    for (uint32_t i = 0; i < model.input_count; ++i) {
      const cnnc_tensor_v1 &tensor = model.inputs[i];
      const uint64_t floats = count_of(tensor, line.batch) * sizeof(float);
      if (Result<void> taken = budget.take(fmt::format("the input %{}", tensor.name),
                                           tensor_size(tensor, line.batch) + floats);
          !taken)
        return Error{std::string(taken.error())};
      inputs.tensors.push_back(random_tensor(tensor, line.batch, line.seed + i));
      if (line.options.gradients)
        make_plausible(tensor, inputs.tensors.back());
      budget.give_back(floats);
    }
    return inputs;
  }
  return read_inputs(line.tensors, model, budget);
}

InputMaker input_maker(const CommandLine &line) {
  return [&line](const cnnc_model_v1 &table) -> Result<std::vector<Bytes>> {
    Budget budget(line.options);
    Result<Inputs> made = make_inputs(line, table, budget);
    if (!made)
      return Error{std::string(made.error())};
    return std::move(made->tensors);
  };
}

Result<Inputs> read_inputs(std::span<const std::string> files, const cnnc_model_v1 &model,
                           Budget &budget) {
  Inputs inputs;
  std::optional<int64_t> batch;
  for (uint32_t i = 0; i < model.input_count; ++i) {
    Result<Bytes> tensor = read_tensor(files[i], "input", model.inputs[i], batch, budget);
    if (!tensor)
      return Error{std::string(tensor.error())};
    inputs.tensors.push_back(std::move(*tensor));
  }
  inputs.batch = batch.value_or(1);
  return inputs;
}

Result<std::vector<Bytes>> read_outputs(std::span<const std::string> files,
                                        const cnnc_model_v1 &model, int64_t batch, Budget &budget) {
  std::vector<Bytes> outputs;
  std::optional<int64_t> known_batch = batch;
  for (uint32_t i = 0; i < model.output_count; ++i) {
    Result<Bytes> tensor = read_tensor(files[i], "output", model.outputs[i], known_batch, budget);
    if (!tensor)
      return Error{std::string(tensor.error())};
    outputs.push_back(std::move(*tensor));
  }
  return outputs;
}

Result<PreparedCall> PreparedCall::make(const Program &program, const Inputs &inputs,
                                        uint32_t threads, Budget &budget) {
  const cnnc_model_v1 &table = program.table();
  Result<void> taken = budget.take("the workspace", cnnc_workspace_size(&table, threads));
  for (uint32_t i = 0; taken && i < table.output_count; ++i)
    taken = budget.take(fmt::format("the output %{}", table.outputs[i].name),
                        tensor_size(table.outputs[i], inputs.batch));
  if (!taken)
    return Error{std::string(taken.error())};
  return PreparedCall(program, inputs, threads);
}

PreparedCall::PreparedCall(const Program &program, const Inputs &inputs, uint32_t threads)
    : program_(program) {
  const cnnc_model_v1 &table = program.table();
  for (const Bytes &tensor : inputs.tensors)
    input_pointers_.push_back(tensor.data());
  for (uint32_t i = 0; i < table.output_count; ++i)
    outputs_.emplace_back(tensor_size(table.outputs[i], inputs.batch));
  for (Bytes &tensor : outputs_)
    output_pointers_.push_back(tensor.data());
  std::align_val_t alignment{table.workspace_alignment};
  workspace_ = {::operator new(cnnc_workspace_size(&table, threads), alignment, std::nothrow),
                Free{alignment}};
  context_.threads = threads;
  context_.batch = inputs.batch;
}

Result<void> PreparedCall::run() {
  return program_.run(input_pointers_, output_pointers_, &context_, workspace_.get());
}

Result<std::vector<Bytes>> run_once(const Program &program, const Inputs &inputs, uint32_t threads,
                                    Budget &budget) {
  Result<PreparedCall> call = PreparedCall::make(program, inputs, threads, budget);
  if (!call)
    return Error{std::string(call.error())};
  if (Result<void> ran = call->run(); !ran)
    return Error{std::string(ran.error())};
  budget.give_back(cnnc_workspace_size(&program.table(), threads));
  return std::move(call->outputs());
}

Result<void> show_outputs(const CommandLine &line, const cnnc_model_v1 &model,
                          const std::vector<Bytes> &outputs, int64_t batch, Budget &budget) {
  if (!line.output.empty() && model.output_count != 1)
    return Error{fmt::format("cnnc: error: the model @{} has {} outputs; write them with --outputs "
                             "FOLDER",
                             model.name, model.output_count)};
  std::error_code ignored;
  if (!line.output_folder.empty())
    std::filesystem::create_directories(line.output_folder, ignored);
  if (Result<void> apart = check_output_files(line, model); !apart)
    return apart;
  for (uint32_t i = 0; i < model.output_count; ++i) {
    const cnnc_tensor_v1 &tensor = model.outputs[i];
    std::filesystem::path file = line.output;
    if (!line.output_folder.empty())
      file = std::filesystem::path(line.output_folder) / file_name(tensor.name);
    if (file.empty()) {
      const uint64_t numbers = size_as_numbers(tensor, batch);
      if (Result<void> taken = budget.take(fmt::format("printing %{}", tensor.name), numbers);
          !taken)
        return taken;
      print_tensor(tensor, outputs[i], batch);
      budget.give_back(numbers);
      continue;
    }
    if (Result<void> written = write_tensor(file, tensor, outputs[i], batch); !written)
      return written;
  }
  return {};
}

} // namespace cnnc::driver
