#include "recall.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#define SAMPLE INT64_C(2000) /* rows: a recall of 0.98 is then known to 0.001 or so */
#define MARGIN 0.001         /* asked for above what is wanted, since another sample will judge */

void ssne_recall_free(ssne_recall *recall) {
  ssne_sample_free(&recall->sample);
  ssne_free(&recall->best);
}

/* --- exact neighbours of the sample -------------------------------------------------------- */

/* The k best of each sample row among own rows, to `best` [count, k]. */
static void search_own(const ssne_search_task *task, const ssne_sample *sample, const float *norm,
                       ssne_tile *tiles, uint64_t *best) {
  const ssne_rows *rows = task->rows;
  const int64_t k = task->options->k, stride = rows->stride;
  const ssne_partition *p = &rows->partition;
  const ssne_candidates own = {.data = rows->data, .norm = norm, .row = NULL, .count = p->own_rows};
  /* candidates are numbered from the rank's first row, and so are the queries */
#pragma omp parallel for schedule(dynamic) num_threads(task->options->threads)
  for (int64_t first = 0; first < sample->count; first += SSNE_SEARCH_TILE) {
    ssne_tile *tile = &tiles[omp_get_thread_num()];
    const int64_t left = sample->count - first;
    const int64_t count = left < SSNE_SEARCH_TILE ? left : SSNE_SEARCH_TILE;
    ssne_tile_clear(tile);
    for (int64_t s = first; s < first + count; s++) {
      const int64_t self = (int64_t)sample->row[s] - p->first_row;
      const bool is_own = self >= 0 && self < p->own_rows;
      ssne_tile_add(tile, sample->data + s * stride, is_own ? (uint32_t)self : SSNE_NO_ROW,
                    best + s * k);
    }
    ssne_tile_scan(tile, NULL, 0, &own);
    for (int64_t s = 0; s < count; s++) ssne_tile_take(tile, s, best + (first + s) * k);
  }
  for (int64_t i = 0; i < sample->count * k; i++)
    if (best[i] != SSNE_NO_KEY) best[i] += (uint64_t)p->first_row;
}

/* Rank after rank joins: the k best of what has been found so far and of the next rank's. One list
 * of a rank is in memory beside the result. */
static ssne_code merge(const ssne_search_task *task, int64_t count, uint64_t *best, uint64_t *other,
                       uint64_t *both, ssne_error *err) {
  const int64_t k = task->options->k, bytes = count * k * (int64_t)sizeof *best;
  const ssne_partition *p = &task->rows->partition;
  for (int reach = 1; reach < p->ranks; reach *= 2) { /* a tree towards rank 0 */
    const int partner = p->rank ^ reach;
    const bool takes = p->rank % (2 * reach) == 0 && partner < p->ranks;
    const bool gives = p->rank % (2 * reach) == reach;
    const int size = (int)(count * k);
    if (gives)
      SSNE_TRY(ssne_mpi_check(MPI_Send(best, size, MPI_UINT64_T, partner, 0, task->comm),
                              "MPI_Send", err));
    if (!takes) continue;
    SSNE_TRY(ssne_mpi_check(
        MPI_Recv(other, size, MPI_UINT64_T, partner, 0, task->comm, MPI_STATUS_IGNORE), "MPI_Recv",
        err));
    for (int64_t s = 0; s < count; s++) {
      memcpy(both, best + s * k, (size_t)k * sizeof *both);
      memcpy(both + k, other + s * k, (size_t)k * sizeof *both);
      ssne_keys_select(both, 2 * k, k);
      memcpy(best + s * k, both, (size_t)k * sizeof *both);
    }
  }
  for (int64_t s = 0; s < count && p->rank == 0; s++) ssne_keys_sort(best + s * k, k);
  return ssne_broadcast(best, bytes, 0, task->comm, err);
}

typedef struct work {
  ssne_tile *tiles;
  float *norm;
  uint64_t *other, *both;
} work;

static ssne_code allocate(const ssne_search_task *task, ssne_recall *r, work *w, ssne_error *err) {
  const int64_t keys = r->sample.count * task->options->k;
  SSNE_TRY(ssne_search_tiles(task, &w->tiles, err));
  SSNE_TRY(ssne_alloc(&w->norm, task->rows->partition.own_rows, sizeof(float), "norms", err));
  SSNE_TRY(ssne_alloc(&w->other, keys, sizeof(uint64_t), "neighbours of a sample", err));
  SSNE_TRY(ssne_alloc(&w->both, 2 * task->options->k, sizeof(uint64_t), "neighbours", err));
  return ssne_alloc(&r->best, keys, sizeof(uint64_t), "neighbours of a sample", err);
}

static ssne_code find_exact(const ssne_search_task *task, ssne_recall *r, work *w,
                            ssne_error *err) {
  const ssne_rows *rows = task->rows;
  SSNE_TRY_ALL(task->comm, allocate(task, r, w, err), err);
  for (int64_t i = 0; i < r->sample.count * task->options->k; i++) r->best[i] = SSNE_NO_KEY;
  ssne_lowered_norms(rows->data, rows->partition.own_rows, rows->stride, task->options->threads,
                     w->norm);
  search_own(task, &r->sample, w->norm, w->tiles, r->best);
  return merge(task, r->sample.count, r->best, w->other, w->both, err);
}

