/* Calibration: the entropy is what was asked for, computed here from the probabilities alone. */
#include "check.h"

#include "shardsne/random.h"
#include "shardsne/tsne.h"

#include <math.h>

static double entropy_of(const float *p, int k) {
  double sum = 0;
  for (int n = 0; n < k; n++)
    if (p[n] > 0) sum -= (double)p[n] * log((double)p[n]);
  return sum;
}

static double total_of(const float *p, int k) {
  double sum = 0;
  for (int n = 0; n < k; n++) sum += (double)p[n];
  return sum;
}

static void test_entropy(double scale, double offset, double perplexity) {
  enum { K = 90 };
  float distance[K], p[K];
  double at = offset;
  for (int n = 0; n < K; n++) {
    at += scale * ssne_random_uniform(1, SSNE_RANDOM_INIT, (uint64_t)n);
    distance[n] = (float)at;
  }
  ssne_perplexity_calibrate(distance, K, perplexity, p);
  CHECK_NEAR(total_of(p, K), 1, 1e-6);
  CHECK_NEAR(entropy_of(p, K), log(perplexity), 1e-6);
  for (int n = 1; n < K; n++) CHECK(p[n] <= p[n - 1]);
  /* Gaussian in the distance: log p is linear in d^2, so three points give the same slope */
  const double d0 = (double)distance[0], d1 = (double)distance[2], d2 = (double)distance[4];
  const double first = log((double)p[0] / (double)p[2]) / (d1 * d1 - d0 * d0);
  const double second = log((double)p[2] / (double)p[4]) / (d2 * d2 - d1 * d1);
  CHECK_NEAR(first / second, 1, 1e-3);
}

static void test_ties(void) {
  float p[90], equal[90];
  for (int n = 0; n < 90; n++) equal[n] = 2;
  const int64_t counts[] = {8, 9, 21, 90}; /* whole vectors, and not */
  for (int i = 0; i < 4; i++) {
    ssne_perplexity_calibrate(equal, counts[i], 3, p);
    for (int64_t n = 0; n < counts[i]; n++) CHECK_NEAR((double)p[n], 1.0 / (double)counts[i], 1e-7);
  }
  /* five at the same place: no Gaussian has a perplexity below 5 */
  const float zeros[8] = {0, 0, 0, 0, 0, 1, 2, 3};
  ssne_perplexity_calibrate(zeros, 8, 3, p);
  for (int n = 0; n < 8; n++) CHECK_NEAR((double)p[n], n < 5 ? 0.2 : 0, 1e-6);
}

int main(void) {
  const double scales[] = {1e-6, 1, 1e6};
  for (int s = 0; s < 3; s++) {
    test_entropy(scales[s], 0, 30);
    test_entropy(scales[s], 10 * scales[s], 30);
    test_entropy(scales[s], 0, 2);
    test_entropy(scales[s], 0, 80);
  }
  test_ties();
  return check_result();
}
