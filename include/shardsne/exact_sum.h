/* Sums whose value depends neither on the order of their terms nor on who added which.
 *
 * A sum is a fixed-point number of 128 bits with 64 after the point, kept as four 32-bit digits
 * each in a 64-bit integer. A term is rounded once, to a multiple of 2^-64 (5.4e-20); after that
 * all is integer addition, so partial sums may be added in any order, by threads or by MPI_SUM over
 * int64, and the result has the same bits. This is the one way floating-point values are summed
 * across blocks anywhere in the program.
 *
 * Range: terms and sums below 2^62 in magnitude; at most 2^31 terms or partial sums a digit before
 * ssne_exact_normalise (ssne_exact_reduce calls it). Callers with terms of unknown size scale them
 * by a power of two first. A term that is not finite or too large makes the sum NaN. */
#ifndef SHARDSNE_EXACT_SUM_H
#define SHARDSNE_EXACT_SUM_H

#include "shardsne/status.h"
#include <mpi.h>
#include <stdint.h>

typedef struct ssne_exact {
  int64_t digit[4]; /* weights 2^-64, 2^-32, 1, 2^32 */
  int64_t invalid;  /* number of terms that could not be represented */
} ssne_exact;

/* The empty sum is all zero bytes. */

/* Adds the term `x`. */
void ssne_exact_add(ssne_exact *sum, double x);

/* Adds the partial sum `other`. */
void ssne_exact_merge(ssne_exact *sum, const ssne_exact *other);

/* Carries between the digits; the value does not change, and equal values get equal digits. */
void ssne_exact_normalise(ssne_exact *sum);

/* The value, rounded to a double; NaN where a term was invalid. */
double ssne_exact_value(const ssne_exact *sum);

/* Collective: sums[i] becomes its sum over all ranks, for i < count. */
ssne_code ssne_exact_reduce(ssne_exact *sums, int64_t count, MPI_Comm comm, ssne_error *err);

#endif