ssne_code ssne_recall_create(const ssne_search_task *task, ssne_recall *out, ssne_error *err) {
  work w = {.tiles = NULL};
  *out = (ssne_recall){.best = NULL};
  SSNE_TRY(ssne_sample_rows(task->rows, SAMPLE, SSNE_RANDOM_RECALL, task->comm, &out->sample, err));
  const ssne_code code = find_exact(task, out, &w, err);
  ssne_search_tiles_free(task, &w.tiles);
  ssne_free(&w.norm);
  ssne_free(&w.other);
  ssne_free(&w.both);
  if (code != SSNE_OK) ssne_recall_free(out);
  return code;
}

/* --- calibration --------------------------------------------------------------------------- */

/* The reach that sample row s needs to look into the cell of own row `r`. */
static float reach_for(const ssne_search_task *task, const float *x, uint32_t own_cell,
                       float nearest, int64_t r) {
  const ssne_cells *cells = task->cells;
  const distance_kernels *kernels = distance_kernels_at(ssne_simd_level());
  const uint32_t cell = cells->cell[r];
  if (cell == own_cell) return 0;
  const float distance =
      kernels->squared_distance(x, cells->centre + cell * cells->stride, cells->stride);
  const float spacing = cells->spacing[own_cell];
  return spacing > 0 ? fmaxf(0, (distance - nearest) / spacing) : 0;
}

static int ascending(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* needed [half, k], of every other sample row, is zero but for neighbours that are own rows. */
static ssne_code fill_needed(const ssne_search_task *task, const ssne_recall *recall, int64_t half,
                             float *needed, uint32_t *cell, float *nearest, ssne_error *err) {
  const ssne_cells *cells = task->cells;
  const ssne_partition *p = &task->rows->partition;
  const int64_t k = task->options->k, stride = cells->stride;
  const ssne_candidates centres = {
      .data = cells->centre, .norm = cells->norm, .count = cells->count};
  SSNE_TRY(ssne_assign(recall->sample.data, recall->sample.count, stride, task->rows->columns,
                       &centres, task->options->threads, cell, nearest, err));
  for (int64_t i = 0; i < half * k; i++) {
    const int64_t s = 2 * (i / k);
    const int64_t own = (int64_t)ssne_key_row(recall->best[s * k + i % k]) - p->first_row;
    if (own >= 0 && own < p->own_rows)
      needed[i] = reach_for(task, recall->sample.data + s * stride, cell[s], nearest[s], own);
  }
  return SSNE_OK;
}

ssne_code ssne_recall_calibrate(const ssne_search_task *task, const ssne_recall *recall,
                                float *reach, ssne_error *err) {
  const int64_t half = (recall->sample.count + 1) / 2, count = half * task->options->k;
  float *needed = NULL, *nearest = NULL;
  uint32_t *cell = NULL;
  *reach = INFINITY; /* without a sample nothing is known */
  if (count == 0) return SSNE_OK;
  ssne_code code = ssne_alloc(&needed, count, sizeof *needed, "neighbours of a sample", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&nearest, recall->sample.count, sizeof *nearest, "sample", err);
  if (code == SSNE_OK) code = ssne_alloc(&cell, recall->sample.count, sizeof *cell, "sample", err);
  if (code == SSNE_OK) code = fill_needed(task, recall, half, needed, cell, nearest, err);
  code = ssne_agree(task->comm, code, err);
  if (code == SSNE_OK)
    code = ssne_mpi_check(
        MPI_Allreduce(MPI_IN_PLACE, needed, (int)count, MPI_FLOAT, MPI_MAX, task->comm),
        "MPI_Allreduce", err);
  if (code == SSNE_OK) {
    const double wanted = fmin(task->options->recall + MARGIN, 1) * (double)count;
    qsort(needed, (size_t)count, sizeof *needed, ascending);
    *reach = needed[(int64_t)fmin(ceil(wanted), (double)count) - 1];
  }
  ssne_free(&needed);
  ssne_free(&nearest);
  ssne_free(&cell);
  return code;
}

/* --- measurement --------------------------------------------------------------------------- */

static bool is_among(const uint64_t *keys, int64_t k, uint64_t key) {
  for (int64_t n = 0; n < k; n++)
    if (keys[n] == key) return true;
  return false;
}

ssne_code ssne_recall_measure(const ssne_search_task *task, const ssne_recall *recall,
                              ssne_search_report *report, ssne_error *err) {
  const ssne_partition *p = &task->rows->partition;
  const int64_t k = task->options->k;
  int64_t found = 0;
  for (int64_t s = 1; s < recall->sample.count; s += 2) {
    const int64_t own = (int64_t)recall->sample.row[s] - p->first_row;
    if (own < 0 || own >= p->own_rows) continue;
    for (int64_t n = 0; n < k; n++)
      found += is_among(task->best + own * k, k, recall->best[s * k + n]);
  }
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &found, 1, MPI_INT64_T, MPI_SUM, task->comm),
                          "MPI_Allreduce", err));
  report->sample = recall->sample.count / 2;
  report->recall = report->sample > 0 ? (double)found / (double)(report->sample * k) : NAN;
  return SSNE_OK;
}
