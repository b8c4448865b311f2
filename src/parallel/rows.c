#include "shardsne/rows.h"
#include "shardsne/agree.h"
#include "shardsne/exact_sum.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/simd.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Largest magnitude among this rank's values, and the check that all are finite. */
static ssne_code survey(const float *x, const ssne_partition *p, int64_t columns, float *largest,
                        ssne_error *err) {
  float top = 0;
  for (int64_t i = 0; i < p->own_rows * columns; i++) {
    if (!isfinite(x[i]))
      return ssne_fail(err, SSNE_FAILED,
                       "row %" PRId64 ", column %" PRId64
                       " of the features is %f: they must all be finite numbers",
                       p->first_row + i / columns, i % columns, (double)x[i]);
    top = fmaxf(top, fabsf(x[i]));
  }
  *largest = top;
  return SSNE_OK;
}

/* The power of two that brings `largest` into [1/2, 1). */
static float scale_for(float largest) {
  int exponent = 0;
  frexpf(largest, &exponent);
  if (exponent < -100) exponent = -100; /* 2^-exponent must be a float as well */
  return ldexpf(1, -exponent);
}

static ssne_code column_means(const float *x, const ssne_partition *p, int64_t columns, float scale,
                              MPI_Comm comm, float *mean, ssne_exact *sums, ssne_error *err) {
  for (int64_t r = 0; r < p->own_rows; r++)
    for (int64_t c = 0; c < columns; c++)
      ssne_exact_add(&sums[c], (double)(x[r * columns + c] * scale));
  SSNE_TRY(ssne_exact_reduce(sums, columns, comm, err));
  for (int64_t c = 0; c < columns; c++)
    mean[c] = (float)(ssne_exact_value(&sums[c]) / (double)p->rows);
  return SSNE_OK;
}

/* Whether every row of every rank equals row 0, which `first` has room for. */
static ssne_code compare_rows(const float *x, const ssne_partition *p, int64_t columns,
                              MPI_Comm comm, float *first, bool *identical, ssne_error *err) {
  const size_t size = (size_t)columns * sizeof *x;
  if (p->own_rows > 0 && p->first_row == 0) memcpy(first, x, size);
  const int owner = p->rows > 0 ? ssne_partition_owner(p, 0) : 0;
  SSNE_TRY(ssne_broadcast(first, (int64_t)size, owner, comm, err));
  int same = 1;
  for (int64_t r = 0; r < p->own_rows && same; r++)
    same = memcmp(x + r * columns, first, size) == 0;
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, comm),
                          "MPI_Allreduce", err));
  *identical = same;
  return SSNE_OK;
}

static ssne_code fill(const float *x, MPI_Comm comm, float *mean, ssne_exact *sums, ssne_rows *out,
                      ssne_error *err) {
  const ssne_partition *p = &out->partition;
  const int64_t columns = out->columns;
  float largest = 0;
  SSNE_TRY_ALL(comm, survey(x, p, columns, &largest, err), err);
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_FLOAT, MPI_MAX, comm),
                          "MPI_Allreduce", err));
  out->scale = scale_for(largest);
  SSNE_TRY(compare_rows(x, p, columns, comm, mean, &out->identical, err));
  SSNE_TRY(column_means(x, p, columns, out->scale, comm, mean, sums, err));
  for (int64_t r = 0; r < p->own_rows; r++)
    for (int64_t c = 0; c < columns; c++)
      out->data[r * out->stride + c] = x[r * columns + c] * out->scale - mean[c];
  return SSNE_OK;
}

static ssne_code allocate(ssne_rows *out, float **mean, ssne_exact **sums, ssne_error *err) {
  const int64_t rows = out->partition.own_rows;
  SSNE_TRY(ssne_alloc(&out->data, rows * out->stride, sizeof *out->data, "feature values", err));
  SSNE_TRY(ssne_alloc(mean, out->columns, sizeof **mean, "column means", err));
  return ssne_alloc(sums, out->columns, sizeof **sums, "column sums", err);
}

ssne_code ssne_rows_prepare(const float *x, int64_t columns, const ssne_partition *partition,
                            MPI_Comm comm, ssne_rows *out, ssne_error *err) {
  *out = (ssne_rows){.partition = *partition, .columns = columns};
  out->stride = (columns + SSNE_LANES - 1) / SSNE_LANES * SSNE_LANES;
  float *mean = NULL;
  ssne_exact *sums = NULL;
  ssne_code code = ssne_agree(comm, allocate(out, &mean, &sums, err), err);
  if (code == SSNE_OK) code = fill(x, comm, mean, sums, out, err);
  ssne_free(&mean);
  ssne_free(&sums);
  if (code != SSNE_OK) ssne_rows_free(out);
  return code;
}

void ssne_rows_free(ssne_rows *rows) {
  ssne_free(&rows->data);
}
