/* Prepared rows against means in long double, and what cannot be prepared. */
#include "check.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"
#include "shardsne/rows.h"

#include <math.h>
#include <string.h>

#define ROWS 300
#define COLUMNS 19

static float value(int64_t row, int64_t column) {
  return (float)(100.0 * (double)column +
                 ssne_random_normal(1, SSNE_RANDOM_INIT, (uint64_t)(row * COLUMNS + column)));
}

static float *make(const ssne_partition *p, float factor) {
  float *x = NULL;
  ssne_error err;
  CHECK_OK(ssne_alloc(&x, p->own_rows * COLUMNS, sizeof *x, "values", &err), &err);
  for (int64_t i = 0; i < p->own_rows * COLUMNS; i++)
    x[i] = factor * value(p->first_row + i / COLUMNS, i % COLUMNS);
  return x;
}

static void test_centred(const ssne_partition *p, float factor) {
  float *x = make(p, factor);
  ssne_rows rows;
  ssne_error err;
  CHECK_OK(ssne_rows_prepare(x, COLUMNS, p, &(ssne_rows_options){.threads = 1}, MPI_COMM_WORLD,
                             &rows, &err),
           &err);
  CHECK(rows.stride == 32 && !rows.identical);
  for (int64_t c = 0; c < COLUMNS; c++) {
    long double mean = 0;
    for (int64_t r = 0; r < ROWS; r++) mean += (long double)(factor * value(r, c)) / ROWS;
    for (int64_t r = 0; r < p->own_rows; r++) {
      /* in the values' own units, of which the largest are below 2048 */
      const double expected = (double)((long double)x[r * COLUMNS + c] - mean);
      CHECK_NEAR((double)rows.data[r * rows.stride + c] / (double)rows.scale, expected,
                 2e-7 * 2048 * (double)factor);
    }
  }
  for (int64_t r = 0; r < p->own_rows; r++)
    for (int64_t c = COLUMNS; c < rows.stride; c++) CHECK(rows.data[r * rows.stride + c] == 0);
  int exponent = 0;
  CHECK(frexpf(rows.scale, &exponent) == 0.5f);
  ssne_rows_free(&rows);
  ssne_free(&x);
}

/* A constant is centred away, however large: the other columns do not vanish beside it. */
static void test_constant(const ssne_partition *p) {
  const float constants[2] = {0, 1e30F};
  ssne_rows rows[2];
  ssne_error err;
  for (int i = 0; i < 2; i++) {
    float *x = make(p, 1);
    for (int64_t r = 0; r < p->own_rows; r++) x[r * COLUMNS + 4] = constants[i];
    CHECK_OK(ssne_rows_prepare(x, COLUMNS, p, &(ssne_rows_options){.threads = 2}, MPI_COMM_WORLD,
                               &rows[i], &err),
             &err);
    ssne_free(&x);
  }
  CHECK_NEAR((double)(rows[0].scale / rows[1].scale), 1, 0);
  for (int64_t i = 0; i < p->own_rows * rows[0].stride; i++) /* copied as small numbers */
    CHECK_NEAR((double)rows[0].data[i], (double)rows[1].data[i], 1e-3);
  for (int i = 0; i < 2; i++) ssne_rows_free(&rows[i]);
}

static int64_t numbered_by(const void *step, int64_t row) {
  return row * *(const int64_t *)step;
}

static void test_not_finite(const ssne_partition *p, int64_t row, float bad) {
  float *x = make(p, 1);
  ssne_rows rows;
  ssne_error err;
  char says[64];
  if (row >= p->first_row && row < p->first_row + p->own_rows)
    x[(row - p->first_row) * COLUMNS + 4] = bad;
  CHECK(ssne_rows_prepare(x, COLUMNS, p, &(ssne_rows_options){.threads = 1}, MPI_COMM_WORLD, &rows,
                          &err) == SSNE_FAILED);
  snprintf(says, sizeof says, "row %d, column 4", (int)row);
  CHECK(strstr(err.text, says) != NULL);
  const int64_t step = 7; /* rows may be called otherwise */
  const ssne_rows_options options = {.threads = 1, .number = numbered_by, .of = &step};
  CHECK(ssne_rows_prepare(x, COLUMNS, p, &options, MPI_COMM_WORLD, &rows, &err) == SSNE_FAILED);
  snprintf(says, sizeof says, "row %d, column 4", 7 * (int)row);
  CHECK(strstr(err.text, says) != NULL);
  ssne_free(&x);
}

static void test_identical(const ssne_partition *p, int64_t other) {
  float *x = make(p, 1);
  ssne_rows rows;
  ssne_error err;
  for (int64_t i = 0; i < p->own_rows * COLUMNS; i++)
    x[i] =
        value(0, i % COLUMNS) + (p->first_row + i / COLUMNS == other && i % COLUMNS == 7 ? 1 : 0);
  CHECK_OK(ssne_rows_prepare(x, COLUMNS, p, &(ssne_rows_options){.threads = 1}, MPI_COMM_WORLD,
                             &rows, &err),
           &err);
  CHECK(rows.identical == (other < 0));
  ssne_rows_free(&rows);
  ssne_free(&x);
}

int main(int argc, char **argv) {
  int rank = 0, ranks = 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const ssne_partition p = ssne_partition_make(ROWS, SSNE_ROWS_BLOCK, ranks, rank);
  test_centred(&p, 1);
  test_centred(&p, 1e-20f);
  test_centred(&p, 1e30f);
  test_constant(&p);
  test_not_finite(&p, 0, NAN);
  test_not_finite(&p, ROWS - 1, -INFINITY);
  test_identical(&p, -1);
  test_identical(&p, ROWS - 1);
  MPI_Finalize();
  return check_result();
}
