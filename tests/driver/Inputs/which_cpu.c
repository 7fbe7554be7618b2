/* Which of the CPUs that small.ir was compiled for runs here. */
#include "small.h"

#include <stdio.h>

int main(void) {
  static float image[3 * 9 * 9], result[8 * 9 * 9];
  cnnc_status status = small_run(image, result, NULL, NULL);
  printf("%s: %s\n", small_model()->target_cpu, cnnc_status_text(status));
  return status != CNNC_OK || small_model()->workspace_size > SMALL_WORKSPACE_SIZE;
}
