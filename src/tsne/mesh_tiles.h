/* Who serves which points of the mesh.
 *
 * A rank's own rows lie anywhere in the map. For the mesh points go to the rank in whose tile they
 * are: squares of nodes, down one column of squares and up the next, cut into as many runs of about
 * as many points as there are ranks. A rank then needs no more of the mesh than the window around
 * its tile. Where the cuts are changes no bit of the result. */
#ifndef SSNE_TSNE_MESH_TILES_H
#define SSNE_TSNE_MESH_TILES_H

#include "mesh_geometry.h"

#include "shardsne/status.h"
#include <mpi.h>

/* The coarse squares of nodes, a side, in which points are counted to bound the sums. */
#define MESH_SQUARES 32

typedef struct mesh_tiles {
  int64_t own_rows;
  int ranks, threads;
  int finer;       /* log2 of the squares in a coarse square's side */
  int shift;       /* log2 of a square's nodes a side */
  int64_t side;    /* MESH_SQUARES << finer squares */
  uint32_t *count; /* [side, side] points of all ranks in each, by column, then row */
  uint32_t *part;  /* [threads, side, side] those of own points */
  uint32_t *at;    /* [own_rows] the first node that each own point reaches, see mesh_node_at */
  /* of the latest cut; [side, side] rank of each square, [ranks] points and window of each */
  int *owner;
  int64_t *points;
  mesh_window *window;
} mesh_tiles;

/* Squares a side with so many ranks. */
int64_t mesh_tiles_side(int ranks);

/* Not collective. Free with mesh_tiles_free, after a failure too. */
ssne_code mesh_tiles_create(int64_t own_rows, int ranks, int threads, mesh_tiles *tiles,
                            ssne_error *err);
void mesh_tiles_free(mesh_tiles *tiles);

/* Collective. Counts all ranks' points, `xy` [own_rows, 2], which must be within the mesh. */
ssne_code mesh_tiles_count(mesh_tiles *tiles, const mesh_geometry *g, int order, const float *xy,
                           MPI_Comm comm, ssne_error *err);

/* Not collective. The rank that serves a point, by tiles->at, after mesh_tiles_cut. */
static inline int mesh_tiles_owner(const mesh_tiles *tiles, uint32_t at) {
  return tiles->owner[(mesh_node_column(at) >> tiles->shift) * tiles->side +
                      (mesh_node_row(at) >> tiles->shift)];
}

/* Not collective. No node is reached by more points than this: the most in 2 x 2 coarse squares. */
int64_t mesh_tiles_most_together(const mesh_tiles *tiles);

/* Not collective, and the same on every rank: shares the squares out by the points in them. */
void mesh_tiles_cut(mesh_tiles *tiles, const mesh_geometry *g, int order);

#endif
