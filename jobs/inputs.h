/* The images that a run file's samples came from, for pictures that show them. */
#ifndef SHARDSNE_JOBS_INPUTS_H
#define SHARDSNE_JOBS_INPUTS_H

#include "job.h"

#include "shardsne/page.h"

#include <stdatomic.h>

typedef struct inputs {
  char *folder; /* NULL: they are not at hand, for this reason: */
  char why[512];
  const char *const *names; /* [count] of the points, below the folder; not owned */
  int threads;
  atomic_int missing; /* images asked for that could not be read */
  int64_t given;      /* and those that could */
} inputs;

/* Not collective: where the images of the file's samples are: in `folder`, or where that is NULL
 * where `extract` found them. `names` are those of the points that will be asked for, NULL if the
 * file has none. */
ssne_code inputs_find(ssne_store *store, const char *folder, const char *const *names, int threads,
                      inputs *out, ssne_error *err);

/* An ssne_small_images with the inputs as its context. */
ssne_code inputs_give(void *context, int64_t first, int count, int side, bool square,
                      ssne_small_image *out, ssne_error *err);

void inputs_free(inputs *in);

#endif
