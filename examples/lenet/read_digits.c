/* Reads handwritten digits with a compiled LeNet.

     cc -std=c11 -O2 -I runtime examples/lenet/read_digits.c -ldl -o read_digits
     ./read_digits ./lenet.so examples/lenet/held_out_digits.bin

   Shows some digits, then the accuracy on all of them and the speed of one thread. The digits file
   is described in digits.py. Exit codes: 0 fine, 1 the input is wrong, 2 the command line is wrong.
 */
#define _POSIX_C_SOURCE 200809L
#include "cnnc_runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, HEADER = 16 };
enum { SHOWN = 8, PER_ROW = 4, BORDER = 4 };

typedef struct {
  uint32_t count;
  uint8_t *labels;    /* [count] */
  float *images;      /* [count][PIXELS], 0 for the paper to 1 for full ink */
  uint8_t *predicted; /* [count] */
  float *probability; /* [count], of the predicted digit */
} Digits;

static const char usage[] =
    "usage: read_digits [--predictions FILE] MODEL.so DIGITS.bin\n"
    "  MODEL.so            LeNet, compiled by cnnc from examples/lenet/lenet.ir\n"
    "  DIGITS.bin          examples/lenet/held_out_digits.bin: 2,000 held-out digits\n"
    "  --predictions FILE  also write the predicted digits to FILE, one a line\n";

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("read_digits: error: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory)
    fail("out of memory");
  return memory;
}

/* Reads a digits file and scales its pixels to [0, 1]. */
static Digits read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file)
    fail("%s: %s; make a digits file with examples/lenet/digits.py", path, strerror(errno));
  uint8_t header[HEADER];
  if (fread(header, 1, HEADER, file) != HEADER || memcmp(header, "CNNCDIG1", 8) != 0)
    fail("%s is not a digits file: it does not begin with CNNCDIG1; make one with "
         "examples/lenet/digits.py",
         path);
  Digits digits = {.count = header[8] | (uint32_t)header[9] << 8 | (uint32_t)header[10] << 16 |
                            (uint32_t)header[11] << 24};
  int rows = header[12] | header[13] << 8, columns = header[14] | header[15] << 8;
  if (rows != SIDE || columns != SIDE)
    fail("%s holds digits of %d x %d pixels, but LeNet reads %d x %d", path, rows, columns, SIDE,
         SIDE);
  if (digits.count == 0 || digits.count > 1000000)
    fail("%s says that it holds %u digits; expected 1 to 1000000", path, digits.count);

  digits.labels = allocate(digits.count, 1);
  digits.images = allocate(digits.count, PIXELS * sizeof(float));
  digits.predicted = allocate(digits.count, 1);
  digits.probability = allocate(digits.count, sizeof(float));
  for (uint32_t i = 0; i < digits.count; ++i) {
    uint8_t pixels[PIXELS];
    float *image = digits.images + (size_t)i * PIXELS;
    if (fread(&digits.labels[i], 1, 1, file) != 1 || fread(pixels, 1, PIXELS, file) != PIXELS)
      fail("%s is cut short: it ends in digit %u of %u", path, i + 1, digits.count);
    if (digits.labels[i] >= CLASSES)
      fail("%s: digit %u has the label %d; expected 0 to 9", path, i + 1, digits.labels[i]);
    for (size_t p = 0; p < PIXELS; ++p)
      image[p] = (float)pixels[p] / 255.0f;
  }
  fclose(file);
  return digits;
}

static void check_tensors(const char *path, const char *what, const cnnc_tensor_v1 *tensors,
                          uint32_t count, uint32_t rank, const int64_t *shape) {
  bool fits = count == 1 && tensors[0].dtype == CNNC_F32 && tensors[0].rank == rank;
  for (uint32_t i = 0; fits && i < rank; ++i)
    fits =
        tensors[0].shape[i] == shape[i] || (i == 0 && tensors[0].shape[i] == CNNC_SYMBOLIC_BATCH);
  if (!fits)
    fail("%s is not LeNet: expected one %s, f32[%s]; compile examples/lenet/lenet.ir", path, what,
         rank == 4 ? "1, 1, 28, 28" : "1, 10");
}

/* Loads the library, which stays loaded, and checks that it is a LeNet this program can run. */
static const cnnc_model_v1 *load_model(const char *path) {
  /* Without a slash dlopen would search the system's folders, not the current one. */
  size_t length = strlen(path) + 3;
  char *file = allocate(length, 1);
  snprintf(file, length, "%s%s", strchr(path, '/') ? "" : "./", path);
  void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  free(file);
  if (!library)
    fail("cannot load the model: %s; compile it with cnnc from examples/lenet/lenet.ir", dlerror());
  const cnnc_model_v1 *(*get_model)(void);
  *(void **)&get_model = dlsym(library, "lenet_model");
  if (!get_model)
    fail("%s has no lenet_model(): it is not examples/lenet/lenet.ir compiled by cnnc", path);
  const cnnc_model_v1 *model = get_model();
  if (model->abi_version != CNNC_ABI_VERSION)
    fail("%s has interface version %u, this program needs %u; compile both again", path,
         model->abi_version, CNNC_ABI_VERSION);
  check_tensors(path, "input", model->inputs, model->input_count, 4,
                (const int64_t[]){1, 1, SIDE, SIDE});
  check_tensors(path, "output", model->outputs, model->output_count, 2,
                (const int64_t[]){1, CLASSES});
  return model;
}

