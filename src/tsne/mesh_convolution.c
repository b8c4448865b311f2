#include "mesh_convolution.h"

#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define LANES FFT_LANES
#define PI 3.14159265358979323846

ssne_code mesh_convolution_create(MPI_Comm comm, int threads, ssne_meanwhile *meanwhile,
                                  mesh_convolution *c, ssne_error *err) {
  *c = (mesh_convolution){
      .comm = comm, .threads = threads, .transpose = {.cell = MPI_DATATYPE_NULL}};
  MPI_Comm_rank(comm, &c->rank);
  MPI_Comm_size(comm, &c->ranks);
  SSNE_TRY(ssne_alloc(&c->strips, c->ranks + 1, sizeof *c->strips, "ranks", err));
  SSNE_TRY(ssne_alloc(&c->bundles, c->ranks + 1, sizeof *c->bundles, "ranks", err));
  return mesh_transpose_create(comm, meanwhile, &c->transpose, err);
}

void mesh_convolution_free(mesh_convolution *c) {
  mesh_transpose_free(&c->transpose);
  ssne_free(&c->by_strip);
  ssne_free(&c->strips);
  ssne_free(&c->bundles);
  ssne_free(&c->kernel);
  ssne_free(&c->work);
  fft_free(&c->along[0]);
  fft_free(&c->along[1]);
}

/* --- room ------------------------------------------------------------------------------------ */

static int64_t own_strips(const mesh_convolution *c) {
  return c->strips[c->rank + 1] - c->strips[c->rank];
}

static int64_t own_bundles(const mesh_convolution *c) {
  return c->bundles[c->rank + 1] - c->bundles[c->rank];
}

static int64_t columns_of(const mesh_convolution *c, int rank) {
  return (c->strips[rank + 1] - c->strips[rank]) * MESH_STRIP;
}

/* Wave numbers 0 ... rows, in bundles of LANES. */
static int64_t bundles_of(const mesh_geometry *g) {
  return g->nodes[1] / LANES + 1;
}

static void share_out(mesh_convolution *c, ssne_workers grid, const mesh_geometry *g) {
  const int64_t strips = g->nodes[0] / MESH_STRIP;
  for (int r = 0; r <= c->ranks; r++) {
    const int workers = grid.rows * grid.columns;
    const int before = ssne_workers_before(grid, c->ranks, r);
    c->strips[r] = ssne_share_begin(strips, workers, before);
    c->bundles[r] = ssne_share_begin(bundles_of(g), workers, before);
  }
}

ssne_code mesh_convolution_reserve(mesh_convolution *c, ssne_workers grid, const mesh_geometry *g,
                                   ssne_error *err) {
  const char *what = "cells of the transform";
  const int64_t columns = g->nodes[0], rows = g->nodes[1];
  share_out(c, grid, g);
  SSNE_TRY(fft_prepare(&c->along[0], 2 * columns, err));
  SSNE_TRY(fft_prepare(&c->along[1], 2 * rows, err));
  SSNE_TRY(ssne_enlarge(&c->kernel, own_bundles(c) * (columns + 1) * LANES, sizeof *c->kernel, what,
                        &c->kernel_capacity, err));
  SSNE_TRY(ssne_enlarge(&c->by_strip, bundles_of(g) * columns_of(c, c->rank), sizeof *c->by_strip,
                        what, &c->strip_capacity, err));
  SSNE_TRY(mesh_transpose_reserve(&c->transpose, grid, columns, MESH_STRIP, bundles_of(g), err));
  /* a sequence, and two of twice its length */
  c->work_cells = 5 * (columns > rows ? columns : rows);
  return ssne_enlarge(&c->work, c->threads * c->work_cells, sizeof *c->work, what,
                      &c->work_capacity, err);
}

static fft_cell *own_work(const mesh_convolution *c) {
  return c->work + omp_get_thread_num() * c->work_cells;
}

/* --- the kernel ------------------------------------------------------------------------------ */

