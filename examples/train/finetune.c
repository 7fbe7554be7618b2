/* Teaches the last block of a network that others have trained for another task to tell odd digits from
   even ones. All other weights are constants of the step:

     parity_train_step(images, labels, rate, state, &loss, workspace, context);

   finetune.sh builds and runs it. Needs libc alone. Exit codes: 0 fine, 1 something went wrong, 2 the
   command line is wrong. */
#define _POSIX_C_SOURCE 200809L
#define PROGRAM "finetune"
#include "digits.h"
#include "parity_forward.h"
#include "parity_train.h"

#include <dlfcn.h>
#include <math.h>

enum { BATCH = 32, CHANNELS = 3, WIDTH = 48, EPOCHS = 4 };
static const float largest_rate = 0.1f;

typedef float Image[CHANNELS][WIDTH][WIDTH];

static const char usage[] =
    "usage: finetune TRAINING.bin HELD_OUT.bin BEFORE.safetensors AFTER.safetensors\n"
    "       finetune --read MODEL.so HELD_OUT.bin   only reads, with a model without inputs for "
    "weights\n";

/* Enlarges a digit to the size of the network's images: -1 for the paper to 1 for full ink, as it has
   learned to see texts. */
static void draw(const uint8_t *digit, Image image) {
  const float scale = (float)SIDE / WIDTH;
  for (int row = 0; row < WIDTH; ++row)
    for (int column = 0; column < WIDTH; ++column) {
      const float ink =
          ink_at(digit, ((float)row + 0.5f) * scale - 0.5f, ((float)column + 0.5f) * scale - 0.5f);
      for (int channel = 0; channel < CHANNELS; ++channel)
        image[channel][row][column] = 2 * ink - 1;
    }
}

static void check_input(const cnnc_model_v1 *model) {
  const cnnc_tensor_v1 *images = &model->inputs[0];
  if (images->dtype != CNNC_F32 || images->size != BATCH * sizeof(Image))
    fail("@%s does not read f32[%d, %d, %d, %d]", model->name, BATCH, CHANNELS, WIDTH, WIDTH);
}

/* Prints how many digits a model reads right. Its inputs behind the images are weights of the state. */
static void read_all(const cnnc_model_v1 *model, const Digits *digits, const unsigned char *state) {
  Image *images = allocate(BATCH * sizeof *images);
  float(*probabilities)[2] = allocate(BATCH * sizeof *probabilities);
  const void **inputs = allocate(model->input_count * sizeof *inputs);
  void *const outputs[] = {probabilities};
  uint32_t right = 0;
  inputs[0] = images;
  for (uint32_t i = 1; i < model->input_count; ++i) {
    const cnnc_state_tensor *tensor = cnnc_state_find(&parity_train_state, model->inputs[i].name);
    if (!state || !tensor || tensor->size != model->inputs[i].size)
      fail("the training has no %s", model->inputs[i].name);
    inputs[i] = state + tensor->offset;
  }
  for (uint32_t first = 0; first < digits->count; first += BATCH) {
    const uint32_t count = digits->count - first < BATCH ? digits->count - first : BATCH;
    for (uint32_t i = 0; i < count; ++i)
      draw(digits->pixels + (size_t)(first + i) * PIXELS, images[i]);
    const cnnc_status status = model->run(inputs, outputs, NULL, NULL);
    if (status != CNNC_OK)
      fail("the digits were not read: %s", cnnc_status_text(status));
    for (uint32_t i = 0; i < count; ++i)
      right += (probabilities[i][1] > probabilities[i][0]) == digits->labels[first + i] % 2;
  }
  printf("%u of %u held-out digits right, %.2f %%", right, digits->count,
         100.0 * right / digits->count);
  free(inputs);
  free(probabilities);
  free(images);
}

/* One pass over the digits in random order. Returns the mean loss. */
static double train_epoch(int epoch, const Digits *digits, unsigned char *state, void *workspace) {
  static Image images[BATCH];
  int64_t labels[BATCH];
  const uint32_t steps = digits->count / BATCH;
  uint64_t random = (uint64_t)epoch;
  uint32_t *order = shuffled(digits->count, &random);
  double sum = 0;
  for (uint32_t step = 0; step < steps; ++step) {
    for (uint32_t i = 0; i < BATCH; ++i) {
      const uint32_t digit = order[step * BATCH + i];
      draw(digits->pixels + (size_t)digit * PIXELS, images[i]);
      labels[i] = digits->labels[digit] % 2;
    }
    const float done = ((float)(epoch - 1) + (float)step / (float)steps) / EPOCHS;
    float loss;
    const cnnc_status status = parity_train_step(
        &images[0][0][0][0], labels, largest_rate * (1 - done), state, &loss, workspace, NULL);
    if (status != CNNC_OK)
      fail("the step was not taken: %s", cnnc_status_text(status));
    if (!isfinite(loss))
      fail("the loss is %f in step %u of epoch %d", (double)loss, step + 1, epoch);
    sum += (double)loss;
  }
  free(order);
  return sum / steps;
}

static void check(cnnc_state_result result) {
  if (result.code != CNNC_STATE_OK)
    fail("%s", result.text);
}

static void fine_tune(const char *training_file, const char *held_out_file, const char *before,
                      const char *after) {
  const Digits training = read_digits(training_file), held_out = read_digits(held_out_file);
  unsigned char *state = allocate(PARITY_TRAIN_STATE_SIZE);
  void *workspace = allocate(parity_train_model()->workspace_size);
  if (training.count < BATCH)
    fail("%s has fewer digits than a step takes", training_file);
  check_input(parity_train_model());
  check_input(parity_forward_model());
  check(cnnc_state_read(&parity_train_state, state, before));
  printf("before     ");
  read_all(parity_forward_model(), &held_out, state);
  for (int epoch = 1; epoch <= EPOCHS; ++epoch) {
    const double start = seconds();
    printf("\nepoch %d/%d  ", epoch, EPOCHS);
    fflush(stdout);
    printf("loss %.4f  ", train_epoch(epoch, &training, state, workspace));
    read_all(parity_forward_model(), &held_out, state);
    printf("  %.2f s", seconds() - start);
  }
  check(cnnc_state_write(&parity_train_state, state, after));
  printf("\n%s: the weights that were trained, with their momenta\n", after);
  free(workspace);
  free(state);
}

/* A model that was compiled after this program. */
static const cnnc_model_v1 *load_model(const char *path) {
  const cnnc_model_v1 *(*get_model)(void) = NULL;
  void *library = dlopen(path, RTLD_NOW);
  if (library)
    *(void **)&get_model = dlsym(library, "parity_model");
  if (!get_model)
    fail("%s", dlerror());
  check_input(get_model());
  return get_model();
}

int main(int count, char **arguments) {
  if (count == 4 && strcmp(arguments[1], "--read") == 0) {
    const Digits held_out = read_digits(arguments[3]);
    read_all(load_model(arguments[2]), &held_out, NULL);
    puts("");
    return 0;
  }
  if (count != 5)
    return fputs(usage, stderr), 2;
  fine_tune(arguments[1], arguments[2], arguments[3], arguments[4]);
  return 0;
}
