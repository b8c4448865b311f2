/* Principal directions against LAPACK's eigenvectors of the whole covariance matrix, or, of many
 * columns, of the matrix of the rows' products. */
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
  static double directions[48 * SSNE_DIRECTIONS];
  ssne_rows rows;
  ssne_error err;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const ssne_partition p = ssne_partition_make(ROWS, SSNE_ROWS_BLOCK, ranks, rank);
  for (int64_t i = 0; i < p.own_rows * columns; i++)
    x[i] = value(p.first_row + i / columns, i % columns, columns);
  CHECK_OK(ssne_rows_prepare(x, columns, &p, &(ssne_rows_options){.threads = 1}, MPI_COMM_WORLD,
                             &rows, &err),
           &err);
  CHECK_OK(ssne_principal_directions(&rows, threads, MPI_COMM_WORLD, directions, &err), &err);
  covariance(columns, c);
  CHECK(LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', (int)columns, c, (int)columns, values) == 0);
  for (int q = 0; q < 2 && q < columns; q++) {
    double cosine = 0, largest = 0;
    for (int64_t d = 0; d < columns; d++) {
      cosine += directions[d * SSNE_DIRECTIONS + q] * c[d * columns + columns - 1 - q];
      if (fabs(directions[d * SSNE_DIRECTIONS + q]) > fabs(largest))
        largest = directions[d * SSNE_DIRECTIONS + q];
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

#define WIDE_ROWS 200
#define WIDE INT64_C(2100)

static float wide_value(int64_t row, int64_t column) {
  double sum = 0;
  for (int64_t c = 0; c < 20; c++)
    sum += ssne_random_normal(9, SSNE_RANDOM_INIT, (uint64_t)(row * 20 + c)) / (double)(1 + c) *
           cos(0.5 * (double)(c * column));
  return (float)sum;
}

/* products = X X^T of the centred rows `x`, whose eigenvectors u give the directions X^T u. */
static void multiply_rows(const float *x, double *products) {
  static double centred[WIDE_ROWS][WIDE];
  for (int64_t c = 0; c < WIDE; c++) {
    double mean = 0;
    for (int64_t r = 0; r < WIDE_ROWS; r++) mean += (double)x[r * WIDE + c] / WIDE_ROWS;
    for (int64_t r = 0; r < WIDE_ROWS; r++) centred[r][c] = (double)x[r * WIDE + c] - mean;
  }
  for (int i = 0; i < WIDE_ROWS; i++)
    for (int j = i; j < WIDE_ROWS; j++) {
      double sum = 0;
      for (int64_t c = 0; c < WIDE; c++) sum += centred[i][c] * centred[j][c];
      products[i * WIDE_ROWS + j] = sum;
    }
}

/* So many columns that subspace iteration finds the directions. */
static void test_wide(int threads) {
  int rank = 0, ranks = 1;
  static float x[WIDE_ROWS * WIDE];
  static double products[WIDE_ROWS * WIDE_ROWS], values[WIDE_ROWS];
  static double directions[(WIDE + SSNE_LANES) * SSNE_DIRECTIONS];
  static double alone[(WIDE + SSNE_LANES) * SSNE_DIRECTIONS];
  ssne_rows rows;
  ssne_error err;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  for (int64_t i = 0; i < WIDE_ROWS * WIDE; i++) x[i] = wide_value(i / WIDE, i % WIDE);
  const ssne_partition p = ssne_partition_make(WIDE_ROWS, SSNE_ROWS_BLOCK, ranks, rank);
  const ssne_partition all = ssne_partition_make(WIDE_ROWS, SSNE_ROWS_BLOCK, 1, 0);
  const ssne_rows_options options = {.threads = threads};
  CHECK_OK(ssne_rows_prepare(x, WIDE, &all, &options, MPI_COMM_SELF, &rows, &err), &err);
  CHECK_OK(ssne_principal_directions(&rows, 1, MPI_COMM_SELF, alone, &err), &err);
  ssne_rows_free(&rows);
  CHECK_OK(
      ssne_rows_prepare(x + p.first_row * WIDE, WIDE, &p, &options, MPI_COMM_WORLD, &rows, &err),
      &err);
  CHECK_OK(ssne_principal_directions(&rows, threads, MPI_COMM_WORLD, directions, &err), &err);
  CHECK(memcmp(directions, alone, sizeof alone) == 0);
  ssne_rows_free(&rows);
  multiply_rows(x, products);
  CHECK(LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', WIDE_ROWS, products, WIDE_ROWS, values) == 0);
  for (int q = 0; q < 2; q++) {
    double cosine = 0;
    for (int64_t c = 0; c < WIDE; c++) {
      double truth = 0;
      for (int64_t r = 0; r < WIDE_ROWS; r++)
        truth += products[r * WIDE_ROWS + WIDE_ROWS - 1 - q] * (double)x[r * WIDE + c];
      cosine += directions[c * SSNE_DIRECTIONS + q] * truth / sqrt(values[WIDE_ROWS - 1 - q]);
    }
    CHECK_NEAR(fabs(cosine), 1, 1e-6);
  }
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  test(MOST_COLUMNS, 1);
  test(MOST_COLUMNS, 3);
  test(17, 2);
  test(2, 1);
  test(1, 1);
  test_wide(2);
  MPI_Finalize();
  return check_result();
}