double mesh_kernel_at(const mesh_kernel *kernel, double x, double y) {
  const double a = kernel->tail_df, r2 = x * x + y * y;
  const bool plain = !(a < 1) && !(a > 1);
  return (plain ? 1 / (1 + r2) : exp(-a * log1p(r2 / a))) - kernel->floor;
}

/* The kernel at distances of 0 ... length / 2 rows and of 16 columns from `column` on; the rest of
 * the length is its mirror image. */
static void fill_strip(const mesh_kernel *kernel, double step, int64_t column, int64_t length,
                       fft_cell *strip) {
  for (int64_t r = 0; r <= length / 2; r++) {
    for (int l = 0; l < LANES; l++) {
      const double y = step * (double)r, x = step * (double)(column + l);
      strip[r].re[l] = (float)mesh_kernel_at(kernel, x, y);
      strip[r].im[l] = (float)mesh_kernel_at(kernel, x + step * LANES, y);
    }
    if (r > 0) strip[length - r] = strip[r];
  }
}

/* The transform along columns of strip `s`, of own bundles: real, since the kernel is even. */
static void transform_strip(mesh_convolution *c, const mesh_geometry *g, const mesh_kernel *kernel,
                            int64_t s) {
  const int64_t columns = g->nodes[0], length = 2 * g->nodes[1], first = s * MESH_STRIP;
  fft_cell *work = own_work(c);
  fill_strip(kernel, g->step, first, length, work);
  const fft_cell *z = fft_forward_full(&c->along[1], work, work);
  for (int64_t b = 0; b < own_bundles(c); b++)
    for (int64_t l = 0; l < MESH_STRIP && first + l <= columns; l++)
      for (int j = 0; j < LANES; j++) {
        const fft_cell *wave = &z[(c->bundles[c->rank] + b) * LANES + j];
        c->kernel[(b * (columns + 1) + first + l) * LANES + j] =
            l < LANES ? wave->re[l] : wave->im[l - LANES];
      }
}

/* 1 / the transform of the spline, squared: for spreading and for gathering. */
static double sharpen(const ssne_spline *spline, int64_t wave, int64_t nodes) {
  const double transform = ssne_spline_transform(spline, PI * (double)wave / (double)nodes);
  return 1 / (transform * transform);
}

/* Transforms own bundle `b` along rows, and takes in all constant factors: the length of the
 * transforms, and the 2 of mesh_kernels.part. */
static void transform_bundle(mesh_convolution *c, const mesh_geometry *g, const ssne_spline *spline,
                             int64_t b) {
  const int64_t columns = g->nodes[0], rows = g->nodes[1], length = 2 * columns;
  float *kernel = c->kernel + b * (columns + 1) * LANES;
  fft_cell *work = own_work(c);
  double row_factor[LANES];
  for (int j = 0; j < LANES; j++)
    row_factor[j] = sharpen(spline, (c->bundles[c->rank] + b) * LANES + j, rows) /
                    (8 * (double)columns * (double)rows);
  for (int64_t x = 0; x <= columns; x++) {
    memcpy(work[x].re, kernel + x * LANES, sizeof work[x].re);
    memset(work[x].im, 0, sizeof work[x].im);
    if (x > 0) work[length - x] = work[x];
  }
  const fft_cell *z = fft_forward_full(&c->along[0], work, work);
  for (int64_t x = 0; x <= columns; x++) {
    const double factor = sharpen(spline, x, columns);
    for (int j = 0; j < LANES; j++)
      kernel[x * LANES + j] = (float)((double)z[x].re[j] * factor * row_factor[j]);
  }
}

void mesh_convolution_prepare(mesh_convolution *c, const mesh_geometry *g,
                              const mesh_kernel *kernel, const ssne_spline *spline) {
#pragma omp parallel num_threads(c->threads)
  {
    /* one strip more: the column in the middle of the doubled mesh */
#pragma omp for schedule(static)
    for (int64_t s = 0; s <= g->nodes[0] / MESH_STRIP; s++) transform_strip(c, g, kernel, s);
#pragma omp for schedule(static)
    for (int64_t b = 0; b < own_bundles(c); b++) transform_bundle(c, g, spline, b);
  }
  c->geometry = *g;
}

