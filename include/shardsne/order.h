/* An order of the rows in which near ones lie together.
 *
 * The descent reads the coordinates of a row's neighbours in every iteration; where neighbours have
 * neighbouring numbers, these are in the processor's cache. So the descent works with places
 * instead of rows: place p holds row order.row[p]. The order is a function of the data alone, the
 * same for any number of ranks. Places are partitioned as rows are. */
#ifndef SHARDSNE_ORDER_H
#define SHARDSNE_ORDER_H

#include "shardsne/partition.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdint.h>

typedef struct ssne_order {
  int64_t rows;
  uint32_t *row; /* [rows] the row at each place, all of them on every rank; owned. NULL: every row
                    is at the place of its own number */
} ssne_order;

void ssne_order_free(ssne_order *order);

/* Not collective. `place` [rows] becomes the place of each row. */
void ssne_order_invert(const ssne_order *order, uint32_t *place);

/* Collective. Takes coordinates from rows to places: `xy` [own_rows, 2] of own rows becomes that of
 * own places. */
ssne_code ssne_order_to_places(const ssne_order *order, const ssne_partition *partition,
                               MPI_Comm comm, float *xy, ssne_error *err);

/* Collective. And back. */
ssne_code ssne_order_to_rows(const ssne_order *order, const ssne_partition *partition,
                             MPI_Comm comm, float *xy, ssne_error *err);

#endif
