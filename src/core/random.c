#include "shardsne/random.h"

#include <math.h>

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

uint64_t ssne_random_bits(uint64_t seed, ssne_purpose purpose, uint64_t index) {
  const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
  const uint64_t stream = mix(seed + golden * (1 + (uint64_t)purpose));
  return mix(mix(stream ^ (index * golden)) + golden);
}

double ssne_random_uniform(uint64_t seed, ssne_purpose purpose, uint64_t index) {
  return (double)(ssne_random_bits(seed, purpose, index) >> 11) * 0x1p-53;
}

double ssne_random_normal(uint64_t seed, ssne_purpose purpose, uint64_t index) {
  const double two_pi = 6.283185307179586;
  const double u = 1 - ssne_random_uniform(seed, purpose, 2 * index); /* (0, 1] */
  const double v = ssne_random_uniform(seed, purpose, 2 * index + 1);
  return sqrt(-2 * log(u)) * cos(two_pi * v);
}
