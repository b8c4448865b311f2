/* Sums of many numbers over blocks of rows as 64-bit fixed-point numbers: where a bound on all of
 * them is known beforehand they cost a fifth of the memory and of the messages of ssne_exact and
 * have its virtue, that the order of terms and who added which cannot show.
 *
 * The bound here is the energy E of the rows, the sum of all their squared values. With scores
 * s = X v, |v| = 1, Cauchy and Schwarz give sum_r |x_rc s_r| <= E; the same holds for the entries
 * of X^T X. Scaled so that E is about 2^60, a term of a block is rounded once, by at most 2^-61 E,
 * and a sum over all blocks is off by that times their number at the very most. */
#ifndef SSNE_ROWS_FIXED_SUM_H
#define SSNE_ROWS_FIXED_SUM_H

#include "shardsne/rows.h"

#include <math.h>
#include <stdint.h>

/* Collective. *scale becomes the power of two that sums over these rows are to be scaled by. */
ssne_code ssne_fixed_scale(const ssne_rows *rows, int threads, MPI_Comm comm, double *scale,
                           ssne_error *err);

static inline int64_t ssne_fixed(double x, double scale) {
  return llrint(x * scale);
}

/* Collective. On rank 0 sums[i] becomes its sum over all ranks, for i < count; on others it is
 * used up. */
ssne_code ssne_fixed_reduce(int64_t *sums, int64_t count, MPI_Comm comm, ssne_error *err);

#endif
