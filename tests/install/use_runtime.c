/* The runtime's header alone, as C11: what a program needs that loads models with dlopen. */
#include <cnnc_runtime.h>

int workspace_fits(const cnnc_model_v1 *model, size_t size);
int workspace_fits(const cnnc_model_v1 *model, size_t size) {
  return model->abi_version == CNNC_ABI_VERSION && model->workspace_size <= size;
}
