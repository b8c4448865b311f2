/* A row is summed in 8 lanes, entry e in lane e mod 8, added up in a fixed tree at the end.
 *
 * What takes time is bringing together coordinates from all over the plane. A plain loop over
 * column[] becomes a gather of x and another of y, 2 to 3 times as slow as loading each point as
 * one 64-bit word and sorting x from y in registers. No loop says that to GCC 12, so this file uses
 * the vector types of GCC and Clang, one register wide: 8 floats with AVX, else 4. Lanes are the
 * same, and so are the bits. */
#include "attraction_kernels.h"

#include <stdbool.h>
#include <string.h>

enum {
  LANES = 8,
#ifdef __AVX__
  WIDTH = 8,
#else
  WIDTH = 4,
#endif
  PARTS = LANES / WIDTH
};

typedef float floats __attribute__((vector_size(4 * WIDTH)));
typedef int32_t ints __attribute__((vector_size(4 * WIDTH)));
typedef double doubles __attribute__((vector_size(8 * WIDTH)));
typedef double points __attribute__((vector_size(4 * WIDTH))); /* (x, y) as one word each */

static inline double point_at(const float *xy, uint32_t place) {
  double word;
  memcpy(&word, xy + 2 * (int64_t)place, sizeof word);
  return word;
}

static inline floats load(const float *from) {
  floats v;
  memcpy(&v, from, sizeof v);
  return v;
}

/* The coordinates of WIDTH places, in their order. */
static inline void gather(const float *xy, const uint32_t *place, floats *x, floats *y) {
#ifdef __AVX__
  /* shuffles work within halves of a register, hence this order */
  const points a = {point_at(xy, place[0]), point_at(xy, place[1]), point_at(xy, place[4]),
                    point_at(xy, place[5])};
  const points b = {point_at(xy, place[2]), point_at(xy, place[3]), point_at(xy, place[6]),
                    point_at(xy, place[7])};
  *x = __builtin_shufflevector((floats)a, (floats)b, 0, 2, 8, 10, 4, 6, 12, 14);
  *y = __builtin_shufflevector((floats)a, (floats)b, 1, 3, 9, 11, 5, 7, 13, 15);
#else
  const points a = {point_at(xy, place[0]), point_at(xy, place[1])};
  const points b = {point_at(xy, place[2]), point_at(xy, place[3])};
  *x = __builtin_shufflevector((floats)a, (floats)b, 0, 2, 4, 6);
  *y = __builtin_shufflevector((floats)a, (floats)b, 1, 3, 5, 7);
#endif
}

static float add_lanes(const floats part[PARTS]) {
  float lane[LANES];
  memcpy(lane, part, sizeof lane);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Past the end of the last row there is nothing to fetch. */
static inline void fetch(const attraction_rows *a, int64_t entry) {
  if (entry + LANES > a->entries) return;
  for (int l = 0; l < LANES; l++) __builtin_prefetch(a->xy + 2 * (int64_t)a->column[entry + l]);
}

static inline void attract_rows(const attraction_rows *a, int64_t begin, int64_t end, bool fetching,
                                float *force) {
  for (int64_t r = begin; r < end; r++) {
    const float *here = a->xy + 2 * (int64_t)a->slot[r], x = here[0], y = here[1];
    floats sum_x[PARTS] = {{0}}, sum_y[PARTS] = {{0}};
    for (int64_t e = a->start[r]; e < a->start[r + 1]; e += LANES) {
      if (fetching) fetch(a, e + a->ahead);
      for (int part = 0; part < PARTS; part++) {
        const int64_t at = e + (int64_t)part * WIDTH;
        floats other_x, other_y;
        gather(a->xy, a->column + at, &other_x, &other_y);
        const floats dx = x - other_x, dy = y - other_y;
        const floats pw = load(a->value + at) / (1 + (dx * dx + dy * dy) * a->stiffness);
        sum_x[part] += pw * dx;
        sum_y[part] += pw * dy;
      }
    }
    force[2 * r] = add_lanes(sum_x);
    force[2 * r + 1] = add_lanes(sum_y);
  }
}

static void attract(const attraction_rows *a, int64_t begin, int64_t end, float *force) {
  if (a->ahead > 0)
    attract_rows(a, begin, end, true, force);
  else
    attract_rows(a, begin, end, false, force);
}

/* log(1 + t), t >= 0, as Cephes' logf (Moshier 1989) of u = 1 + t rounded, plus what the rounding
 * left, (t - (u - 1)) / u, which is all there is where t is small. u = 2^n m, m within a factor of
 * sqrt(2) of 1. */
static inline floats log1p_of(floats t) {
  const floats u = 1 + t;
  const ints bits = (ints)u, n = (bits - 0x3f3504f3) >> 23;
  const floats power = __builtin_convertvector(n, floats);
  const floats f = (floats)(bits - (n << 23)) - 1, z = f * f;
  floats y = f * 7.0376836292e-2f - 1.1514610310e-1f;
  y = y * f + 1.1676998740e-1f;
  y = y * f - 1.2420140846e-1f;
  y = y * f + 1.4249322787e-1f;
  y = y * f - 1.6668057665e-1f;
  y = y * f + 2.0000714765e-1f;
  y = y * f - 2.4999993993e-1f;
  y = y * f + 3.3333331174e-1f;
  y = y * f * z - 2.12194440e-4f * power - 0.5f * z + (t - (u - 1)) / u;
  return f + y + 0.693359375f * power;
}

static void spread(const attraction_rows *a, int64_t begin, int64_t end, double *out) {
  for (int64_t r = begin; r < end; r++) {
    const float *here = a->xy + 2 * (int64_t)a->slot[r], x = here[0], y = here[1];
    doubles sum[PARTS] = {{0}};
    for (int64_t e = a->start[r]; e < a->start[r + 1]; e += LANES) {
      for (int part = 0; part < PARTS; part++) {
        const int64_t at = e + (int64_t)part * WIDTH;
        floats other_x, other_y;
        gather(a->xy, a->column + at, &other_x, &other_y);
        const floats dx = x - other_x, dy = y - other_y;
        const floats p_log = load(a->value + at) * log1p_of((dx * dx + dy * dy) * a->stiffness);
        sum[part] += __builtin_convertvector(p_log, doubles);
      }
    }
    double lane[LANES];
    memcpy(lane, sum, sizeof lane);
    out[r] = 0;
    for (int l = 0; l < LANES; l++) out[r] += lane[l];
    out[r] *= a->tail_df;
  }
}

const attraction_kernels SSNE_KERNELS_HERE(attraction_kernels) = {.attract = attract,
                                                                  .spread = spread};
