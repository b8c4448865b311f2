#include "repulsion_kernels.h"

#include "shardsne/rows.h"

#include <math.h>

static double add_lanes(const double lane[SSNE_LANES]) {
  double sum = 0;
  for (int l = 0; l < SSNE_LANES; l++) sum += lane[l];
  return sum;
}

/* Single precision within a block, where few terms meet, double across blocks. The row meets itself
 * with K = 1 and no force. */
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

static pair_sums repel_row_tailed(const float *blocks, int64_t count, float x, float y, double df) {
  pair_sums sums = {0, 0, 0};
  for (int64_t b = 0; b < count; b++) {
    const float *xs = blocks + b * 2 * SSNE_ROWS_BLOCK, *ys = xs + SSNE_ROWS_BLOCK;
    for (int j = 0; j < SSNE_ROWS_BLOCK; j++) {
      if (fabsf(xs[j]) >= 1e17f) continue; /* a place past the end: its tail could still be felt */
      const double dx = (double)x - (double)xs[j], dy = (double)y - (double)ys[j];
      const double log_w = -log1p((dx * dx + dy * dy) / df), k = exp(df * log_w);
      sums.x += k * exp(log_w) * dx;
      sums.y += k * exp(log_w) * dy;
      sums.potential += k;
    }
  }
  return sums;
}

const repulsion_kernels SSNE_KERNELS_HERE(repulsion_kernels) = {
    .repel_row = repel_row, .repel_row_tailed = repel_row_tailed};
