#include "shardsne/rows.h"
#include "components.h"

#include "shardsne/agree.h"
#include "shardsne/exact_sum.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/simd.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <string.h>

/* What one preparation works with. */
typedef struct preparation {
  ssne_rows *rows;
  const ssne_rows_options *options;
  int threads;
  MPI_Comm comm;
  double *partial;  /* [threads, stride] column sums of a block */
  ssne_exact *sums; /* [threads, stride] */
  float *mean;      /* [stride] */
  float *first;     /* [stride] row 0 of all */
} preparation;

/* What own row `r` is called. */
static int64_t number_of(const preparation *prep, int64_t r) {
  const int64_t row = prep->rows->partition.first_row + r;
  return prep->options->number ? prep->options->number(prep->options->of, row) : row;
}

/* --- range ---------------------------------------------------------------------------------- */

/* The bits of a magnitude, which order as magnitudes do, and with infinities and NaNs on top. */
static int32_t magnitude_bits(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits & INT32_MAX;
}

static float largest_magnitude(const float *x, int64_t count, int threads) {
  int32_t most = 0;
  float largest = 0;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(max : most)
  for (int64_t i = 0; i < count; i++) {
    const int32_t bits = magnitude_bits(x[i]);
    most = bits > most ? bits : most;
  }
  memcpy(&largest, &most, sizeof largest);
  return largest;
}

/* Largest magnitude among this rank's values, and the check that all are finite. */
static ssne_code survey(const preparation *prep, const float *x, float *largest, ssne_error *err) {
  const int64_t columns = prep->rows->columns;
  const int64_t count = prep->rows->partition.own_rows * columns;
  *largest = largest_magnitude(x, count, prep->threads);
  for (int64_t i = 0; i < count && !isfinite(*largest); i++)
    if (!isfinite(x[i]))
      return ssne_fail(err, SSNE_FAILED,
                       "row %" PRId64 ", column %" PRId64
                       " of the features is %f: they must all be finite numbers",
                       number_of(prep, i / columns), i % columns, (double)x[i]);
  return SSNE_OK;
}

/* The power of two that brings the largest of all ranks' `largest` into [1/2, 1). */
static ssne_code scale_for(float largest, MPI_Comm comm, float *scale, ssne_error *err) {
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_FLOAT, MPI_MAX, comm),
                          "MPI_Allreduce", err));
  int exponent = 0;
  frexpf(largest, &exponent);
  if (exponent < -100) exponent = -100; /* 2^-exponent must be a float as well */
  *scale = ldexpf(1, -exponent);
  return SSNE_OK;
}

static void copy_scaled(const preparation *prep, const float *x, float scale) {
  ssne_rows *rows = prep->rows;
#pragma omp parallel for schedule(static) num_threads(prep->threads)
  for (int64_t r = 0; r < rows->partition.own_rows; r++)
    for (int64_t c = 0; c < rows->columns; c++)
      rows->data[r * rows->stride + c] = x[r * rows->columns + c] * scale;
  rows->scale = scale;
}

/* What grows by more was not centred well. */
#define SO_SMALL 0x1p20F

/* What is left can be much smaller than what it was made of: a projection, or columns beside one of
 * a huge constant value, which is centred away. */
static ssne_code rescale(const preparation *prep, float *by, ssne_error *err) {
  ssne_rows *rows = prep->rows;
  const int64_t count = rows->partition.own_rows * rows->stride;
  float factor = 1;
  SSNE_TRY(
      scale_for(largest_magnitude(rows->data, count, prep->threads), prep->comm, &factor, err));
#pragma omp parallel for schedule(static) num_threads(prep->threads)
  for (int64_t i = 0; i < count; i++) rows->data[i] *= factor;
  rows->scale *= factor;
  *by = factor;
  return SSNE_OK;
}

/* --- centring ------------------------------------------------------------------------------- */

/* Adds the column sums of a block, each made in row order. */
static void sum_block(const preparation *prep, int64_t block) {
  const ssne_rows *rows = prep->rows;
  const ssne_partition *p = &rows->partition;
  const int64_t stride = rows->stride;
  const int64_t length = ssne_partition_block_length(p, p->first_block + block);
  const float *x = rows->data + block * p->block_rows * stride;
  double *partial = prep->partial + omp_get_thread_num() * stride;
  ssne_exact *sums = prep->sums + omp_get_thread_num() * stride;
  memset(partial, 0, (size_t)stride * sizeof *partial);
  for (int64_t r = 0; r < length; r++)
    for (int64_t c = 0; c < stride; c++) partial[c] += (double)x[r * stride + c];
  for (int64_t c = 0; c < rows->columns; c++) ssne_exact_add(&sums[c], partial[c]);
}

