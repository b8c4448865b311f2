/* The leading principal directions. Of few columns they come from the covariance, a matrix product
 * at the machine's full rate. Of many columns they come from subspace iteration (Halko, Martinsson
 * & Tropp 2011, without the compression): V <- orthonormal basis of X^T X V, ordered by
 * Rayleigh-Ritz. X^T X V is a sum over blocks of rows in fixed point; the small dense steps run on
 * rank 0, which tells the others. */
#include "components.h"
#include "directions_kernels.h"
#include "fixed_sum.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/random.h"
#include "shardsne/rows.h"

#include <lapacke.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#define Q SSNE_DIRECTIONS
#define WANTED 2
#define MOST_ROUNDS 200
#define FEW_COLUMNS 2048 /* the covariance costs as much as some twenty rounds */
#define STILL 1e-11      /* 1 - |cosine| between rounds at which a direction stands still */

typedef struct iteration {
  const ssne_rows *rows;
  int64_t size; /* stride * Q, elements of the matrices below */
  int width;    /* directions in use: Q, or the columns if there are fewer */
  int threads;
  double scale;    /* of the fixed-point sums */
  double *v;       /* [stride, Q] */
  double *partial; /* [threads, stride, Q] of one block */
  int64_t *sums;   /* [threads, stride, Q] */
} iteration;

/* sums[0] = X^T X V over all ranks, on rank 0, but for the scale, which does not matter. */
static ssne_code multiply(iteration *it, MPI_Comm comm, ssne_error *err) {
  const ssne_partition *p = &it->rows->partition;
  const int64_t stride = it->rows->stride;
  const directions_kernels *kernels = directions_kernels_at(ssne_simd_level());
  memset(it->sums, 0, (size_t)(it->threads * it->size) * sizeof *it->sums);
#pragma omp parallel for schedule(static) num_threads(it->threads)
  for (int64_t b = 0; b < p->own_blocks; b++) {
    double *partial = it->partial + omp_get_thread_num() * it->size;
    int64_t *sums = it->sums + omp_get_thread_num() * it->size;
    kernels->multiply_block(it->rows->data + b * p->block_rows * stride,
                            ssne_partition_block_length(p, p->first_block + b), stride, it->v,
                            partial);
    for (int64_t i = 0; i < it->size; i++) sums[i] += ssne_fixed(partial[i], it->scale);
  }
  for (int t = 1; t < it->threads; t++)
    for (int64_t i = 0; i < it->size; i++) it->sums[i] += it->sums[t * it->size + i];
  return ssne_fixed_reduce(it->sums, it->size, comm, err);
}

/* h = V^T W [Q, Q]. */
static void project(const iteration *it, const double *w, double *h) {
  memset(h, 0, (size_t)Q * Q * sizeof *h);
  for (int64_t c = 0; c < it->rows->columns; c++)
    for (int i = 0; i < it->width; i++)
      for (int j = 0; j < it->width; j++) h[i * Q + j] += it->v[c * Q + i] * w[c * Q + j];
}

/* w = W U with the columns of U, eigenvectors in ascending order, taken from the last. */
static void rotate(const iteration *it, double *w, const double *u) {
  for (int64_t c = 0; c < it->rows->columns; c++) {
    double row[Q] = {0};
    for (int j = 0; j < it->width; j++)
      for (int i = 0; i < it->width; i++) row[j] += w[c * Q + i] * u[i * Q + it->width - 1 - j];
    memcpy(w + c * Q, row, sizeof row);
  }
}

/* Rank 0: `next` holds W = X^T X V and becomes the new V. */
static ssne_code orthonormalise(const iteration *it, double *next, ssne_error *err) {
  double h[Q * Q], values[Q], tau[Q];
  const int columns = (int)it->rows->columns, width = it->width;
  project(it, next, h);
  lapack_int failed = LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', width, h, Q, values);
  if (failed == 0) {
    rotate(it, next, h);
    failed = LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, columns, width, next, Q, tau);
  }
  if (failed == 0) failed = LAPACKE_dorgqr(LAPACK_ROW_MAJOR, columns, width, width, next, Q, tau);
  if (failed != 0)
    return ssne_fail(err, SSNE_FAILED, "LAPACK failed (%d) on the principal directions",
                     (int)failed);
  for (int q = 0; q < width; q++) ssne_fix_sign(next + q, columns, Q);
  return SSNE_OK;
}

