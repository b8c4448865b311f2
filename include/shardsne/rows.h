/* A matrix whose rows are shared among the ranks, made ready for distances and projections. */
#ifndef SHARDSNE_ROWS_H
#define SHARDSNE_ROWS_H

#include "shardsne/partition.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum ssne_metric { SSNE_EUCLIDEAN, SSNE_COSINE } ssne_metric;

typedef struct ssne_rows {
  ssne_partition partition;
  ssne_metric metric;
  int64_t columns;
  int64_t stride; /* columns rounded up to SSNE_LANES; the rest of a row is zero */
  float *data;    /* [own_rows, stride], owned: (x - mean) * scale */
  float scale;    /* a power of two, so that scaling loses nothing; the largest value is below 1 */
  bool identical; /* all rows of all ranks are the same */
} ssne_rows;

/* Rows of a block, the unit of ownership and of every sum over rows, throughout the embedding. */
#define SSNE_ROWS_BLOCK 128

typedef struct ssne_rows_options {
  ssne_metric metric;
  int64_t pca; /* project on so many principal components first; 0, or the columns and more: not */
  int threads;
  /* What a row is called in errors, where that is not its own number: number(of, row). */
  int64_t (*number)(const void *of, int64_t row);
  const void *of;
} ssne_rows_options;

/* Collective. Takes this rank's rows `x` [own_rows, columns] of the partition, centres each column
 * on its mean over all rows (an exact sum, so the same on any number of ranks) and scales
 * everything by one power of two so that no square can overflow; `x` is not kept. Then, as the
 * options say:
 *
 * - projects on the leading principal components, eigenvectors of the covariance of the columns,
 *   each with its largest-magnitude loading positive, and scales anew; `columns` becomes their
 *   number. A product of 128 rows is a sum in single precision, so a covariance is good to about
 *   1e-8 of the two deviations' product; a projection is summed in double precision;
 * - for SSNE_COSINE, divides each row (of `x`, or of its projection) by its length and centres
 *   again, so that half the squared Euclidean distance, unscaled, is 1 - cos of the angle between
 *   rows of `x` (or of their projections). A row of zeros is an error that names it.
 *
 * The BLAS must run with one thread a call (jobs/main.c sees to that): where it splits a product
 * among threads of its own, the last bits of components depend on their number.
 *
 * PCA of D columns to K takes, beside both matrices of rows, 4 D^2 bytes a rank and 8 D^2 more on
 * rank 0, where the eigenvectors are found by one thread: 0.3 s for D = 784, 3 s for 2048.
 *
 * A value that is not finite is an error (SSNE_FAILED) that names its row and column, counted from
 * 0. Free with ssne_rows_free. */
ssne_code ssne_rows_prepare(const float *x, int64_t columns, const ssne_partition *partition,
                            const ssne_rows_options *options, MPI_Comm comm, ssne_rows *out,
                            ssne_error *err);

void ssne_rows_free(ssne_rows *rows);

/* `columns` rounded up to whole vectors. */
int64_t ssne_rows_stride(int64_t columns);

/* Not collective. Bytes that ssne_rows_prepare takes on a rank at its peak, `x` and the result
 * included. */
int64_t ssne_rows_bytes(const ssne_partition *partition, int64_t columns,
                        const ssne_rows_options *options);

/* Directions that ssne_principal_directions has room for. */
#define SSNE_DIRECTIONS 16

/* Collective. The two leading principal directions of the rows in the first two columns of
 * `directions` [stride, SSNE_DIRECTIONS], orthonormal, each with its largest-magnitude component
 * positive. Up to 2048 columns from their covariance; beyond by subspace iteration until the two
 * stand still, in 200 rounds at most (Halko, Martinsson & Tropp 2011), which needs no square
 * matrix. */
ssne_code ssne_principal_directions(const ssne_rows *rows, int threads, MPI_Comm comm,
                                    double *directions, ssne_error *err);

#endif
