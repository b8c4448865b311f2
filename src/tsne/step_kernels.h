/* A step of the descent: momentum and gains (Jacobs 1988), the length of a point's step limited. */
#ifndef SSNE_TSNE_STEP_KERNELS_H
#define SSNE_TSNE_STEP_KERNELS_H

#include "shardsne/simd.h"

#include <stdint.h>

typedef struct step_rule {
  float rate, momentum;
  float limit; /* greatest length of a point's step */
} step_rule;

typedef struct step_kernels {
  /* Moves xy [rows, 2] against `force`, which is a quarter of the gradient; `velocity`, the last
   * step, and `gain` [rows, 2] are brought up to date. */
  void (*step)(const step_rule *rule, int64_t rows, const float *force, float *velocity,
               float *gain, float *xy);
} step_kernels;
SSNE_KERNELS_DECLARE(step_kernels)

#endif
