/* A rank's points on the mesh: sorted by row of the mesh, spread to it, and served from it.
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
#include <mpi.h>

/* The coarse squares of nodes, a side, in which points are counted to bound the sums. */
#define MESH_SQUARES 32

/* The rows of the mesh that a thread's share of the points reaches. */
typedef struct mesh_band {
  int64_t first, rows; /* rows 0: no points */
  int32_t *charge;     /* [rows, stride] */
} mesh_band;

typedef struct mesh_points {
  int64_t count; /* own rows */
  int threads;
  mesh_point *point;                               /* [count] sorted by row of the mesh */
  int64_t *places;                                 /* [threads, mesh rows] where the next goes */
  int64_t (*squares)[MESH_SQUARES * MESH_SQUARES]; /* [threads] points in each */
  mesh_band *bands;                                /* [threads] */
  int32_t *charge;                                 /* all bands */
  int64_t rows_capacity, charge_capacity;
} mesh_points;

/* Not collective. For `count` < 2^32 own rows. Free with mesh_points_free, after a failure too. */
ssne_code mesh_points_create(int64_t count, int threads, mesh_points *points, ssne_error *err);

/* Not collective. Makes room for a mesh. */
ssne_code mesh_points_reserve(mesh_points *points, const mesh_geometry *g, int order,
                              ssne_error *err);

void mesh_points_free(mesh_points *points);

/* Not collective. Sorts the points `xy` [count, 2], which must be within the mesh, and counts them
 * in squares. */
void mesh_points_sort(mesh_points *points, const mesh_geometry *g, int order, const float *xy);

/* Collective. The bits after the point with which the weights of all ranks' sorted points can be
 * added up at any node without leaving 32 bits. */
ssne_code mesh_points_bits(mesh_points *points, const ssne_spline *spline, MPI_Comm comm, int *bits,
                           ssne_error *err);

/* Not collective. Spreads the sorted points to strips [columns / 16, rows, 16] of the mesh. */
void mesh_points_spread(mesh_points *points, const mesh_geometry *g, const ssne_spline *spline,
                        int bits, int32_t *strips);

/* Not collective. Reads force [count, 2] and potential [count] off the mesh. */
void mesh_points_gather(const mesh_points *points, const ssne_spline *spline,
                        const mesh_field *field, float *force, double *potential);

#endif
