/* The public functions: which search, and what all of them have in common. */
#include "backend.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"

#include <math.h>
#include <omp.h>

/* What a pair costs in an approximate search, which gathers its tiles and has few candidates for
 * each, beside one in an exact search; and how many rows, in cells, it looks at for each. */
#define PROBED_COST 3.0
#define PROBED_CELLS 25.0

/* So many times quicker an approximate search has to be for exactness to be given up. */
#define WORTH 3.0

double ssne_search_cost(ssne_search search, int64_t rows) {
  const double all = (double)rows, cells = (double)ssne_cells_count(rows);
  if (search != SSNE_SEARCH_APPROXIMATE) return all * all;
  return PROBED_COST * all * (cells + PROBED_CELLS * all / cells);
}

ssne_search ssne_search_choose(int64_t rows) {
  return WORTH * ssne_search_cost(SSNE_SEARCH_APPROXIMATE, rows) <
                 ssne_search_cost(SSNE_SEARCH_EXACT, rows)
             ? SSNE_SEARCH_APPROXIMATE
             : SSNE_SEARCH_EXACT;
}

static const ssne_search_backend *backend_of(ssne_search search) {
  if (search == SSNE_SEARCH_REFERENCE) return &ssne_search_reference;
  return search == SSNE_SEARCH_APPROXIMATE ? &ssne_search_inverted : &ssne_search_exact;
}

static ssne_search resolve(const ssne_search_options *options, int64_t rows) {
  return options->search == SSNE_SEARCH_AUTO ? ssne_search_choose(rows) : options->search;
}

int64_t ssne_search_bytes(const ssne_partition *partition, int64_t columns,
                          const ssne_search_options *options) {
  const ssne_search_backend *backend = backend_of(resolve(options, partition->rows));
  const int64_t stride = ssne_rows_stride(columns);
  const int64_t a_row = options->k * (int64_t)sizeof(uint64_t) + stride * (int64_t)sizeof(float);
  const bool cells = backend->wants_cells || partition->rows >= SSNE_ORDER_ROWS;
  return partition->own_rows * a_row + (cells ? ssne_cells_bytes(partition, stride) : 0) +
         backend->bytes(partition, columns, options);
}

ssne_code ssne_search_tiles(const ssne_search_task *task, ssne_tile **out, ssne_error *err) {
  const int threads = task->options->threads;
  SSNE_TRY(ssne_alloc(out, threads, sizeof **out, "threads", err));
  for (int t = 0; t < threads; t++)
    SSNE_TRY(ssne_tile_allocate(task->rows->columns, task->rows->stride, task->options->k,
                                SSNE_SEARCH_TILE, &(*out)[t], err));
  return SSNE_OK;
}

void ssne_search_tiles_free(const ssne_search_task *task, ssne_tile **tiles) {
  for (int t = 0; *tiles && t < task->options->threads; t++) ssne_tile_free(&(*tiles)[t]);
  ssne_free(tiles);
}

/* --- keys to lists ------------------------------------------------------------------------- */

/* A row's k keys become its k indices and k distances, in the same bytes. */
static void unpack_row(const ssne_rows *rows, const uint64_t *keys, int64_t k, uint32_t *index,
                       float *distance) {
  for (int64_t n = 0; n < k; n++) {
    const float squared = ssne_key_distance(keys[n]);
    index[n] = ssne_key_row(keys[n]);
    distance[n] = rows->metric == SSNE_COSINE ? squared / (rows->scale * rows->scale) / 2
                                              : sqrtf(squared) / rows->scale;
  }
}

/* Ascending keys in place of unordered ones, and lists in place of keys. */
static ssne_code unpack(const ssne_search_task *task, ssne_neighbours *out, ssne_error *err) {
  const int64_t k = out->k, own = out->partition.own_rows;
  const int threads = task->options->threads;
  uint64_t *buffer = NULL;
  SSNE_TRY_ALL(task->comm, ssne_alloc(&buffer, threads * k, sizeof *buffer, "keys", err), err);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t r = 0; r < own; r++) {
    uint64_t *keys = buffer + omp_get_thread_num() * k;
    memcpy(keys, task->best + r * k, (size_t)k * sizeof *keys);
    ssne_keys_sort(keys, k);
    unpack_row(task->rows, keys, k, out->index + r * out->stride, out->distance + r * out->stride);
  }
  ssne_free(&buffer);
  return SSNE_OK;
}

static ssne_code fill(const ssne_search_backend *backend, ssne_search_task *task,
                      ssne_neighbours *out, ssne_search_report *report, ssne_error *err) {
  ssne_cells *own_cells = NULL;
  ssne_code code = SSNE_OK;
  task->best = out->memory;
  for (int64_t i = 0; i < out->partition.own_rows * out->k; i++) task->best[i] = SSNE_NO_KEY;
  if (backend->wants_cells && !task->cells) {
    code = ssne_cells_build(task->rows, task->options->threads, task->comm, &own_cells, err);
    task->cells = own_cells;
  }
  if (code == SSNE_OK) code = backend->find(task, report, err);
  if (code == SSNE_OK)
    code =
        ssne_stop_agree(task->options->stop, "before all neighbours were found", task->comm, err);
  ssne_cells_free(&own_cells);
  return code == SSNE_OK ? unpack(task, out, err) : code;
}

ssne_code ssne_neighbours_find(const ssne_rows *rows, const ssne_cells *cells,
                               const ssne_search_options *options, MPI_Comm comm, ssne_log *log,
                               ssne_neighbours *out, ssne_search_report *report, ssne_error *err) {
  const ssne_search search = resolve(options, rows->partition.rows);
  ssne_search_task task = {
      .rows = rows, .options = options, .cells = cells, .comm = comm, .log = log};
  *out = (ssne_neighbours){.k = 0};
  SSNE_TRY_ALL(comm, ssne_neighbours_allocate(&rows->partition, options->k, out, err), err);
  const ssne_code code = fill(backend_of(search), &task, out, report, err);
  if (code != SSNE_OK) ssne_neighbours_free(out);
  return code;
}
