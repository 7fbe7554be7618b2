/* One call of a model: checks the arguments, then walks the steps. */
#include "internal.h"

#include <stdlib.h>

/* A tensor without elements needs no memory. */
static bool all_given(const void *const *pointers, const cnnc_tensor_v1 *tensors, uint32_t count) {
  if (count != 0 && !pointers)
    return false;
  for (uint32_t i = 0; i < count; ++i)
    if (!pointers[i] && tensors[i].size != 0)
      return false;
  return true;
}

static bool is_batched(const cnnc_tensor_v1 *tensor) {
  return tensor->rank != 0 && tensor->shape[0] == CNNC_SYMBOLIC_BATCH;
}

/* True when `batch` images of every tensor fit into the address space. */
static bool batch_fits(const cnnc_tensor_v1 *tensors, uint32_t count, uint64_t batch) {
  for (uint32_t i = 0; i < count; ++i)
    if (is_batched(&tensors[i]) && tensors[i].size != 0 &&
        batch > (uint64_t)PTRDIFF_MAX / tensors[i].size)
      return false;
  return true;
}

/* The number of times that the steps run. */
static cnnc_status count_images(const cnnc_program *program, const cnnc_context *context,
                                uint64_t *images) {
  const int64_t batch = context && context->batch != 0 ? context->batch : 1;
  const cnnc_model_v1 *model = program->model;
  *images = (uint64_t)batch;
  if (batch < 1)
    return CNNC_INVALID_BATCH;
  if (!program->symbolic_batch)
    return batch > 1 ? CNNC_FIXED_BATCH : CNNC_OK;
  return batch_fits(model->inputs, model->input_count, *images) &&
                 batch_fits(model->outputs, model->output_count, *images)
             ? CNNC_OK
             : CNNC_INVALID_BATCH;
}

/* Everything that the steps need, the same for each image. */
struct run {
  const cnnc_program *program;
  const void *const *inputs;
  void *const *outputs;
  unsigned char *workspace;
  const unsigned char *weights;
  cnnc_task task;
};

/* Where an image begins in a tensor. Tensors without a batch are the same for all images. */
static size_t image_offset(const cnnc_tensor_v1 *tensor, uint64_t image) {
  return is_batched(tensor) ? (size_t)image * tensor->size : 0;
}

static void *resolve(const struct run *run, const cnnc_buffer *buffer, uint64_t image) {
  const cnnc_model_v1 *model = run->program->model;
  uintptr_t base;
  switch (buffer->space) {
  case CNNC_SPACE_WEIGHTS:
    base = (uintptr_t)run->weights;
    break;
  case CNNC_SPACE_WORKSPACE:
    base = (uintptr_t)run->workspace;
    break;
  case CNNC_SPACE_INPUT:
    base =
        (uintptr_t)run->inputs[buffer->index] + image_offset(&model->inputs[buffer->index], image);
    break;
  default:
    base = (uintptr_t)run->outputs[buffer->index] +
           image_offset(&model->outputs[buffer->index], image);
    break;
  }
  return (void *)(base + buffer->offset);
}

static void run_steps(struct run *run, uint64_t image) {
  const cnnc_program *program = run->program;
  const cnnc_context *context = run->task.context;
  const bool profile = context && context->profile;
  void *buffers[CNNC_MAX_KERNEL_BUFFERS];
  for (uint32_t s = 0; s < program->step_count; ++s) {
    const cnnc_step *step = &program->steps[s];
    for (uint32_t b = 0; b < step->buffer_count; ++b)
      buffers[b] = resolve(run, &program->buffers[step->first_buffer + b], image);
    if (!profile) {
      step->kernel(&run->task, buffers);
      continue;
    }
    uint64_t start = cnnc_nanoseconds();
    step->kernel(&run->task, buffers);
    uint64_t nanoseconds = cnnc_nanoseconds() - start;
    cnnc_set_float_state(run->task.caller_float);
    context->profile(context->profile_user, s, nanoseconds, run->workspace);
    cnnc_set_float_state(run->task.model_float);
  }
}

cnnc_status cnnc_program_run(const cnnc_program *program, const void *const *inputs,
                             void *const *outputs, void *workspace, const cnnc_context *context) {
  const cnnc_model_v1 *model = program->model;
  if (program->required_cpu & ~cnnc_cpu_features())
    return CNNC_UNSUPPORTED_CPU;
  if (!all_given(inputs, model->inputs, model->input_count) ||
      !all_given((const void *const *)outputs, model->outputs, model->output_count))
    return CNNC_INVALID_ARGUMENT;
  if (workspace && (uintptr_t)workspace % model->workspace_alignment != 0)
    return CNNC_INVALID_ARGUMENT;
  uint64_t images;
  const cnnc_status counted = count_images(program, context, &images);
  if (counted != CNNC_OK)
    return counted;

  void *allocated = NULL;
  if (!workspace && model->workspace_size != 0) {
    const size_t size = cnnc_workspace_size(model, context ? context->threads : 1);
    workspace = allocated = size != 0 ? cnnc_allocate(size, model->workspace_alignment) : NULL;
    if (!allocated)
      return CNNC_OUT_OF_MEMORY;
  }
  struct run run = {program, inputs, outputs, workspace, NULL, {0}};
  cnnc_task_begin(&run.task, context);
  if (context && context->flags & CNNC_PREPARE_AT_FIRST_RUN)
    (void)cnnc_prepare_weights(program, &run.task); /* else from the file */
  run.weights = cnnc_begin_reading(program);
  for (uint64_t image = 0; image < images; ++image)
    run_steps(&run, image);
  cnnc_end_reading(program);
  cnnc_task_end(&run.task);
  free(allocated);
  return CNNC_OK;
}
