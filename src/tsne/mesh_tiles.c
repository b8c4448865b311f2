#include "mesh_tiles.h"

#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <string.h>

/* A tile of this many squares differs from the next by few of its points. */
#define SQUARES_OF_A_RANK 32
#define FINEST 2 /* a square of order 4 has four nodes a side where the mesh is small */

static int64_t squares_of(const mesh_tiles *tiles) {
  return tiles->side * tiles->side;
}

static int finer_of(int ranks) {
  const int64_t wanted = SQUARES_OF_A_RANK * (int64_t)ranks;
  int finer = 0;
  for (int64_t side = MESH_SQUARES; finer < FINEST && side * side < wanted; side *= 2) finer++;
  return finer;
}

int64_t mesh_tiles_side(int ranks) {
  return (int64_t)MESH_SQUARES << finer_of(ranks);
}

ssne_code mesh_tiles_create(int64_t own_rows, int ranks, int threads, mesh_tiles *tiles,
                            ssne_error *err) {
  *tiles = (mesh_tiles){.own_rows = own_rows,
                        .ranks = ranks,
                        .threads = threads,
                        .finer = finer_of(ranks),
                        .side = mesh_tiles_side(ranks)};
  const int64_t squares = squares_of(tiles);
  SSNE_TRY(ssne_alloc(&tiles->count, squares, sizeof *tiles->count, "squares", err));
  SSNE_TRY(ssne_alloc(&tiles->part, squares * threads, sizeof *tiles->part, "squares", err));
  SSNE_TRY(ssne_alloc(&tiles->owner, squares, sizeof *tiles->owner, "squares", err));
  SSNE_TRY(ssne_alloc(&tiles->at, own_rows, sizeof *tiles->at, "points on the mesh", err));
  SSNE_TRY(ssne_alloc(&tiles->points, ranks, sizeof *tiles->points, "ranks", err));
  return ssne_alloc(&tiles->window, ranks, sizeof *tiles->window, "ranks", err);
}

void mesh_tiles_free(mesh_tiles *tiles) {
  ssne_free(&tiles->count);
  ssne_free(&tiles->part);
  ssne_free(&tiles->owner);
  ssne_free(&tiles->at);
  ssne_free(&tiles->points);
  ssne_free(&tiles->window);
}

/* --- counting -------------------------------------------------------------------------------- */

/* log2 of the nodes of a coarse square's side: as few as there may be, yet no fewer than a spline's
 * reach, so that the points that reach a node are in 2 x 2 squares. */
static int coarse_shift(const mesh_geometry *g, int order) {
  const int64_t side = g->nodes[0] > g->nodes[1] ? g->nodes[0] : g->nodes[1];
  int shift = 0;
  while (INT64_C(1) << shift < order || (int64_t)MESH_SQUARES << shift < side) shift++;
  return shift;
}

static void count_share(mesh_tiles *tiles, const mesh_geometry *g, int order, int thread,
                        const float *xy) {
  uint32_t *part = tiles->part + thread * squares_of(tiles);
  const double per_step = 1 / g->step;
  memset(part, 0, (size_t)squares_of(tiles) * sizeof *part);
  for (int64_t i = ssne_share_begin(tiles->own_rows, tiles->threads, thread);
       i < ssne_share_begin(tiles->own_rows, tiles->threads, thread + 1); i++) {
    const mesh_place p = mesh_locate(g, per_step, order, xy + 2 * i);
    tiles->at[i] = mesh_node_at(p.column, p.row);
    part[(p.column >> tiles->shift) * tiles->side + (p.row >> tiles->shift)]++;
  }
}

