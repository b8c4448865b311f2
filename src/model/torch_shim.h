/* What the module with libtorch gives: one table of functions under one name. No exception and no
 * torch type passes through here. */
#ifndef SSNE_MODEL_TORCH_SHIM_H
#define SSNE_MODEL_TORCH_SHIM_H

#ifdef __cplusplus
extern "C" {
#endif

#include "model.h"

/* The file, found by the RUNPATH of the program, and the name of the table in it. */
#define SSNE_TORCH_MODULE "shardsne-torch.so"
#define SSNE_TORCH_TABLE "ssne_torch"

/* A network as libtorch holds it. */
typedef struct ssne_network ssne_network;

/* Each as the function of model.h that is called so. */
typedef struct ssne_torch_table {
  ssne_code (*load)(const ssne_model_options *options, ssne_network **out, ssne_error *err);
  int (*outputs)(const ssne_network *network);
  int64_t (*width)(const ssne_network *network, int output);
  const char *(*device)(const ssne_network *network);
  const char *(*warning)(const ssne_network *network);
  ssne_code (*run)(const ssne_network *network, const uint8_t *pixels, float *features,
                   ssne_error *err);
  bool (*halved)(const ssne_network *network);
  void (*destroy)(ssne_network **network);
  ssne_code (*describe)(const ssne_model_options *options, ssne_model_description *out,
                        ssne_error *err);
} ssne_torch_table;

#ifdef __cplusplus
}
#endif
#endif
