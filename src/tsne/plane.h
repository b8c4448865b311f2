/* The coordinates of all rows, as every rank holds them during the descent.
 *
 * Rows lie in blocks of SSNE_ROWS_BLOCK, in each first the x, then the y of its rows: a block is
 * one piece of vectors for the kernels and one element for MPI. Places past the last row hold
 * SSNE_PLANE_FAR. */
#ifndef SSNE_TSNE_PLANE_H
#define SSNE_TSNE_PLANE_H

#include "shardsne/rows.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdint.h>

/* So far away that a point there exerts no force: K = 1e-36, below rounding, and K^2 = 0. */
#define SSNE_PLANE_FAR 1e18f

typedef struct ssne_plane {
  ssne_partition partition;
  float *xy;            /* [blocks][2][SSNE_ROWS_BLOCK], owned */
  int *counts, *starts; /* [ranks] in blocks, for MPI */
  MPI_Datatype block;
} ssne_plane;

/* Collective. Zero coordinates but for the places past the end. */
ssne_code ssne_plane_create(const ssne_partition *partition, MPI_Comm comm, ssne_plane *out,
                            ssne_error *err);

void ssne_plane_destroy(ssne_plane *plane);

/* Collective. Every rank's own blocks come to all. */
ssne_code ssne_plane_share(ssne_plane *plane, MPI_Comm comm, ssne_error *err);

/* Where the x of `row` is; its y is SSNE_ROWS_BLOCK further. */
static inline int64_t ssne_plane_place(int64_t row) {
  return row / SSNE_ROWS_BLOCK * (INT64_C(2) * SSNE_ROWS_BLOCK) + row % SSNE_ROWS_BLOCK;
}

#endif
