#include "mesh_points.h"

#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define SQUARES ((int64_t)MESH_SQUARES * MESH_SQUARES)
/* Weights are products of floats: more bits than these would not be known. */
#define BITS 24

ssne_code mesh_points_create(int64_t count, int threads, mesh_points *points, ssne_error *err) {
  *points = (mesh_points){.count = count, .threads = threads};
  SSNE_TRY(ssne_alloc(&points->point, count, sizeof *points->point, "points on the mesh", err));
  SSNE_TRY(ssne_alloc(&points->squares, threads, sizeof *points->squares, "threads", err));
  return ssne_alloc(&points->bands, threads, sizeof *points->bands, "threads", err);
}

ssne_code mesh_points_reserve(mesh_points *points, const mesh_geometry *g, int order,
                              ssne_error *err) {
  const int64_t rows = g->nodes[1];
  const int64_t charge = (rows + (int64_t)order * points->threads) * mesh_stride(g);
  if (rows > points->rows_capacity) {
    points->rows_capacity = 0;
    ssne_free(&points->places);
    SSNE_TRY(ssne_alloc(&points->places, rows * points->threads, sizeof *points->places,
                        "rows of the mesh", err));
    points->rows_capacity = rows;
  }
  if (charge > points->charge_capacity) {
    points->charge_capacity = 0;
    ssne_free(&points->charge);
    SSNE_TRY(
        ssne_alloc(&points->charge, charge, sizeof *points->charge, "charges on the mesh", err));
    points->charge_capacity = charge;
  }
  return SSNE_OK;
}

void mesh_points_free(mesh_points *points) {
  ssne_free(&points->point);
  ssne_free(&points->places);
  ssne_free(&points->squares);
  ssne_free(&points->bands);
  ssne_free(&points->charge);
  *points = (mesh_points){0};
}

/* --- sorting --------------------------------------------------------------------------------- */

/* The first of the points of share `thread`; that of `threads` is their end. */
static int64_t share(const mesh_points *points, int thread) {
  return ssne_share_begin(points->count, points->threads, thread);
}

typedef struct place {
  int64_t column, row; /* the first node reached */
  float t[2];
} place;

static inline place locate(const mesh_geometry *g, double per_step, int order, const float *xy) {
  const double x = ((double)xy[0] - g->origin[0]) * per_step;
  const double y = ((double)xy[1] - g->origin[1]) * per_step;
  const int64_t column = (int64_t)x, row = (int64_t)y;
  return (place){column - (order / 2 - 1),
                 row - (order / 2 - 1),
                 {(float)(x - (double)column - 0.5), (float)(y - (double)row - 0.5)}};
}

/* log2 of the nodes of a square's side: as few as there may be, yet no fewer than a spline's
 * reach, so that the points that reach a node are in 2 x 2 squares. */
static int square_bits(const mesh_geometry *g, int order) {
  const int64_t side = g->nodes[0] > g->nodes[1] ? g->nodes[0] : g->nodes[1];
  int bits = 0;
  while (INT64_C(1) << bits < order || (int64_t)MESH_SQUARES << bits < side) bits++;
  return bits;
}

static void count_points(mesh_points *points, const mesh_geometry *g, int order, int thread,
                         const float *xy) {
  int64_t *rows = points->places + thread * g->nodes[1], *squares = points->squares[thread];
  const double per_step = 1 / g->step;
  const int bits = square_bits(g, order);
  memset(rows, 0, (size_t)g->nodes[1] * sizeof *rows);
  memset(squares, 0, sizeof *points->squares);
  for (int64_t i = share(points, thread); i < share(points, thread + 1); i++) {
    const place p = locate(g, per_step, order, xy + 2 * i);
    rows[p.row]++;
    squares[(p.row >> bits) * MESH_SQUARES + (p.column >> bits)]++;
  }
}

/* Turns counts into places: by row of the mesh, within a row by thread. */
static void counts_to_places(mesh_points *points, int64_t rows) {
  int64_t next = 0;
  for (int64_t r = 0; r < rows; r++)
    for (int t = 0; t < points->threads; t++) {
      const int64_t count = points->places[t * rows + r];
      points->places[t * rows + r] = next;
      next += count;
    }
}

static void place_points(mesh_points *points, const mesh_geometry *g, int order, int thread,
                         const float *xy) {
  int64_t *next = points->places + thread * g->nodes[1];
  const double per_step = 1 / g->step;
  const int64_t stride = mesh_stride(g);
  for (int64_t i = share(points, thread); i < share(points, thread + 1); i++) {
    const place p = locate(g, per_step, order, xy + 2 * i);
    points->point[next[p.row]++] =
        (mesh_point){(uint32_t)i, (uint32_t)(p.row * stride + p.column), {p.t[0], p.t[1]}};
  }
}

