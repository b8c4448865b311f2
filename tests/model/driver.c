/* The model library for models.py and resnet20.py: runs the batches of a raw file through a model.
 *
 *   driver MODEL.pt IMAGES.raw FEATURES.raw BATCH CHANNELS HEIGHT WIDTH [name=value ...]
 *
 * where the names are layer, drop, pool, unit, precision, device, mean, std, threads and style. The
 * main thread runs every batch once and writes the features. Then `threads` threads (of POSIX or of
 * OpenMP, by `style`) run them all again, three times, each in an order of its own, and must get
 * the same bits. A failure of the library is the exit code and the only line on standard error. */
#include "check.h"
#include "model.h"

#include "shardsne/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3, MOST_THREADS = 16 };

typedef struct job {
  ssne_model_options options;
  int threads;
  bool openmp;
  ssne_model *model;
  int64_t batches, image_count, feature_count; /* bytes and floats a batch */
  uint8_t *images;
  float *features;
} job;

typedef struct worker {
  const job *j;
  int number;
  int64_t different;
  ssne_error err;
} worker;

/* --- arguments and files ----------------------------------------------------------------- */

static bool set_precision(ssne_model_options *o, const char *value) {
  const char *const names[] = {"float32", "bfloat16", "float16"};
  for (int i = 0; i < 3; i++)
    if (strcmp(value, names[i]) == 0) {
      o->precision = (ssne_precision)i;
      return true;
    }
  return false;
}

static bool set_pool(ssne_model_options *o, const char *value) {
  const char *const names[] = {"avg", "max", "none", "cls"};
  for (int i = 0; i < 4; i++)
    if (strcmp(value, names[i]) == 0) {
      o->pool = (ssne_pool)i;
      return true;
    }
  return false;
}

static bool set_scale(double scale[3], const char *value) {
  return sscanf(value, "%lf,%lf,%lf", &scale[0], &scale[1], &scale[2]) == 3;
}

static bool set_option(job *j, const char *text) {
  const char *value = strchr(text, '=');
  if (!value) return false;
  const size_t length = (size_t)(value++ - text);
#define IS(name) (length == sizeof(name) - 1 && strncmp(text, name, length) == 0)
  if (IS("layer"))
    j->options.layers = value;
  else if (IS("drop"))
    j->options.drop_last = strtol(value, NULL, 10);
  else if (IS("pool"))
    return set_pool(&j->options, value);
  else if (IS("unit"))
    j->options.unit_length = strcmp(value, "1") == 0;
  else if (IS("device"))
    j->options.device = strcmp(value, "cuda") == 0 ? SSNE_DEVICE_CUDA : SSNE_DEVICE_CPU;
  else if (IS("threads"))
    j->threads = (int)strtol(value, NULL, 10);
  else if (IS("style"))
    j->openmp = strcmp(value, "openmp") == 0;
  else if (IS("mean"))
    return set_scale(j->options.mean, value);
  else if (IS("std"))
    return set_scale(j->options.std, value);
  else
    return IS("precision") && set_precision(&j->options, value);
#undef IS
  return j->threads >= 0 && j->threads <= MOST_THREADS;
}

static ssne_code read_images(job *j, const char *path, ssne_error *err) {
  FILE *f = fopen(path, "rb");
  if (!f || fseek(f, 0, SEEK_END) != 0) return ssne_fail(err, SSNE_FAILED, "cannot open %s", path);
  const int64_t count = ftell(f);
  rewind(f);
  j->batches = count / j->image_count;
  SSNE_TRY(ssne_alloc(&j->images, count, sizeof *j->images, "pixels", err));
  const size_t got = fread(j->images, sizeof *j->images, (size_t)count, f);
  if (fclose(f) != 0 || got != (size_t)count || count % j->image_count != 0 || count == 0)
    return ssne_fail(err, SSNE_FAILED, "%s holds no whole number of batches", path);
  return SSNE_OK;
}

static ssne_code write_features(const job *j, const char *path, ssne_error *err) {
  FILE *f = fopen(path, "wb");
  if (!f) return ssne_fail(err, SSNE_FAILED, "cannot create %s", path);
  const size_t count = (size_t)(j->batches * j->feature_count);
  const size_t put = fwrite(j->features, sizeof *j->features, count, f);
  if (fclose(f) != 0 || put != count) return ssne_fail(err, SSNE_FAILED, "cannot write %s", path);
  return SSNE_OK;
}

