#include "distance.h"

#include "shardsne/simd.h"

static float add_lanes(const float lane[SSNE_LANES]) {
  float sum = 0;
  for (int l = 0; l < SSNE_LANES; l++) sum += lane[l];
  return sum;
}

SSNE_CLONES
float ssne_squared_distance(const float *x, const float *y, int64_t stride) {
  float lane[SSNE_LANES] = {0};
  for (int64_t c = 0; c < stride; c += SSNE_LANES)
    for (int l = 0; l < SSNE_LANES; l++) {
      const float gap = x[c + l] - y[c + l];
      lane[l] += gap * gap;
    }
  return add_lanes(lane);
}

SSNE_CLONES
float ssne_squared_norm(const float *x, int64_t stride) {
  float lane[SSNE_LANES] = {0};
  for (int64_t c = 0; c < stride; c += SSNE_LANES)
    for (int l = 0; l < SSNE_LANES; l++) lane[l] += x[c + l] * x[c + l];
  return add_lanes(lane);
}

SSNE_CLONES
int64_t ssne_filter(const float *product, const float *norm, int64_t count, float bound,
                    int32_t *hits) {
  int64_t found = 0;
  for (int64_t c = 0; c < count; c += SSNE_LANES) {
    int any = 0;
    for (int l = 0; l < SSNE_LANES; l++) any |= norm[c + l] - 2 * product[c + l] <= bound;
    if (!any) continue; /* nearly always, once a row has seen its first candidates */
    for (int l = 0; l < SSNE_LANES; l++)
      if (norm[c + l] - 2 * product[c + l] <= bound) hits[found++] = (int32_t)(c + l);
  }
  return found;
}
