/* The approximate search: an inverted file over k-means cells (Sivic & Zisserman 2003; Jegou et al.
 * 2011). Rows lie sorted by cell, shared evenly among the ranks, and go round the ring; a row looks
 * into the cells whose centre is not much farther from it than its own one's. How much that may
 * be is found beforehand, on a sample, from the recall wanted. */
#include "backend.h"
#include "recall.h"
#include "ring.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>

#define WORDS (SSNE_SEARCH_TILE / SSNE_TILE_WORD) /* of bits, one for each query of a tile */

/* What one thread works in. */
typedef struct workspace {
  uint64_t *near; /* [cells, WORDS] queries that want a cell of the shard */
  int32_t slot[SSNE_SEARCH_TILE];
  float limit[SSNE_SEARCH_TILE];
  int64_t pairs, probes; /* looked at so far */
} workspace;

typedef struct inverted {
  const ssne_search_task *task;
  ssne_ring ring;
  float reach;
  int64_t first, end; /* cells of the shard being searched */
  uint64_t *wanted;   /* [tiles of queries, cell_words] a bit for each cell that one of them wants;
                         NULL: not known */
  uint8_t *again;     /* [own_rows] in the second round: the row takes part; else NULL */
  int64_t *query;     /* [own_rows] own rows by cell, so that those of a tile want the same cells */
  ssne_tile *tiles;
  workspace *work; /* [threads] */
} inverted;

/* --- candidates ---------------------------------------------------------------------------- */

/* A row on its way to the rank that owns its place: its number, its place, its values. */
static int64_t parcel_size(int64_t stride) {
  return 2 * (int64_t)sizeof(int64_t) + stride * (int64_t)sizeof(float);
}

static void pack(const inverted *v, const int64_t *first, int64_t *next, char *parcels) {
  const ssne_rows *rows = v->task->rows;
  const int64_t size = parcel_size(rows->stride);
  const ssne_partition *places = &v->ring.partition;
  memcpy(next, first, (size_t)places->ranks * sizeof *next);
  for (int64_t r = 0; r < rows->partition.own_rows; r++) {
    const int64_t place = v->task->cells->place[r];
    const int64_t head[2] = {rows->partition.first_row + r, place};
    char *parcel = parcels + next[ssne_partition_owner(places, place)]++ * size;
    memcpy(parcel, head, sizeof head);
    memcpy(parcel + sizeof head, rows->data + r * rows->stride,
           (size_t)rows->stride * sizeof(float));
  }
}

static void unpack(inverted *v, const char *parcels) {
  const int64_t stride = v->task->rows->stride, size = parcel_size(stride);
  ssne_shard *own = &v->ring.own;
  for (int64_t i = 0; i < own->count; i++) {
    int64_t head[2];
    memcpy(head, parcels + i * size, sizeof head);
    own->row[head[1] - own->first] = (uint32_t)head[0];
    memcpy(own->data + (head[1] - own->first) * stride, parcels + i * size + sizeof head,
           (size_t)stride * sizeof(float));
  }
}

/* counts [4, ranks]: working space. */
static ssne_code move_rows(inverted *v, int64_t *counts, char *out, char *in, ssne_error *err) {
  const ssne_search_task *t = v->task;
  const int ranks = v->ring.partition.ranks;
  int64_t *leaving = counts, *coming = counts + ranks, *first = counts + 2 * (int64_t)ranks;
  for (int64_t r = 0; r < t->rows->partition.own_rows; r++)
    leaving[ssne_partition_owner(&v->ring.partition, t->cells->place[r])]++;
  for (int r = 1; r < ranks; r++) first[r] = first[r - 1] + leaving[r - 1];
  SSNE_TRY(ssne_exchange_counts(leaving, coming, t->comm, err));
  pack(v, first, first + ranks, out);
  SSNE_TRY(ssne_exchange(out, leaving, in, coming, parcel_size(t->rows->stride), t->comm, err));
  unpack(v, in);
  return SSNE_OK;
}

