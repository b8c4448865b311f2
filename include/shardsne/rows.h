/* A matrix whose rows are shared among the ranks, made ready for distances and projections. */
#ifndef SHARDSNE_ROWS_H
#define SHARDSNE_ROWS_H

#include "shardsne/partition.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ssne_rows {
  ssne_partition partition;
  int64_t columns;
  int64_t stride; /* columns rounded up to SSNE_LANES; the rest of a row is zero */
  float *data;    /* [own_rows, stride], owned: (x - mean) * scale */
  float scale;    /* a power of two, so that scaling loses nothing */
  bool identical; /* all rows of all ranks are the same */
} ssne_rows;

/* Rows of a block, the unit of ownership and of every sum over rows, throughout the embedding. */
#define SSNE_ROWS_BLOCK 128

/* Collective. Takes this rank's rows `x` [own_rows, columns] of the partition, centres each column
 * on its mean over all rows (an exact sum, so the same on any number of ranks) and scales
 * everything by one power of two so that no square can overflow. `x` is not kept. A value that is
 * not finite is an error (SSNE_FAILED) that names its row and column, counted from 0. Free with
 * ssne_rows_free. */
ssne_code ssne_rows_prepare(const float *x, int64_t columns, const ssne_partition *partition,
                            MPI_Comm comm, ssne_rows *out, ssne_error *err);

void ssne_rows_free(ssne_rows *rows);

#endif
