/* Trains LeNet on handwritten digits, from random weights, with one function that cnnc compiled:

     lenet_train_step(images, labels, rate, state, &loss, workspace, context);

   run.sh builds and runs it. Needs libc alone. Exit codes: 0 fine, 1 something went wrong, 2 the command
   line is wrong. */
#define _POSIX_C_SOURCE 200809L
#define PROGRAM "train"
#include "digits.h"
#include "lenet_forward.h"
#include "lenet_train.h"

#include <math.h>
#include <unistd.h>

enum { CLASSES = 10 };

typedef struct {
  const char *training, *held_out, *state;
  int epochs, until;
  double rate; /* the largest one, after the first fifth of the training */
  uint64_t seed;
  uint32_t threads;
  bool resume;
} Options;

static const char usage[] =
    "usage: train [options] TRAINING.bin HELD_OUT.bin\n"
    "  --state FILE   where weights and momenta are kept (lenet.safetensors)\n"
    "  --resume       go on where FILE stands, instead of from random weights\n"
    "  --epochs N     times that the training sees each digit (30)\n"
    "  --until N      stop after this epoch; --resume goes on\n"
    "  --rate R       largest step width (0.05)\n"
    "  --seed N       another seed gives other random weights, digits in another order (1998)\n"
    "  --threads N    threads of a step (1)\n";

/* From -limit to limit. */
static float uniform(uint64_t *random, float limit) {
  return ((float)(random_bits(random) >> 40) * 0x1p-23f - 1.0f) * limit;
}

/* The digit turned by up to 15 degrees, scaled by up to 15 % and shifted by up to 2 pixels: so 8,000
   digits are never the same twice. */
static void distort(const uint8_t *digit, float *image, uint64_t *random) {
  const float angle = uniform(random, 0.2618f), scale = 1 + uniform(random, 0.15f);
  const float down = uniform(random, 2), right = uniform(random, 2);
  const float square = angle * angle; /* the first terms of the series are enough */
  const float sine = scale * angle * (1 - square / 6),
              cosine = scale * (1 - square / 2 + square * square / 24);
  const float middle = (SIDE - 1) / 2.0f;
  for (int row = 0; row < SIDE; ++row)
    for (int column = 0; column < SIDE; ++column) {
      const float y = (float)row - middle, x = (float)column - middle;
      const float from_y = sine * x + cosine * y + middle + down;
      const float from_x = cosine * x - sine * y + middle + right;
      image[row * SIDE + column] = ink_at(digit, from_y, from_x);
    }
}

/* Newton's method: this program needs no libm. */
static float square_root(float x) {
  float root = 1;
  for (int i = 0; i < 20; ++i)
    root = (root + x / root) / 2;
  return root;
}

/* Weights of He et al. 2015: so large that activations keep their size from layer to layer. Biases are 0,
   and so is what is not required. */
static void initialize(const cnnc_state_layout *layout, unsigned char *state, uint64_t seed) {
  uint64_t random = seed;
  for (uint32_t i = 0; i < layout->count; ++i) {
    const cnnc_state_tensor *tensor = &layout->tensors[i];
    float *elements = (float *)(void *)(state + tensor->offset);
    size_t inputs = 1;
    for (uint32_t d = 1; d < tensor->rank; ++d)
      inputs *= (size_t)tensor->shape[d];
    if (!tensor->required || tensor->dtype != CNNC_F32 || tensor->rank < 2)
      continue;
    for (size_t k = 0; k < tensor->size / sizeof(float); ++k)
      elements[k] = uniform(&random, square_root(6.0f / (float)inputs));
  }
}

/* Rises for a fifth of the steps and falls to zero (Smith 2018, "super-convergence"). */
static float rate_at(const Options *options, uint32_t step, uint32_t steps) {
  const double done = (double)step / (double)steps;
  return (float)(options->rate * (done < 0.2 ? 0.04 + 0.96 * done / 0.2 : (1 - done) / 0.8));
}

/* A bar of 20 marks, which is drawn again when it has grown. */
static void show_progress(int epoch, int epochs, uint32_t step, uint32_t steps) {
  static const char bar[] = "####################", rest[] = "....................";
  const int filled = (int)(20 * step / steps);
  if (step != 1 && filled == (int)(20 * (step - 1) / steps))
    return;
  printf("\repoch %2d/%d  [%.*s%.*s]", epoch, epochs, filled, bar, 20 - filled, rest);
  fflush(stdout);
}

/* Everything that a step needs and the caller owns. */
typedef struct {
  unsigned char *state;
  const float *steps_taken; /* a tensor of the state that the step itself counts */
  float *images;            /* of one batch */
  int64_t *labels;
  size_t batch;
  void *workspace;
  cnnc_context context;
} Trainer;

