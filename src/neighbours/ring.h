/* Every rank's candidates come to every rank, round a ring.
 *
 * A rank holds three shards at most: its own, the one being searched and the one arriving. */
#ifndef SSNE_NEIGHBOURS_RING_H
#define SSNE_NEIGHBOURS_RING_H

#include "tile.h"

#include "shardsne/partition.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* The candidates of one rank: those at places first ... first + count - 1 of some order. */
typedef struct ssne_shard {
  int64_t first, count;
  float *data;   /* [count, stride] */
  float *norm;   /* [count] lowered */
  uint32_t *row; /* [count] row numbers */
} ssne_shard;

typedef struct ssne_ring {
  ssne_partition partition; /* of the places */
  int64_t stride;
  int threads;
  MPI_Comm comm;
  bool owns_data; /* of its own shard */
  ssne_shard own;
  ssne_shard held[2];     /* those that travel; none with one rank */
  MPI_Request request[4]; /* of the exchange under way */
} ssne_ring;

/* Collective. A ring in which this rank's candidates are `data` [own_rows, stride], not copied, in
 * row order; or, with `data` NULL, a shard of its own to be filled (data and row) before
 * ssne_ring_go. Free with ssne_ring_free, also after a failure. */
ssne_code ssne_ring_create(const ssne_partition *partition, float *data, int64_t stride,
                           int threads, MPI_Comm comm, ssne_ring *out, ssne_error *err);

void ssne_ring_free(ssne_ring *ring);

/* Bytes that a ring takes on a rank; `copies` says that it has a shard of its own. */
int64_t ssne_ring_bytes(const ssne_partition *partition, int64_t stride, bool copies);

/* What is to be done with a shard; the `step`-th of as many as there are ranks. It calls
 * ssne_ring_poll from time to time. */
typedef void ssne_ring_visit(void *state, ssne_ring *ring, const ssne_shard *shard, int step);

/* Collective. Visits the shards of all ranks, its own first, while the next one is arriving. */
ssne_code ssne_ring_go(ssne_ring *ring, ssne_ring_visit *visit, void *state, ssne_error *err);

/* Lets MPI move the shard that is arriving; many MPI libraries do so only when called. Outside
 * parallel regions; cheap. */
void ssne_ring_poll(ssne_ring *ring);

/* Pieces of work between two polls: enough for threads to share evenly, few enough for the shard to
 * keep coming. */
int64_t ssne_ring_chunk(const ssne_ring *ring);

#endif
