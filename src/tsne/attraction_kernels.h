/* The attraction on rows of P, several entries at a time. */
#ifndef SSNE_TSNE_ATTRACTION_KERNELS_H
#define SSNE_TSNE_ATTRACTION_KERNELS_H

#include "shardsne/simd.h"

#include <stdint.h>

/* What the kernels read: rows and values of P as in ssne_affinities, the rest as in ssne_near. */
typedef struct attraction_rows {
  const int64_t *start;
  int64_t entries; /* of all own rows */
  const uint32_t *column;
  const float *value;
  const uint32_t *slot;
  const float *xy;
  double tail_df;  /* a, in w = 1 / (1 + r^2 / a) */
  float stiffness; /* 1 / a */
  int64_t ahead;   /* coordinates are fetched so many entries before they are read; 0: not */
} attraction_rows;

typedef struct attraction_kernels {
  /* force[2 r], force[2 r + 1] = sum_j p w (y_r - y_j) of own rows r, begin <= r < end. */
  void (*attract)(const attraction_rows *rows, int64_t begin, int64_t end, float *force);
  /* spread[r] = -sum_j p log K = a sum_j p log(1 + r^2 / a), the logarithms within 3e-7 of
   * themselves. */
  void (*spread)(const attraction_rows *rows, int64_t begin, int64_t end, double *spread);
} attraction_kernels;
SSNE_KERNELS_DECLARE(attraction_kernels)

#endif