ssne_code mesh_tiles_count(mesh_tiles *tiles, const mesh_geometry *g, int order, const float *xy,
                           MPI_Comm comm, ssne_error *err) {
  const int64_t squares = squares_of(tiles);
  tiles->shift = coarse_shift(g, order) - tiles->finer;
#pragma omp parallel for schedule(static) num_threads(tiles->threads)
  for (int t = 0; t < tiles->threads; t++) count_share(tiles, g, order, t, xy);
  memcpy(tiles->count, tiles->part, (size_t)squares * sizeof *tiles->count);
  for (int t = 1; t < tiles->threads; t++)
    for (int64_t s = 0; s < squares; s++) tiles->count[s] += tiles->part[t * squares + s];
  return ssne_mpi_check(
      MPI_Allreduce(MPI_IN_PLACE, tiles->count, (int)squares, MPI_UINT32_T, MPI_SUM, comm),
      "MPI_Allreduce", err);
}

int64_t mesh_tiles_most_together(const mesh_tiles *tiles) {
  int64_t coarse[MESH_SQUARES + 1][MESH_SQUARES + 1] = {{0}}, most = 0;
  for (int64_t c = 0; c < tiles->side; c++)
    for (int64_t r = 0; r < tiles->side; r++)
      coarse[c >> tiles->finer][r >> tiles->finer] += tiles->count[c * tiles->side + r];
  for (int c = 0; c < MESH_SQUARES; c++)
    for (int r = 0; r < MESH_SQUARES; r++) {
      const int64_t sum = coarse[c][r] + coarse[c + 1][r] + coarse[c][r + 1] + coarse[c + 1][r + 1];
      if (sum > most) most = sum;
    }
  return most;
}

/* --- cutting --------------------------------------------------------------------------------- */

/* Squares as they are met: [first, end) in both directions. */
typedef struct box {
  int64_t first[2], end[2];
} box;

static void take_in(box *b, int64_t column, int64_t row) {
  if (b->end[0] == 0) *b = (box){{column, row}, {column, row}};
  if (row < b->first[1]) b->first[1] = row;
  if (row + 1 > b->end[1]) b->end[1] = row + 1;
  b->end[0] = column + 1; /* they come by column */
}

/* The nodes that points in these squares reach, in whole strips. */
static mesh_window window_around(const box *b, int shift, const mesh_geometry *g, int order) {
  mesh_window w = {{0, 0}, {0, 0}};
  for (int a = 0; a < 2 && b->end[0] > 0; a++) {
    const int64_t unit = a == 0 ? MESH_STRIP : 1;
    const int64_t end = ((b->end[a] << shift) + order - 2 + unit) / unit * unit;
    w.first[a] = (b->first[a] << shift) / unit * unit;
    w.nodes[a] = (end < g->nodes[a] ? end : g->nodes[a]) - w.first[a];
  }
  return w;
}

void mesh_tiles_cut(mesh_tiles *tiles, const mesh_geometry *g, int order) {
  int64_t all = 0, before = 0;
  for (int64_t s = 0; s < squares_of(tiles); s++) all += tiles->count[s];
  box met = {{0, 0}, {0, 0}};
  int rank = 0;
  memset(tiles->points, 0, (size_t)tiles->ranks * sizeof *tiles->points);
  memset(tiles->window, 0, (size_t)tiles->ranks * sizeof *tiles->window);
  for (int64_t step = 0; step < squares_of(tiles); step++) {
    const int64_t column = step / tiles->side, along = step % tiles->side;
    /* down one column and up the next, so that a tile of parts of both is in one place */
    const int64_t row = column % 2 ? tiles->side - 1 - along : along;
    const int64_t s = column * tiles->side + row, count = tiles->count[s];
    /* a square goes where its middle point belongs */
    while (rank + 1 < tiles->ranks &&
           before + count / 2 >= ssne_share_begin(all, tiles->ranks, rank + 1)) {
      tiles->window[rank++] = window_around(&met, tiles->shift, g, order);
      met = (box){{0, 0}, {0, 0}};
    }
    tiles->owner[s] = rank;
    tiles->points[rank] += count;
    if (count > 0) take_in(&met, column, row);
    before += count;
  }
  tiles->window[rank] = window_around(&met, tiles->shift, g, order);
}
