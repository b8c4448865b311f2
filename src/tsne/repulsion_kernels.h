/* One row against all others. */
#ifndef SSNE_TSNE_REPULSION_KERNELS_H
#define SSNE_TSNE_REPULSION_KERNELS_H

#include "shardsne/simd.h"

#include <stdint.h>

typedef struct pair_sums {
  double x, y;      /* sum_j K w (y - y_j) */
  double potential; /* sum_j K, the row itself included */
} pair_sums;

typedef struct repulsion_kernels {
  /* (x, y) against `count` blocks [2][SSNE_ROWS_BLOCK], in order; K = w = 1 / (1 + r^2). */
  pair_sums (*repel_row)(const float *blocks, int64_t count, float x, float y);
  /* The same with w = 1 / (1 + r^2 / df), K = w^df, in double precision. */
  pair_sums (*repel_row_tailed)(const float *blocks, int64_t count, float x, float y, double df);
} repulsion_kernels;
SSNE_KERNELS_DECLARE(repulsion_kernels)

#endif