/* One rank keeps its rows, and only sorts them. */
static void sort_rows(inverted *v) {
  const ssne_rows *rows = v->task->rows;
  const int64_t stride = rows->stride;
  for (int64_t r = 0; r < rows->partition.own_rows; r++) {
    const int64_t place = v->task->cells->place[r];
    v->ring.own.row[place] = (uint32_t)r;
    memcpy(v->ring.own.data + place * stride, rows->data + r * stride,
           (size_t)stride * sizeof(float));
  }
}

static ssne_code fill_shard(inverted *v, ssne_error *err) {
  const ssne_search_task *t = v->task;
  const int64_t size = parcel_size(t->rows->stride);
  char *out = NULL, *in = NULL;
  int64_t *counts = NULL;
  if (v->ring.partition.ranks == 1) {
    sort_rows(v);
    return SSNE_OK;
  }
  ssne_code code =
      ssne_alloc(&counts, 4 * (int64_t)v->ring.partition.ranks, sizeof *counts, "ranks", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&out, t->rows->partition.own_rows, (size_t)size, "rows to send", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&in, v->ring.own.count, (size_t)size, "rows to receive", err);
  code = ssne_agree(t->comm, code, err);
  if (code == SSNE_OK) code = move_rows(v, counts, out, in, err);
  ssne_free(&out);
  ssne_free(&in);
  ssne_free(&counts);
  return code;
}

/* --- search -------------------------------------------------------------------------------- */

/* The squared distance within which row r looks for centres; none: -infinity. */
static float limit_of(const inverted *v, int64_t r) {
  const ssne_cells *cells = v->task->cells;
  if (v->again) return v->again[r] ? INFINITY : -INFINITY;
  return cells->nearest[r] + v->reach * cells->spacing[cells->cell[r]];
}

/* Sets the numbers of the first cell of the shard, and of the first beyond. */
static void find_cells(inverted *v, const ssne_shard *shard) {
  const ssne_cells *cells = v->task->cells;
  v->first = 0;
  while (v->first < cells->count && cells->start[v->first + 1] <= shard->first) v->first++;
  v->end = v->first;
  while (v->end < cells->count && cells->start[v->end] < shard->first + shard->count) v->end++;
}

/* 64-bit words in which there is a bit for every cell. */
static int64_t cell_words(const ssne_cells *cells) {
  return (cells->count + 63) / 64;
}

/* Whether a query of the tile that begins with query[q0] may want a cell of the shard. */
static bool may_want(const inverted *v, int64_t q0) {
  if (!v->wanted || v->again) return true;
  const uint64_t *wanted = v->wanted + q0 / SSNE_SEARCH_TILE * cell_words(v->task->cells);
  for (int64_t c = v->first; c < v->end; c++)
    if (wanted[c / 64] >> c % 64 & 1) return true;
  return false;
}

static int64_t list_slots(const uint64_t *near, int32_t *slot) {
  int64_t count = 0;
  for (int64_t w = 0; w < WORDS; w++)
    for (uint64_t left = near[w]; left != 0; left &= left - 1)
      slot[count++] = (int32_t)(w * SSNE_TILE_WORD + __builtin_ctzll(left));
  return count;
}

/* The part of cell `c` that lies in the shard. */
static ssne_candidates part_of(const ssne_cells *cells, int64_t c, const ssne_shard *shard,
                               int64_t stride) {
  int64_t first = cells->start[c] - shard->first, end = cells->start[c + 1] - shard->first;
  if (first < 0) first = 0;
  if (end > shard->count) end = shard->count;
  return (ssne_candidates){.data = shard->data + first * stride,
                           .norm = shard->norm + first,
                           .row = shard->row + first,
                           .count = end - first};
}

