/* Between strips of columns and bundles of wave numbers: the exchange of all with all within a
 * transform that ranks share.
 *
 * W workers, ranks that take part, own a run of strips and a run of bundles each, and every one has
 * something for every other. As W messages each that takes too long where there are many, so the
 * workers form a grid: worker q is in row q % rows and column q / rows. What (i, j) has for (k, l)
 * goes to (i, l) with all else that is for column l, and from there with all else that row i has
 * for it: rows + columns messages instead of rows x columns, for twice the bytes. A grid of one row
 * is the plain exchange. */
#ifndef SSNE_TSNE_MESH_TRANSPOSE_H
#define SSNE_TSNE_MESH_TRANSPOSE_H

#include "fft_kernels.h"

#include "shardsne/exchange.h"
#include "shardsne/partition.h"

typedef struct mesh_transpose {
  MPI_Comm comm; /* not owned */
  int ranks, rank;
  ssne_workers grid;
  int worker; /* of this rank; -1: none */
  /* [workers + 1] where each worker's cells along a strip's row, and its bundles, begin */
  int64_t *columns, *bundles;
  int64_t *before;     /* [workers] columns of those before each, by row of the grid */
  fft_cell *by_bundle; /* [grid rows, grid columns][own bundles, that worker's columns] */
  fft_cell *midway;    /* [grid columns][the grid column's bundles, a worker's of own row] */
  fft_cell *packed;    /* as much, by row of the grid */
  int64_t bundle_capacity, midway_capacity, packed_capacity;
  MPI_Datatype cell;
  ssne_messages messages;
} mesh_transpose;

/* Not collective. `meanwhile`, which may be NULL, is worked on in waits and outlives it. Free with
 * mesh_transpose_free, after a failure too. */
ssne_code mesh_transpose_create(MPI_Comm comm, ssne_meanwhile *meanwhile, mesh_transpose *t,
                                ssne_error *err);
void mesh_transpose_free(mesh_transpose *t);

/* Not collective. For so many columns, in strips of `strip`, and bundles, on a grid of at most as
 * many workers as ranks. */
ssne_code mesh_transpose_reserve(mesh_transpose *t, ssne_workers grid, int64_t columns,
                                 int64_t strip, int64_t bundles, ssne_error *err);

/* Where worker `q`'s columns [own bundles, its columns] are before and after the exchange; with a
 * grid of one row own ones stay in by_strip [bundles, own columns]. */
fft_cell *mesh_transpose_piece(const mesh_transpose *t, fft_cell *by_strip, int q);

/* Collective. From by_strip [bundles, own columns] to the pieces; and back. */
ssne_code mesh_transpose_apply(mesh_transpose *t, fft_cell *by_strip, ssne_error *err);
ssne_code mesh_transpose_back(mesh_transpose *t, fft_cell *by_strip, ssne_error *err);

#endif
