/* Neighbour lists for tests, by brute force over a few random points. */
#ifndef SHARDSNE_TESTS_TSNE_LISTS_H
#define SHARDSNE_TESTS_TSNE_LISTS_H

#include "check.h"

#include "shardsne/neighbour_list.h"
#include "shardsne/random.h"
#include "shardsne/rows.h"

#include <math.h>
#include <stdlib.h>

typedef struct candidate {
  float distance;
  uint32_t index;
} candidate;

static inline int by_distance(const void *a, const void *b) {
  const candidate *x = a, *y = b;
  if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

#define POINT_COLUMNS 5

/* Row i's coordinates: normal; the first `same` rows are all at the origin, and the last is `far`
 * away. */
static inline void point(int64_t i, int64_t rows, int64_t same, double far, double x[]) {
  for (int c = 0; c < POINT_COLUMNS; c++) {
    x[c] = ssne_random_normal(6, SSNE_RANDOM_INIT, (uint64_t)(i * POINT_COLUMNS + c));
    if (i < same) x[c] = 0;
    if (i == rows - 1) x[c] += far;
  }
}

/* The lists of this rank's rows. */
static inline ssne_neighbours make_lists(const ssne_partition *p, int64_t k, int64_t same,
                                         double far) {
  ssne_neighbours n;
  ssne_error err;
  candidate *all = calloc((size_t)p->rows, sizeof *all);
  CHECK_OK(ssne_neighbours_allocate(p, k, &n, &err), &err);
  for (int64_t r = 0; r < p->own_rows; r++) {
    double x[POINT_COLUMNS], y[POINT_COLUMNS];
    point(p->first_row + r, p->rows, same, far, x);
    for (int64_t i = 0; i < p->rows; i++) {
      double sum = 0;
      point(i, p->rows, same, far, y);
      for (int c = 0; c < POINT_COLUMNS; c++) sum += (x[c] - y[c]) * (x[c] - y[c]);
      all[i] = (candidate){i == p->first_row + r ? INFINITY : (float)sqrt(sum), (uint32_t)i};
    }
    qsort(all, (size_t)p->rows, sizeof *all, by_distance);
    for (int64_t i = 0; i < k; i++) {
      n.index[r * n.stride + i] = all[i].index;
      n.distance[r * n.stride + i] = all[i].distance;
    }
  }
  free(all);
  return n;
}

#endif
