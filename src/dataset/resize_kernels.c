#include "resize_kernels.h"

#define STRIP 64 /* bytes of a row that are summed up at a time */

/* Adds up `length` rows, each `stride` bytes after the one before, `width` <= STRIP bytes of each.
 */
static inline void mix_strip(const uint8_t *in, int64_t stride, const int32_t *weight,
                             int32_t length, int64_t width, uint8_t *out) {
  int32_t sum[STRIP];
  for (int64_t x = 0; x < width; x++) sum[x] = RESIZE_WEIGHT_HALF;
  for (int32_t t = 0; t < length; t++, in += stride)
    for (int64_t x = 0; x < width; x++) sum[x] += in[x] * weight[t];
  for (int64_t x = 0; x < width; x++) out[x] = resize_rounded(sum[x]);
}

static void mix_rows(const uint8_t *in, int64_t stride, const int32_t *weight, int32_t length,
                     uint8_t *out) {
  int64_t x = 0;
  for (; x + STRIP <= stride; x += STRIP) mix_strip(in + x, stride, weight, length, STRIP, out + x);
  mix_strip(in + x, stride, weight, length, stride - x, out + x);
}

const resize_kernels SSNE_KERNELS_HERE(resize_kernels) = {.mix_rows = mix_rows};
