#include "mesh_kernels.h"

#include <string.h>

#define LANES FFT_LANES

/* --- points ---------------------------------------------------------------------------------- */

/* A spline's polynomials with the lanes for x and, after them, those for y. */
typedef struct table {
  float c[2 * SSNE_SPLINE_ORDER - 1][2 * SSNE_SPLINE_LANES];
} table;

static inline table table_of(const float c[][SSNE_SPLINE_LANES], int degrees, int lanes) {
  table t = {{{0}}};
  for (int d = 0; d < degrees; d++)
    for (int l = 0; l < 2 * lanes; l++) t.c[d][l] = c[d][l % lanes];
  return t;
}

static inline void evaluate(const table *of, int degrees, int lanes, const float *t, float *value) {
  for (int l = 0; l < 2 * lanes; l++) value[l] = of->c[degrees - 1][l];
  for (int d = degrees - 2; d >= 0; d--)
    for (int l = 0; l < 2 * lanes; l++) value[l] = value[l] * t[l] + of->c[d][l];
}

static inline void both_places(const mesh_point *p, int lanes, float *t) {
  for (int l = 0; l < lanes; l++) {
    t[l] = p->t[0];
    t[lanes + l] = p->t[1];
  }
}

static inline void spread(const mesh_point *points, int64_t count, const ssne_spline *spline,
                          float scale, uint32_t first, int64_t stride, int32_t *charge, int order,
                          int lanes) {
  const table weights = table_of(spline->weight, order, lanes);
  for (int64_t i = 0; i < count; i++) {
    float t[2 * SSNE_SPLINE_LANES], w[2 * SSNE_SPLINE_LANES];
    both_places(&points[i], lanes, t);
    evaluate(&weights, order, lanes, t, w);
    int32_t *row = charge + (points[i].node - first);
    for (int j = 0; j < order; j++, row += stride) {
      const float share = w[lanes + j] * scale;
      for (int l = 0; l < lanes; l++) row[l] += (int32_t)(share * w[l] + 0.5F);
    }
  }
}

/* Points are served so many at a time, a lane each, that lanes fill a vector; what a lane holds
 * does not depend on it. GCC and Clang compile this type for any instruction set; GCC 12 does not
 * find the vectors in loops over such lanes, which it unrolls first. */
#ifdef __AVX__
#define BATCH 8
#else
#define BATCH 4
#endif
typedef float batch __attribute__((vector_size(BATCH * sizeof(float))));

/* What the nodes that a point reaches count for it, in one direction, and how that changes. */
typedef struct reach {
  batch weight[SSNE_SPLINE_ORDER], slope[SSNE_SPLINE_ORDER];
} reach;

static inline void evaluate_batch(const float c[][SSNE_SPLINE_LANES], int degrees, int order,
                                  const batch *t, batch *value) {
  for (int j = 0; j < order; j++) {
    batch sum = *t * c[degrees - 1][j] + c[degrees - 2][j];
    for (int d = degrees - 3; d >= 0; d--) sum = sum * *t + c[d][j];
    value[j] = sum;
  }
}

/* Potential, slope in x and slope in y. */
typedef struct readings {
  batch potential, slope[2];
} readings;

/* What the values [order, order] at the nodes reached amount to. */
static inline void read_nodes(const batch *node, const reach to[2], int order, readings *r) {
  *r = (readings){{0}, {{0}, {0}}};
  for (int j = 0; j < order; j++, node += order) {
    batch value = to[0].weight[0] * node[0], slope = to[0].slope[0] * node[0];
    for (int i = 1; i < order; i++) {
      value += to[0].weight[i] * node[i];
      slope += to[0].slope[i] * node[i];
    }
    r->potential += to[1].weight[j] * value;
    r->slope[0] += to[1].weight[j] * slope;
    r->slope[1] += to[1].slope[j] * value;
  }
}

/* Node by node, the values that each point reaches. */
static inline void fetch(const mesh_point *const point[BATCH], const mesh_field *field, int order,
                         batch *node) {
  const float *from[BATCH];
  for (int l = 0; l < BATCH; l++) from[l] = field->potential + point[l]->node;
  for (int j = 0; j < order; j++)
    for (int i = 0; i < order; i++) {
      const int64_t n = j * field->stride + i;
      batch value = {0};
      for (int l = 0; l < BATCH; l++) value[l] = from[l][n];
      node[j * order + i] = value;
    }
}

static inline void gather_batch(const mesh_point *const point[BATCH], const ssne_spline *spline,
                                const mesh_field *field, const batch *own, int order, readings *r) {
  batch t[2], node[SSNE_SPLINE_ORDER * SSNE_SPLINE_ORDER];
  reach to[2];
  readings mine;
  fetch(point, field, order, node);
  for (int a = 0; a < 2; a++) {
    for (int l = 0; l < BATCH; l++) t[a][l] = point[l]->t[a];
    evaluate_batch(spline->weight, order, order, &t[a], to[a].weight);
    evaluate_batch(spline->slope, order - 1, order, &t[a], to[a].slope);
  }
  read_nodes(node, to, order, r);
  for (int a = 0; a < 2; a++) {
    evaluate_batch(spline->own, 2 * order - 1, order, &t[a], to[a].weight);
    evaluate_batch(spline->own_slope, 2 * order - 2, order, &t[a], to[a].slope);
  }
  read_nodes(own, to, order, &mine);
  r->potential -= mine.potential;
  for (int a = 0; a < 2; a++) r->slope[a] = (r->slope[a] - mine.slope[a]) * field->force;
}