static size_t batch_of(const cnnc_model_v1 *model) {
  const cnnc_tensor_v1 *images = &model->inputs[0];
  if (images->dtype != CNNC_F32 || images->rank != 4 || images->shape[1] != 1 ||
      images->shape[2] != SIDE || images->shape[3] != SIDE)
    fail("@%s does not read digits: its first input should be f32[n, 1, %d, %d]", model->name, SIDE,
         SIDE);
  return (size_t)images->shape[0];
}

static Trainer make_trainer(const Options *options) {
  const cnnc_model_v1 *model = lenet_train_model();
  const cnnc_state_tensor *steps = cnnc_state_find(&lenet_train_state, "step");
  Trainer trainer = {.batch = batch_of(model)};
  if (!steps || steps->dtype != CNNC_F32)
    fail("@%s does not count its steps", model->name);
  trainer.state = allocate(LENET_TRAIN_STATE_SIZE);
  trainer.steps_taken = (const float *)(const void *)(trainer.state + steps->offset);
  trainer.images = allocate(trainer.batch * PIXELS * sizeof(float));
  trainer.labels = allocate(trainer.batch * sizeof(int64_t));
  trainer.context.threads = options->threads;
  trainer.workspace = allocate(cnnc_workspace_size(model, options->threads));
  initialize(&lenet_train_state, trainer.state, options->seed);
  if (options->resume) {
    cnnc_state_result result = cnnc_state_read(&lenet_train_state, trainer.state, options->state);
    if (result.code != CNNC_STATE_OK)
      fail("%s", result.text);
  }
  return trainer;
}

/* One pass over the digits in random order; those that fill no batch wait for another epoch. Returns the
   mean loss. Its random numbers are those of the epoch alone, so that a training that was interrupted
   goes on as if nothing had happened. */
static double train_epoch(Trainer *trainer, const Digits *digits, const Options *options,
                          int epoch) {
  const uint32_t steps = digits->count / (uint32_t)trainer->batch;
  uint64_t random = options->seed ^ (uint64_t)epoch << 32;
  uint32_t *order = shuffled(digits->count, &random);
  double sum = 0;
  for (uint32_t step = 0; step < steps; ++step) {
    for (size_t i = 0; i < trainer->batch; ++i) {
      const uint32_t digit = order[step * trainer->batch + i];
      distort(digits->pixels + (size_t)digit * PIXELS, trainer->images + i * PIXELS, &random);
      trainer->labels[i] = digits->labels[digit];
    }
    float loss;
    const float rate =
        rate_at(options, (uint32_t)(epoch - 1) * steps + step, (uint32_t)options->epochs * steps);
    const cnnc_status status =
        lenet_train_step(trainer->images, trainer->labels, rate, trainer->state, &loss,
                         trainer->workspace, &trainer->context);
    if (status != CNNC_OK)
      fail("the step was not taken: %s", cnnc_status_text(status));
    if (!isfinite(loss))
      fail("the loss is %f in step %u of epoch %d: try a smaller --rate; %s is as it was before "
           "this epoch",
           (double)loss, step + 1, epoch, options->state);
    sum += (double)loss;
    if (isatty(STDOUT_FILENO))
      show_progress(epoch, options->epochs, step + 1, steps);
  }
  free(order);
  return sum / steps;
}

/* How many digits the network reads right with the weights of the state. The model that only reads has them
   as inputs, under their names. */
static uint32_t count_right(const Trainer *trainer, const Digits *digits) {
  const cnnc_model_v1 *model = lenet_forward_model();
  const size_t batch = batch_of(model);
  float *images = allocate(batch * PIXELS * sizeof(float));
  float *probabilities = allocate(batch * CLASSES * sizeof(float));
  const void **inputs = allocate(model->input_count * sizeof *inputs);
  void *const outputs[] = {probabilities};
  uint32_t right = 0;
  inputs[0] = images;
  for (uint32_t i = 1; i < model->input_count; ++i) {
    const cnnc_state_tensor *tensor = cnnc_state_find(&lenet_train_state, model->inputs[i].name);
    if (!tensor || tensor->size != model->inputs[i].size)
      fail("the training has no %s", model->inputs[i].name);
    inputs[i] = trainer->state + tensor->offset;
  }
  for (uint32_t first = 0; first < digits->count; first += (uint32_t)batch) {
    const size_t count = digits->count - first < batch ? digits->count - first : batch;
    for (size_t i = 0; i < count * PIXELS; ++i)
      images[i] = (float)digits->pixels[(size_t)first * PIXELS + i] / 255.0f;
    const cnnc_status status = model->run(inputs, outputs, NULL, NULL);
    if (status != CNNC_OK)
      fail("the digits were not read: %s", cnnc_status_text(status));
    for (size_t i = 0; i < count; ++i) {
      const float *row = probabilities + i * CLASSES;
      int best = 0;
      for (int label = 1; label < CLASSES; ++label)
        if (row[label] > row[best])
          best = label;
      right += best == digits->labels[first + i];
    }
  }
  free(inputs);
  free(probabilities);
  free(images);
  return right;
}

