/* The cells from inside, and the parts they are made with. */
#ifndef SSNE_NEIGHBOURS_CELLS_H
#define SSNE_NEIGHBOURS_CELLS_H

#include "tile.h"

#include "shardsne/neighbours.h"
#include "shardsne/random.h"
#include "shardsne/rows.h"
#include <mpi.h>

struct ssne_cells {
  int64_t count;
  int64_t stride; /* of a centre, as of a row */
  float *centre;  /* [count, stride] consecutive ones near each other; the same on every rank */
  float *norm;    /* [count] lowered */
  float *spacing; /* [count] squared distance to the centre's tenth nearest other one */
  int64_t *start; /* [count + 1] rows in the cells before, over all ranks */
  uint32_t *cell; /* [own_rows] */
  float *nearest; /* [own_rows] squared distance to the cell's centre */
  int64_t *place; /* [own_rows] of the row, counted over all ranks, by (cell, row) */
};

/* How many cells so many rows are put in. */
int64_t ssne_cells_count(int64_t rows);

/* Bytes that cells take on a rank. */
int64_t ssne_cells_bytes(const ssne_partition *partition, int64_t stride);

/* --- parts, in kmeans.c -------------------------------------------------------------------- */

/* Rows [count, stride], the same on every rank. */
typedef struct ssne_sample {
  int64_t count, stride;
  float *data;
  uint32_t *row;
} ssne_sample;

/* Collective. About `wanted` rows, chosen by a hash of their number for `purpose`; all rows where
 * there are no more; in the order of their numbers. Free with ssne_sample_free. */
ssne_code ssne_sample_rows(const ssne_rows *rows, int64_t wanted, ssne_purpose purpose,
                           MPI_Comm comm, ssne_sample *out, ssne_error *err);
void ssne_sample_free(ssne_sample *sample);

/* Not collective. The nearest of the candidates for each of `count` rows: its number and the
 * squared distance (NULL: not wanted), ties by number. */
ssne_code ssne_assign(const float *data, int64_t count, int64_t stride, int64_t columns,
                      const ssne_candidates *candidates, int threads, uint32_t *nearest,
                      float *distance, ssne_error *err);

/* Collective. Moves cells->centre from where they stand to the means of the sample's rows nearest
 * to them, a few times over. */
ssne_code ssne_kmeans(const ssne_sample *sample, int64_t columns, int threads, MPI_Comm comm,
                      ssne_cells *cells, ssne_error *err);

#endif
