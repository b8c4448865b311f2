/* What the tests of searches share: made-up rows, lists of neighbours of all ranks together. */
#ifndef SHARDSNE_TESTS_NEIGHBOURS_LISTS_H
#define SHARDSNE_TESTS_NEIGHBOURS_LISTS_H

#include "check.h"

#include "shardsne/digest.h"
#include "shardsne/memory.h"
#include "shardsne/neighbours.h"
#include "shardsne/random.h"

#include <string.h>

/* This rank's partition of `rows` rows. */
static inline ssne_partition lists_partition(int64_t rows, MPI_Comm comm) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  return ssne_partition_make(rows, SSNE_ROWS_BLOCK, ranks, rank);
}

/* Prepares own rows of `all` [rows, columns], and searches them. Free `out`. */
static inline void lists_find(const float *all, int64_t rows, int64_t columns, ssne_metric metric,
                              const ssne_search_options *search, MPI_Comm comm,
                              ssne_neighbours *out, ssne_search_report *report) {
  const ssne_partition p = lists_partition(rows, comm);
  const ssne_rows_options options = {.metric = metric, .threads = search->threads};
  ssne_rows prepared;
  ssne_error err;
  CHECK_OK(
      ssne_rows_prepare(all + p.first_row * columns, columns, &p, &options, comm, &prepared, &err),
      &err);
  CHECK_OK(ssne_neighbours_find(&prepared, NULL, search, comm, NULL, out, report, &err), &err);
  ssne_rows_free(&prepared);
}

/* A number for the lists of all ranks, the same for any number of them. */
static inline uint64_t lists_digest(const ssne_neighbours *n, MPI_Comm comm) {
  uint64_t sum = 0;
  for (int64_t r = 0; r < n->partition.own_rows; r++) {
    const uint64_t parts[3] = {
        (uint64_t)(n->partition.first_row + r),
        ssne_digest64(n->index + r * n->stride, (size_t)n->k * sizeof *n->index),
        ssne_digest64(n->distance + r * n->stride, (size_t)n->k * sizeof *n->distance)};
    sum += ssne_digest64(parts, sizeof parts);
  }
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_UINT64_T, MPI_SUM, comm);
  return sum;
}

/* The mean share of `true`'s neighbours that are in `found`, over all ranks. */
static inline double lists_recall(const ssne_neighbours *found, const ssne_neighbours *truth,
                                  MPI_Comm comm) {
  int64_t hits = 0;
  for (int64_t r = 0; r < truth->partition.own_rows; r++)
    for (int64_t n = 0; n < truth->k; n++)
      for (int64_t m = 0; m < found->k; m++)
        hits += found->index[r * found->stride + m] == truth->index[r * truth->stride + n];
  MPI_Allreduce(MPI_IN_PLACE, &hits, 1, MPI_INT64_T, MPI_SUM, comm);
  return (double)hits / (double)(truth->partition.rows * truth->k);
}

#endif