static int stands_still(const iteration *it, const double *next) {
  for (int q = 0; q < WANTED && q < it->width; q++) {
    double cosine = 0;
    for (int64_t c = 0; c < it->rows->columns; c++) cosine += it->v[c * Q + q] * next[c * Q + q];
    if (1 - fabs(cosine) > STILL) return 0;
  }
  return 1;
}

static ssne_code one_round(iteration *it, double *next, MPI_Comm comm, int *still,
                           ssne_error *err) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  SSNE_TRY(multiply(it, comm, err));
  ssne_code code = SSNE_OK;
  if (rank == 0) {
    for (int64_t i = 0; i < it->size; i++) next[i] = (double)it->sums[i];
    code = orthonormalise(it, next, err);
    *still = stands_still(it, next);
  }
  SSNE_TRY_ALL(comm, code, err);
  SSNE_TRY(ssne_broadcast(next, it->size * (int64_t)sizeof *next, 0, comm, err));
  SSNE_TRY(ssne_broadcast(still, sizeof *still, 0, comm, err));
  memcpy(it->v, next, (size_t)it->size * sizeof *next);
  return SSNE_OK;
}

static ssne_code allocate(iteration *it, double **next, ssne_error *err) {
  SSNE_TRY(ssne_alloc(next, it->size, sizeof(double), "directions", err));
  SSNE_TRY(ssne_alloc(&it->partial, it->threads * it->size, sizeof(double), "products", err));
  return ssne_alloc(&it->sums, it->threads * it->size, sizeof(int64_t), "sums", err);
}

/* Random directions of unit length, on which the bound of the sums rests. */
static void draw(const iteration *it) {
  for (int q = 0; q < it->width; q++) {
    double square = 0;
    for (int64_t c = 0; c < it->rows->columns; c++) {
      it->v[c * Q + q] = ssne_random_normal(0, SSNE_RANDOM_SUBSPACE, (uint64_t)(c * Q + q));
      square += it->v[c * Q + q] * it->v[c * Q + q];
    }
    for (int64_t c = 0; c < it->rows->columns; c++) it->v[c * Q + q] /= sqrt(square);
  }
}

static ssne_code iterate(const ssne_rows *rows, int threads, MPI_Comm comm, double *directions,
                         ssne_error *err) {
  iteration it = {.rows = rows, .size = rows->stride * Q, .threads = threads, .v = directions};
  it.width = rows->columns < Q ? (int)rows->columns : Q;
  double *next = NULL;
  int still = 0;
  draw(&it);
  ssne_code code = ssne_agree(comm, allocate(&it, &next, err), err);
  if (code == SSNE_OK) code = ssne_fixed_scale(rows, threads, comm, &it.scale, err);
  for (int round = 0; round < MOST_ROUNDS && !still && code == SSNE_OK; round++)
    code = one_round(&it, next, comm, &still, err);
  ssne_free(&next);
  ssne_free(&it.partial);
  ssne_free(&it.sums);
  return code;
}

static ssne_code by_covariance(const ssne_rows *rows, int threads, MPI_Comm comm,
                               double *directions, ssne_error *err) {
  double components[WANTED * FEW_COLUMNS];
  const int64_t count = rows->columns < WANTED ? rows->columns : WANTED;
  SSNE_TRY(ssne_principal_components(rows, count, threads, comm, components, err));
  for (int64_t c = 0; c < rows->columns; c++)
    for (int64_t q = 0; q < count; q++) directions[c * Q + q] = components[q * rows->columns + c];
  return SSNE_OK;
}

ssne_code ssne_principal_directions(const ssne_rows *rows, int threads, MPI_Comm comm,
                                    double *directions, ssne_error *err) {
  memset(directions, 0, (size_t)(rows->stride * Q) * sizeof *directions);
  return (rows->columns <= FEW_COLUMNS ? by_covariance : iterate)(rows, threads, comm, directions,
                                                                  err);
}
