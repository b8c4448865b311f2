/* The inner loops over one row of distances or of P: exponentials and logarithms a vector at a
 * time, in double precision. */
#ifndef SSNE_TSNE_AFFINITY_KERNELS_H
#define SSNE_TSNE_AFFINITY_KERNELS_H

#include "shardsne/simd.h"

#include <stdint.h>

/* Of the weights w = exp(-beta g), g = d^2 - d[0]^2, over a row: the nearest has w = 1, so that
 * nothing underflows to an empty sum. */
typedef struct weight_moments {
  double sum;    /* of w */
  double first;  /* of w g */
  double second; /* of w g^2 */
} weight_moments;

typedef struct entropy_sums {
  double p;       /* sum of p */
  double p_log_p; /* sum of p log p, 0 where p is 0 */
} entropy_sums;

typedef struct affinity_kernels {
  /* `distance` [k] ascending, beta >= 0. */
  weight_moments (*moments)(const float *distance, int64_t k, double beta);
  /* p[n] = w_n / sum of w; may not overlap `distance`. */
  void (*probabilities)(const float *distance, int64_t k, double beta, float *p);
  /* `count` a multiple of SSNE_AFFINITY_PAD, p >= 0. */
  entropy_sums (*entropy)(const float *p, int64_t count);
} affinity_kernels;
SSNE_KERNELS_DECLARE(affinity_kernels)

#endif