static void scan_cells(const inverted *v, const ssne_shard *shard, ssne_tile *tile,
                       workspace *work) {
  const ssne_cells *cells = v->task->cells;
  const int64_t stride = cells->stride, first = v->first, end = v->end;
  memset(work->near, 0, (size_t)((end - first) * WORDS) * sizeof *work->near);
  const ssne_candidates centres = {
      .data = cells->centre + first * stride, .norm = cells->norm + first, .count = end - first};
  ssne_tile_within(tile, &centres, work->limit, work->near);
  for (int64_t c = first; c < end; c++) {
    const int64_t wanting = list_slots(work->near + (c - first) * WORDS, work->slot);
    if (wanting == 0) continue;
    const ssne_candidates part = part_of(cells, c, shard, stride);
    if (part.count == 0) continue;
    ssne_tile_scan(tile, work->slot, wanting, &part);
    work->pairs += wanting * part.count;
    /* a cell on two shards counts once, where it begins */
    if (cells->start[c] >= shard->first) work->probes += wanting;
  }
}

/* Queries of the tile that begins with own row query[q0]. */
static int64_t tile_count(const inverted *v, int64_t q0) {
  const int64_t left = v->task->rows->partition.own_rows - q0;
  return left < SSNE_SEARCH_TILE ? left : SSNE_SEARCH_TILE;
}

/* How far the queries of a tile look; false: none of them looks at all. */
static bool set_limits(const inverted *v, int64_t q0, workspace *work) {
  bool any = false;
  for (int64_t s = 0; s < tile_count(v, q0); s++) {
    work->limit[s] = limit_of(v, v->query[q0 + s]);
    any = any || work->limit[s] >= 0;
  }
  return any;
}

static void fill_tile(const inverted *v, int64_t q0, ssne_tile *tile) {
  const ssne_rows *rows = v->task->rows;
  ssne_tile_clear(tile);
  for (int64_t s = 0; s < tile_count(v, q0); s++) {
    const int64_t r = v->query[q0 + s];
    ssne_tile_add(tile, rows->data + r * rows->stride, (uint32_t)(rows->partition.first_row + r),
                  v->task->best + r * v->task->options->k);
  }
}

/* The queries query[q0], query[q0 + 1], ... against what they want of a shard. */
static void search_tile(const inverted *v, const ssne_shard *shard, int64_t q0, ssne_tile *tile,
                        workspace *work) {
  const int64_t k = v->task->options->k;
  if (!may_want(v, q0) || !set_limits(v, q0, work)) return;
  fill_tile(v, q0, tile);
  scan_cells(v, shard, tile, work);
  for (int64_t s = 0; s < tile_count(v, q0); s++)
    if (work->limit[s] >= 0) ssne_tile_take(tile, s, v->task->best + v->query[q0 + s] * k);
}

static void visit(void *state, ssne_ring *ring, const ssne_shard *shard, int step) {
  inverted *v = state;
  const int64_t own = v->task->rows->partition.own_rows;
  const int64_t chunk = ssne_ring_chunk(ring) * SSNE_SEARCH_TILE;
  find_cells(v, shard);
  for (int64_t begin = 0; begin < own; begin += chunk) {
    const int64_t end = own - begin < chunk ? own : begin + chunk;
#pragma omp parallel for schedule(dynamic) num_threads(ring->threads)
    for (int64_t q0 = begin; q0 < end; q0 += SSNE_SEARCH_TILE)
      search_tile(v, shard, q0, &v->tiles[omp_get_thread_num()], &v->work[omp_get_thread_num()]);
    ssne_ring_poll(ring);
    if (!v->again) ssne_log_progress(v->task->log, step * own + end, NULL);
    if (ssne_stop_wanted(v->task->options->stop)) return; /* the others hear of it after the ring */
  }
}

/* With so many ranks most shards have nothing for most tiles: to know it beforehand is worth
 * another look at all centres. */
#define RANKS_TO_NOTE 3