static void run(const cnnc_model_v1 *model, const float *image, float *probabilities,
                void *workspace) {
  cnnc_status status =
      model->run((const void *[]){image}, (void *[]){probabilities}, workspace, NULL);
  if (status == CNNC_UNSUPPORTED_CPU)
    fail("the model needs a CPU with %s; compile it for this one", model->target_features);
  if (status != CNNC_OK)
    fail("the model returned status %d", (int)status);
}

/* Fills in the predictions and returns how many are right. */
static uint32_t predict(const cnnc_model_v1 *model, Digits *digits, void *workspace) {
  uint32_t right = 0;
  for (uint32_t i = 0; i < digits->count; ++i) {
    float probabilities[CLASSES];
    run(model, digits->images + (size_t)i * PIXELS, probabilities, workspace);
    int best = 0;
    for (int label = 1; label < CLASSES; ++label)
      if (probabilities[label] > probabilities[best])
        best = label;
    digits->predicted[i] = (uint8_t)best;
    digits->probability[i] = probabilities[best];
    right += best == digits->labels[i];
  }
  return right;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Images per second, measured over whole passes for at least half a second. */
static double measure(const cnnc_model_v1 *model, const Digits *digits, void *workspace) {
  float probabilities[CLASSES];
  double images = 0, start = seconds(), elapsed;
  do {
    for (uint32_t i = 0; i < digits->count; ++i)
      run(model, digits->images + (size_t)i * PIXELS, probabilities, workspace);
    images += digits->count;
    elapsed = seconds() - start;
  } while (elapsed < 0.5);
  return images / elapsed;
}

/* One line of a picture: a half block shows two rows of pixels. The empty border is left out. */
static void print_line(const float *image, int row) {
  static const char *const blocks[] = {" ", "\u2580", "\u2584", "\u2588"};
  const float *upper = image + row * SIDE, *lower = upper + SIDE;
  for (int column = BORDER; column < SIDE - BORDER; ++column)
    fputs(blocks[(upper[column] > 0.4f) + 2 * (lower[column] > 0.4f)], stdout);
}

/* Draws a few digits, spread evenly over the file, with what the model read in them. */
static void show(const Digits *digits) {
  uint32_t shown = digits->count < SHOWN ? digits->count : SHOWN;
  for (uint32_t first = 0; first < shown; first += PER_ROW) {
    size_t row_of_digits[PER_ROW];
    uint32_t width = shown - first < PER_ROW ? shown - first : PER_ROW;
    for (uint32_t i = 0; i < width; ++i)
      row_of_digits[i] = (size_t)(first + i) * digits->count / shown;
    for (int row = BORDER; row < SIDE - BORDER; row += 2, puts(""))
      for (uint32_t i = 0; i < width; ++i)
        print_line(digits->images + row_of_digits[i] * PIXELS, row);
    for (uint32_t i = 0; i < width; ++i)
      printf("  read %d, %5.1f %%   ", digits->predicted[row_of_digits[i]],
             100.0 * (double)digits->probability[row_of_digits[i]]);
    puts("");
    for (uint32_t i = 0; i < width; ++i)
      printf("  label %d           ", digits->labels[row_of_digits[i]]);
    puts("\n");
  }
}

static void write_predictions(const char *path, const Digits *digits) {
  FILE *file = fopen(path, "w");
  if (!file)
    fail("%s: %s", path, strerror(errno));
  for (uint32_t i = 0; i < digits->count; ++i)
    fprintf(file, "%d\n", digits->predicted[i]);
  if (ferror(file) | fclose(file))
    fail("%s: cannot write all predictions", path);
}

/* Runs the model on all digits and prints the report. */
static void report(const cnnc_model_v1 *model, Digits *digits) {
  size_t alignment = model->workspace_alignment;
  if (alignment < sizeof(void *))
    alignment = sizeof(void *);
  void *workspace = NULL;
  if (posix_memalign(&workspace, alignment, model->workspace_size) != 0)
    fail("no memory for a workspace of %zu bytes", model->workspace_size);
  uint32_t right = predict(model, digits, workspace);
  show(digits);
  printf("%u of %u digits right: %.2f %%\n", right, digits->count, 100.0 * right / digits->count);
  double rate = measure(model, digits, workspace);
  printf("%.0f images per second, %.1f us each, one thread\n", rate, 1e6 / rate);
  printf("workspace %zu bytes, weights %zu bytes, compiled for %s\n", model->workspace_size,
         model->weights_size, model->target_cpu);
  free(workspace);
}

int main(int count, char **arguments) {
  const char *paths[2], *predictions = NULL;
  int given = 0;
  for (int i = 1; i < count; ++i) {
    if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
      return fputs(usage, stdout) < 0;
    if (strcmp(arguments[i], "--predictions") == 0 && i + 1 < count)
      predictions = arguments[++i];
    else if (arguments[i][0] != '-' && given < 2)
      paths[given++] = arguments[i];
    else
      return fprintf(stderr, "read_digits: error: unexpected '%s'\n%s", arguments[i], usage), 2;
  }
  if (given < 2)
    return fputs(usage, stderr), 2;

  const cnnc_model_v1 *model = load_model(paths[0]);
  Digits digits = read_file(paths[1]);
  report(model, &digits);
  if (predictions)
    write_predictions(predictions, &digits);
  free(digits.labels);
  free(digits.images);
  free(digits.predicted);
  free(digits.probability);
  return 0;
}
