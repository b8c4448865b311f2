#include "mesh_points.h"

#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <math.h>
#include <string.h>

/* Weights are products of floats: more bits than these would not be known. */
#define BITS 24

ssne_code mesh_points_create(int threads, mesh_points *points, ssne_error *err) {
  *points = (mesh_points){.threads = threads};
  return ssne_alloc(&points->bands, threads, sizeof *points->bands, "threads", err);
}

void mesh_points_free(mesh_points *points) {
  ssne_free(&points->point);
  ssne_free(&points->places);
  ssne_free(&points->bands);
  ssne_free(&points->charge);
  *points = (mesh_points){0};
}

ssne_code mesh_points_reserve(mesh_points *points, int64_t count, const mesh_window *largest,
                              int order, ssne_error *err) {
  const int64_t rows = largest->nodes[1], stride = mesh_window_stride(largest);
  const int64_t charge = (rows + (int64_t)order * points->threads) * stride;
  SSNE_TRY(ssne_enlarge(&points->point, count, sizeof *points->point, "points on the mesh",
                        &points->point_capacity, err));
  SSNE_TRY(ssne_enlarge(&points->places, rows * points->threads, sizeof *points->places,
                        "rows of the mesh", &points->row_capacity, err));
  return ssne_enlarge(&points->charge, charge, sizeof *points->charge, "charges on the mesh",
                      &points->charge_capacity, err);
}

/* --- sorting --------------------------------------------------------------------------------- */

/* The first of the points of share `thread`; that of `threads` is their end. */
static int64_t share(const mesh_points *points, int thread) {
  return ssne_share_begin(points->count, points->threads, thread);
}

static void count_points(mesh_points *points, const mesh_geometry *g, int order, int thread,
                         const mesh_given *given) {
  const mesh_window *w = &points->window;
  const int64_t first = share(points, thread), end = share(points, thread + 1);
  int64_t *rows = points->places + thread * w->nodes[1];
  const double per_step = 1 / g->step;
  memset(rows, 0, (size_t)w->nodes[1] * sizeof *rows);
  for (int64_t i = first; i < end && given->at; i++)
    rows[mesh_node_row(given->at[i]) - w->first[1]]++;
  for (int64_t i = first; i < end && !given->at; i++)
    rows[mesh_locate(g, per_step, order, given->xy + 2 * i).row - w->first[1]]++;
}

/* Turns counts into places: by row, within a row by thread. */
static void counts_to_places(mesh_points *points) {
  const int64_t rows = points->window.nodes[1];
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
  const mesh_window *w = &points->window;
  int64_t *next = points->places + thread * w->nodes[1];
  const double per_step = 1 / g->step;
  const int64_t stride = mesh_window_stride(w);
  for (int64_t i = share(points, thread); i < share(points, thread + 1); i++) {
    const mesh_place p = mesh_locate(g, per_step, order, xy + 2 * i);
    const int64_t row = p.row - w->first[1], column = p.column - w->first[0];
    points->point[next[row]++] =
        (mesh_point){(uint32_t)i, (uint32_t)(row * stride + column), {p.t[0], p.t[1]}};
  }
}

void mesh_points_sort(mesh_points *points, const mesh_geometry *g, const mesh_window *window,
                      int order, const mesh_given *given) {
  const int threads = points->threads;
  points->count = given->count;
  points->window = *window;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (int t = 0; t < threads; t++) count_points(points, g, order, t, given);
#pragma omp single
    counts_to_places(points);
#pragma omp for schedule(static)
    for (int t = 0; t < threads; t++) place_points(points, g, order, t, given->xy);
  }
}

/* --- spreading ------------------------------------------------------------------------------- */

ssne_code mesh_points_bits(const ssne_spline *spline, int64_t most, int *bits, ssne_error *err) {
  /* a term is at most the spline's peak squared, and half for its rounding */
  const double peak = spline->sample[0] * spline->sample[0] * (1 + 1e-6);
  *bits = BITS;
  while (*bits >= 0 && (double)most * (ldexp(peak, *bits) + 0.5) > INT32_MAX) --*bits;
  if (*bits >= 0) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "%.0f points lie in one place of the map: too many to count",
                   (double)most);
}

static void lay_bands(mesh_points *points, int order) {
  const int64_t stride = mesh_window_stride(&points->window);
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

static void spread_share(const mesh_points *points, int thread, const ssne_spline *spline,
                         float scale) {
  const int64_t stride = mesh_window_stride(&points->window);
  const mesh_band *band = &points->bands[thread];
  const int64_t first = share(points, thread), end = share(points, thread + 1);
  memset(band->charge, 0, (size_t)(band->rows * stride) * sizeof *band->charge);
  mesh_kernels_at(ssne_simd_level())
      ->spread(points->point + first, end - first, spline, scale, (uint32_t)(band->first * stride),
               stride, band->charge);
}

/* Row `row` of all strips becomes the sum over the bands. */
static void add_bands(const mesh_points *points, int64_t row, mesh_cell *strips) {
  const mesh_window *w = &points->window;
  const int64_t count = mesh_window_strips(w), rows = w->nodes[1];
  for (int64_t s = 0; s < count; s++) memset(&strips[s * rows + row], 0, sizeof *strips);
  for (int t = 0; t < points->threads; t++) {
    const mesh_band *band = &points->bands[t];
    if (row < band->first || row >= band->first + band->rows) continue;
    const int32_t *from = band->charge + (row - band->first) * mesh_window_stride(w);
    for (int64_t s = 0; s < count; s++, from += MESH_STRIP)
      for (int l = 0; l < MESH_STRIP; l++) strips[s * rows + row].charge[l] += from[l];
  }
}

void mesh_points_spread(mesh_points *points, const ssne_spline *spline, int bits,
                        mesh_cell *strips) {
  const float scale = ldexpf(1, bits);
  lay_bands(points, spline->order);
#pragma omp parallel num_threads(points->threads)
  {
#pragma omp for schedule(static)
    for (int t = 0; t < points->threads; t++) spread_share(points, t, spline, scale);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < points->window.nodes[1]; row++) add_bands(points, row, strips);
  }
}

/* --- gathering ------------------------------------------------------------------------------- */

void mesh_points_gather(const mesh_points *points, const ssne_spline *spline,
                        const mesh_field *field, mesh_reading *reading) {
  const mesh_kernels *kernels = mesh_kernels_at(ssne_simd_level());
#pragma omp parallel for schedule(static) num_threads(points->threads)
  for (int t = 0; t < points->threads; t++)
    kernels->gather(points->point + share(points, t), share(points, t + 1) - share(points, t),
                    spline, field, reading);
}
