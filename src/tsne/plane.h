/* The coordinates of all rows on every rank, for sums over all pairs. Whole blocks of
 * SSNE_ROWS_BLOCK rows; places past the last row hold SSNE_PLANE_FAR. */
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
  float *xy;            /* [blocks * SSNE_ROWS_BLOCK, 2], owned, aligned to 64 bytes */
  int *counts, *starts; /* [ranks] in blocks, for MPI */
  MPI_Datatype block;
} ssne_plane;

/* Collective. Zero coordinates but for the places past the end. */
ssne_code ssne_plane_create(const ssne_partition *partition, MPI_Comm comm, ssne_plane *out,
                            ssne_error *err);

void ssne_plane_destroy(ssne_plane *plane);

/* Collective. Every rank's own coordinates `xy` [own_rows, 2] come to all. */
ssne_code ssne_plane_share(ssne_plane *plane, const float *xy, MPI_Comm comm, ssne_error *err);

#endif
