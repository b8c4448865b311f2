/* Principal directions against LAPACK's eigenvectors of the whole covariance matrix. */
#include "check.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"
#include "shardsne/simd.h"
#include "shardsne/tsne.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

#define ROWS 500
#define MOST_COLUMNS 40

/* Columns of falling deviation, then mixed by neighbours so that no axis is principal. */
static float value(int64_t row, int64_t column, int64_t columns) {
  double sum = 0;
  for (int64_t c = 0; c < columns; c++) {
    const double z = ssne_random_normal(8, SSNE_RANDOM_INIT, (uint64_t)(row * columns + c));
    sum += z / (1 + (double)c) * cos(0.5 * (double)(c * column));
  }
  return (float)(sum + 3);
}

static void covariance(int64_t columns, double *c) {
  static double x[ROWS][MOST_COLUMNS];
  memset(c, 0, (size_t)(columns * columns) * sizeof *c);
  for (int64_t d = 0; d < columns; d++) {
    double mean = 0;
    for (int64_t r = 0; r < ROWS; r++) mean += (double)value(r, d, columns) / ROWS;
    for (int64_t r = 0; r < ROWS; r++) x[r][d] = (double)value(r, d, columns) - mean;
  }
  for (int64_t r = 0; r < ROWS; r++)
    for (int64_t i = 0; i < columns; i++)
      for (int64_t j = 0; j < columns; j++) c[i * columns + j] += x[r][i] * x[r][j] / ROWS;
}

static void test(int64_t columns, int threads) {
  int rank = 0, ranks = 1;
  static float x[ROWS * MOST_COLUMNS], xy[2 * ROWS];
  static double c[MOST_COLUMNS * MOST_COLUMNS], values[MOST_COLUMNS];
  static double directions[48 * SSNE_LANES];
  ssne_rows rows;
  ssne_error err;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const ssne_partition p = ssne_partition_make(ROWS, SSNE_ROWS_BLOCK, ranks, rank);
  for (int64_t i = 0; i < p.own_rows * columns; i++)
    x[i] = value(p.first_row + i / columns, i % columns, columns);
  CHECK_OK(ssne_rows_prepare(x, columns, &p, MPI_COMM_WORLD, &rows, &err), &err);
  CHECK_OK(ssne_principal_directions(&rows, threads, MPI_COMM_WORLD, directions, &err), &err);
  covariance(columns, c);
  CHECK(LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', (int)columns, c, (int)columns, values) == 0);
  for (int q = 0; q < 2 && q < columns; q++) {
    double cosine = 0, largest = 0;
    for (int64_t d = 0; d < columns; d++) {
      cosine += directions[d * SSNE_LANES + q] * c[d * columns + columns - 1 - q];
      if (fabs(directions[d * SSNE_LANES + q]) > fabs(largest))
        largest = directions[d * SSNE_LANES + q];
    }
    CHECK_NEAR(fabs(cosine), 1, 1e-8);
    CHECK(largest > 0);
  }
  CHECK_OK(ssne_start_pca(&rows, 0, threads, MPI_COMM_WORLD, xy, &err), &err);
  double square = 0;
  for (int64_t r = 0; r < p.own_rows; r++) square += (double)xy[2 * r] * (double)xy[2 * r];
  MPI_Allreduce(MPI_IN_PLACE, &square, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  CHECK_NEAR(sqrt(square / ROWS) / SSNE_START_DEVIATION, 1, 1e-2);
  ssne_rows_free(&rows);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  test(MOST_COLUMNS, 1);
  test(MOST_COLUMNS, 3);
  test(17, 2);
  test(2, 1);
  test(1, 1);
  MPI_Finalize();
  return check_result();
}
