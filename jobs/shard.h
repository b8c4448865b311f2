/* The images of one rank: the ranks scan the input together, each its part, and every rank receives
 * the names, labels and places of its own rows. */
#ifndef SHARDSNE_JOBS_SHARD_H
#define SHARDSNE_JOBS_SHARD_H

#include "shardsne/digest.h"
#include "shardsne/input.h"
#include "shardsne/partition.h"
#include "shardsne/status.h"

#include <mpi.h>
#include <stdint.h>

typedef struct shard_facts {
  int64_t count, ignored, unlabelled; /* ssne_samples of all ranks */
  int64_t longest_name;               /* bytes, closing zero included */
  int64_t class_count, classes_size, longest_class;
  enum { SHARD_NO_INDEX, SHARD_INDEX_READ, SHARD_INDEX_WRITTEN, SHARD_INDEX_FAILED } index;
  char digest[SSNE_DIGEST_LENGTH]; /* of all names, labels, places and classes */
} shard_facts;

typedef struct shard {
  shard_facts facts; /* the same on every rank */
  ssne_partition partition;
  char *classes;        /* [classes_size] names one after the other, on every rank */
  char *names;          /* of the own rows, one after the other */
  int64_t *name_offset; /* [own_rows] into `names` */
  int32_t *label;       /* [own_rows] */
  ssne_place *place;    /* [own_rows]; NULL: the samples are files of their own */
} shard;

/* Collective. The images of `input`, whose name in messages is `source`, in blocks of `batch` rows.
 * No rank holds more than what it has scanned and what it owns. Tars are not scanned where the
 * index at `index` (NULL: none) is of them as they are; else it is made, or facts.index says that
 * it cannot be. Free with shard_free. */
ssne_code shard_scan(const ssne_input *input, const char *source, const char *index, int64_t batch,
                     MPI_Comm comm, shard *out, ssne_error *err);

/* Where the own row `row` lies, counted from the rank's first; NULL: it is a file. */
static inline const ssne_place *shard_place(const shard *s, int64_t row) {
  return s->place ? s->place + row : NULL;
}

void shard_free(shard *s);

/* Copies `count` texts that lie one after the other at `texts` to `wide` [count, width], each cut
 * or filled with zeros to `width` bytes. */
void shard_widen(const char *texts, int64_t count, int64_t width, char *wide);

#endif
