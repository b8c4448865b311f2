#include "ring.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <limits.h>
#include <stdbool.h>

#define TAG_DATA 1
#define TAG_ROWS 2

static int64_t largest_shard(const ssne_partition *p) {
  return (p->blocks / p->ranks + 1) * p->block_rows;
}

int64_t ssne_ring_bytes(const ssne_partition *p, int64_t stride, bool copies) {
  const int64_t labels = (int64_t)(sizeof(float) + sizeof(uint32_t));
  const int64_t data = stride * (int64_t)sizeof(float), travelling = p->ranks > 1 ? 2 : 0;
  return p->own_rows * (labels + (copies ? data : 0)) +
         travelling * largest_shard(p) * (labels + data);
}

static ssne_code allocate_shard(int64_t count, int64_t stride, bool with_data, ssne_shard *out,
                                ssne_error *err) {
  const char *what = "candidate rows";
  if (with_data) SSNE_TRY(ssne_alloc(&out->data, count * stride, sizeof(float), what, err));
  SSNE_TRY(ssne_alloc(&out->norm, count, sizeof(float), what, err));
  return ssne_alloc(&out->row, count, sizeof(uint32_t), what, err);
}

static ssne_code allocate(ssne_ring *ring, float *data, ssne_error *err) {
  const ssne_partition *p = &ring->partition;
  if (largest_shard(p) > INT_MAX / 2)
    return ssne_fail(err, SSNE_USAGE, "more than 2^30 rows a rank: use more ranks");
  ring->own = (ssne_shard){.first = p->first_row, .count = p->own_rows};
  SSNE_TRY(allocate_shard(p->own_rows, ring->stride, !data, &ring->own, err));
  for (int h = 0; h < 2 && p->ranks > 1; h++)
    SSNE_TRY(allocate_shard(largest_shard(p), ring->stride, true, &ring->held[h], err));
  return SSNE_OK;
}

ssne_code ssne_ring_create(const ssne_partition *partition, float *data, int64_t stride,
                           int threads, MPI_Comm comm, ssne_ring *out, ssne_error *err) {
  *out = (ssne_ring){.partition = *partition,
                     .stride = stride,
                     .threads = threads,
                     .comm = comm,
                     .owns_data = !data};
  for (int q = 0; q < 4; q++) out->request[q] = MPI_REQUEST_NULL;
  SSNE_TRY_ALL(comm, allocate(out, data, err), err);
  if (!data) return SSNE_OK;
  out->own.data = data;
  for (int64_t r = 0; r < out->own.count; r++) out->own.row[r] = (uint32_t)(out->own.first + r);
  return SSNE_OK;
}

static void free_shard(ssne_shard *shard, bool with_data) {
  if (with_data) ssne_free(&shard->data);
  ssne_free(&shard->norm);
  ssne_free(&shard->row);
}

void ssne_ring_free(ssne_ring *ring) {
  free_shard(&ring->own, ring->owns_data);
  for (int h = 0; h < 2; h++) free_shard(&ring->held[h], true);
}

/* Starts the exchange of `now` for the shard that was rank `source`'s. */
static ssne_code begin_shift(ssne_ring *ring, const ssne_shard *now, ssne_shard *next, int source,
                             MPI_Datatype row, ssne_error *err) {
  const ssne_partition *p = &ring->partition;
  const int to = (p->rank + p->ranks - 1) % p->ranks, from = (p->rank + 1) % p->ranks;
  MPI_Request *q = ring->request;
  next->first = ssne_partition_first_row(p, source);
  next->count = ssne_partition_first_row(p, source + 1) - next->first;
  const int in = (int)next->count, out = (int)now->count;
  SSNE_TRY(ssne_mpi_check(MPI_Irecv(next->data, in, row, from, TAG_DATA, ring->comm, &q[0]),
                          "MPI_Irecv", err));
  SSNE_TRY(ssne_mpi_check(MPI_Irecv(next->row, in, MPI_UINT32_T, from, TAG_ROWS, ring->comm, &q[1]),
                          "MPI_Irecv", err));
  SSNE_TRY(ssne_mpi_check(MPI_Isend(now->data, out, row, to, TAG_DATA, ring->comm, &q[2]),
                          "MPI_Isend", err));
  return ssne_mpi_check(MPI_Isend(now->row, out, MPI_UINT32_T, to, TAG_ROWS, ring->comm, &q[3]),
                        "MPI_Isend", err);
}

void ssne_ring_poll(ssne_ring *ring) {
  int done = 0; /* an error shows when the exchange is waited for */
  if (ring->partition.ranks > 1) MPI_Testall(4, ring->request, &done, MPI_STATUSES_IGNORE);
}

int64_t ssne_ring_chunk(const ssne_ring *ring) {
  return 32 * (int64_t)ring->threads;
}

static ssne_code go_round(ssne_ring *ring, ssne_ring_visit *visit, void *state, MPI_Datatype row,
                          ssne_error *err) {
  const ssne_partition *p = &ring->partition;
  ssne_shard *now = &ring->own;
  for (int step = 0; step < p->ranks; step++) {
    ssne_shard *next = &ring->held[step % 2];
    if (step + 1 < p->ranks)
      SSNE_TRY(begin_shift(ring, now, next, (p->rank + step + 1) % p->ranks, row, err));
    /* norms are computed anew wherever a shard arrives: that is less work than sending them */
    ssne_lowered_norms(now->data, now->count, ring->stride, ring->threads, now->norm);
    visit(state, ring, now, step);
    SSNE_TRY(
        ssne_mpi_check(MPI_Waitall(4, ring->request, MPI_STATUSES_IGNORE), "MPI_Waitall", err));
    now = next;
  }
  return SSNE_OK;
}

ssne_code ssne_ring_go(ssne_ring *ring, ssne_ring_visit *visit, void *state, ssne_error *err) {
  MPI_Datatype row;
  MPI_Type_contiguous((int)ring->stride, MPI_FLOAT, &row);
  MPI_Type_commit(&row);
  const ssne_code code = go_round(ring, visit, state, row, err);
  MPI_Type_free(&row);
  return code;
}
