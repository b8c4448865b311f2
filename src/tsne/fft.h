/* Fourier transforms of eight sequences side by side.
 *
 * An element of the eight is one cell; all steps are the same for the eight, so that they fill
 * vectors whatever the length, and every instruction set gives the same bits. Lengths are products
 * of 2, 3 and 5 and multiples of 32. The half-empty sequences of a convolution in free space are
 * treated as such: the forward transform reads the first half alone, the backward one writes it
 * alone. Stockham's method, which needs no reordering (van Loan 1992, section 1.7). */
#ifndef SSNE_TSNE_FFT_H
#define SSNE_TSNE_FFT_H

#include "fft_kernels.h"

#include "shardsne/status.h"
#include <stdbool.h>

#define FFT_PASSES 16

typedef struct fft {
  int64_t length, capacity;
  int passes, radix[FFT_PASSES];
  float *root; /* [length, 2] e^(-2 pi i j / length); owned */
} fft;

/* Whether a length can be transformed. */
bool fft_can(int64_t length);

/* Makes `f`, all zero at first, ready for a length that fft_can; memory grows but never shrinks.
 * Free with fft_free. */
ssne_code fft_prepare(fft *f, int64_t length, ssne_error *err);

void fft_free(fft *f);

/* The transform sum_j x_j e^(-2 pi i j k / length) of `in` [length / 2], the rest taken as zero.
 * `work` has room for 2 x length cells; the result [length] is within, at the address returned. */
fft_cell *fft_forward(const fft *f, const fft_cell *in, fft_cell *work);

/* The same of all of `in` [length], which may be either half of `work`. */
fft_cell *fft_forward_full(const fft *f, fft_cell *in, fft_cell *work);

/* The transform with + in the exponent, not divided by the length, of `in`, whose real and
 * imaginary parts are swapped; `in` is either half of `work`. Its first half goes to `out`
 * [length / 2]. */
void fft_backward(const fft *f, fft_cell *in, fft_cell *work, fft_cell *out);

#endif
