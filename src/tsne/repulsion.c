#include "forces.h"

#include "shardsne/simd.h"

typedef struct pair_sums {
  double x, y, potential;
} pair_sums;

static void add_lanes(double *sum, const float lane[SSNE_LANES]) {
  for (int l = 0; l < SSNE_LANES; l++) *sum += (double)lane[l];
}

/* One row against all blocks, in order. Single precision within a block, where few terms meet,
 * double across blocks. The row meets itself with K = 1 and no force. */
SSNE_CLONES
static pair_sums repel_row(const float *blocks, int64_t count, float x, float y) {
  pair_sums sums = {0, 0, 0};
  for (int64_t b = 0; b < count; b++) {
    const float *xs = blocks + b * 2 * SSNE_ROWS_BLOCK, *ys = xs + SSNE_ROWS_BLOCK;
    float fx[SSNE_LANES] = {0}, fy[SSNE_LANES] = {0}, potential[SSNE_LANES] = {0};
    for (int j = 0; j < SSNE_ROWS_BLOCK; j += SSNE_LANES)
      for (int l = 0; l < SSNE_LANES; l++) {
        const float dx = x - xs[j + l], dy = y - ys[j + l];
        const float k = 1 / (1 + (dx * dx + dy * dy));
        potential[l] += k;
        fx[l] += k * k * dx;
        fy[l] += k * k * dy;
      }
    add_lanes(&sums.x, fx);
    add_lanes(&sums.y, fy);
    add_lanes(&sums.potential, potential);
  }
  return sums;
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
