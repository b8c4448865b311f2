/* Exact neighbours against brute force in double precision, for layouts that are hard on a search
 * by matrix products: duplicates, far clusters, few rows. */
#include "lists.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum layout { CLOUD, CLUSTERS, DUPLICATES, FAR_AWAY } layout;

static float value(layout kind, int64_t row, int64_t column, int64_t columns) {
  const int64_t source = kind == DUPLICATES ? row / 5 : row;
  const double z = ssne_random_normal(4, SSNE_RANDOM_INIT, (uint64_t)(source * columns + column));
  const double centre =
      100 * ssne_random_normal(5, SSNE_RANDOM_INIT, (uint64_t)(row % 7 * columns + column));
  if (kind == CLUSTERS) return (float)(z + centre);
  if (kind == FAR_AWAY) return (float)(z + 1e4);
  return (float)z;
}

/* By (squared distance in double, index). */
typedef struct candidate {
  double distance;
  int64_t index;
} candidate;

static int nearer(const void *a, const void *b) {
  const candidate *x = a, *y = b;
  if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

static void brute_force(const float *all, int64_t rows, int64_t columns, int64_t q,
                        candidate *sorted) {
  int64_t count = 0;
  for (int64_t c = 0; c < rows; c++) {
    double sum = 0;
    for (int64_t d = 0; d < columns; d++) {
      const double gap = (double)all[q * columns + d] - (double)all[c * columns + d];
      sum += gap * gap;
    }
    if (c != q) sorted[count++] = (candidate){sum, c};
  }
  qsort(sorted, (size_t)count, sizeof *sorted, nearer);
}

/* A neighbour may differ from brute force's only where the two are equally far but for rounding. */
static void check_row(const candidate *sorted, const uint32_t *index, const float *distance,
                      const float *all, int64_t q, int64_t k, int64_t columns, double tolerance) {
  for (int64_t n = 0; n < k; n++) {
    const double expected = sqrt(sorted[n].distance);
    double sum = 0;
    for (int64_t d = 0; d < columns; d++) {
      const double gap =
          (double)all[q * columns + d] - (double)all[(int64_t)index[n] * columns + d];
      sum += gap * gap;
    }
    CHECK_NEAR((double)distance[n], expected, tolerance * (1 + expected));
    CHECK_NEAR(sqrt(sum), expected, tolerance * (1 + expected));
    CHECK(index[n] != (uint32_t)q);
    if (n > 0)
      CHECK(distance[n] > distance[n - 1] ||
            (distance[n] == distance[n - 1] && index[n] > index[n - 1]));
  }
}

static void test(layout kind, int64_t rows, int64_t columns, int64_t k, int threads,
                 double tolerance) {
  const ssne_search_options search = {.search = SSNE_SEARCH_EXACT, .k = k, .threads = threads};
  const ssne_search_options plain = {.search = SSNE_SEARCH_REFERENCE, .k = k, .threads = 1};
  ssne_error err;
  float *all = NULL;
  candidate *sorted = NULL;
  ssne_neighbours n, reference;
  ssne_search_report report;
  CHECK_OK(ssne_alloc(&all, rows * columns, sizeof *all, "values", &err), &err);
  CHECK_OK(ssne_alloc(&sorted, rows, sizeof *sorted, "candidates", &err), &err);
  for (int64_t i = 0; i < rows * columns; i++)
    all[i] = value(kind, i / columns, i % columns, columns);
  lists_find(all, rows, columns, SSNE_EUCLIDEAN, &search, MPI_COMM_WORLD, &n, &report);
  CHECK(report.search == SSNE_SEARCH_EXACT && report.recall == 1);
  for (int64_t r = 0; r < n.partition.own_rows; r++) {
    const uint32_t *index = n.index + r * n.stride;
    const float *distance = n.distance + r * n.stride;
    brute_force(all, rows, columns, n.partition.first_row + r, sorted);
    check_row(sorted, index, distance, all, n.partition.first_row + r, k, columns, tolerance);
    for (int64_t i = 0; i < 4 && kind == DUPLICATES; i++)
      /* the copies of a row are its nearest, at distance exactly 0, by index */
      CHECK(distance[i] == 0 && index[i] == (uint32_t)sorted[i].index);
  }
  lists_find(all, rows, columns, SSNE_EUCLIDEAN, &plain, MPI_COMM_WORLD, &reference, &report);
  CHECK(lists_digest(&reference, MPI_COMM_WORLD) == lists_digest(&n, MPI_COMM_WORLD));
  ssne_neighbours_free(&n);
  ssne_neighbours_free(&reference);
  ssne_free(&all);
  ssne_free(&sorted);
}

/* 1 - cos of the angle, whatever the lengths of the rows. */
static void test_cosine(void) {
  enum { ROWS = 400, COLUMNS = 11, K = 12 };
  static float all[ROWS * COLUMNS];
  static candidate sorted[ROWS];
  const ssne_search_options search = {.search = SSNE_SEARCH_EXACT, .k = K, .threads = 2};
  ssne_neighbours n;
  ssne_search_report report;
  for (int64_t i = 0; i < ROWS * COLUMNS; i++)
    all[i] = value(CLOUD, i / COLUMNS, i % COLUMNS, COLUMNS) * (float)(1 + i / COLUMNS % 9);
  lists_find(all, ROWS, COLUMNS, SSNE_COSINE, &search, MPI_COMM_WORLD, &n, &report);
  for (int64_t r = 0; r < n.partition.own_rows; r++) {
    const float *q = all + (n.partition.first_row + r) * COLUMNS;
    for (int64_t c = 0; c < ROWS; c++) {
      double dot = 0, qq = 0, cc = 0;
      for (int64_t d = 0; d < COLUMNS; d++) {
        dot += (double)q[d] * (double)all[c * COLUMNS + d];
        qq += (double)q[d] * (double)q[d];
        cc += (double)all[c * COLUMNS + d] * (double)all[c * COLUMNS + d];
      }
      sorted[c] = (candidate){c == n.partition.first_row + r ? 9 : 1 - dot / sqrt(qq * cc), c};
    }
    qsort(sorted, ROWS, sizeof *sorted, nearer);
    for (int64_t i = 0; i < K; i++)
      CHECK_NEAR((double)n.distance[r * n.stride + i], sorted[i].distance, 2e-6);
  }
  ssne_neighbours_free(&n);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  test(CLOUD, 1100, 50, 30, 1, 1e-6);
  test(CLOUD, 1100, 50, 30, 3, 1e-6);
  test(CLOUD, 600, 1, 7, 1, 1e-6);
  test(CLOUD, 300, 513, 20, 2, 1e-6);
  test(CLOUD, 5, 3, 4, 2, 1e-6); /* fewer blocks than ranks, and every other row a neighbour */
  test(CLUSTERS, 900, 20, 40, 2, 1e-4);
  test(DUPLICATES, 500, 10, 10, 2, 1e-6);
  test(FAR_AWAY, 700, 20, 15, 2, 1e-3); /* float32 itself resolves 1e-3 at 1e4 */
  test_cosine();
  MPI_Finalize();
  return check_result();
}
