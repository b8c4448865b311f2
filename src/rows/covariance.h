/* X^T X of rows shared among ranks, as sums of matrix products a block of rows each. */
#ifndef SSNE_ROWS_COVARIANCE_H
#define SSNE_ROWS_COVARIANCE_H

#include "shardsne/rows.h"

#include <stdint.h>

/* The upper triangle of a [stride, stride] matrix in square tiles, of which the last of a row or
 * column may reach past the end: there they hold nothing. */
typedef struct ssne_triangle {
  int64_t stride; /* of the rows: the matrix's order */
  int64_t width;  /* of a tile, a multiple of SSNE_LANES */
  int64_t across; /* tiles in a row */
  int64_t tiles;  /* with row <= column */
  int64_t *sums;  /* [tiles][width, width], in units of a power of two; valid on rank 0; owned */
} ssne_triangle;

/* Collective. X^T X but for a factor that is a power of two. Free with ssne_triangle_free. */
ssne_code ssne_covariance_sum(const ssne_rows *rows, int threads, MPI_Comm comm, ssne_triangle *out,
                              ssne_error *err);

/* The tiles written out as a matrix `full` [columns, columns], of which the upper triangle is
 * filled. */
void ssne_triangle_unpack(const ssne_triangle *triangle, int64_t columns, double *full);

void ssne_triangle_free(ssne_triangle *triangle);

#endif
