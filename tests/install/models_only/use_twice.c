/* One model, compiled for two CPUs, in one program; and one whose weights change. */
#include "digits.h"
#include "small-v2.h"
#include "small_v3.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  static float image[3 * 9 * 9], a[8 * 9 * 9], b[8 * 9 * 9], digit[28 * 28], probabilities[10];
  for (int i = 0; i < 3 * 9 * 9; ++i)
    image[i] = (float)(i % 7) - 3;
  if (small_v3_run(image, a, NULL, NULL) != CNNC_OK || old_run(image, b, NULL, NULL) != CNNC_OK ||
      digits_run(digit, probabilities, NULL, NULL) != CNNC_OK)
    return 1;
  if (strcmp(small_v3_model()->target_cpu, "x86-64-v3") != 0 ||
      strcmp(old_model()->target_cpu, "x86-64-v2") != 0)
    return 2;
  for (int i = 0; i < 8 * 9 * 9; ++i)
    if (fabsf(a[i] - b[i]) > 1e-4f)
      return 3;
  printf("first probability %.9g\n", probabilities[0]);
}