/* --- the same bits ----------------------------------------------------------------------- */

static ssne_code run_again(worker *w) {
  const job *j = w->j;
  float *features = NULL;
  SSNE_TRY(ssne_alloc(&features, j->feature_count, sizeof *features, "features", &w->err));
  ssne_code code = SSNE_OK;
  for (int64_t k = 0; k < ROUNDS * j->batches && code == SSNE_OK; k++) {
    const int64_t b = (k * (w->number % 2 ? 1 : j->batches - 1) + w->number) % j->batches;
    code = ssne_model_run(j->model, j->images + b * j->image_count, features, &w->err);
    w->different += memcmp(features, j->features + b * j->feature_count,
                           (size_t)j->feature_count * sizeof *features) != 0;
  }
  ssne_free(&features);
  return code;
}

static void *work(void *argument) {
  run_again(argument);
  return NULL;
}

static void check_threads(const job *j) {
  worker workers[MOST_THREADS];
  pthread_t thread[MOST_THREADS];
  for (int t = 0; t < j->threads; t++) workers[t] = (worker){.j = j, .number = t};
  if (j->openmp) {
#pragma omp parallel for num_threads(j->threads) schedule(static, 1)
    for (int t = 0; t < j->threads; t++) work(&workers[t]);
  } else {
    for (int t = 0; t < j->threads; t++)
      CHECK(pthread_create(&thread[t], NULL, work, &workers[t]) == 0);
    for (int t = 0; t < j->threads; t++) CHECK(pthread_join(thread[t], NULL) == 0);
  }
  for (int t = 0; t < j->threads; t++) {
    CHECK_OK(workers[t].err.code, &workers[t].err);
    CHECK(workers[t].different == 0);
  }
}

/* --- the whole --------------------------------------------------------------------------- */

static ssne_code run(job *j, const char *images, const char *features, ssne_error *err) {
  const ssne_model_options *o = &j->options;
  j->image_count = o->batch * o->channels * o->height * o->width;
  SSNE_TRY(read_images(j, images, err));
  SSNE_TRY(ssne_model_load(o, &j->model, err));
  for (int i = 0; i < ssne_model_outputs(j->model); i++)
    j->feature_count += o->batch * ssne_model_width(j->model, i);
  SSNE_TRY(ssne_alloc(&j->features, j->batches * j->feature_count, sizeof *j->features, "features",
                      err));
  uint8_t *before = NULL;
  SSNE_TRY(ssne_alloc(&before, j->image_count, 1, "pixels", err));
  for (int64_t b = 0; b < j->batches; b++) {
    const uint8_t *batch = j->images + b * j->image_count;
    const size_t size = (size_t)j->image_count;
    memcpy(before, batch, size);
    SSNE_TRY(ssne_model_run(j->model, batch, j->features + b * j->feature_count, err));
    CHECK(memcmp(before, batch, size) == 0);
  }
  ssne_free(&before);
  check_threads(j);
  const char *warning = ssne_model_warning(j->model);
  printf("%s, %s: %s%s\n", ssne_model_device(j->model), ssne_model_library(),
         warning ? warning : "", ssne_model_halved(j->model) ? "halved" : "");
  return write_features(j, features, err);
}

int main(int count, char **argument) {
  job j = {.options = {.device = SSNE_DEVICE_CPU, .pool = SSNE_POOL_NONE}};
  int64_t *const size[] = {&j.options.batch, &j.options.channels, &j.options.height,
                           &j.options.width};
  bool understood = count >= 8;
  for (int i = 4; i < count && understood; i++) {
    if (i < 8)
      *size[i - 4] = strtol(argument[i], NULL, 10);
    else
      understood = set_option(&j, argument[i]);
  }
  if (!understood) {
    fprintf(stderr,
            "usage: driver MODEL IMAGES FEATURES BATCH CHANNELS HEIGHT WIDTH [name=value]\n");
    return 99;
  }
  j.options.path = argument[1];
  ssne_error err = {SSNE_OK, ""};
  const ssne_code code = run(&j, argument[2], argument[3], &err);
  if (code != SSNE_OK) fprintf(stderr, "%s\n", err.text);
  ssne_model_destroy(&j.model);
  ssne_model_destroy(&j.model);
  ssne_free(&j.images);
  ssne_free(&j.features);
  if (code != SSNE_OK) return (int)code;
  return check_result() ? 98 : 0;
}
