#include "forces.h"

#include "shardsne/simd.h"

typedef struct pair_sums {
  double x, y, potential;
} pair_sums;

static double add_lanes(const double lane[SSNE_LANES]) {
  double sum = 0;
  for (int l = 0; l < SSNE_LANES; l++) sum += lane[l];
  return sum;
}

/* One row against all blocks, in order. Single precision within a block, where few terms meet,
 * double across blocks. The row meets itself with K = 1 and no force. */
SSNE_CLONES
static pair_sums repel_row(const float *blocks, int64_t count, float x, float y) {
  enum { X = 0, Y = SSNE_LANES, K = 2 * SSNE_LANES, SUMS = 3 * SSNE_LANES };
  double all[SUMS] = {0}; /* one array of lanes, which compilers turn into vectors more readily */
  for (int64_t b = 0; b < count; b++) {
    const float *xs = blocks + b * 2 * SSNE_ROWS_BLOCK, *ys = xs + SSNE_ROWS_BLOCK;
    float sum[SUMS] = {0};
    for (int j = 0; j < SSNE_ROWS_BLOCK; j += SSNE_LANES)
      for (int l = 0; l < SSNE_LANES; l++) {
        const float dx = x - xs[j + l], dy = y - ys[j + l];
        const float k = 1 / (1 + (dx * dx + dy * dy));
        sum[X + l] += k * k * dx;
        sum[Y + l] += k * k * dy;
        sum[K + l] += k;
      }
    for (int l = 0; l < SUMS; l++) all[l] += (double)sum[l];
  }
  return (pair_sums){add_lanes(all + X), add_lanes(all + Y), add_lanes(all + K)};
}

void ssne_repulsion_exact(const ssne_plane *plane, int threads, ssne_forces *forces) {
  const ssne_partition *p = &plane->partition;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t r = 0; r < p->own_rows; r++) {
    const int64_t place = ssne_plane_place(p->first_row + r);
    const pair_sums sums =
        repel_row(plane->xy, p->blocks, plane->xy[place], plane->xy[place + SSNE_ROWS_BLOCK]);
    forces->repulsion[2 * r] = (float)sums.x;
    forces->repulsion[2 * r + 1] = (float)sums.y;
    forces->potential[r] = sums.potential;
  }
}
