/* Opens the module with libtorch when a network is first wanted, and hands everything on to it. */
#include "model.h"

#include "torch_shim.h"

#include "shardsne/memory.h"
#include "shardsne/module.h"

#include <math.h>
#ifdef SSNE_WITH_TORCH
#include <torch/version.h>
#define LIBRARY "libtorch " TORCH_VERSION
#else
#define LIBRARY "no libtorch"
#endif

struct ssne_model {
  const ssne_torch_table *torch;
  ssne_network *network;
  int64_t batch;
  bool unit_length;
};

/* It must stay open: libtorch cannot be unloaded. */
static ssne_code open_module(const ssne_torch_table **out, ssne_error *err) {
#ifdef SSNE_WITH_TORCH
  const void *table = NULL;
  const ssne_code code = ssne_module_open(SSNE_TORCH_MODULE, SSNE_TORCH_TABLE, "libtorch",
                                          SSNE_TORCH_MODULE " and libtorch", &table, err);
  *out = table;
  return code;
#else
  *out = NULL;
  return ssne_fail(err, SSNE_FAILED,
                   "this shardsne was built without libtorch and runs no networks: extract on a "
                   "machine whose shardsne has it, or build with -DSHARDSNE_TORCH=ON");
#endif
}

ssne_code ssne_model_load(const ssne_model_options *options, ssne_model **out, ssne_error *err) {
  ssne_model model = {.batch = options->batch, .unit_length = options->unit_length};
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

int ssne_model_outputs(const ssne_model *model) {
  return model->torch->outputs(model->network);
}

int64_t ssne_model_width(const ssne_model *model, int output) {
  return model->torch->width(model->network, output);
}

const char *ssne_model_device(const ssne_model *model) {
  return model->torch->device(model->network);
}

const char *ssne_model_warning(const ssne_model *model) {
  return model->torch->warning(model->network);
}

bool ssne_model_halved(const ssne_model *model) {
  return model->torch->halved(model->network);
}

/* In double precision, from the first feature to the last: the same bits everywhere. */
static void divide_by_length(float *row, int64_t width) {
  double squares = 0;
  for (int64_t i = 0; i < width; i++) squares += (double)row[i] * row[i];
  if (!(squares > 0) || !isfinite(squares)) return;
  const double length = sqrt(squares);
  for (int64_t i = 0; i < width; i++) row[i] = (float)(row[i] / length);
}

ssne_code ssne_model_run(const ssne_model *model, const uint8_t *pixels, float *features,
                         ssne_error *err) {
  SSNE_TRY(model->torch->run(model->network, pixels, features, err));
  if (!model->unit_length) return SSNE_OK;
  const int outputs = ssne_model_outputs(model);
  for (int i = 0; i < outputs; i++) {
    const int64_t width = ssne_model_width(model, i);
    for (int64_t row = 0; row < model->batch; row++, features += width)
      divide_by_length(features, width);
  }
  return SSNE_OK;
}

void ssne_model_destroy(ssne_model **model) {
  if (*model) (*model)->torch->destroy(&(*model)->network);
  ssne_free(model);
}

ssne_code ssne_model_describe(const ssne_model_options *options, ssne_model_description *out,
                              ssne_error *err) {
  const ssne_torch_table *torch = NULL;
  *out = (ssne_model_description){0};
  SSNE_TRY(open_module(&torch, err));
  return torch->describe(options, out, err);
}

void ssne_model_description_free(ssne_model_description *description) {
  ssne_free(&description->layers);
}

const char *ssne_model_library(void) {
  return LIBRARY;
}
