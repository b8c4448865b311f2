#include "affinity_kernels.h"

#include "shardsne/tsne.h"

#include <math.h>

#define MOST_STEPS 200
#define FLAT 1e-30 /* slope where all weights are 1 or as good as 0 */
#define CLOSE 3e-5 /* a step in log beta after which less than 1e-8 is left */

/* Where to begin: the inverse of the mean squared distance, beyond the nearest, of as many
 * neighbours as are to count. */
static double first_guess(const float *distance, int64_t k, double perplexity) {
  const double nearest = (double)distance[0] * (double)distance[0];
  int64_t among = (int64_t)perplexity + 1 < k ? (int64_t)perplexity + 1 : k;
  double total = 0;
  for (int64_t n = 0; n < k; n++) {
    if (n >= among && total > 0) break; /* more of them where those are all at the same place */
    total += (double)distance[n] * (double)distance[n] - nearest;
    if (n >= among) among = n + 1;
  }
  return total > 0 ? (double)among / total : 0;
}

/* Newton's method for the logarithm of log k - entropy as a function of log beta, which is close to
 * a straight line of slope 2 for small beta and bends little after: `deficit` is what is wanted.
 * Gives up, and returns a beta for which only the nearest count, where their number alone exceeds
 * the perplexity. */
static double find_beta(const affinity_kernels *kernels, const float *distance, int64_t k,
                        double beta, double deficit) {
  double low = 0, high = INFINITY;
  for (int step = 0; step < MOST_STEPS; step++) {
    const weight_moments w = kernels->moments(distance, k, beta);
    const double mean = w.first / w.sum;
    const double now = log((double)k) - log(w.sum) - beta * mean;
    const double slope = beta * beta * (w.second / w.sum - mean * mean); /* of `now` */
    if (now < deficit)
      low = beta;
    else
      high = beta;
    if (!(slope > FLAT)) break;
    const double wanted_step = log(deficit / now) * now / slope;
    double next = beta * exp(fmax(-2, fmin(2, wanted_step)));
    if (fabs(wanted_step) < CLOSE) return next;
    if (!(next > low && next < high)) /* NaN comes here as well */
      next = isinf(high) ? 8 * beta : low > 0 ? sqrt(low) * sqrt(high) : high / 8;
    if (next == beta || !isfinite(next)) break;
    beta = next;
  }
  return beta;
}

void ssne_perplexity_calibrate(const float *distance, int64_t k, double perplexity, float *p) {
  const affinity_kernels *kernels = affinity_kernels_at(ssne_simd_level());
  const double guess = first_guess(distance, k, perplexity);
  const double deficit = log((double)k) - log(perplexity);
  const double beta =
      guess > 0 && deficit > 0 ? find_beta(kernels, distance, k, guess, deficit) : 0;
  if (beta > 0)
    kernels->probabilities(distance, k, beta, p);
  else
    for (int64_t n = 0; n < k; n++) p[n] = 1 / (float)k;
}
