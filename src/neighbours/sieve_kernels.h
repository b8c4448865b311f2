/* The inner loop of every search: many rows against SSNE_LANES queries at once. */
#ifndef SSNE_NEIGHBOURS_SIEVE_KERNELS_H
#define SSNE_NEIGHBOURS_SIEVE_KERNELS_H

#include "shardsne/simd.h"

#include <stdint.h>

/* A panel holds SSNE_LANES queries, transposed: panel[column * SSNE_LANES + lane]. It begins at a
 * multiple of a vector's size, as every panel of an array from ssne_alloc does. */
typedef struct sieve_kernels {
  /* Finds the candidates c in 0 ... count - 1 and lanes l with
   *
   *     norm[c] - 2 row_c . query_l <= bound[l]
   *
   * and writes c * SSNE_LANES + l for each to `hits` (room for count * SSNE_LANES), in an order of
   * its own; returns how many there are. Row c is rows[c * stride] with `columns` values. Products
   * are rounded as is quickest here, and differ between instruction sets. */
  int64_t (*sieve)(const float *panel, const float *rows, const float *norm, int64_t count,
                   int64_t stride, int64_t columns, const float bound[SSNE_LANES], int32_t *hits);
} sieve_kernels;
SSNE_KERNELS_DECLARE(sieve_kernels)

#endif
