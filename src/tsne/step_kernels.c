#include "step_kernels.h"

#include <math.h>

#define GAIN_RISE 0.2F
#define GAIN_FALL 0.8F
#define GAIN_LEAST 0.01F

/* A step goes against the force, so where both have one sign the point has gone too far and turned.
 * Without a branch: signs are as good as random. */
static inline float next_gain(float gain, float force, float velocity) {
  const int turned = ((force > 0) & (velocity > 0)) | ((force < 0) & (velocity < 0));
  const float next = turned ? gain * GAIN_FALL : gain + GAIN_RISE;
  return next < GAIN_LEAST ? GAIN_LEAST : next;
}

static void step(const step_rule *rule, int64_t rows, const float *restrict force,
                 float *restrict velocity, float *restrict gain, float *restrict xy) {
  const float rate = rule->rate, momentum = rule->momentum, limit = rule->limit;
  for (int64_t x = 0; x < 2 * rows; x += 2) {
    const int64_t y = x + 1;
    gain[x] = next_gain(gain[x], force[x], velocity[x]);
    gain[y] = next_gain(gain[y], force[y], velocity[y]);
    const float dx = momentum * velocity[x] - rate * gain[x] * force[x];
    const float dy = momentum * velocity[y] - rate * gain[y] * force[y];
    const float length = sqrtf(dx * dx + dy * dy);
    const float shorten = limit / (length > limit ? length : limit);
    velocity[x] = dx * shorten;
    velocity[y] = dy * shorten;
    xy[x] += velocity[x];
    xy[y] += velocity[y];
  }
}

const step_kernels SSNE_KERNELS_HERE(step_kernels) = {.step = step};
