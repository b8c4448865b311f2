/* Projection on principal components against LAPACK's eigenvectors of the whole covariance, the
 * cosine metric against cosines in double precision, and both bit for bit against the same rows
 * prepared by one rank with one thread and plain instructions. */
#include "check.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"
#include "shardsne/rows.h"
#include "shardsne/simd.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS INT64_C(1000) /* the last of the 8 blocks is not full */

/* All rows, on every rank: columns of falling deviation and different means, mixed so that no axis
 * is principal. */
typedef struct sample {
  int64_t rows, columns;
  float *x;
} sample;

static sample make(int64_t rows, int64_t columns) {
  sample s = {.rows = rows, .columns = columns};
  ssne_error err;
  CHECK_OK(ssne_alloc(&s.x, rows * columns, sizeof *s.x, "values", &err), &err);
  for (int64_t r = 0; r < rows; r++) {
    double z[8];
    for (int64_t i = 0; i < 8; i++)
      z[i] = ssne_random_normal(1, SSNE_RANDOM_INIT, (uint64_t)(8 * r + i)) / (double)(1 + i);
    for (int64_t c = 0; c < columns; c++) {
      double sum = 5 + 0.1 * (double)(c % 7) +
                   0.01 * ssne_random_normal(2, SSNE_RANDOM_INIT, (uint64_t)(r * columns + c));
      for (int64_t i = 0; i < 8; i++) sum += z[i] * cos(0.7 * (double)((i + 1) * c + i));
      s.x[r * columns + c] = (float)sum;
    }
  }
  return s;
}

static ssne_partition partition_in(const sample *s, MPI_Comm comm) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  return ssne_partition_make(s->rows, SSNE_ROWS_BLOCK, ranks, rank);
}

static ssne_code prepare(const sample *s, ssne_metric metric, int64_t pca, int threads,
                         MPI_Comm comm, ssne_rows *out, ssne_error *err) {
  const ssne_partition p = partition_in(s, comm);
  const ssne_rows_options options = {.metric = metric, .pca = pca, .threads = threads};
  return ssne_rows_prepare(s->x + p.first_row * s->columns, s->columns, &p, &options, comm, out,
                           err);
}

/* --- truths ------------------------------------------------------------------------------------
 */

