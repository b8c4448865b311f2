/* The inner loop of the subspace iteration. */
#ifndef SSNE_ROWS_DIRECTIONS_KERNELS_H
#define SSNE_ROWS_DIRECTIONS_KERNELS_H

#include "shardsne/rows.h"
#include "shardsne/simd.h"

#include <stdint.h>

typedef struct directions_kernels {
  /* partial [stride, SSNE_DIRECTIONS] = X^T (X V) for `rows` rows x [rows, stride], v [stride,
   * SSNE_DIRECTIONS]. */
  void (*multiply_block)(const float *x, int64_t rows, int64_t stride, const double *v,
                         double *partial);
} directions_kernels;
SSNE_KERNELS_DECLARE(directions_kernels)

#endif
