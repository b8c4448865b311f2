/* A rank's points on its window of the mesh: sorted by row, spread to it, and served from it.
 *
 * Every thread takes an equal share of the sorted points, so that a map gathered in one row is
 * shared as well as any other, and spreads it to a band of its own, the rows that its points reach.
 * Weights are rounded to whole multiples of 2^-bits and added as integers: the sum over bands and
 * over ranks has the same bits in any order. */
#ifndef SSNE_TSNE_MESH_POINTS_H
#define SSNE_TSNE_MESH_POINTS_H

#include "mesh_geometry.h"
#include "mesh_kernels.h"

#include "shardsne/status.h"

/* The rows of the window that a thread's share of the points reaches. */
typedef struct mesh_band {
  int64_t first, rows; /* rows 0: no points */
  int32_t *charge;     /* [rows, stride] */
} mesh_band;

typedef struct mesh_points {
  int threads;
  int64_t count; /* of the latest that were sorted, in `window` */
  mesh_window window;
  mesh_point *point; /* [count] sorted by row */
  int64_t *places;   /* [threads, rows] where the next goes */
  mesh_band *bands;  /* [threads] */
  int32_t *charge;   /* all bands */
  int64_t point_capacity, row_capacity, charge_capacity;
} mesh_points;

/* Not collective. Free with mesh_points_free, after a failure too. */
ssne_code mesh_points_create(int threads, mesh_points *points, ssne_error *err);
void mesh_points_free(mesh_points *points);

/* Not collective. Makes room for `count` < 2^32 points in a window no larger than `largest`. */
ssne_code mesh_points_reserve(mesh_points *points, int64_t count, const mesh_window *largest,
                              int order, ssne_error *err);

/* Points to be sorted. */
typedef struct mesh_given {
  int64_t count;
  const float *xy;    /* [count, 2] */
  const uint32_t *at; /* [count] their first nodes, see mesh_node_at; NULL: to be found */
} mesh_given;

/* Not collective. Sorts the points, which must reach no node outside the window. */
void mesh_points_sort(mesh_points *points, const mesh_geometry *g, const mesh_window *window,
                      int order, const mesh_given *given);

/* Not collective. With how many bits after the point charges may be added where no node is reached
 * by more than `most` points. Fails where there are too many for any. */
ssne_code mesh_points_bits(const ssne_spline *spline, int64_t most, int *bits, ssne_error *err);

/* Not collective. The points' charges, times 2^bits, as strips [strips, rows] of the window. */
void mesh_points_spread(mesh_points *points, const ssne_spline *spline, int bits,
                        mesh_cell *strips);

/* Not collective. Reads [count] off the field, in the order in which points were given. */
void mesh_points_gather(const mesh_points *points, const ssne_spline *spline,
                        const mesh_field *field, mesh_reading *reading);

#endif