static inline void gather(const mesh_point *points, int64_t count, const ssne_spline *spline,
                          const mesh_field *field, mesh_reading *reading, int order) {
  batch own[SSNE_SPLINE_ORDER * SSNE_SPLINE_ORDER];
  for (int n = 0; n < order * order; n++) own[n] = (batch){0} + field->own[n / order][n % order];
  for (int64_t first = 0; first < count; first += BATCH) {
    const int lanes = count - first < BATCH ? (int)(count - first) : BATCH;
    const mesh_point *point[BATCH]; /* the last fills up the last batch */
    for (int l = 0; l < BATCH; l++) point[l] = &points[first + (l < lanes ? l : lanes - 1)];
    readings r;
    gather_batch(point, spline, field, own, order, &r);
    for (int l = 0; l < lanes; l++)
      reading[point[l]->number] = (mesh_reading){{r.slope[0][l], r.slope[1][l]}, r.potential[l]};
  }
}

static void spread_by_order(const mesh_point *points, int64_t count, const ssne_spline *spline,
                            float scale, uint32_t first, int64_t stride, int32_t *charge) {
  if (spline->order == 4)
    spread(points, count, spline, scale, first, stride, charge, 4, 4);
  else
    spread(points, count, spline, scale, first, stride, charge, 6, 8);
}

static void gather_by_order(const mesh_point *points, int64_t count, const ssne_spline *spline,
                            const mesh_field *field, mesh_reading *reading) {
  if (spline->order == 4)
    gather(points, count, spline, field, reading, 4);
  else
    gather(points, count, spline, field, reading, 6);
}

/* --- strips ---------------------------------------------------------------------------------- */

static void load(const mesh_cell *charges, int64_t count, float scale, fft_cell *strip) {
  const int32_t *charge = charges->charge;
  float *value = strip->re;
  for (int64_t i = 0; i < count * 2 * LANES; i++) value[i] = (float)charge[i] * scale;
}

static inline void transpose(const float from[LANES][LANES], float *to, int64_t stride) {
  for (int c = 0; c < LANES; c++)
    for (int j = 0; j < LANES; j++) to[c * stride + j] = from[j][c];
}

/* With z = a + i b, a and b real: twice the transform of a is Z(k) + Z(-k)*, that of b
 * -i (Z(k) - Z(-k)*). */
static void part(const fft_cell *z, int64_t length, int64_t bundles, int64_t stride,
                 fft_cell *waves) {
  const int64_t step = sizeof(fft_cell) / sizeof(float);
  for (int64_t k = 0; k < bundles * LANES; k += LANES, waves += stride) {
    float a_re[LANES][LANES], a_im[LANES][LANES], b_re[LANES][LANES], b_im[LANES][LANES];
    for (int j = 0; j < LANES; j++) {
      const fft_cell *up = &z[k + j], *down = &z[k + j > 0 ? length - k - j : 0];
      for (int l = 0; l < LANES; l++) {
        a_re[j][l] = up->re[l] + down->re[l];
        a_im[j][l] = up->im[l] - down->im[l];
        b_re[j][l] = up->im[l] + down->im[l];
        b_im[j][l] = down->re[l] - up->re[l];
      }
    }
    transpose((const float(*)[LANES])a_re, waves->re, step);
    transpose((const float(*)[LANES])a_im, waves->im, step);
    transpose((const float(*)[LANES])b_re, waves[LANES].re, step);
    transpose((const float(*)[LANES])b_im, waves[LANES].im, step);
  }
}

static inline void collect(const float *from, int64_t stride, float to[LANES][LANES]) {
  for (int j = 0; j < LANES; j++)
    for (int c = 0; c < LANES; c++) to[j][c] = from[c * stride + j];
}

static void join(const fft_cell *waves, int64_t length, int64_t stride, fft_cell *z) {
  const int64_t step = sizeof(fft_cell) / sizeof(float), half = length / 2;
  for (int64_t k = 0; k <= half; k += LANES, waves += stride) {
    float a_re[LANES][LANES], a_im[LANES][LANES], b_re[LANES][LANES], b_im[LANES][LANES];
    collect(waves->re, step, a_re);
    collect(waves->im, step, a_im);
    collect(waves[LANES].re, step, b_re);
    collect(waves[LANES].im, step, b_im);
    for (int j = 0; j < LANES && k + j <= half; j++) {
      fft_cell *up = &z[k + j], *down = &z[k + j > 0 ? length - k - j : 0];
      for (int l = 0; l < LANES; l++) { /* Z(-k) = A* + i B*; at k = 0 and half Z(k) stays */
        down->im[l] = a_re[j][l] + b_im[j][l];
        down->re[l] = b_re[j][l] - a_im[j][l];
        up->im[l] = a_re[j][l] - b_im[j][l];
        up->re[l] = b_re[j][l] + a_im[j][l];
      }
    }
  }
}

static inline void multiply_cell(const float *kernel, fft_cell *z) {
  for (int l = 0; l < LANES; l++) {
    const float re = kernel[l] * z->re[l], im = kernel[l] * z->im[l];
    z->re[l] = im;
    z->im[l] = re;
  }
}

static void multiply(const float *kernel, int64_t length, fft_cell *z) {
  multiply_cell(kernel, z);
  multiply_cell(kernel + length / 2 * LANES, z + length / 2);
  for (int64_t k = 1; k < length / 2; k++) {
    multiply_cell(kernel + k * LANES, z + k);
    multiply_cell(kernel + k * LANES, z + length - k);
  }
}

const mesh_kernels SSNE_KERNELS_HERE(mesh_kernels) = {.spread = spread_by_order,
                                                      .gather = gather_by_order,
                                                      .load = load,
                                                      .part = part,
                                                      .join = join,
                                                      .multiply = multiply};
