/* The passes of a transform (fft.h). */
#ifndef SSNE_TSNE_FFT_KERNELS_H
#define SSNE_TSNE_FFT_KERNELS_H

#include "shardsne/simd.h"

#include <stdint.h>

#define FFT_LANES 8

/* Eight complex numbers, one of each sequence; 64 bytes. */
typedef struct fft_cell {
  float re[FFT_LANES], im[FFT_LANES];
} fft_cell;

/* One pass over r * m * done cells: y[q + done (r p + k)] = root^(done p k) times the k-th of the
 * transform of x[q + done (p + m i)], i < r, for p < m, q < done. `root` [length, 2]. */
typedef void fft_pass(const fft_cell *x, fft_cell *y, int64_t done, int64_t m, const float *root);

typedef struct fft_kernels {
  fft_pass *pass[6]; /* by radix: 2, 3, 4, 5 */
  /* The first pass, of radix 4, where x [2 m] has an empty second half. */
  void (*first)(const fft_cell *x, fft_cell *y, int64_t m, const float *root);
  /* The last pass, of radix 4, the first half of its results: y [2 done], with real and imaginary
   * parts swapped. */
  void (*last)(const fft_cell *x, fft_cell *y, int64_t done);
} fft_kernels;
SSNE_KERNELS_DECLARE(fft_kernels)

#endif
