/* Trains learn.ir by three steps, through its header and a file of its state: C11 and C++17. */
#include "learn.h"

static int fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  return 1;
}

int main(int argc, char **argv) {
  const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const int64_t labels[4] = {0, 2, 1, 2}, wrong[4] = {0, 3, 1, 2};
  static unsigned char state[LEARN_STATE_SIZE], again[LEARN_STATE_SIZE];
  float loss = -1, *weights = (float *)(void *)(state + learn_state.tensors[0].offset);
  if (argc != 2 || learn_state.count != 2)
    return fail("two tensors were expected");
  for (int i = 0; i < 6; ++i)
    weights[i] = (float)(i + 1);
  if (learn_step(x, wrong, 0.5f, state, &loss, NULL, NULL) != CNNC_INVALID_LABEL || loss != -1 ||
      weights[0] != 1)
    return fail("a label beyond the classes was taken");
  for (int step = 0; step < 3; ++step)
    if (learn_step(x, labels, 0.5f, state, &loss, NULL, NULL) != CNNC_OK)
      return fail("a step was not taken");
  cnnc_state_result result = cnnc_state_write(&learn_state, state, argv[1]);
  if (result.code != CNNC_STATE_OK)
    return fail(result.text);
  result = cnnc_state_read(&learn_state, again, argv[1]);
  if (result.code != CNNC_STATE_OK || memcmp(state, again, sizeof state) != 0)
    return fail("another state came back");
  for (uint32_t i = 0; i < learn_state.count; ++i) {
    const float *elements = (const float *)(const void *)(again + learn_state.tensors[i].offset);
    printf("%s: %g %g, required: %d\n", learn_state.tensors[i].name, (double)elements[0],
           (double)elements[5], learn_state.tensors[i].required);
  }
  return 0;
}
