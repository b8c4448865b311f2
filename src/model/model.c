/* Opens the module with libtorch when a network is first wanted, and hands everything on to it. */
#include "model.h"

#include "torch_shim.h"

#include "shardsne/memory.h"

#include <dlfcn.h>
#ifdef SSNE_WITH_TORCH
#include <torch/version.h>
#define LIBRARY "libtorch " TORCH_VERSION
#else
#define LIBRARY "no libtorch"
#endif

struct ssne_model {
  const ssne_torch_table *torch;
  ssne_network *network;
};

/* The module stays open for good: libtorch cannot be unloaded, and opening it again costs nothing.
 */
static ssne_code open_module(const ssne_torch_table **out, ssne_error *err) {
#ifdef SSNE_WITH_TORCH
  void *module = dlopen(SSNE_TORCH_MODULE, RTLD_NOW | RTLD_LOCAL);
  *out = module ? dlsym(module, SSNE_TORCH_TABLE) : NULL;
  if (*out) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED,
                   "libtorch cannot be loaded (%s): install the program anew, or set "
                   "LD_LIBRARY_PATH to where " SSNE_TORCH_MODULE " and libtorch are",
                   dlerror());
#else
  *out = NULL;
  return ssne_fail(err, SSNE_FAILED,
                   "this shardsne was built without libtorch and runs no networks: extract on a "
                   "machine whose shardsne has it, or build with -DSHARDSNE_TORCH=ON");
#endif
}

ssne_code ssne_model_load(const ssne_model_options *options, ssne_model **out, ssne_error *err) {
  ssne_model model = {NULL, NULL};
  *out = NULL;
  SSNE_TRY(open_module(&model.torch, err));
  SSNE_TRY(model.torch->load(options, &model.network, err));
  const ssne_code code = ssne_alloc(out, 1, sizeof **out, "network", err);
  if (code == SSNE_OK)
    **out = model;
  else
    model.torch->destroy(&model.network);
  return code;
}

int64_t ssne_model_width(const ssne_model *model) {
  return model->torch->width(model->network);
}

const char *ssne_model_device(const ssne_model *model) {
  return model->torch->device(model->network);
}

ssne_code ssne_model_run(const ssne_model *model, const float *images, float *features,
                         ssne_error *err) {
  return model->torch->run(model->network, images, features, err);
}

void ssne_model_destroy(ssne_model **model) {
  if (*model) (*model)->torch->destroy(&(*model)->network);
  ssne_free(model);
}

const char *ssne_model_library(void) {
  return LIBRARY;
}
