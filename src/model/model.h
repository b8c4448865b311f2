/* A network: load a TorchScript model, cut it at a layer, run batches through it; or a package.
 *
 * libtorch lies behind it, in a module that the first ssne_model_load opens (torch_shim.h): only
 * what runs a network waits for libtorch to load and pays for its memory. */
#ifndef SSNE_MODEL_MODEL_H
#define SSNE_MODEL_MODEL_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct ssne_model ssne_model;

typedef enum ssne_device { SSNE_DEVICE_AUTO, SSNE_DEVICE_CPU, SSNE_DEVICE_CUDA } ssne_device;
typedef enum ssne_precision { SSNE_FLOAT, SSNE_BFLOAT16, SSNE_FLOAT16 } ssne_precision;

/* What becomes of maps [B, C, H, W] and of sequences of tokens [B, T, C]. */
typedef enum ssne_pool {
  SSNE_POOL_AVERAGE, /* [B, C]: their mean over H and W, or over T */
  SSNE_POOL_MAX,     /* [B, C]: their largest values */
  SSNE_POOL_NONE,    /* one row of all their values */
  SSNE_POOL_CLS      /* [B, C]: the first token, a class token; maps have none */
} ssne_pool;

typedef struct ssne_model_options {
  const char *path; /* a TorchScript file, or an AOTInductor package M.pt2 */
  const char
      *layers;       /* names of the layers wanted, with commas between them; NULL: see drop_last */
  int64_t drop_last; /* run the children but this many last ones, in sequence; 0: the whole */
  ssne_pool pool;
  bool unit_length;   /* rows are divided by their Euclidean length, unless it is 0 or not finite */
  ssne_device device; /* AUTO: the rank's GPU where libtorch has CUDA and sees one */
  ssne_precision precision;               /* of the network; features always come back as float32 */
  int64_t batch, channels, height, width; /* shape of every batch */
  double mean[3], std[3]; /* of each channel: the network gets (value / 255 - mean) / std */
  int local_rank;         /* chooses the GPU: local_rank modulo the visible ones */
} ssne_model_options;

/* Loads and prepares the model and runs black images through it (two on a CPU, a batch on a GPU),
 * which warms it up and tells the width of its features. One compute thread is used a call, so that
 * a caller may run several calls at once on a CPU and the result does not depend on how many.
 *
 * `layers` names modules below the model, "avgpool" or further inside "layer3.2": the features are
 * what that module returns within the model's own forward (skip connections and functional calls
 * before it are kept), the last time if it is called several times; "layer3.2:in" is what it takes.
 * Each of several is an output of its own, all of one pass. `drop_last` K runs children[: -K] one
 * after the other, as nn.Sequential(*list(model.children())[:-K]) would, which equals the model
 * only where its forward is that chain: see ssne_model_warning.
 *
 * For the whole process it sets libtorch's threads to one, forbids TF32 and, on a CPU, has the C
 * library keep freed memory until ssne_model_destroy. The threads of the BLAS are left to the
 * caller: at one, or its bits may depend on them.
 *
 * Errors (SSNE_USAGE): no such file, no TorchScript, an unknown layer (lists those there are), a
 * layer called nowhere or only inside an if or a loop, one that returns a tuple, K not below the
 * number of children (lists them), an input shape that the model rejects (its own first line),
 * outputs that are not one tensor of `batch` rows, no CUDA though asked for. SSNE_FAILED: the
 * module with libtorch is not where it was installed, or there is none (CMake's SHARDSNE_TORCH). */
ssne_code ssne_model_load(const ssne_model_options *options, ssne_model **out, ssne_error *err);

/* How many outputs there are: as many as layers were named, else one. */
int ssne_model_outputs(const ssne_model *model);

/* Features a row of an output. */
int64_t ssne_model_width(const ssne_model *model, int output);

/* What a user should know: that with drop_last the kept children do not run one after the other in
 * the model's own forward. NULL: nothing. Valid as long as the model. */
const char *ssne_model_warning(const ssne_model *model);

/* "cpu", or "cuda:1 NVIDIA H200 GPU-" and its UUID. Valid as long as the model. */
const char *ssne_model_device(const ssne_model *model);

/* Runs one batch: `pixels` [batch, height, width, channels] to `features`, [batch, width] of each
 * output, one after the other. Bytes go to the device, and become ToTensor's and Normalize's
 * float32 there. On a GPU each call under way has a stream of its own, so that one's copy passes
 * beside another's work. Where memory does not suffice, the batch is run as two halves, and so is
 * every later one (ssne_model_halved); where it still does not, that is an error. Thread-safe.
 * Not-finite features are passed on as they are. */
ssne_code ssne_model_run(const ssne_model *model, const uint8_t *pixels, float *features,
                         ssne_error *err);

/* Whether batches have come to be run as two halves, which may round otherwise. */
bool ssne_model_halved(const ssne_model *model);

/* Frees *model, if any, and sets it to NULL. */
void ssne_model_destroy(ssne_model **model);

/* --- looking into a model ----------------------------------------------------------------- */

typedef struct ssne_model_layer {
  char name[192];  /* as `layers` takes it */
  char kind[64];   /* its class */
  char output[96]; /* the shape of what it returns for one image, or why there is none */
} ssne_model_layer;

typedef struct ssne_model_description {
  int64_t count;
  ssne_model_layer *layers; /* [count] all modules below, in the order of their definition; owned */
  char output[96];          /* of the whole */
  char fault[256]; /* how its forward differs from its children one after the other; "": it does not
                    */
} ssne_model_description;

/* Reads the model at options->path and runs one image of zeros through it (options->channels,
 * height, width; on a CPU; the other options do not count). Errors as those of ssne_model_load. The
 * caller frees `out` with ssne_model_description_free. */
ssne_code ssne_model_describe(const ssne_model_options *options, ssne_model_description *out,
                              ssne_error *err);

void ssne_model_description_free(ssne_model_description *description);

/* What the model's exporter noted inside the file about how images are made ready for it: the text
 * of its `preprocessing.json`, *notes, to be freed with ssne_free; NULL where there is none, or no
 * such file. Needs no libtorch. SSNE_USAGE where it is longer than 64 KiB or cannot be read. */
ssne_code ssne_model_notes(const char *path, char **notes, ssne_error *err);

/* "libtorch 1.13.1", or "no libtorch", for the record: what the program was built with. */
const char *ssne_model_library(void);

#endif
