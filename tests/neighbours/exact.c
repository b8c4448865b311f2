/* Exact neighbours against brute force in double precision, for layouts that are hard on a search
 * by matrix products: duplicates, far clusters, few rows. */
#include "check.h"

#include "shardsne/memory.h"
#include "shardsne/neighbours.h"
#include "shardsne/random.h"

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
  int rank = 0, ranks = 1;
  ssne_error err;
  float *all = NULL, *distance = NULL;
  uint32_t *index = NULL;
  candidate *sorted = NULL;
  ssne_rows prepared;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const ssne_partition p = ssne_partition_make(rows, SSNE_ROWS_BLOCK, ranks, rank);
  CHECK_OK(ssne_alloc(&all, rows * columns, sizeof *all, "values", &err), &err);
  CHECK_OK(ssne_alloc(&index, p.own_rows * k, sizeof *index, "neighbours", &err), &err);
  CHECK_OK(ssne_alloc(&distance, p.own_rows * k, sizeof *distance, "distances", &err), &err);
  CHECK_OK(ssne_alloc(&sorted, rows, sizeof *sorted, "candidates", &err), &err);
  for (int64_t i = 0; i < rows * columns; i++)
    all[i] = value(kind, i / columns, i % columns, columns);
  CHECK_OK(
      ssne_rows_prepare(all + p.first_row * columns, columns, &p, MPI_COMM_WORLD, &prepared, &err),
      &err);
  CHECK_OK(
      ssne_neighbours_exact(&prepared, k, threads, MPI_COMM_WORLD, NULL, index, distance, &err),
      &err);
  for (int64_t r = 0; r < p.own_rows; r++) {
    brute_force(all, rows, columns, p.first_row + r, sorted);
    check_row(sorted, index + r * k, distance + r * k, all, p.first_row + r, k, columns, tolerance);
    if (kind ==
        DUPLICATES) /* the copies of a row are its nearest, at distance exactly 0, by index */
      for (int64_t n = 0; n < 4; n++)
        CHECK(distance[r * k + n] == 0 && index[r * k + n] == (uint32_t)sorted[n].index);
  }
  ssne_rows_free(&prepared);
  ssne_free(&all);
  ssne_free(&index);
  ssne_free(&distance);
  ssne_free(&sorted);
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
  MPI_Finalize();
  return check_result();
}
