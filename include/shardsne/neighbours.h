/* Nearest neighbours over rows shared among ranks. */
#ifndef SHARDSNE_NEIGHBOURS_H
#define SHARDSNE_NEIGHBOURS_H

#include "shardsne/log.h"
#include "shardsne/neighbour_list.h"
#include "shardsne/order.h"
#include "shardsne/rows.h"
#include "shardsne/status.h"
#include "shardsne/stop.h"
#include <mpi.h>
#include <stdint.h>

typedef enum ssne_search {
  SSNE_SEARCH_AUTO,        /* exact or approximate, whichever is predicted to be quicker */
  SSNE_SEARCH_EXACT,       /* all pairs, by matrix products */
  SSNE_SEARCH_APPROXIMATE, /* an inverted file over k-means cells */
  SSNE_SEARCH_REFERENCE    /* all pairs, one by one: what the others are tested against */
} ssne_search;

typedef struct ssne_search_options {
  ssne_search search;
  int64_t k; /* 1 <= k < rows */
  double
      recall; /* wanted of an approximate search: mean share of a row's k nearest that it finds */
  int threads;
  const ssne_stop *stop; /* asked now and then; may be NULL */
} ssne_search_options;

/* How a search went; the same on every rank. */
typedef struct ssne_search_report {
  ssne_search search; /* never AUTO */
  int64_t cells;      /* of the inverted file; 0 for exact searches, as is what follows */
  int64_t probes;     /* cells searched for each row */
  int64_t sample;     /* rows whose exact neighbours were computed to measure the recall */
  double recall;      /* measured on them; 1 for exact searches */
  double share;       /* of all pairs that were looked at; 1 for exact searches */
} ssne_search_report;

/* --- cells ------------------------------------------------------------------------------- */

/* The rows in about 1.5 sqrt(rows) cells: each belongs to the nearest of as many centres. A
 * function of the data alone, the same for any number of ranks and threads. */
typedef struct ssne_cells ssne_cells;

/* Collective. Centres by k-means (Lloyd 1982) on a sample of the rows. Free with ssne_cells_free.
 */
ssne_code ssne_cells_build(const ssne_rows *rows, int threads, MPI_Comm comm, ssne_cells **out,
                           ssne_error *err);

/* Frees *cells, if any, and sets it to NULL. */
void ssne_cells_free(ssne_cells **cells);

/* --- search ------------------------------------------------------------------------------ */

/* Collective. Finds the neighbours of all rows; rows < 2^32.
 *
 * A distance is the float32 sum of squared differences in SSNE_LANES accumulators. Matrix products
 * only rule candidates out, with a margin above their rounding error, so the result does not depend
 * on the BLAS, the number of ranks or threads, or the order of the search; that holds for the
 * approximate search as well. `cells`, of `rows`, are for that; where they are NULL it builds its
 * own. `log` shows the progress; may be NULL. SSNE_STOPPED where a rank was asked to stop: nothing
 * is found then. Free with ssne_neighbours_free. */
ssne_code ssne_neighbours_find(const ssne_rows *rows, const ssne_cells *cells,
                               const ssne_search_options *options, MPI_Comm comm, ssne_log *log,
                               ssne_neighbours *out, ssne_search_report *report, ssne_error *err);

/* Not collective. What a search of so many rows is predicted to cost, in units of a pair of rows of
 * an exact search. */
double ssne_search_cost(ssne_search search, int64_t rows);

/* Not collective. Which search SSNE_SEARCH_AUTO is for so many rows. */
ssne_search ssne_search_choose(int64_t rows);

/* Not collective. Bytes that a search takes on a rank at its peak, the rows and the result
 * included, and the cells from SSNE_ORDER_ROWS rows on. */
int64_t ssne_search_bytes(const ssne_partition *partition, int64_t columns,
                          const ssne_search_options *options);

/* --- order ------------------------------------------------------------------------------- */

/* The coordinates of fewer rows are near enough in any order: two or three times a core's first
 * cache. */
#define SSNE_ORDER_ROWS 16384

/* Collective. The rows by (cell, row), near cells one after the other. Free with ssne_order_free.
 */
ssne_code ssne_cells_order(const ssne_cells *cells, const ssne_partition *partition, MPI_Comm comm,
                           ssne_order *out, ssne_error *err);

#endif
