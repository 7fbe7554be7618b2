// Models in this process.
#include "compiler/api/jit.h"

#include <fmt/format.h>

namespace cnnc {

Error error_of(std::string message) {
  Diagnostics diagnostics;
  diagnostics.error(std::move(message));
  return {diagnostics.to_string()};
}

std::shared_ptr<const Program::Content>
load_program(Session &session, const CompiledProgram &program, const Constants &constants) {
  Diagnostics &diagnostics = session.diagnostics();
  auto content = std::make_shared<Program::Content>();
  content->weights = session.timed("weights", [&] {
    return compute_weights(
        {program.layout, session.model(), constants, session.jobs("constants computed")},
        diagnostics);
  });
  if (!content->weights)
    return nullptr;
  for (const codegen::TensorDescription &output : program.layout.description.outputs)
    content->updates.push_back(output.updates);
  content->label_count = program.layout.description.label_count;
  content->code = session.timed("load", [&] {
    return codegen::JitModel::create(program.objects,
                                     codegen::model_symbol(program.layout.description),
                                     content->weights.get(), diagnostics);
  });
  return content->code ? content : nullptr;
}

bool check_program_memory(Session &session, const codegen::ModelDescription &model) {
  const uint64_t most = session.max_memory();
  if (model.weights_size <= most && model.workspace_size <= most - model.weights_size)
    return true;
  session.diagnostics().error(fmt::format("the model @{} takes {} bytes of weights and {} of "
                                          "workspace, but {} are the most that it may "
                                          "take here (--max-memory)",
                                          model.name, model.weights_size, model.workspace_size,
                                          most));
  return false;
}

Result<Program> jit(const Model &model, const Options &options) {
  Result<Session> session = Session::open(model, options);
  if (!session)
    return Error{std::string(session.error())};
  if (!codegen::runs_on_host(session->target()))
    return error_of(fmt::format("this machine cannot run code for {} ({})", session->target().cpu,
                                session->target().feature_summary()));
  std::optional<Constants> constants = session->open_constants();
  std::optional<CompiledProgram> program = constants ? session->compile() : std::nullopt;
  const bool fits = program && check_program_memory(*session, program->layout.description);
  std::shared_ptr<const Program::Content> content =
      fits ? load_program(*session, *program, *constants) : nullptr;
  if (!content)
    return session->error();
  session->report_warnings();
  return Program(std::move(content));
}

const cnnc_model_v1 &Program::table() const { return *content_->code->model(); }

Result<void> Program::run(std::span<const void *const> inputs, std::span<void *const> outputs,
                          const cnnc_context *context, void *workspace) const {
  const cnnc_model_v1 &model = table();
  if (inputs.size() != model.input_count || outputs.size() != model.output_count)
    return error_of(fmt::format("the model @{} has {} inputs and {} outputs, but {} and {} were "
                                "given",
                                model.name, model.input_count, model.output_count, inputs.size(),
                                outputs.size()));
  cnnc_status status = model.run(inputs.data(), outputs.data(), workspace, context);
  if (status == CNNC_OK)
    return {};
  std::string text = cnnc_status_text(status);
  if (status == CNNC_OUT_OF_MEMORY)
    text +=
        fmt::format(" of {} bytes", cnnc_workspace_size(&model, context ? context->threads : 1));
  if (status == CNNC_UNSUPPORTED_CPU)
    text += fmt::format(": {}", model.target_features);
  return error_of(std::move(text));
}

} // namespace cnnc