static void note_tile(const inverted *v, int64_t q0, ssne_tile *tile, workspace *work) {
  const ssne_cells *cells = v->task->cells;
  const ssne_candidates centres = {
      .data = cells->centre, .norm = cells->norm, .count = cells->count};
  uint64_t *wanted = v->wanted + q0 / SSNE_SEARCH_TILE * cell_words(cells);
  set_limits(v, q0, work);
  fill_tile(v, q0, tile);
  memset(work->near, 0, (size_t)(cells->count * WORDS) * sizeof *work->near);
  ssne_tile_within(tile, &centres, work->limit, work->near);
  for (int64_t i = 0; i < cells->count * WORDS; i++)
    if (work->near[i] != 0) wanted[i / WORDS / 64] |= UINT64_C(1) << i / WORDS % 64;
}

/* Collective. */
static ssne_code note_wanted(inverted *v, ssne_error *err) {
  const int64_t own = v->task->rows->partition.own_rows;
  const int64_t tiles = (own + SSNE_SEARCH_TILE - 1) / SSNE_SEARCH_TILE;
  if (v->ring.partition.ranks < RANKS_TO_NOTE) return SSNE_OK;
  SSNE_TRY_ALL(
      v->task->comm,
      ssne_alloc(&v->wanted, tiles * cell_words(v->task->cells), sizeof *v->wanted, "cells", err),
      err);
#pragma omp parallel for schedule(dynamic) num_threads(v->ring.threads)
  for (int64_t q0 = 0; q0 < own; q0 += SSNE_SEARCH_TILE)
    note_tile(v, q0, &v->tiles[omp_get_thread_num()], &v->work[omp_get_thread_num()]);
  return SSNE_OK;
}

/* Collective. Rows that have found fewer than k, having looked into small cells, look into all. */
static ssne_code search_again(inverted *v, ssne_error *err) {
  const ssne_search_task *t = v->task;
  const int64_t k = t->options->k, own = t->rows->partition.own_rows;
  int64_t few = 0;
  SSNE_TRY_ALL(t->comm, ssne_alloc(&v->again, own, sizeof *v->again, "rows", err), err);
  for (int64_t r = 0; r < own; r++) {
    uint64_t *best = t->best + r * k;
    v->again[r] = best[k - 1] == SSNE_NO_KEY; /* missing ones come last */
    few += v->again[r];
    for (int64_t n = 0; n < k && v->again[r]; n++) best[n] = SSNE_NO_KEY;
  }
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &few, 1, MPI_INT64_T, MPI_SUM, t->comm),
                          "MPI_Allreduce", err));
  return few > 0 ? ssne_ring_go(&v->ring, visit, v, err) : SSNE_OK;
}

/* --- all of it ----------------------------------------------------------------------------- */

static ssne_code allocate(inverted *v, ssne_error *err) {
  const ssne_search_task *t = v->task;
  SSNE_TRY(ssne_search_tiles(t, &v->tiles, err));
  SSNE_TRY(ssne_alloc(&v->query, t->rows->partition.own_rows, sizeof *v->query, "rows", err));
  SSNE_TRY(ssne_alloc(&v->work, t->options->threads, sizeof *v->work, "threads", err));
  for (int i = 0; i < t->options->threads; i++)
    SSNE_TRY(ssne_alloc(&v->work[i].near, t->cells->count * WORDS, sizeof(uint64_t), "cells", err));
  return SSNE_OK;
}

/* A counting sort of own rows by cell. */
static ssne_code sort_queries(inverted *v, ssne_error *err) {
  const ssne_cells *cells = v->task->cells;
  const int64_t own = v->task->rows->partition.own_rows;
  int64_t *next = NULL;
  SSNE_TRY(ssne_alloc(&next, cells->count + 1, sizeof *next, "cells", err));
  for (int64_t r = 0; r < own; r++) next[cells->cell[r] + 1]++;
  for (int64_t c = 0; c < cells->count; c++) next[c + 1] += next[c];
  for (int64_t r = 0; r < own; r++) v->query[next[cells->cell[r]]++] = r;
  ssne_free(&next);
  return SSNE_OK;
}

