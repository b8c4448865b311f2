/* Exact neighbours: matrix products rule candidates out, direct distances decide.
 *
 * The squared distance of rows q and c is |q|^2 + |c|^2 - 2 q.c; a block of the last term is a
 * matrix product, at the full speed of the machine but with a rounding error of up to about D eps
 * (|q|^2 + |c|^2). Both norms are therefore lowered by that share: what is above the threshold even
 * so is certainly farther than the k-th best yet. The few that pass get their distance computed
 * directly, and enter the row's heap ordered by (distance, index). The k smallest of a set under a
 * total order do not depend on the order of insertion: that is why the partition cannot show. */
#include "distance.h"
#include "heap.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/neighbours.h"
#include "shardsne/simd.h"

#include <cblas.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#define QUERIES INT64_C(64) /* rows of a tile of products */
#define CANDIDATES                                                                                 \
  INT64_C(512) /* columns of a tile: with D = 64 they fill 128 KiB, half an L2 or less */

/* Rows that travel round the ring: `count` rows from global row `first`. */
typedef struct shard {
  float *data; /* [count, stride] */
  float *norm; /* [padded(count)] lowered squared norms; infinite past the end */
  int64_t first, count;
} shard;

typedef struct search {
  const ssne_rows *rows;
  MPI_Comm comm;
  int64_t k;
  int threads;
  float share;    /* by which norms are lowered */
  float least;    /* added to bounds: what products of numbers near underflow may lose */
  uint64_t *heap; /* [own_rows, k] */
  shard held[2];  /* the shard being searched, and the one arriving */
  shard own;      /* as held, but `data` belongs to `rows` */
  ssne_log *log;
} search;

/* What one thread works in. */
typedef struct workspace {
  float *product; /* [QUERIES, CANDIDATES] */
  int32_t *hits;  /* [CANDIDATES] */
} workspace;

static int64_t padded(int64_t count) {
  return (count + CANDIDATES - 1) / CANDIDATES * CANDIDATES;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* Tests `query`'s products with candidates c0 ... c0 + CANDIDATES - 1 of the shard. */
static void select_row(search *s, const shard *from, int64_t query, int64_t c0,
                       const float *product, int32_t *hits) {
  const int64_t stride = s->rows->stride;
  const float *q = s->rows->data + query * stride;
  uint64_t *heap = s->heap + query * s->k;
  const int64_t self = s->rows->partition.first_row + query;
  const float bound = ssne_heap_worst(heap) - s->own.norm[query] + s->least;
  const int64_t found = ssne_filter(product, from->norm + c0, CANDIDATES, bound, hits);
  for (int64_t h = 0; h < found; h++) {
    const int64_t c = c0 + hits[h];
    if (c >= from->count || from->first + c == self) continue;
    const float distance = ssne_squared_distance(q, from->data + c * stride, stride);
    ssne_heap_offer(heap, s->k, ssne_heap_key(distance, (uint32_t)(from->first + c)));
  }
}

/* All candidates of the shard for the queries q0 ... q0 + QUERIES - 1. */
static void search_tile(search *s, const shard *from, int64_t q0, workspace *work) {
  const int64_t stride = s->rows->stride;
  const int64_t queries = least(QUERIES, s->rows->partition.own_rows - q0);
  for (int64_t c0 = 0; c0 < from->count; c0 += CANDIDATES) {
    const int64_t candidates = least(CANDIDATES, from->count - c0);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)queries, (int)candidates,
                (int)s->rows->columns, 1, s->rows->data + q0 * stride, (int)stride,
                from->data + c0 * stride, (int)stride, 0, work->product, CANDIDATES);
    for (int64_t q = 0; q < queries; q++)
      select_row(s, from, q0 + q, c0, work->product + q * CANDIDATES, work->hits);
  }
}

static ssne_code allocate_workspace(workspace *work, ssne_error *err) {
  SSNE_TRY(ssne_alloc(&work->product, QUERIES * CANDIDATES, sizeof(float), "products", err));
  return ssne_alloc(&work->hits, CANDIDATES, sizeof(int32_t), "candidates", err);
}

/* All own rows against one shard; `step` of `steps` such. */
static void search_shard(search *s, const shard *from, int step, workspace *work) {
  const int64_t own = s->rows->partition.own_rows, before = step * own;
#pragma omp parallel num_threads(s->threads)
  {
    workspace *mine = &work[omp_get_thread_num()];
#pragma omp for schedule(dynamic)
    for (int64_t q0 = 0; q0 < own; q0 += QUERIES) {
      search_tile(s, from, q0, mine);
      if (omp_get_thread_num() == 0) ssne_log_progress(s->log, before + q0, NULL);
    }
  }
}

/* Starts the exchange of `now` for the next shard, with the neighbours in the ring. */
static ssne_code begin_shift(const search *s, const shard *now, shard *next, int source,
                             MPI_Datatype row, MPI_Request requests[4], ssne_error *err) {
  const ssne_partition *p = &s->rows->partition;
  const int to = (p->rank + p->ranks - 1) % p->ranks, from = (p->rank + 1) % p->ranks;
  next->first = ssne_partition_first_row(p, source);
  next->count = ssne_partition_first_row(p, source + 1) - next->first;
  SSNE_TRY(
      ssne_mpi_check(MPI_Irecv(next->data, (int)next->count, row, from, 1, s->comm, &requests[0]),
                     "MPI_Irecv", err));
  SSNE_TRY(ssne_mpi_check(
      MPI_Irecv(next->norm, (int)padded(next->count), MPI_FLOAT, from, 2, s->comm, &requests[1]),
      "MPI_Irecv", err));
  SSNE_TRY(ssne_mpi_check(MPI_Isend(now->data, (int)now->count, row, to, 1, s->comm, &requests[2]),
                          "MPI_Isend", err));
  return ssne_mpi_check(
      MPI_Isend(now->norm, (int)padded(now->count), MPI_FLOAT, to, 2, s->comm, &requests[3]),
      "MPI_Isend", err);
}

