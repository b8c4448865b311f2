/* Principal components from the covariance of the columns. */
#ifndef SSNE_ROWS_COMPONENTS_H
#define SSNE_ROWS_COMPONENTS_H

#include "shardsne/rows.h"

#include <stdint.h>

/* Collective. The `count` <= columns leading eigenvectors of X^T X: `components` [count, columns],
 * one after the other, orthonormal, the largest eigenvalue first, each with its largest-magnitude
 * component positive; the same on every rank.
 *
 * Takes D^2 / 2 numbers of 8 bytes a rank for D columns, on rank 0 another D^2, and 2 N D^2 / ranks
 * operations, in single precision within a block of rows. */
ssne_code ssne_principal_components(const ssne_rows *rows, int64_t count, int threads,
                                    MPI_Comm comm, double *components, ssne_error *err);

/* Collective. Replaces the rows by their projections on their `count` leading components, each a
 * sum in double precision, rounded once. Both matrices are in memory at once. */
ssne_code ssne_rows_project(ssne_rows *rows, int64_t count, int threads, MPI_Comm comm,
                            ssne_error *err);

/* Turns the `count` numbers v[0], v[step], v[2 step] ... so that the one of largest magnitude, the
 * first of equal ones, is positive: a sign that does not depend on how a direction was found. */
void ssne_fix_sign(double *v, int64_t count, int64_t step);

#endif
