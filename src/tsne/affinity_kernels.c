#include "affinity_kernels.h"

#include <float.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 8 };

/* Of the logarithm of a weight: exp(-708) = 3e-308 is the smallest normal number, as good as 0. */
#define LEAST (-708.0)

/* exp(x), LEAST <= x <= 0, within 1e-11 of itself. x = n log 2 + r, and
 * the Taylor polynomial of exp(r), |r| <= log(2) / 2. Adding 1.5 * 2^52 rounds to an integer and
 * leaves it in the low bits. */
static inline double exp_of(double x) {
  const double log2_e = 0x1.71547652b82fep0, log_2 = 0x1.62e42fefa39efp-1, round = 0x1.8p52;
  const double shifted = x * log2_e + round, n = shifted - round, r = x - n * log_2;
  double y = 1.0 / 362880;
  y = y * r + 1.0 / 40320;
  y = y * r + 1.0 / 5040;
  y = y * r + 1.0 / 720;
  y = y * r + 1.0 / 120;
  y = y * r + 1.0 / 24;
  y = y * r + 1.0 / 6;
  y = y * r + 0.5;
  y = y * r + 1;
  y = y * r + 1;
  uint64_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 1023) << 52; /* 2^n */
  double scale;
  memcpy(&scale, &bits, sizeof scale);
  return y * scale;
}

/* log(x) of a normal x > 0 within 2e-16 or so; something finite for 0. x = 2^n m, m within a factor
 * of sqrt(2) of 1, log(m) = 2 artanh(s), s = (m - 1) / (m + 1); the polynomial is that of fdlibm
 * (e_log.c, Sun Microsystems 1993). */
static inline double log_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits += UINT64_C(0x3ff0000000000000) - UINT64_C(0x3fe6a09e667f3bcd);
  /* the exponent as a double, through 2^52 + n, since there is no vector conversion from int64 */
  const uint64_t biased = (bits >> 52) | UINT64_C(0x4330000000000000);
  bits = (bits & UINT64_C(0x000fffffffffffff)) + UINT64_C(0x3fe6a09e667f3bcd);
  double m, n;
  memcpy(&m, &bits, sizeof m);
  memcpy(&n, &biased, sizeof n);
  n -= 0x1p52 + 1023;
  const double f = m - 1, s = f / (2 + f), z = s * s;
  double y = 1.479819860511658591e-01;
  y = y * z + 1.531383769920937332e-01;
  y = y * z + 1.818357216161805012e-01;
  y = y * z + 2.222219843214978396e-01;
  y = y * z + 2.857142874366239149e-01;
  y = y * z + 3.999999999940941908e-01;
  y = y * z + 6.666666666666735130e-01;
  y *= z;
  const double half = 0.5 * f * f;
  return n * 6.93147180369123816490e-01 -
         ((half - (s * (half + y) + n * 1.90821492927058770002e-10)) - f);
}

static double add_lanes(const double lane[LANES]) {
  double sum = 0;
  for (int l = 0; l < LANES; l++) sum += lane[l];
  return sum;
}

/* The last, incomplete vector of a row, filled up with distances so large that their weight is 0.
 */
static void copy_tail(const float *distance, int64_t k, float tail[LANES]) {
  for (int l = 0; l < LANES; l++) tail[l] = FLT_MAX;
  for (int64_t n = k / LANES * LANES; n < k; n++) tail[n % LANES] = distance[n];
}

/* Squared distances beyond the nearest, and the logarithms of their weights. Loops over lanes must
 * not be unrolled before the compiler has looked for vectors, nor have more than a bound to choose.
 */
static inline void exponents(const float d[LANES], double nearest, double beta, double gap[LANES],
                             double x[LANES]) {
#pragma GCC unroll 1
  for (int l = 0; l < LANES; l++) {
    gap[l] = (double)d[l] * (double)d[l] - nearest;
    x[l] = -beta * gap[l];
  }
#pragma GCC unroll 1
  for (int l = 0; l < LANES; l++) x[l] = x[l] > LEAST ? x[l] : LEAST;
}

static weight_moments moments(const float *distance, int64_t k, double beta) {
  enum { W = 0, WG = LANES, WGG = 2 * LANES, SUMS = 3 * LANES };
  const double nearest = (double)distance[0] * (double)distance[0];
  double sum[SUMS] = {0};
  float tail[LANES];
  copy_tail(distance, k, tail);
  for (int64_t n = 0; n < k; n += LANES) {
    const float *d = n + LANES <= k ? distance + n : tail;
    double gap[LANES], x[LANES];
    exponents(d, nearest, beta, gap, x);
    for (int l = 0; l < LANES; l++) {
      const double w = exp_of(x[l]), wg = w * gap[l];
      sum[W + l] += w;
      sum[WG + l] += wg;
      sum[WGG + l] += wg * gap[l];
    }
  }
  return (weight_moments){add_lanes(sum + W), add_lanes(sum + WG), add_lanes(sum + WGG)};
}

static void probabilities(const float *distance, int64_t k, double beta, float *p) {
  const double nearest = (double)distance[0] * (double)distance[0];
  double sum[LANES] = {0};
  float tail[LANES], last[LANES] = {0};
  copy_tail(distance, k, tail);
  for (int64_t n = 0; n < k; n += LANES) {
    const float *d = n + LANES <= k ? distance + n : tail;
    float *out = n + LANES <= k ? p + n : last;
    double gap[LANES], x[LANES];
    exponents(d, nearest, beta, gap, x);
#pragma GCC unroll 1
    for (int l = 0; l < LANES; l++) {
      x[l] = exp_of(x[l]);
      sum[l] += x[l];
    }
    for (int l = 0; l < LANES; l++) out[l] = (float)x[l];
  }
  for (int64_t n = k / LANES * LANES; n < k; n++) p[n] = last[n % LANES];
  const double total = add_lanes(sum);
  for (int64_t n = 0; n < k; n++) p[n] = (float)((double)p[n] / total);
}

static entropy_sums entropy(const float *p, int64_t count) {
  enum { P = 0, P_LOG_P = LANES, SUMS = 2 * LANES };
  double sum[SUMS] = {0};
  for (int64_t e = 0; e < count; e += LANES)
    for (int l = 0; l < LANES; l++) {
      const double x = (double)p[e + l];
      sum[P + l] += x;
      sum[P_LOG_P + l] += x * log_of(x);
    }
  return (entropy_sums){add_lanes(sum + P), add_lanes(sum + P_LOG_P)};
}

const affinity_kernels SSNE_KERNELS_HERE(affinity_kernels) = {
    .moments = moments, .probabilities = probabilities, .entropy = entropy};
