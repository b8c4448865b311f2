#include "distance_kernels.h"

/* By halves, which is a few vector additions where one lane after the other would be a long chain.
 */
static float add_lanes(const float lane[SSNE_LANES]) {
  float eight[8], four[4];
  for (int l = 0; l < 8; l++) eight[l] = lane[l] + lane[l + 8];
  for (int l = 0; l < 4; l++) four[l] = eight[l] + eight[l + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

static float squared_distance(const float *x, const float *y, int64_t stride) {
  float lane[SSNE_LANES] = {0};
  for (int64_t c = 0; c < stride; c += SSNE_LANES)
    for (int l = 0; l < SSNE_LANES; l++) {
      const float gap = x[c + l] - y[c + l];
      lane[l] += gap * gap;
    }
  return add_lanes(lane);
}

static float squared_norm(const float *x, int64_t stride) {
  float lane[SSNE_LANES] = {0};
  for (int64_t c = 0; c < stride; c += SSNE_LANES)
    for (int l = 0; l < SSNE_LANES; l++) lane[l] += x[c + l] * x[c + l];
  return add_lanes(lane);
}

const distance_kernels SSNE_KERNELS_HERE(distance_kernels) = {.squared_distance = squared_distance,
                                                              .squared_norm = squared_norm};
