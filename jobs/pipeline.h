/* Extraction within one rank: worker threads each take a block of images at a time, decode it and
 * run it through the network; the main thread takes finished blocks from them. A block is computed
 * by one thread from start to end, so its features do not depend on how many there are. */
#ifndef SHARDSNE_JOBS_PIPELINE_H
#define SHARDSNE_JOBS_PIPELINE_H

#include "model.h"
#include "shard.h"

#include "shardsne/input.h"
#include "shardsne/partition.h"
#include "shardsne/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Why an image is bad, in the file. */
#define PIPELINE_REASON_WIDTH 160

typedef enum sample_state { SAMPLE_PENDING = 0, SAMPLE_GOOD = 1, SAMPLE_BAD = 2 } sample_state;

/* What the workers need to know; read only while they run. */
typedef struct pipeline_plan {
  ssne_partition partition; /* of the images, in blocks of a batch */
  const ssne_input *input;
  const char *source;        /* its name in messages */
  const shard *images;       /* names and places of this rank's rows */
  const uint8_t *block_done; /* [own_blocks] 1: nothing to do */
  ssne_transform transform;
  int width, height; /* of the network's input */
  ssne_model *model;
  int threads;
} pipeline_plan;

/* A finished block. */
typedef struct pipeline_block {
  int64_t block;   /* global number */
  int64_t rows;    /* in it */
  int64_t bad;     /* how many of them are */
  float *features; /* [batch, width] of each output, one after the other; zeros for bad rows */
  uint8_t *state;  /* [batch] of sample_state */
  char *reason;    /* [batch, PIPELINE_REASON_WIDTH] */
  struct pipeline_block *next;
} pipeline_block;

/* Where the workers' time went, in thread seconds. */
typedef struct pipeline_times {
  double decoding, transform, network;
} pipeline_times;

typedef struct pipeline pipeline;

/* Starts the workers. */
ssne_code pipeline_start(const pipeline_plan *plan, pipeline **out, ssne_error *err);

/* The next finished block, in no particular order, or NULL: none within `seconds`. *over is set
 * once all blocks have been taken or a worker has failed, which is then the code and the error. The
 * block goes back with pipeline_release. */
ssne_code pipeline_take(pipeline *p, double seconds, pipeline_block **out, bool *over,
                        ssne_error *err);

void pipeline_release(pipeline *p, pipeline_block *block);

/* Stops the workers after the block each is at, waits for them, tells their times unless NULL, and
 * frees *p. */
void pipeline_stop(pipeline **p, pipeline_times *times);

#endif
