#include "shardsne/render.h"

#include <math.h>

typedef struct range {
  double low, high;
} range;

static bool is_finite(const float *row) {
  return isfinite(row[0]) && isfinite(row[1]);
}

static range find_range(const float *xy, int64_t count, int axis) {
  range r = {INFINITY, -INFINITY};
  for (int64_t i = 0; i < count; i++) {
    if (!is_finite(xy + 2 * i)) continue;
    const double value = xy[2 * i + axis];
    if (value < r.low) r.low = value;
    if (value > r.high) r.high = value;
  }
  return r;
}

/* In double, where the difference of no two floats overflows. */
static float place(float value, range r) {
  return r.high > r.low ? (float)((value - r.low) / (r.high - r.low)) : 0.5f;
}

void ssne_normalise(const float *xy, int64_t count, float *out) {
  const range x = find_range(xy, count, 0), y = find_range(xy, count, 1);
  for (int64_t i = 0; i < count; i++) {
    const bool drawn = is_finite(xy + 2 * i);
    out[2 * i] = drawn ? place(xy[2 * i], x) : NAN;
    out[2 * i + 1] = drawn ? place(xy[2 * i + 1], y) : NAN;
  }
}
