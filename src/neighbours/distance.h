/* The inner loops of the neighbour search, over plain arrays. */
#ifndef SSNE_NEIGHBOURS_DISTANCE_H
#define SSNE_NEIGHBOURS_DISTANCE_H

#include <stdint.h>

/* Sum of squared differences of x and y [stride], stride a multiple of SSNE_LANES. */
float ssne_squared_distance(const float *x, const float *y, int64_t stride);

/* Sum of squares of x [stride]. */
float ssne_squared_norm(const float *x, int64_t stride);

/* Writes to `hits` the positions c in 0 ... count - 1 with norm[c] - 2 * product[c] <= bound, in
 * order, and returns how many there are. `count` is a multiple of SSNE_LANES; `hits` has room for
 * `count`. */
int64_t ssne_filter(const float *product, const float *norm, int64_t count, float bound,
                    int32_t *hits);

#endif