static ssne_code column_means(const preparation *prep, ssne_error *err) {
  const ssne_rows *rows = prep->rows;
  const int64_t stride = rows->stride;
  memset(prep->sums, 0, (size_t)(prep->threads * stride) * sizeof *prep->sums);
#pragma omp parallel for schedule(static) num_threads(prep->threads)
  for (int64_t b = 0; b < rows->partition.own_blocks; b++) sum_block(prep, b);
  for (int t = 1; t < prep->threads; t++)
    for (int64_t c = 0; c < rows->columns; c++)
      ssne_exact_merge(&prep->sums[c], &prep->sums[t * stride + c]);
  SSNE_TRY(ssne_exact_reduce(prep->sums, rows->columns, prep->comm, err));
  memset(prep->mean, 0, (size_t)stride * sizeof *prep->mean);
  for (int64_t c = 0; c < rows->columns; c++)
    prep->mean[c] = (float)(ssne_exact_value(&prep->sums[c]) / (double)rows->partition.rows);
  return SSNE_OK;
}

static ssne_code centre(const preparation *prep, ssne_error *err) {
  const ssne_rows *rows = prep->rows;
  SSNE_TRY(column_means(prep, err));
#pragma omp parallel for schedule(static) num_threads(prep->threads)
  for (int64_t r = 0; r < rows->partition.own_rows; r++)
    for (int64_t c = 0; c < rows->stride; c++) rows->data[r * rows->stride + c] -= prep->mean[c];
  return SSNE_OK;
}

/* --- metric --------------------------------------------------------------------------------- */

static double length_of(const float *row, int64_t stride) {
  double lane[SSNE_LANES] = {0}, sum = 0;
  for (int64_t c = 0; c < stride; c += SSNE_LANES)
    for (int l = 0; l < SSNE_LANES; l++) lane[l] += (double)row[c + l] * (double)row[c + l];
  for (int l = 0; l < SSNE_LANES; l++) sum += lane[l];
  return sqrt(sum); /* squares of floats do not overflow a double, nor vanish */
}

/* Divides each own row by its length. */
static ssne_code normalise(const preparation *prep, ssne_error *err) {
  ssne_rows *rows = prep->rows;
  const ssne_partition *p = &rows->partition;
  int64_t bad = p->own_rows;
#pragma omp parallel for schedule(static) num_threads(prep->threads) reduction(min : bad)
  for (int64_t r = 0; r < p->own_rows; r++) {
    float *row = rows->data + r * rows->stride;
    const double length = length_of(row, rows->stride);
    if (length > 0)
      for (int64_t c = 0; c < rows->stride; c++) row[c] = (float)((double)row[c] / length);
    else
      bad = r < bad ? r : bad;
  }
  if (bad < p->own_rows)
    return ssne_fail(err, SSNE_FAILED,
                     "row %" PRId64 " of the features has length zero, "
                     "so that its angle with others means "
                     "nothing: leave it out, or use the Euclidean metric",
                     number_of(prep, bad));
  rows->scale = 1;
  return SSNE_OK;
}

/* Whether every row of every rank equals row 0. */
static ssne_code compare_rows(const preparation *prep, ssne_error *err) {
  ssne_rows *rows = prep->rows;
  const ssne_partition *p = &rows->partition;
  const size_t size = (size_t)rows->stride * sizeof *rows->data;
  if (p->own_rows > 0 && p->first_row == 0) memcpy(prep->first, rows->data, size);
  const int owner = p->rows > 0 ? ssne_partition_owner(p, 0) : 0;
  SSNE_TRY(ssne_broadcast(prep->first, (int64_t)size, owner, prep->comm, err));
  int same = 1;
  for (int64_t r = 0; r < p->own_rows && same; r++)
    for (int64_t c = 0; c < rows->columns && same; c++)
      same = rows->data[r * rows->stride + c] == prep->first[c];
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, prep->comm),
                          "MPI_Allreduce", err));
  rows->identical = same;
  return SSNE_OK;
}

/* --- all of it ------------------------------------------------------------------------------ */

int64_t ssne_rows_stride(int64_t columns) {
  return (columns + SSNE_LANES - 1) / SSNE_LANES * SSNE_LANES;
}

