/* The vertical pass of a resize, in fixed-point arithmetic. */
#ifndef SSNE_DATASET_RESIZE_KERNELS_H
#define SSNE_DATASET_RESIZE_KERNELS_H

#include "shardsne/simd.h"

#include <stdint.h>

#define RESIZE_WEIGHT_BITS (32 - 8 - 2)
#define RESIZE_WEIGHT_HALF (1 << (RESIZE_WEIGHT_BITS - 1))

/* A sum of weighted pixels that began with RESIZE_WEIGHT_HALF, as a pixel. */
static inline uint8_t resize_rounded(int32_t sum) {
  const int32_t value = sum >> RESIZE_WEIGHT_BITS;
  return (uint8_t)(value > 255 ? 255 : value < 0 ? 0 : value);
}

typedef struct resize_kernels {
  /* out [stride] = the sum of `length` rows of `stride` bytes, each times its weight. */
  void (*mix_rows)(const uint8_t *in, int64_t stride, const int32_t *weight, int32_t length,
                   uint8_t *out);
} resize_kernels;
SSNE_KERNELS_DECLARE(resize_kernels)

#endif