/* The filters of the first layer, side by side, from the most negative weight to the largest. */
static void show_filters(const Trainer *trainer) {
  static const char *const shades[] = {" ", "\u2591", "\u2592", "\u2593", "\u2588"};
  const cnnc_state_tensor *tensor = cnnc_state_find(&lenet_train_state, "conv1.weight");
  if (!tensor || tensor->rank != 4 || tensor->shape[1] != 1)
    return;
  const float *weights = (const float *)(const void *)(trainer->state + tensor->offset);
  const size_t count = tensor->size / sizeof(float);
  const int64_t rows = tensor->shape[2], columns = tensor->shape[3];
  float largest = 0;
  for (size_t i = 0; i < count; ++i)
    largest = fabsf(weights[i]) > largest ? fabsf(weights[i]) : largest;
  puts("\nwhat the first layer looks for:");
  for (int64_t row = 0; row < rows; ++row, puts(""))
    for (int64_t filter = 0; filter < tensor->shape[0]; ++filter, fputs("   ", stdout))
      for (int64_t column = 0; column < columns; ++column) {
        const float weight = weights[(filter * rows + row) * columns + column];
        const int shade = (int)(2.5f + 2.49f * weight / (largest > 0 ? largest : 1));
        printf("%s%s", shades[shade], shades[shade]);
      }
}

static int wrong_usage(const char *argument) {
  if (argument)
    fprintf(stderr, PROGRAM ": error: unexpected '%s'\n", argument);
  return fputs(usage, stderr), 2;
}

/* A number that an option has, within limits. */
static bool parse(const char *text, double low, double high, double *number) {
  char *end;
  errno = 0;
  *number = strtod(text, &end);
  return end != text && *end == 0 && errno == 0 && *number >= low && *number <= high;
}

int main(int count, char **arguments) {
  Options options = {.state = "lenet.safetensors",
                     .epochs = 30,
                     .until = 10000,
                     .rate = 0.05,
                     .seed = 1998,
                     .threads = 1};
  for (int i = 1; i < count; ++i) {
    const char *argument = arguments[i], *next = i + 1 < count ? arguments[i + 1] : "";
    double number = 0;
    if (strcmp(argument, "--help") == 0)
      return fputs(usage, stdout) < 0;
    if (strcmp(argument, "--resume") == 0)
      options.resume = true;
    else if (strcmp(argument, "--state") == 0 && *next && ++i)
      options.state = next;
    else if (strcmp(argument, "--epochs") == 0 && parse(next, 1, 10000, &number) && ++i)
      options.epochs = (int)number;
    else if (strcmp(argument, "--until") == 0 && parse(next, 1, 10000, &number) && ++i)
      options.until = (int)number;
    else if (strcmp(argument, "--rate") == 0 && parse(next, 0, 1e30, &number) && ++i)
      options.rate = number;
    else if (strcmp(argument, "--seed") == 0 && parse(next, 0, 4294967295.0, &number) && ++i)
      options.seed = (uint64_t)number;
    else if (strcmp(argument, "--threads") == 0 && parse(next, 1, 64, &number) && ++i)
      options.threads = (uint32_t)number;
    else if (*argument != '-' && !options.training)
      options.training = argument;
    else if (*argument != '-' && !options.held_out)
      options.held_out = argument;
    else
      return wrong_usage(argument);
  }
  if (!options.held_out)
    return wrong_usage(NULL);

  const Digits training = read_digits(options.training), held_out = read_digits(options.held_out);
  Trainer trainer = make_trainer(&options);
  printf("%u digits to learn from, %u held out, %zu in a step; state: %zu bytes, workspace: %zu "
         "bytes\n",
         training.count, held_out.count, trainer.batch, LENET_TRAIN_STATE_SIZE,
         lenet_train_model()->workspace_size);
  if (training.count < trainer.batch)
    fail("%s has fewer digits than a step takes", options.training);
  const double steps = (double)(training.count / trainer.batch);
  int epoch = (int)((double)*trainer.steps_taken / steps);
  while (epoch++ < options.epochs && epoch <= options.until) {
    const double start = seconds();
    const double loss = train_epoch(&trainer, &training, &options, epoch);
    const uint32_t right = count_right(&trainer, &held_out);
    const cnnc_state_result written =
        cnnc_state_write(&lenet_train_state, trainer.state, options.state);
    if (written.code != CNNC_STATE_OK)
      fail("%s", written.text);
    printf("%sepoch %2d/%d  loss %.4f  %u of %u held-out digits right, %.2f %%  %.2f s\n",
           isatty(STDOUT_FILENO) ? "\r\033[K" : "", epoch, options.epochs, loss, right,
           held_out.count, 100.0 * right / held_out.count, seconds() - start);
    fflush(stdout);
  }
  show_filters(&trainer);
  printf("\n%s: weights and momenta after %.0f steps\n", options.state,
         (double)*trainer.steps_taken);
  return 0;
}
