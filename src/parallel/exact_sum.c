#include "shardsne/exact_sum.h"
#include "shardsne/exchange.h"

#include <limits.h>
#include <math.h>

#define DIGITS 4
#define LARGEST 0x1p62

void ssne_exact_add(ssne_exact *sum, double x) {
  const double size = fabs(x);
  if (!(size < LARGEST)) { /* not finite comes here as well */
    sum->invalid++;
    return;
  }
  /* Units and fraction are exact in a double; the fraction is rounded to 64 bits once, and may
   * become 1. Digits carry the sign of x, so that x and -x cancel. */
  const uint64_t units = (uint64_t)size;
  const double scaled = rint((size - (double)units) * 0x1p64);
  const uint64_t low = scaled < 0x1p64 ? (uint64_t)scaled : 0;
  const uint64_t high = scaled < 0x1p64 ? units : units + 1;
  const int64_t sign = x < 0 ? -1 : 1;
  sum->digit[0] += sign * (int64_t)(low & UINT32_MAX);
  sum->digit[1] += sign * (int64_t)(low >> 32);
  sum->digit[2] += sign * (int64_t)(high & UINT32_MAX);
  sum->digit[3] += sign * (int64_t)(high >> 32);
}

void ssne_exact_merge(ssne_exact *sum, const ssne_exact *other) {
  for (int d = 0; d < DIGITS; d++) sum->digit[d] += other->digit[d];
  sum->invalid += other->invalid;
}

void ssne_exact_normalise(ssne_exact *sum) {
  for (int d = 0; d + 1 < DIGITS; d++) {
    const int64_t rest = (int64_t)((uint64_t)sum->digit[d] & UINT32_MAX);
    sum->digit[d + 1] += (sum->digit[d] - rest) / ((int64_t)1 << 32);
    sum->digit[d] = rest;
  }
}

double ssne_exact_value(const ssne_exact *sum) {
  if (sum->invalid) return NAN;
  ssne_exact s = *sum;
  ssne_exact_normalise(&s);
  /* 128 bits to 53: by a magnitude, so that rounding is symmetric about zero */
  const int negative = s.digit[3] < 0;
  if (negative) {
    for (int d = 0; d < DIGITS; d++) s.digit[d] = -s.digit[d];
    ssne_exact_normalise(&s);
  }
  const double high = (double)(s.digit[3] * ((int64_t)1 << 32) + s.digit[2]);
  const double low = (double)((uint64_t)s.digit[1] << 32 | (uint64_t)s.digit[0]) * 0x1p-64;
  return negative ? -(high + low) : high + low;
}

ssne_code ssne_exact_reduce(ssne_exact *sums, int64_t count, MPI_Comm comm, ssne_error *err) {
  const int64_t members = sizeof *sums / sizeof(int64_t), piece = INT_MAX / 64;
  for (int64_t i = 0; i < count; i++) ssne_exact_normalise(&sums[i]);
  for (int64_t done = 0; done < count; done += piece) {
    const int64_t now = count - done < piece ? count - done : piece;
    SSNE_TRY(ssne_mpi_check(
        MPI_Allreduce(MPI_IN_PLACE, &sums[done], (int)(now * members), MPI_INT64_T, MPI_SUM, comm),
        "MPI_Allreduce", err));
  }
  for (int64_t i = 0; i < count; i++) ssne_exact_normalise(&sums[i]);
  return SSNE_OK;
}