static ssne_code go_round(search *s, workspace *work, MPI_Datatype row, ssne_error *err) {
  const ssne_partition *p = &s->rows->partition;
  const shard *now = &s->own;
  for (int step = 0; step < p->ranks; step++) {
    MPI_Request requests[4] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL,
                               MPI_REQUEST_NULL};
    shard *next = &s->held[step % 2];
    if (step + 1 < p->ranks)
      SSNE_TRY(begin_shift(s, now, next, (p->rank + step + 1) % p->ranks, row, requests, err));
    search_shard(s, now, step, work);
    SSNE_TRY(ssne_mpi_check(MPI_Waitall(4, requests, MPI_STATUSES_IGNORE), "MPI_Waitall", err));
    now = next;
  }
  return SSNE_OK;
}

static ssne_code prepare(search *s, ssne_error *err) {
  const ssne_partition *p = &s->rows->partition;
  const int64_t own = p->own_rows, largest = (p->blocks / p->ranks + 1) * p->block_rows;
  SSNE_TRY(ssne_alloc(&s->heap, own * s->k, sizeof *s->heap, "neighbours", err));
  for (int64_t i = 0; i < own * s->k; i++) s->heap[i] = SSNE_HEAP_EMPTY;
  for (int h = 0; h < 2 && p->ranks > 1; h++) {
    SSNE_TRY(ssne_alloc(&s->held[h].data, largest * s->rows->stride, sizeof(float),
                        "feature values of other ranks", err));
    SSNE_TRY(ssne_alloc(&s->held[h].norm, padded(largest), sizeof(float), "norms", err));
  }
  s->own = (shard){.data = s->rows->data, .first = p->first_row, .count = own};
  SSNE_TRY(ssne_alloc(&s->own.norm, padded(own), sizeof(float), "norms", err));
  for (int64_t r = 0; r < padded(own); r++)
    s->own.norm[r] = r >= own
                         ? INFINITY
                         : ssne_squared_norm(s->rows->data + r * s->rows->stride, s->rows->stride) *
                               (1 - s->share);
  return SSNE_OK;
}

static ssne_code search_all(search *s, ssne_error *err) {
  workspace *work = NULL;
  ssne_code code = ssne_alloc(&work, s->threads, sizeof *work, "threads", err);
  for (int t = 0; t < s->threads && code == SSNE_OK; t++) code = allocate_workspace(&work[t], err);
  code = ssne_agree(s->comm, code, err);
  if (code == SSNE_OK) {
    MPI_Datatype row;
    MPI_Type_contiguous((int)s->rows->stride, MPI_FLOAT, &row);
    MPI_Type_commit(&row);
    code = go_round(s, work, row, err);
    MPI_Type_free(&row);
  }
  for (int t = 0; work && t < s->threads; t++) {
    ssne_free(&work[t].product);
    ssne_free(&work[t].hits);
  }
  ssne_free(&work);
  return code;
}

static void finish(search *s, uint32_t *index, float *distance) {
  const int64_t own = s->rows->partition.own_rows;
#pragma omp parallel for num_threads(s->threads)
  for (int64_t r = 0; r < own; r++) {
    uint64_t *heap = s->heap + r * s->k;
    ssne_heap_sort(heap, s->k);
    for (int64_t n = 0; n < s->k; n++) {
      index[r * s->k + n] = ssne_heap_index(heap[n]);
      distance[r * s->k + n] = sqrtf(ssne_heap_distance(heap[n])) / s->rows->scale;
    }
  }
}

ssne_code ssne_neighbours_exact(const ssne_rows *rows, int64_t k, int threads, MPI_Comm comm,
                                ssne_log *log, uint32_t *index, float *distance, ssne_error *err) {
  search s = {.rows = rows, .comm = comm, .k = k, .threads = threads, .log = log};
  /* |fl(q.c) - q.c| <= D eps |q||c| (1 + ...) <= D eps (|q|^2 + |c|^2) / 2, whatever the order of
   * the sum; the rest covers the rounding of norms, comparison and direct distance. */
  s.share = (float)(rows->stride + 32) * FLT_EPSILON;
  s.least = (float)(4 * rows->stride) * FLT_MIN;
  if (rows->partition.rows / rows->partition.ranks > INT_MAX / 2)
    return ssne_fail(err, SSNE_USAGE, "more than 2^30 rows a rank: use more ranks");
  ssne_log_progress_begin(log, "neighbours", "rows",
                          rows->partition.own_rows * rows->partition.ranks);
  ssne_code code = ssne_agree(comm, prepare(&s, err), err);
  if (code == SSNE_OK) code = search_all(&s, err);
  ssne_log_progress_end(log);
  if (code == SSNE_OK) finish(&s, index, distance);
  for (int h = 0; h < 2; h++) {
    ssne_free(&s.held[h].data);
    ssne_free(&s.held[h].norm);
  }
  ssne_free(&s.own.norm);
  ssne_free(&s.heap);
  return code;
}
