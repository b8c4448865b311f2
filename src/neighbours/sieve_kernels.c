/* A matrix product that is compared while it is still in registers.
 *
 * HEIGHT rows times SSNE_LANES queries fill 12 vector registers with running sums, enough to hide
 * the latency of the additions, and are compared as soon as they are complete: products never go to
 * memory, and rows need no packing. GCC does not keep the sums in registers when this is written
 * with plain arrays, hence its vector types. This file alone is compiled with contraction of a * b
 * + c to one instruction (see CMakeLists.txt): what it lets through is checked by an exact rule. */
#include "sieve_kernels.h"

#include <string.h>

#if defined(__AVX512F__)
#define WIDTH 16
#elif defined(__AVX__)
#define WIDTH 8
#else
#define WIDTH 4
#endif
#define PARTS (SSNE_LANES / WIDTH) /* vectors of a panel's row */
#define HEIGHT (12 / PARTS)        /* rows taken together */
#define GROUP 24                   /* rows of one mask: a multiple of HEIGHT, at most 32 */

typedef float vector __attribute__((vector_size(4 * WIDTH)));
typedef int32_t mask __attribute__((vector_size(4 * WIDTH)));

/* Adds the bits `first` ... of `height` rows to bits[]; a constant height is unrolled. */
static inline __attribute__((always_inline)) void
sieve_rows(int height, const float *panel, const float *rows, const float *norm, int64_t stride,
           int64_t columns, const vector bound[PARTS], int first, mask bits[PARTS]) {
  vector sum[HEIGHT][PARTS];
  for (int i = 0; i < height; i++)
    for (int p = 0; p < PARTS; p++) sum[i][p] = (vector){0};
  for (int64_t k = 0; k < columns; k++) {
    const vector *query = (const vector *)(panel + k * SSNE_LANES);
#pragma GCC unroll 12
    for (int i = 0; i < height; i++)
#pragma GCC unroll 4
      for (int p = 0; p < PARTS; p++) sum[i][p] += rows[i * stride + k] * query[p];
  }
#pragma GCC unroll 12
  for (int i = 0; i < height; i++)
#pragma GCC unroll 4
    for (int p = 0; p < PARTS; p++)
      bits[p] |= (norm[i] - 2 * sum[i][p] <= bound[p]) & (INT32_C(1) << (first + i));
}

static int64_t list_hits(const mask bits[PARTS], int64_t first, int32_t *hits) {
  uint32_t lane[SSNE_LANES];
  int64_t found = 0;
  /* cppcheck-suppress bufferAccessOutOfBounds ; PARTS vectors are as large as SSNE_LANES words */
  memcpy(lane, bits, sizeof lane);
  for (int l = 0; l < SSNE_LANES; l++)
    for (uint32_t left = lane[l]; left != 0; left &= left - 1)
      hits[found++] = (int32_t)((first + __builtin_ctz(left)) * SSNE_LANES + l);
  return found;
}

static int64_t sieve(const float *panel, const float *rows, const float *norm, int64_t count,
                     int64_t stride, int64_t columns, const float bound[SSNE_LANES],
                     int32_t *hits) {
  vector limit[PARTS];
  int64_t found = 0;
  memcpy(limit, bound, sizeof limit);
  for (int64_t c = 0; c < count; c += GROUP) {
    const int rest = count - c < GROUP ? (int)(count - c) : GROUP;
    mask bits[PARTS] = {{0}};
    int i = 0;
    for (; i + HEIGHT <= rest; i += HEIGHT)
      sieve_rows(HEIGHT, panel, rows + (c + i) * stride, norm + c + i, stride, columns, limit, i,
                 bits);
    for (; i < rest; i++)
      sieve_rows(1, panel, rows + (c + i) * stride, norm + c + i, stride, columns, limit, i, bits);
    found += list_hits(bits, c, hits + found);
  }
  return found;
}

const sieve_kernels SSNE_KERNELS_HERE(sieve_kernels) = {.sieve = sieve};