/* Collective. Pairs and probes of all ranks, as shares. */
static ssne_code count(const inverted *v, ssne_search_report *report, ssne_error *err) {
  const double rows = (double)v->task->rows->partition.rows;
  int64_t sums[2] = {0, 0};
  for (int t = 0; t < v->task->options->threads; t++) {
    sums[0] += v->work[t].pairs;
    sums[1] += v->work[t].probes;
  }
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_INT64_T, MPI_SUM, v->task->comm),
                          "MPI_Allreduce", err));
  report->share = (double)sums[0] / (rows * rows);
  report->probes = (int64_t)rint((double)sums[1] / rows);
  return SSNE_OK;
}

static ssne_code search(inverted *v, const ssne_recall *recall, ssne_search_report *report,
                        ssne_error *err) {
  const ssne_search_task *t = v->task;
  const ssne_partition *p = &t->rows->partition;
  ssne_code code = allocate(v, err);
  if (code == SSNE_OK) code = sort_queries(v, err);
  SSNE_TRY_ALL(t->comm, code, err);
  SSNE_TRY(fill_shard(v, err));
  SSNE_TRY(ssne_recall_calibrate(t, recall, &v->reach, err));
  SSNE_TRY(note_wanted(v, err));
  ssne_log_progress_begin(t->log, "neighbours", "rows", p->own_rows * p->ranks);
  code = ssne_ring_go(&v->ring, visit, v, err);
  ssne_log_progress_end(t->log);
  if (code == SSNE_OK) code = search_again(v, err);
  if (code == SSNE_OK) code = count(v, report, err);
  return code == SSNE_OK ? ssne_recall_measure(t, recall, report, err) : code;
}

static ssne_code find(const ssne_search_task *task, ssne_search_report *report, ssne_error *err) {
  const ssne_partition *p = &task->rows->partition;
  inverted v = {.task = task};
  ssne_recall recall;
  *report = (ssne_search_report){.search = SSNE_SEARCH_APPROXIMATE, .cells = task->cells->count};
  const ssne_partition places = ssne_partition_make(p->rows, SSNE_ROWS_BLOCK, p->ranks, p->rank);
  SSNE_TRY(ssne_recall_create(task, &recall, err));
  ssne_code code = ssne_ring_create(&places, NULL, task->rows->stride, task->options->threads,
                                    task->comm, &v.ring, err);
  if (code == SSNE_OK) code = search(&v, &recall, report, err);
  for (int t = 0; v.work && t < task->options->threads; t++) ssne_free(&v.work[t].near);
  ssne_free(&v.work);
  ssne_free(&v.query);
  ssne_free(&v.again);
  ssne_free(&v.wanted);
  ssne_search_tiles_free(task, &v.tiles);
  ssne_ring_free(&v.ring);
  ssne_recall_free(&recall);
  return code;
}

static int64_t bytes(const ssne_partition *p, int64_t columns, const ssne_search_options *o) {
  const int64_t stride = ssne_rows_stride(columns), cells = ssne_cells_count(p->rows);
  const int64_t tile = ssne_tile_bytes(columns, stride, o->k, SSNE_SEARCH_TILE);
  const int64_t parcels = p->ranks > 1 ? 2 * p->own_rows * parcel_size(stride) : 0;
  return ssne_ring_bytes(p, stride, true) + parcels +
         p->own_rows * ((int64_t)sizeof(int64_t) + cells / 8 / SSNE_SEARCH_TILE) +
         o->threads * (tile + cells * WORDS * (int64_t)sizeof(uint64_t));
}

const ssne_search_backend ssne_search_inverted = {
    .name = "approximate", .wants_cells = true, .find = find, .bytes = bytes};
