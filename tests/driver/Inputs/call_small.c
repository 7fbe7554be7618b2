/* Runs small.ir on numbers made here: writes them to the .npy file named, and the output to stdout.
 */
#include "small.h"

#include <stdio.h>
#include <string.h>

enum { input_count = 3 * 9 * 9, output_count = 8 * 9 * 9, header_size = 128 };

int main(int argc, char **argv) {
  static float image[input_count], result[output_count];
  for (int i = 0; i < input_count; ++i)
    image[i] = (float)(i * 37 % 101) / 50 - 1;
  FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;
  if (!file)
    return 1;
  char header[header_size];
  memset(header, ' ', sizeof header);
  memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
  const char *dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 9, 9), }";
  memcpy(header + 10, dict, strlen(dict));
  header[header_size - 1] = '\n';
  fwrite(header, 1, sizeof header, file);
  fwrite(image, 1, sizeof image, file);
  fclose(file);
  if (small_run(image, result, NULL, NULL) != CNNC_OK)
    return 1;
  return fwrite(result, 1, sizeof result, stdout) != sizeof result;
}
