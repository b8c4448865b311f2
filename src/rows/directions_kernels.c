#include "directions_kernels.h"

#include <string.h>

static void multiply_block(const float *x, int64_t rows, int64_t stride, const double *v,
                           double *partial) {
  memset(partial, 0, (size_t)(stride * SSNE_DIRECTIONS) * sizeof *partial);
  for (int64_t r = 0; r < rows; r++, x += stride) {
    double score[SSNE_DIRECTIONS] = {0};
    for (int64_t c = 0; c < stride; c++)
      for (int q = 0; q < SSNE_DIRECTIONS; q++)
        score[q] += (double)x[c] * v[c * SSNE_DIRECTIONS + q];
    for (int64_t c = 0; c < stride; c++)
      for (int q = 0; q < SSNE_DIRECTIONS; q++)
        partial[c * SSNE_DIRECTIONS + q] += (double)x[c] * score[q];
  }
}

const directions_kernels SSNE_KERNELS_HERE(directions_kernels) = {.multiply_block = multiply_block};
