/* The ways to search, behind a table of functions. */
#ifndef SSNE_NEIGHBOURS_BACKEND_H
#define SSNE_NEIGHBOURS_BACKEND_H

#include "cells.h"
#include "keys.h"

#include "shardsne/neighbours.h"
#include <stdint.h>

/* One search. */
typedef struct ssne_search_task {
  const ssne_rows *rows;
  const ssne_search_options *options;
  const ssne_cells *cells; /* where the backend wants them, else NULL */
  MPI_Comm comm;
  ssne_log *log;
  uint64_t *best; /* [own_rows, k] keys: SSNE_NO_KEY at first, the k nearest of each row, in any
                     order, at last */
} ssne_search_task;

typedef struct ssne_search_backend {
  const char *name;
  bool wants_cells;
  /* Collective. Fills task->best and what `report` says about this kind of search. */
  ssne_code (*find)(const ssne_search_task *task, ssne_search_report *report, ssne_error *err);
  /* Bytes it takes on a rank beside rows, result and cells. */
  int64_t (*bytes)(const ssne_partition *partition, int64_t columns,
                   const ssne_search_options *options);
} ssne_search_backend;

extern const ssne_search_backend ssne_search_reference;
extern const ssne_search_backend ssne_search_exact;
extern const ssne_search_backend ssne_search_inverted;

/* Queries of a thread's tile: about a cell's rows, so that where a cell is searched, it is by many
 * at once. With 128, 256 and 512 an approximate search of 200,000 rows x 50 took 14.4, 12.2
 * and 11.3 seconds of processor time; an exact one takes the same with any. */
#define SSNE_SEARCH_TILE INT64_C(512)

/* Not collective. One tile for each thread; free with ssne_search_tiles_free, also after a failure.
 */
ssne_code ssne_search_tiles(const ssne_search_task *task, ssne_tile **out, ssne_error *err);
void ssne_search_tiles_free(const ssne_search_task *task, ssne_tile **tiles);

#endif
