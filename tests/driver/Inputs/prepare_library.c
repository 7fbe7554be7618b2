/* prepare_library MODEL.so NAME: loads, prepares, runs and closes a library of one input and one output
   of equal sizes 20 times. Prints whether all runs gave the same bits, and whether what was prepared
   was freed. */
#include "cnnc_runtime.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of memory that belong to this process alone. */
static long own_memory(void) {
  long total, resident, shared;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld %ld", &total, &resident, &shared) != 3)
    exit(2);
  fclose(file);
  return 4096 * (resident - shared);
}

int main(int argc, char **argv) {
  enum { ROUNDS = 20, ELEMENTS = 1024 };
  static float input[ELEMENTS], first[ELEMENTS], output[ELEMENTS];
  char symbol[100];
  long before = 0, prepared = 0;
  size_t weights = 0;
  int same = 1;
  if (argc != 3)
    return 2;
  snprintf(symbol, sizeof symbol, "%s_model", argv[2]);
  for (int i = 0; i < ELEMENTS; ++i)
    input[i] = (float)(i % 7);
  for (int round = 0; round < ROUNDS; ++round) {
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    const cnnc_model_v1 *(*model_of)(void) = NULL;
    if (library)
      *(void **)&model_of = dlsym(library, symbol);
    if (!model_of)
      return 2;
    const cnnc_model_v1 *model = model_of();
    const void *inputs[] = {input};
    void *outputs[] = {round == 0 ? first : output};
    cnnc_context context = {0};
    context.threads = 2;
    if (round == 1)
      context.flags = CNNC_PREPARE_AT_FIRST_RUN;
    if (round == 2)
      before = own_memory();
    if (round > 1 && cnnc_prepare(model, NULL, &context) != CNNC_OK)
      return 3;
    if (round == 2)
      prepared = own_memory();
    if (model->run(inputs, outputs, NULL, &context) != CNNC_OK)
      return 4;
    if (round % 2)
      cnnc_release(model); /* else dlclose frees */
    same = same && (round == 0 || memcmp(first, output, sizeof first) == 0);
    weights = model->weights_size;
    dlclose(library);
  }
  printf("%s bits, copy %s, %s\n", same ? "same" : "other",
         prepared - before > (long)weights / 2 ? "made" : "missing",
         own_memory() - before < (long)weights * 3 ? "freed" : "kept");
  return 0;
}
