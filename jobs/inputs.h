/* The images that a run file's samples came from, for pictures that show them. */
#ifndef SHARDSNE_JOBS_INPUTS_H
#define SHARDSNE_JOBS_INPUTS_H

#include "job.h"
#include "subset.h"

#include "shardsne/input.h"
#include "shardsne/page.h"

#include <stdatomic.h>

typedef struct inputs {
  ssne_input *input; /* NULL: they are not at hand, for this reason: */
  char why[512];
  char *source;         /* the input's name */
  const subset *points; /* not owned */
  ssne_place *place;    /* [count] of the points'; NULL: they are called by their names */
  uint8_t *known;       /* [count] whether the input has a sample of the point's name in its row;
                           NULL: it is a folder, where names lead to them or nowhere */
  int threads;
  atomic_int missing; /* images asked for that could not be read */
  int64_t given;      /* and those that could */
} inputs;

/* Not collective: where the images of the file's samples are: in `source`, or where that is NULL
 * where `extract` found them. Of any input but a folder the samples are listed, to find those of
 * `points`, whose names have been read. */
ssne_code inputs_find(ssne_store *store, const char *source, const subset *points, int threads,
                      inputs *out, ssne_error *err);

/* An ssne_small_images with the inputs as its context. */
ssne_code inputs_give(void *context, int64_t first, int count, int side, bool square,
                      ssne_small_image *out, ssne_error *err);

void inputs_free(inputs *in);

#endif
