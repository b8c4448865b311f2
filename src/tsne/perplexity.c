#include "shardsne/tsne.h"

#include <math.h>

#define MOST_STEPS 200
#define TOLERANCE 1e-10 /* of the entropy, in nats */

/* Entropy of the row at `beta`, from squared distances beyond the nearest, so that the first
 * term is 1 and nothing underflows to an empty sum. */
static double entropy_at(const float *distance, int64_t k, double beta, double *sum) {
  const double nearest = (double)distance[0] * (double)distance[0];
  double weights = 1, moment = 0; /* of the nearest itself */
  for (int64_t n = 1; n < k; n++) {
    const double gap = (double)distance[n] * (double)distance[n] - nearest;
    const double weight = exp(-beta * gap);
    weights += weight;
    moment += weight * gap;
  }
  *sum = weights;
  return log(weights) + beta * moment / weights;
}

/* Where to begin: the inverse of the mean squared distance beyond the nearest. */
static double first_guess(const float *distance, int64_t k) {
  const double nearest = (double)distance[0] * (double)distance[0];
  double total = 0;
  for (int64_t n = 0; n < k; n++) total += (double)distance[n] * (double)distance[n] - nearest;
  return total > 0 ? (double)k / total : 0; /* all equal: uniform, whatever beta */
}

/* Entropy falls as beta grows: bisection, the upper end doubled until there is one. */
static double find_beta(const float *distance, int64_t k, double perplexity) {
  const double wanted = log(perplexity);
  double low = 0, high = INFINITY, beta = first_guess(distance, k), sum = 0;
  for (int step = 0; step < MOST_STEPS && beta > 0 && isfinite(beta); step++) {
    const double excess = entropy_at(distance, k, beta, &sum) - wanted;
    if (fabs(excess) < TOLERANCE) break;
    if (excess > 0)
      low = beta;
    else
      high = beta;
    const double next = isinf(high) ? 2 * beta : (low + high) / 2;
    if (next == beta || isinf(next)) break;
    beta = next;
  }
  return beta;
}

void ssne_perplexity_calibrate(const float *distance, int64_t k, double perplexity, float *p) {
  const double nearest = (double)distance[0] * (double)distance[0];
  const double beta = find_beta(distance, k, perplexity);
  double sum = 0;
  (void)entropy_at(distance, k, beta, &sum);
  for (int64_t n = 0; n < k; n++)
    p[n] = (float)(exp(-beta * ((double)distance[n] * (double)distance[n] - nearest)) / sum);
}
