// A training step in this process, and its state.
#include "compiler/api/jit.h"
#include "runtime/cnnc_training.h"

#include <cmath>
#include <fmt/format.h>

namespace cnnc {

namespace {

constexpr size_t alignment = 64;

} // namespace

/// One allocation, and where the tensors lie in it.
struct Trainer::State {
  std::vector<uint32_t> inputs; // of the step: of each tensor of the state
  std::vector<cnnc_state_tensor> tensors;
  cnnc_state_layout layout = {};
  std::unique_ptr<std::byte[]> memory;
  std::byte *data = nullptr; // aligned

  void *place(size_t tensor) const { return data + tensors[tensor].offset; }
};

Result<Trainer> Trainer::create(const Model &model, const Options &options) {
  Options asked = options;
  if (!asked.training)
    asked.training.emplace();
  Result<Program> program = jit(model, asked);
  if (!program)
    return Error{std::string(program.error())};
  auto state = std::make_shared<State>();
  const cnnc_model_v1 &table = program->table();
  size_t size = 0;
  for (const std::optional<uint32_t> &updated : program->content().updates) {
    if (!updated)
      continue;
    const cnnc_tensor_v1 &input = table.inputs[*updated];
    state->inputs.push_back(*updated);
    state->tensors.push_back({input.name, input.dtype, input.rank, input.shape, input.size, size,
                              !codegen::starts_at_zero(input.name)});
    size += (input.size + alignment - 1) / alignment * alignment;
  }
  state->memory = std::make_unique<std::byte[]>(size + alignment);
  void *memory = state->memory.get();
  size_t room = size + alignment;
  state->data = static_cast<std::byte *>(std::align(alignment, size, memory, room));
  state->layout = {table.name, static_cast<uint32_t>(state->tensors.size()), state->tensors.data(),
                   size};
  return Trainer(std::move(*program), std::move(state));
}

Result<float> Trainer::step(std::span<const void *const> inputs, float rate,
                            const cnnc_context *context) {
  const cnnc_model_v1 &table = program_.table();
  const Program::Content &content = program_.content();
  const size_t given = table.input_count - state_->inputs.size() - 1; // without the rate
  if (inputs.size() != given)
    return error_of(
        fmt::format("a step of @{} takes {} inputs and a rate, but {} inputs were given",
                    table.name, given, inputs.size()));
  // Those of the model come first, then the rate, then the state.
  std::vector<const void *> in(inputs.begin(), inputs.end());
  in.push_back(&rate);
  in.resize(table.input_count);
  for (size_t i = 0; i < state_->inputs.size(); ++i)
    in[state_->inputs[i]] = state_->place(i);
  for (size_t i = 0; i < given; ++i)
    if (const cnnc_tensor_v1 &labels = table.inputs[i];
        labels.dtype == CNNC_I64 && content.label_count > 0 &&
        !cnnc_labels_are_valid(static_cast<const int64_t *>(in[i]), labels.size / sizeof(int64_t),
                               content.label_count))
      return error_of(cnnc_status_text(CNNC_INVALID_LABEL));
  float loss = 0;
  std::vector<void *> out;
  size_t next = 0;
  for (const std::optional<uint32_t> &updated : content.updates)
    out.push_back(updated ? state_->place(next++) : &loss);
  if (Result<void> ran = program_.run(in, out, context); !ran)
    return Error{std::string(ran.error())};
  if (!std::isfinite(loss))
    return error_of(
        fmt::format("the loss is {}: the rate may be too high, or an input no number", loss));
  return loss;
}

std::span<float> Trainer::tensor(std::string_view name) {
  for (size_t i = 0; i < state_->tensors.size(); ++i)
    if (state_->tensors[i].name == name)
      return {static_cast<float *>(state_->place(i)), state_->tensors[i].size / sizeof(float)};
  return {};
}

std::vector<std::string> Trainer::tensor_names() const {
  std::vector<std::string> names;
  for (const cnnc_state_tensor &tensor : state_->tensors)
    names.emplace_back(tensor.name);
  return names;
}

namespace {

Result<void> result_of(const cnnc_state_result &result) {
  if (result.code == CNNC_STATE_OK)
    return {};
  return error_of(result.text);
}

} // namespace

Result<void> Trainer::write(const std::filesystem::path &file) const {
  return result_of(cnnc_state_write(&state_->layout, state_->data, file.c_str()));
}

Result<void> Trainer::read(const std::filesystem::path &file) {
  return result_of(cnnc_state_read(&state_->layout, state_->data, file.c_str()));
}

} // namespace cnnc
