#include "forces.h"

#include <math.h>

typedef struct row_sums {
  double x, y, spread;
} row_sums;

/* Entries in column order, one accumulator: the order, and so the rounding, is the row's own. */
static row_sums attract_row(const ssne_affinities *a, int64_t row, const float *xy, int64_t place,
                            int with_spread) {
  const float x = xy[place], y = xy[place + SSNE_ROWS_BLOCK];
  row_sums sums = {0, 0, 0};
  for (int64_t e = a->start[row]; e < a->start[row + 1]; e++) {
    const int64_t other = ssne_plane_place(a->column[e]);
    const float dx = x - xy[other], dy = y - xy[other + SSNE_ROWS_BLOCK];
    const float square = dx * dx + dy * dy;
    const float pull = a->value[e] / (1 + square);
    sums.x += (double)(pull * dx);
    sums.y += (double)(pull * dy);
    if (with_spread) sums.spread += (double)a->value[e] * log1p((double)square);
  }
  return sums;
}

void ssne_attraction(const ssne_affinities *affinities, const ssne_plane *plane, int threads,
                     int with_spread, ssne_forces *forces) {
  const ssne_partition *p = &affinities->partition;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t r = 0; r < p->own_rows; r++) {
    const row_sums sums =
        attract_row(affinities, r, plane->xy, ssne_plane_place(p->first_row + r), with_spread);
    forces->attraction[2 * r] = (float)sums.x;
    forces->attraction[2 * r + 1] = (float)sums.y;
    if (with_spread) forces->spread[r] = sums.spread;
  }
}