/* Projections [rows, k] of the centred rows on their leading components, unscaled. */
static void project(const sample *s, int64_t k, double *scores) {
  const int64_t d = s->columns;
  double *x = calloc((size_t)(s->rows * d), sizeof *x), *values = calloc((size_t)d, sizeof *values);
  double *c = calloc((size_t)(d * d), sizeof *c);
  for (int64_t j = 0; j < d; j++) {
    double mean = 0;
    for (int64_t r = 0; r < s->rows; r++) mean += (double)s->x[r * d + j] / (double)s->rows;
    for (int64_t r = 0; r < s->rows; r++) x[r * d + j] = (double)s->x[r * d + j] - mean;
  }
  for (int64_t r = 0; r < s->rows; r++)
    for (int64_t i = 0; i < d; i++)
      for (int64_t j = i; j < d; j++) c[i * d + j] += x[r * d + i] * x[r * d + j];
  CHECK(LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', (int)d, c, (int)d, values) == 0);
  for (int64_t q = 0; q < k; q++) {
    double largest = 0;
    for (int64_t j = 0; j < d; j++)
      if (fabs(c[j * d + d - 1 - q]) > fabs(largest)) largest = c[j * d + d - 1 - q];
    for (int64_t r = 0; r < s->rows; r++) {
      double sum = 0;
      for (int64_t j = 0; j < d; j++) sum += x[r * d + j] * c[j * d + d - 1 - q];
      scores[r * k + q] = largest < 0 ? -sum : sum;
    }
  }
  free(x);
  free(values);
  free(c);
}

static double cosine(const double *x, const double *y, int64_t columns) {
  double xx = 0, yy = 0, xy = 0;
  for (int64_t c = 0; c < columns; c++) {
    xx += x[c] * x[c];
    yy += y[c] * y[c];
    xy += x[c] * y[c];
  }
  return xy / sqrt(xx * yy);
}

/* Half the squared distance of own rows is 1 - cos of the rows of `truth` [ROWS, columns]. */
static void check_cosines(const ssne_rows *rows, const double *truth) {
  const ssne_partition *p = &rows->partition;
  for (int64_t i = 0; i < p->own_rows; i += 7)
    for (int64_t j = 0; j < p->own_rows; j += 31) {
      double square = 0;
      for (int64_t c = 0; c < rows->columns; c++) {
        const double gap =
            (double)rows->data[i * rows->stride + c] - (double)rows->data[j * rows->stride + c];
        square += gap * gap / (double)rows->scale / (double)rows->scale;
      }
      const double *first = truth + p->first_row * rows->columns;
      CHECK_NEAR(square / 2,
                 1 - cosine(first + i * rows->columns, first + j * rows->columns, rows->columns),
                 1e-6);
    }
}

/* Every column's mean over all rows is zero. */
static void check_centred(const ssne_rows *rows) {
  for (int64_t c = 0; c < rows->columns; c++) {
    double sum = 0;
    for (int64_t r = 0; r < rows->partition.own_rows; r++)
      sum += (double)rows->data[r * rows->stride + c];
    MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    CHECK_NEAR(sum / (double)rows->partition.rows, 0, 1e-7);
  }
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void test_components(const sample *s, int64_t k) {
  double *scores = calloc((size_t)(s->rows * k), sizeof *scores);
  ssne_rows rows;
  ssne_error err;
  project(s, k, scores);
  CHECK_OK(prepare(s, SSNE_EUCLIDEAN, k, 2, MPI_COMM_WORLD, &rows, &err), &err);
  CHECK(rows.columns == k && rows.stride == SSNE_LANES && !rows.identical);
  const double *own = scores + rows.partition.first_row * k;
  float largest = 0;
  for (int64_t r = 0; r < rows.partition.own_rows; r++)
    for (int64_t c = 0; c < rows.stride; c++) {
      const float value = rows.data[r * rows.stride + c];
      CHECK_NEAR((double)value, c < k ? own[r * k + c] * (double)rows.scale : 0, 2e-6);
      largest = fmaxf(largest, fabsf(value));
    }
  MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_FLOAT, MPI_MAX, MPI_COMM_WORLD);
  CHECK(largest >= 0.5f && largest < 1);
  ssne_rows_free(&rows);
  CHECK_OK(prepare(s, SSNE_COSINE, k, 1, MPI_COMM_WORLD, &rows, &err), &err);
  check_cosines(&rows, scores);
  check_centred(&rows);
  ssne_rows_free(&rows);
  free(scores);
}

/* Rows of very different lengths, one so short that scaled by the longest it would vanish. */
static void test_cosine(void) {
  sample s = make(ROWS, 23);
  double *truth = calloc((size_t)(s.rows * s.columns), sizeof *truth);
  ssne_rows rows;
  ssne_error err;
  for (int64_t i = 0; i < s.rows * s.columns; i++) {
    s.x[i] *= i / s.columns % 3 == 0 ? 1e-30f : 1e25f;
    truth[i] = (double)s.x[i];
  }
  CHECK_OK(prepare(&s, SSNE_COSINE, 0, 2, MPI_COMM_WORLD, &rows, &err), &err);
  CHECK(rows.columns == 23 && rows.metric == SSNE_COSINE);
  check_cosines(&rows, truth);
  check_centred(&rows);
  ssne_rows_free(&rows);
  memset(s.x + 777 * s.columns, 0, (size_t)s.columns * sizeof *s.x);
  memset(s.x + 900 * s.columns, 0, (size_t)s.columns * sizeof *s.x);
  CHECK(prepare(&s, SSNE_COSINE, 0, 2, MPI_COMM_WORLD, &rows, &err) == SSNE_FAILED);
  CHECK(strstr(err.text, "row 777 ") != NULL);
  for (int64_t i = 0; i < s.rows * s.columns; i++)
    s.x[i] = (float)((1 + i / s.columns) * (1 + i % s.columns));
  CHECK_OK(prepare(&s, SSNE_COSINE, 0, 1, MPI_COMM_WORLD, &rows, &err), &err);
  CHECK(rows.identical);
  ssne_rows_free(&rows);
  CHECK_OK(prepare(&s, SSNE_EUCLIDEAN, 0, 1, MPI_COMM_WORLD, &rows, &err), &err);
  CHECK(!rows.identical);
  ssne_rows_free(&rows);
  free(truth);
  ssne_free(&s.x);
}

/* As many components as columns, or more: the rows themselves. */
static void test_nothing_to_project(const sample *s) {
  ssne_rows rows, plain;
  ssne_error err;
  CHECK_OK(prepare(s, SSNE_EUCLIDEAN, 0, 1, MPI_COMM_WORLD, &plain, &err), &err);
  for (int64_t k = s->columns; k < s->columns + 2; k++) {
    CHECK_OK(prepare(s, SSNE_EUCLIDEAN, k, 1, MPI_COMM_WORLD, &rows, &err), &err);
    CHECK(rows.columns == s->columns);
    CHECK(memcmp(rows.data, plain.data,
                 (size_t)(rows.partition.own_rows * rows.stride) * sizeof *rows.data) == 0);
    ssne_rows_free(&rows);
  }
  ssne_rows_free(&plain);
}

/* Identical rows have no components, which is no reason to fail. */
static void test_identical(int64_t k) {
  sample s = make(300, 20);
  ssne_rows rows;
  ssne_error err;
  for (int64_t r = 1; r < s.rows; r++)
    memcpy(s.x + r * s.columns, s.x, (size_t)s.columns * sizeof *s.x);
  CHECK_OK(prepare(&s, SSNE_EUCLIDEAN, k, 2, MPI_COMM_WORLD, &rows, &err), &err);
  CHECK(rows.identical && rows.columns == k);
  ssne_rows_free(&rows);
  ssne_free(&s.x);
}

/* The same bits as by one rank with one thread and plain instructions. */
static void test_one_result(const sample *s, ssne_metric metric, int64_t pca) {
  ssne_rows rows, alone;
  ssne_error err;
  setenv("SHARDSNE_SIMD", "plain", 1);
  CHECK_OK(prepare(s, metric, pca, 1, MPI_COMM_SELF, &alone, &err), &err);
  unsetenv("SHARDSNE_SIMD");
  for (int threads = 1; threads <= 3; threads++) {
    CHECK_OK(prepare(s, metric, pca, threads, MPI_COMM_WORLD, &rows, &err), &err);
    CHECK(rows.scale == alone.scale && rows.stride == alone.stride);
    CHECK(memcmp(rows.data, alone.data + rows.partition.first_row * rows.stride,
                 (size_t)(rows.partition.own_rows * rows.stride) * sizeof *rows.data) == 0);
    ssne_rows_free(&rows);
  }
  ssne_rows_free(&alone);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  sample narrow = make(ROWS, 40), wide = make(ROWS, 301), few = make(100, 40);
  sample many = make(20000, 17); /* blocks enough for threads to share out those of one tile */
  test_components(&narrow, 5);
  test_components(&wide, 6);
  test_components(&few, 4); /* one block: ranks without rows */
  test_cosine();
  test_nothing_to_project(&narrow);
  test_identical(3);
  test_one_result(&narrow, SSNE_EUCLIDEAN, 0);
  test_one_result(&narrow, SSNE_EUCLIDEAN, 7);
  test_one_result(&narrow, SSNE_COSINE, 0);
  test_one_result(&wide, SSNE_COSINE, 50);
  test_one_result(&few, SSNE_EUCLIDEAN, 3);
  test_one_result(&many, SSNE_EUCLIDEAN, 3);
  ssne_free(&narrow.x);
  ssne_free(&wide.x);
  ssne_free(&few.x);
  ssne_free(&many.x);
  MPI_Finalize();
  return check_result();
}
