/* Distances that decide: the same bits with every instruction set. */
#ifndef SSNE_NEIGHBOURS_DISTANCE_KERNELS_H
#define SSNE_NEIGHBOURS_DISTANCE_KERNELS_H

#include "shardsne/simd.h"

#include <stdint.h>

typedef struct distance_kernels {
  /* Sum of squared differences of x and y [stride], stride a multiple of SSNE_LANES. */
  float (*squared_distance)(const float *x, const float *y, int64_t stride);
  /* Sum of squares of x [stride]. */
  float (*squared_norm)(const float *x, int64_t stride);
} distance_kernels;
SSNE_KERNELS_DECLARE(distance_kernels)

#endif