/* --- the convolution ------------------------------------------------------------------------- */

static void strips_to_waves(mesh_convolution *c, const mesh_cell *strips, float scale) {
  const mesh_kernels *kernels = mesh_kernels_at(ssne_simd_level());
  const int64_t rows = c->geometry.nodes[1], own = columns_of(c, c->rank);
#pragma omp parallel for schedule(static) num_threads(c->threads)
  for (int64_t s = 0; s < own_strips(c); s++) {
    fft_cell *work = own_work(c);
    kernels->load(strips + s * rows, rows, scale, work);
    const fft_cell *z = fft_forward(&c->along[1], work, work + rows);
    kernels->part(z, 2 * rows, bundles_of(&c->geometry), own, c->by_strip + s * MESH_STRIP);
  }
}

static void waves_to_strips(mesh_convolution *c, mesh_cell *strips) {
  const mesh_kernels *kernels = mesh_kernels_at(ssne_simd_level());
  const int64_t rows = c->geometry.nodes[1], own = columns_of(c, c->rank);
#pragma omp parallel for schedule(static) num_threads(c->threads)
  for (int64_t s = 0; s < own_strips(c); s++) {
    fft_cell *work = own_work(c);
    kernels->join(c->by_strip + s * MESH_STRIP, 2 * rows, own, work);
    fft_backward(&c->along[1], work, work, &strips[s * rows].potential);
  }
}

/* Own bundle `b` between its pieces and one row of cells. */
static void collect(const mesh_convolution *c, int64_t b, fft_cell *row) {
  const mesh_transpose *t = &c->transpose;
  for (int q = 0; q < t->grid.rows * t->grid.columns; q++) {
    const int64_t count = t->columns[q + 1] - t->columns[q];
    memcpy(row + t->columns[q], mesh_transpose_piece(t, c->by_strip, q) + b * count,
           (size_t)count * sizeof *row);
  }
}

static void distribute(const mesh_convolution *c, int64_t b, const fft_cell *row) {
  const mesh_transpose *t = &c->transpose;
  for (int q = 0; q < t->grid.rows * t->grid.columns; q++) {
    const int64_t count = t->columns[q + 1] - t->columns[q];
    memcpy(mesh_transpose_piece(t, c->by_strip, q) + b * count, row + t->columns[q],
           (size_t)count * sizeof *row);
  }
}

static void convolve_rows(mesh_convolution *c) {
  const mesh_kernels *kernels = mesh_kernels_at(ssne_simd_level());
  const int64_t columns = c->geometry.nodes[0];
  const bool whole = c->transpose.grid.rows * c->transpose.grid.columns == 1;
#pragma omp parallel for schedule(static) num_threads(c->threads)
  for (int64_t b = 0; b < own_bundles(c); b++) {
    fft_cell *work = own_work(c), *row = whole ? c->by_strip + b * columns : work;
    if (!whole) collect(c, b, row);
    fft_cell *z = fft_forward(&c->along[0], row, work + columns);
    kernels->multiply(c->kernel + b * (columns + 1) * LANES, 2 * columns, z);
    fft_backward(&c->along[0], z, work + columns, row);
    if (!whole) distribute(c, b, row);
  }
}

ssne_code mesh_convolution_apply(mesh_convolution *c, mesh_cell *strips, float scale,
                                 ssne_error *err) {
  strips_to_waves(c, strips, scale);
  SSNE_TRY(mesh_transpose_apply(&c->transpose, c->by_strip, err));
  convolve_rows(c);
  SSNE_TRY(mesh_transpose_back(&c->transpose, c->by_strip, err));
  waves_to_strips(c, strips);
  return SSNE_OK;
}
