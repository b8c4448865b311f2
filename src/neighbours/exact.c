/* All pairs: every shard of the ring against all own rows. */
#include "backend.h"
#include "ring.h"

#include "shardsne/agree.h"

#include <omp.h>

/* What the visits of the shards share. */
typedef struct exact {
  const ssne_search_task *task;
  ssne_tile *tiles; /* [threads] */
} exact;

/* Own rows q0 ... against all candidates of a shard. */
static void search_tile(const ssne_search_task *task, int64_t q0, const ssne_shard *shard,
                        ssne_tile *tile) {
  const ssne_rows *rows = task->rows;
  const int64_t k = task->options->k, left = rows->partition.own_rows - q0;
  const int64_t count = left < SSNE_SEARCH_TILE ? left : SSNE_SEARCH_TILE;
  const ssne_candidates all = {
      .data = shard->data, .norm = shard->norm, .row = shard->row, .count = shard->count};
  ssne_tile_clear(tile);
  for (int64_t q = q0; q < q0 + count; q++)
    ssne_tile_add(tile, rows->data + q * rows->stride, (uint32_t)(rows->partition.first_row + q),
                  task->best + q * k);
  ssne_tile_scan(tile, NULL, 0, &all);
  for (int64_t q = 0; q < count; q++) ssne_tile_take(tile, q, task->best + (q0 + q) * k);
}

static void visit(void *state, ssne_ring *ring, const ssne_shard *shard, int step) {
  const exact *e = state;
  const int64_t own = e->task->rows->partition.own_rows;
  const int64_t chunk = ssne_ring_chunk(ring) * SSNE_SEARCH_TILE;
  for (int64_t begin = 0; begin < own; begin += chunk) {
    const int64_t end = own - begin < chunk ? own : begin + chunk;
#pragma omp parallel for schedule(dynamic) num_threads(ring->threads)
    for (int64_t q0 = begin; q0 < end; q0 += SSNE_SEARCH_TILE)
      search_tile(e->task, q0, shard, &e->tiles[omp_get_thread_num()]);
    ssne_ring_poll(ring);
    ssne_log_progress(e->task->log, step * own + end, NULL);
    if (ssne_stop_wanted(e->task->options->stop)) return; /* the others hear of it after the ring */
  }
}

static ssne_code find(const ssne_search_task *task, ssne_search_report *report, ssne_error *err) {
  const ssne_rows *rows = task->rows;
  const ssne_partition *p = &rows->partition;
  exact e = {.task = task};
  ssne_ring ring;
  *report = (ssne_search_report){.search = SSNE_SEARCH_EXACT, .recall = 1, .share = 1};
  ssne_code code =
      ssne_ring_create(p, rows->data, rows->stride, task->options->threads, task->comm, &ring, err);
  if (code == SSNE_OK) code = ssne_agree(task->comm, ssne_search_tiles(task, &e.tiles, err), err);
  ssne_log_progress_begin(task->log, "neighbours", "rows", p->own_rows * p->ranks);
  if (code == SSNE_OK) code = ssne_ring_go(&ring, visit, &e, err);
  ssne_log_progress_end(task->log);
  ssne_search_tiles_free(task, &e.tiles);
  ssne_ring_free(&ring);
  return code;
}

static int64_t bytes(const ssne_partition *p, int64_t columns, const ssne_search_options *o) {
  const int64_t stride = ssne_rows_stride(columns);
  return ssne_ring_bytes(p, stride, false) +
         o->threads * ssne_tile_bytes(columns, stride, o->k, SSNE_SEARCH_TILE);
}

const ssne_search_backend ssne_search_exact = {
    .name = "exact", .wants_cells = false, .find = find, .bytes = bytes};
