/* Between the windows in which ranks serve points, and the strips that they transform.
 *
 * Windows overlap, and their strips belong to one or several ranks: what a window and a rank's own
 * strips have in common is a slice, of whole strips and of the window's rows. Charges go from
 * windows to strips, where they are added up as integers, and potentials come back. Both are
 * cells of 16 nodes. */
#ifndef SSNE_TSNE_MESH_HALO_H
#define SSNE_TSNE_MESH_HALO_H

#include "mesh_geometry.h"
#include "mesh_kernels.h"

#include "shardsne/exchange.h"

typedef struct mesh_halo {
  MPI_Comm comm; /* not owned */
  int ranks, rank, threads;
  /* of the latest plan, not owned: each rank's window and [ranks + 1] its first strip; the mesh's
   * rows */
  const mesh_window *window;
  const int64_t *strips;
  int64_t rows;
  int64_t *taken;   /* [ranks] cells that each takes from others' windows */
  mesh_cell *slice; /* those of other ranks' windows and own strips, by rank */
  int64_t capacity;
  MPI_Datatype cell;
  ssne_messages messages;
} mesh_halo;

/* Not collective. `meanwhile`, which may be NULL, is worked on in waits and outlives it. Free with
 * mesh_halo_free, after a failure too. */
ssne_code mesh_halo_create(int threads, MPI_Comm comm, ssne_meanwhile *meanwhile, mesh_halo *halo,
                           ssne_error *err);
void mesh_halo_free(mesh_halo *halo);

/* Not collective. `window` [ranks] and `strips` [ranks + 1], the same on every rank, must live as
 * long as the plan. Returns the most cells in slices of other ranks' windows that any rank will
 * have. */
int64_t mesh_halo_plan(mesh_halo *halo, const mesh_window *window, const int64_t *strips,
                       int64_t rows);

/* Not collective. Makes room for so many cells. */
ssne_code mesh_halo_reserve(mesh_halo *halo, int64_t cells, ssne_error *err);

/* Collective. The charges in all windows, this rank's in `window` [strips, rows] of its window, add
 * up to `own` [own strips, rows of the mesh]. */
ssne_code mesh_halo_add(mesh_halo *halo, const mesh_cell *window, mesh_cell *own, ssne_error *err);

/* Collective. The potential of all strips, this rank's in `own`, comes to the windows. */
ssne_code mesh_halo_fetch(mesh_halo *halo, const mesh_cell *own, mesh_cell *window,
                          ssne_error *err);

#endif