void mesh_points_sort(mesh_points *points, const mesh_geometry *g, int order, const float *xy) {
  const int threads = points->threads;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (int t = 0; t < threads; t++) count_points(points, g, order, t, xy);
#pragma omp single
    counts_to_places(points, g->nodes[1]);
#pragma omp for schedule(static)
    for (int t = 0; t < threads; t++) place_points(points, g, order, t, xy);
  }
}

/* --- bounds ---------------------------------------------------------------------------------- */

/* The most points in 2 x 2 squares. */
static int64_t most_together(const int64_t *squares) {
  int64_t most = 0;
  for (int r = 0; r < MESH_SQUARES; r++)
    for (int c = 0; c < MESH_SQUARES; c++) {
      int64_t sum = 0;
      for (int s = 0; s < 4; s++) {
        const int row = r + s / 2, column = c + s % 2;
        if (row < MESH_SQUARES && column < MESH_SQUARES)
          sum += squares[row * MESH_SQUARES + column];
      }
      if (sum > most) most = sum;
    }
  return most;
}

ssne_code mesh_points_bits(mesh_points *points, const ssne_spline *spline, MPI_Comm comm, int *bits,
                           ssne_error *err) {
  int64_t *squares = points->squares[0];
  for (int t = 1; t < points->threads; t++)
    for (int64_t s = 0; s < SQUARES; s++) squares[s] += points->squares[t][s];
  SSNE_TRY(
      ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, squares, (int)SQUARES, MPI_INT64_T, MPI_SUM, comm),
                     "MPI_Allreduce", err));
  const double most = (double)most_together(squares);
  /* a term is at most the spline's peak squared, and half for its rounding */
  const double peak = spline->sample[0] * spline->sample[0] * (1 + 1e-6);
  *bits = BITS;
  while (*bits >= 0 && most * (ldexp(peak, *bits) + 0.5) > INT32_MAX) --*bits;
  if (*bits >= 0) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "%.0f points lie in one place of the map: too many to count",
                   most);
}

/* --- spreading ------------------------------------------------------------------------------- */

static void lay_bands(mesh_points *points, int64_t stride, int order) {
  int32_t *charge = points->charge;
  for (int t = 0; t < points->threads; t++) {
    const int64_t first = share(points, t), end = share(points, t + 1);
    mesh_band *band = &points->bands[t];
    *band = (mesh_band){.charge = charge};
    if (first == end) continue;
    band->first = points->point[first].node / stride;
    band->rows = points->point[end - 1].node / stride - band->first + order;
    charge += band->rows * stride;
  }
}

static void spread_share(const mesh_points *points, int thread, int64_t stride,
                         const ssne_spline *spline, float scale) {
  const mesh_band *band = &points->bands[thread];
  const int64_t first = share(points, thread), end = share(points, thread + 1);
  memset(band->charge, 0, (size_t)(band->rows * stride) * sizeof *band->charge);
  mesh_kernels_at(ssne_simd_level())
      ->spread(points->point + first, end - first, spline, scale, (uint32_t)(band->first * stride),
               stride, band->charge);
}

/* Row `row` of all strips becomes the sum over the bands. */
static void add_bands(const mesh_points *points, const mesh_geometry *g, int64_t row,
                      int32_t *strips) {
  const int64_t columns = g->nodes[0], next = g->nodes[1] * MESH_STRIP;
  int32_t *to = strips + row * MESH_STRIP;
  for (int64_t c = 0; c < columns; c += MESH_STRIP)
    memset(to + c / MESH_STRIP * next, 0, MESH_STRIP * sizeof *to);
  for (int t = 0; t < points->threads; t++) {
    const mesh_band *band = &points->bands[t];
    if (row < band->first || row >= band->first + band->rows) continue;
    const int32_t *from = band->charge + (row - band->first) * mesh_stride(g);
    for (int64_t c = 0; c < columns; c += MESH_STRIP)
      for (int64_t l = 0; l < MESH_STRIP; l++) to[c / MESH_STRIP * next + l] += from[c + l];
  }
}

void mesh_points_spread(mesh_points *points, const mesh_geometry *g, const ssne_spline *spline,
                        int bits, int32_t *strips) {
  const int64_t stride = mesh_stride(g);
  const float scale = ldexpf(1, bits);
  lay_bands(points, stride, spline->order);
#pragma omp parallel num_threads(points->threads)
  {
#pragma omp for schedule(static)
    for (int t = 0; t < points->threads; t++) spread_share(points, t, stride, spline, scale);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < g->nodes[1]; row++) add_bands(points, g, row, strips);
  }
}

/* --- gathering ------------------------------------------------------------------------------- */

void mesh_points_gather(const mesh_points *points, const ssne_spline *spline,
                        const mesh_field *field, float *force, double *potential) {
  const mesh_kernels *kernels = mesh_kernels_at(ssne_simd_level());
#pragma omp parallel for schedule(static) num_threads(points->threads)
  for (int t = 0; t < points->threads; t++)
    kernels->gather(points->point + share(points, t), share(points, t + 1) - share(points, t),
                    spline, field, force, potential);
}
