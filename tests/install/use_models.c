/* Compiled models in one program: runs them, one again with threads and once more from an ONNX file
   for the same bits. */
#include "digits.h"
#include "same.h"
#include "small.h"

#include <stdio.h>
#include <string.h>

int main(void) {
  static float image[3 * 9 * 9], small[8 * 9 * 9], again[8 * 9 * 9], same[8 * 9 * 9];
  static float digit[28 * 28], probabilities[10];
  for (int i = 0; i < 3 * 9 * 9; ++i)
    image[i] = (float)(i % 7) - 3;
  cnnc_context context = {0};
  context.threads = 2;
  if (small_run(image, small, NULL, NULL) != CNNC_OK ||
      small_run(image, again, NULL, &context) != CNNC_OK ||
      same_run(image, same, NULL, NULL) != CNNC_OK ||
      digits_run(digit, probabilities, NULL, NULL) != CNNC_OK)
    return 1;
  if (memcmp(small, again, sizeof small) != 0 || memcmp(small, same, sizeof small) != 0)
    return 2;
  float sum = 0;
  for (int i = 0; i < 10; ++i)
    sum += probabilities[i];
  printf("sum of probabilities %.4f\n", sum);
  return sum > 0.999f && sum < 1.001f ? 0 : 3;
}