/* The largest of what is left is then in [1/2, 1). */
static ssne_code copy_centred(const preparation *prep, const float *x, float largest,
                              ssne_error *err) {
  float scale = 1, grown = 1;
  SSNE_TRY(scale_for(largest, prep->comm, &scale, err));
  copy_scaled(prep, x, scale);
  SSNE_TRY(centre(prep, err));
  SSNE_TRY(rescale(prep, &grown, err));
  if (grown <= SO_SMALL) return SSNE_OK;
  SSNE_TRY(centre(prep, err)); /* its means were lost in the rounding of the sums */
  return rescale(prep, &grown, err);
}

static ssne_code project(const preparation *prep, int64_t components, ssne_error *err) {
  float grown = 1;
  SSNE_TRY(ssne_rows_project(prep->rows, components, prep->threads, prep->comm, err));
  return rescale(prep, &grown, err);
}

static ssne_code run(const preparation *prep, const float *x, int64_t components, ssne_error *err) {
  const bool projected = components > 0 && components < prep->rows->columns;
  const bool cosine = prep->rows->metric == SSNE_COSINE;
  float largest = 0;
  SSNE_TRY_ALL(prep->comm, survey(prep, x, &largest, err), err);
  /* Angles are those of the rows themselves, or of their projections, which are centred. A row much
   * shorter than the longest would lose bits where it is scaled first. */
  if (projected || !cosine)
    SSNE_TRY(copy_centred(prep, x, largest, err));
  else
    copy_scaled(prep, x, 1);
  if (projected) SSNE_TRY(project(prep, components, err));
  if (cosine) {
    SSNE_TRY_ALL(prep->comm, normalise(prep, err), err);
    SSNE_TRY(centre(prep, err));
  }
  return compare_rows(prep, err);
}

static ssne_code allocate(preparation *prep, ssne_error *err) {
  ssne_rows *rows = prep->rows;
  const int64_t values = rows->partition.own_rows * rows->stride;
  const int64_t sums = prep->threads * rows->stride;
  SSNE_TRY(ssne_alloc(&rows->data, values, sizeof *rows->data, "feature values", err));
  SSNE_TRY(ssne_alloc(&prep->partial, sums, sizeof *prep->partial, "partial sums", err));
  SSNE_TRY(ssne_alloc(&prep->sums, sums, sizeof *prep->sums, "column sums", err));
  SSNE_TRY(ssne_alloc(&prep->mean, rows->stride, sizeof *prep->mean, "column means", err));
  return ssne_alloc(&prep->first, rows->stride, sizeof *prep->first, "values of a row", err);
}

ssne_code ssne_rows_prepare(const float *x, int64_t columns, const ssne_partition *partition,
                            const ssne_rows_options *options, MPI_Comm comm, ssne_rows *out,
                            ssne_error *err) {
  *out = (ssne_rows){.partition = *partition, .metric = options->metric, .columns = columns};
  out->stride = ssne_rows_stride(columns);
  preparation prep = {.rows = out, .options = options, .threads = options->threads, .comm = comm};
  ssne_code code = ssne_agree(comm, allocate(&prep, err), err);
  if (code == SSNE_OK) code = run(&prep, x, options->pca, err);
  ssne_free(&prep.partial);
  ssne_free(&prep.sums);
  ssne_free(&prep.mean);
  ssne_free(&prep.first);
  if (code != SSNE_OK) ssne_rows_free(out);
  return code;
}

void ssne_rows_free(ssne_rows *rows) {
  ssne_free(&rows->data);
}

int64_t ssne_rows_bytes(const ssne_partition *p, int64_t columns,
                        const ssne_rows_options *options) {
  const int64_t stride = ssne_rows_stride(columns), value = sizeof(float);
  const int64_t both = p->own_rows * (columns + stride) * value;
  const int64_t square = columns * columns * (int64_t)sizeof(double);
  if (options->pca <= 0 || options->pca >= columns) return both;
  /* half a square of sums on every rank and a whole one on rank 0, and then the projections */
  const int64_t sums = square / 2 + (p->rank == 0 ? square : 0);
  const int64_t projected = p->own_rows * ssne_rows_stride(options->pca) * value;
  const int64_t blocks =
      (int64_t)sizeof(double) * options->threads * SSNE_ROWS_BLOCK * (stride + options->pca);
  return both + sums + projected + blocks;
}
