#include "components.h"
#include "covariance.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/simd.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <string.h>

void ssne_fix_sign(double *v, int64_t count, int64_t step) {
  double largest = 0;
  for (int64_t i = 0; i < count; i++)
    if (fabs(v[i * step]) > fabs(largest)) largest = v[i * step];
  for (int64_t i = 0; i < count && largest < 0; i++) v[i * step] = -v[i * step];
}

/* --- eigenvectors --------------------------------------------------------------------------- */

/* Rank 0: the leading eigenvectors of the symmetric `full` [columns, columns], which is used up, in
 * `vectors` [count, columns], the largest eigenvalue last. LAPACK counts by columns: our upper
 * triangle is its lower. */
static ssne_code leading_eigenvectors(double *full, int64_t columns, int64_t count, double *vectors,
                                      ssne_error *err) {
  const int n = (int)columns, k = (int)count;
  double *values = NULL;
  lapack_int *support = NULL, found = 0, failed = 0;
  ssne_code code = ssne_alloc(&values, columns, sizeof *values, "eigenvalues", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&support, 2 * columns, sizeof *support, "indices of eigenvectors", err);
  if (code == SSNE_OK)
    failed = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', n, full, n, 0, 0, n - k + 1, n, 0,
                            &found, values, vectors, n, support);
  if (code == SSNE_OK && (failed != 0 || found != k))
    code = ssne_fail(err, SSNE_FAILED,
                     "LAPACK's dsyevr failed (%d, %d of %d found) on the covariance of %d columns",
                     (int)failed, (int)found, k, n);
  ssne_free(&values);
  ssne_free(&support);
  return code;
}

static ssne_code decompose(const ssne_triangle *triangle, int64_t columns, int64_t count,
                           double *components, ssne_error *err) {
  double *full = NULL, *ascending = NULL;
  ssne_code code = ssne_alloc(&full, columns * columns, sizeof *full, "covariances", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&ascending, count * columns, sizeof *ascending, "eigenvectors", err);
  if (code == SSNE_OK) {
    ssne_triangle_unpack(triangle, columns, full);
    code = leading_eigenvectors(full, columns, count, ascending, err);
  }
  for (int64_t k = 0; k < count && code == SSNE_OK; k++) {
    memcpy(components + k * columns, ascending + (count - 1 - k) * columns,
           (size_t)columns * sizeof *components);
    ssne_fix_sign(components + k * columns, columns, 1);
  }
  ssne_free(&full);
  ssne_free(&ascending);
  return code;
}

ssne_code ssne_principal_components(const ssne_rows *rows, int64_t count, int threads,
                                    MPI_Comm comm, double *components, ssne_error *err) {
  const int64_t columns = rows->columns;
  ssne_triangle triangle;
  SSNE_TRY(ssne_covariance_sum(rows, threads, comm, &triangle, err));
  ssne_code code = SSNE_OK;
  if (rows->partition.rank == 0) code = decompose(&triangle, columns, count, components, err);
  ssne_triangle_free(&triangle);
  SSNE_TRY_ALL(comm, code, err);
  return ssne_broadcast(components, count * columns * (int64_t)sizeof *components, 0, comm, err);
}

/* --- projection ----------------------------------------------------------------------------- */

typedef struct projection {
  const ssne_rows *from;
  ssne_rows to;
  double *components; /* [to.columns, from->columns] */
  double *values;     /* [threads][SSNE_ROWS_BLOCK, from->stride] a block in double precision */
  double *scores;     /* [threads][SSNE_ROWS_BLOCK, to.columns] */
} projection;

/* The product has one shape for all blocks, of which the last is filled up with zero rows, and is
 * made by one thread: its bits depend on nothing else. */
static void project_block(const projection *p, int64_t block) {
  const ssne_partition *part = &p->from->partition;
  const int64_t length = ssne_partition_block_length(part, part->first_block + block);
  const int64_t from = p->from->stride, columns = p->from->columns, to = p->to.columns;
  const int64_t first = (int64_t)omp_get_thread_num() * SSNE_ROWS_BLOCK;
  double *values = p->values + first * from, *scores = p->scores + first * to;
  const float *x = p->from->data + block * SSNE_ROWS_BLOCK * from;
  float *y = p->to.data + block * SSNE_ROWS_BLOCK * p->to.stride;
  for (int64_t i = 0; i < length * from; i++) values[i] = (double)x[i];
  memset(values + length * from, 0, (size_t)((SSNE_ROWS_BLOCK - length) * from) * sizeof *values);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, SSNE_ROWS_BLOCK, (int)to, (int)columns, 1,
              values, (int)from, p->components, (int)columns, 0, scores, (int)to);
  for (int64_t r = 0; r < length; r++)
    for (int64_t c = 0; c < to; c++) y[r * p->to.stride + c] = (float)scores[r * to + c];
}

static ssne_code allocate_projection(projection *p, int threads, ssne_error *err) {
  ssne_rows *to = &p->to;
  const int64_t block = threads * (int64_t)SSNE_ROWS_BLOCK;
  SSNE_TRY(ssne_alloc(&p->components, to->columns * p->from->columns, sizeof *p->components,
                      "principal components", err));
  SSNE_TRY(ssne_alloc(&to->data, to->partition.own_rows * to->stride, sizeof *to->data,
                      "projected feature values", err));
  SSNE_TRY(ssne_alloc(&p->values, block * p->from->stride, sizeof *p->values, "values", err));
  return ssne_alloc(&p->scores, block * to->columns, sizeof *p->scores, "scores", err);
}

ssne_code ssne_rows_project(ssne_rows *rows, int64_t count, int threads, MPI_Comm comm,
                            ssne_error *err) {
  projection p = {.from = rows, .to = *rows};
  p.to.columns = count;
  p.to.stride = ssne_rows_stride(count);
  p.to.data = NULL;
  ssne_code code = ssne_agree(comm, allocate_projection(&p, threads, err), err);
  if (code == SSNE_OK)
    code = ssne_principal_components(rows, count, threads, comm, p.components, err);
  if (code == SSNE_OK) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t b = 0; b < rows->partition.own_blocks; b++) project_block(&p, b);
    ssne_rows_free(rows);
    *rows = p.to;
    p.to.data = NULL;
  }
  ssne_free(&p.components);
  ssne_free(&p.values);
  ssne_free(&p.scores);
  ssne_rows_free(&p.to);
  return code;
}
