/* Lists of nearest neighbours of rows shared among ranks. */
#ifndef SHARDSNE_NEIGHBOUR_LIST_H
#define SHARDSNE_NEIGHBOUR_LIST_H

#include "shardsne/partition.h"
#include "shardsne/status.h"
#include <stdint.h>

/* The k nearest other rows of each own row, nearest first, equal distances by index.
 *
 * index[r * stride + n] is the global number of own row r's n-th neighbour, distance[r * stride +
 * n] how far it is: for SSNE_EUCLIDEAN the distance (not squared, in the features' own units), for
 * SSNE_COSINE 1 - cos of the angle. Both point into one array of 8 k bytes a row. */
typedef struct ssne_neighbours {
  ssne_partition partition;
  int64_t k, stride;
  uint32_t *index;
  float *distance;
  void *memory; /* owned */
} ssne_neighbours;

/* Not collective. Room for k neighbours of each own row. Free with ssne_neighbours_free. */
ssne_code ssne_neighbours_allocate(const ssne_partition *partition, int64_t k, ssne_neighbours *out,
                                   ssne_error *err);

void ssne_neighbours_free(ssne_neighbours *neighbours);

#endif
