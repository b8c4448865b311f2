#include "cells.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define ROUNDS 8

/* Rows are scaled to magnitudes below 2 (rows.h) and a sample has fewer than 2^24 of them. */
#define FIXED 0x1p37

/* --- samples ------------------------------------------------------------------------------- */

static bool is_chosen(int64_t row, double share, ssne_purpose purpose) {
  return ssne_random_uniform(0, purpose, (uint64_t)row) < share;
}

static ssne_code gather_counts(int64_t own, int64_t *counts, int64_t *total, MPI_Comm comm,
                               int ranks, ssne_error *err) {
  SSNE_TRY(ssne_mpi_check(MPI_Allgather(&own, 1, MPI_INT64_T, counts, 1, MPI_INT64_T, comm),
                          "MPI_Allgather", err));
  *total = 0;
  for (int r = 0; r < ranks; r++) *total += counts[r];
  return SSNE_OK;
}

static void take_own(const ssne_rows *rows, double share, ssne_purpose purpose, int64_t place,
                     ssne_sample *out) {
  const int64_t stride = rows->stride;
  for (int64_t r = 0; r < rows->partition.own_rows; r++) {
    const int64_t row = rows->partition.first_row + r;
    if (!is_chosen(row, share, purpose)) continue;
    memcpy(out->data + place * stride, rows->data + r * stride, (size_t)stride * sizeof(float));
    out->row[place++] = (uint32_t)row;
  }
}

static ssne_code share_sample(const int64_t *counts, int ranks, MPI_Comm comm, ssne_sample *out,
                              ssne_error *err) {
  int64_t place = 0;
  for (int r = 0; r < ranks; place += counts[r++]) {
    SSNE_TRY(ssne_broadcast(out->data + place * out->stride,
                            counts[r] * out->stride * (int64_t)sizeof(float), r, comm, err));
    SSNE_TRY(ssne_broadcast(out->row + place, counts[r] * (int64_t)sizeof(uint32_t), r, comm, err));
  }
  return SSNE_OK;
}

static ssne_code fill_sample(const ssne_rows *rows, double share, ssne_purpose purpose,
                             int64_t *counts, MPI_Comm comm, ssne_sample *out, ssne_error *err) {
  const ssne_partition *p = &rows->partition;
  int64_t own = 0, before = 0;
  for (int64_t r = 0; r < p->own_rows; r++) own += is_chosen(p->first_row + r, share, purpose);
  SSNE_TRY(gather_counts(own, counts, &out->count, comm, p->ranks, err));
  for (int r = 0; r < p->rank; r++) before += counts[r];
  ssne_code code = ssne_alloc(&out->data, out->count * out->stride, sizeof(float), "sample", err);
  if (code == SSNE_OK) code = ssne_alloc(&out->row, out->count, sizeof(uint32_t), "sample", err);
  SSNE_TRY_ALL(comm, code, err);
  take_own(rows, share, purpose, before, out);
  return share_sample(counts, p->ranks, comm, out, err);
}

ssne_code ssne_sample_rows(const ssne_rows *rows, int64_t wanted, ssne_purpose purpose,
                           MPI_Comm comm, ssne_sample *out, ssne_error *err) {
  int64_t *counts = NULL;
  *out = (ssne_sample){.stride = rows->stride};
  SSNE_TRY_ALL(comm, ssne_alloc(&counts, rows->partition.ranks, sizeof *counts, "ranks", err), err);
  const ssne_code code = fill_sample(rows, (double)wanted / (double)rows->partition.rows, purpose,
                                     counts, comm, out, err);
  ssne_free(&counts);
  if (code != SSNE_OK) ssne_sample_free(out);
  return code;
}

void ssne_sample_free(ssne_sample *sample) {
  ssne_free(&sample->data);
  ssne_free(&sample->row);
}

/* --- assignment ---------------------------------------------------------------------------- */

#define TILE INT64_C(256)

typedef struct assignment {
  const float *data;
  int64_t count, stride;
  const ssne_candidates *candidates;
  uint32_t *nearest;
  float *distance;
} assignment;

static void assign_tile(const assignment *a, int64_t first, ssne_tile *tile) {
  const int64_t rows = a->count - first < TILE ? a->count - first : TILE;
  const uint64_t none = SSNE_NO_KEY;
  ssne_tile_clear(tile);
  for (int64_t r = first; r < first + rows; r++)
    ssne_tile_add(tile, a->data + r * a->stride, SSNE_NO_ROW, &none);
  ssne_tile_scan(tile, NULL, 0, a->candidates);
  for (int64_t r = 0; r < rows; r++) {
    uint64_t best = SSNE_NO_KEY;
    ssne_tile_take(tile, r, &best);
    a->nearest[first + r] = ssne_key_row(best);
    if (a->distance) a->distance[first + r] = ssne_key_distance(best);
  }
}

ssne_code ssne_assign(const float *data, int64_t count, int64_t stride, int64_t columns,
                      const ssne_candidates *candidates, int threads, uint32_t *nearest,
                      float *distance, ssne_error *err) {
  const assignment a = {.data = data,
                        .count = count,
                        .stride = stride,
                        .candidates = candidates,
                        .nearest = nearest,
                        .distance = distance};
  ssne_tile *tiles = NULL;
  ssne_code code = ssne_alloc(&tiles, threads, sizeof *tiles, "threads", err);
  for (int t = 0; t < threads && code == SSNE_OK; t++)
    code = ssne_tile_allocate(columns, stride, 1, TILE, &tiles[t], err);
  if (code == SSNE_OK) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t r = 0; r < count; r += TILE) assign_tile(&a, r, &tiles[omp_get_thread_num()]);
  }
  for (int t = 0; tiles && t < threads; t++) ssne_tile_free(&tiles[t]);
  ssne_free(&tiles);
  return code;
}

/* --- Lloyd's rounds ------------------------------------------------------------------------ */

typedef struct rounds {
  const ssne_sample *sample;
  ssne_partition partition; /* of the sample's rows among ranks, to share the work */
  uint32_t *nearest;        /* [own_rows] */
  int64_t *sums;            /* [cells, stride + 1] fixed point, the last of a row a count */
} rounds;

static void add_rows(const rounds *k, int64_t stride) {
  const ssne_partition *p = &k->partition;
  for (int64_t r = 0; r < p->own_rows; r++) {
    const float *x = k->sample->data + (p->first_row + r) * stride;
    int64_t *sum = k->sums + k->nearest[r] * (stride + 1);
    for (int64_t c = 0; c < stride; c++) sum[c] += llrint((double)x[c] * FIXED);
    sum[stride]++;
  }
}

/* A cell that has lost all rows keeps its centre. */
static void move_centres(const rounds *k, ssne_cells *cells) {
  const int64_t stride = cells->stride;
  for (int64_t i = 0; i < cells->count; i++) {
    const int64_t *sum = k->sums + i * (stride + 1);
    for (int64_t c = 0; c < stride && sum[stride] > 0; c++)
      cells->centre[i * stride + c] = (float)((double)sum[c] / FIXED / (double)sum[stride]);
  }
  ssne_lowered_norms(cells->centre, cells->count, stride, 1, cells->norm);
}

static ssne_code one_round(rounds *k, int64_t columns, int threads, MPI_Comm comm,
                           ssne_cells *cells, ssne_error *err) {
  const int64_t stride = cells->stride, size = cells->count * (stride + 1),
                piece = INT64_C(1) << 24;
  const ssne_candidates centres = {
      .data = cells->centre, .norm = cells->norm, .count = cells->count};
  SSNE_TRY_ALL(comm,
               ssne_assign(k->sample->data + k->partition.first_row * stride, k->partition.own_rows,
                           stride, columns, &centres, threads, k->nearest, NULL, err),
               err);
  memset(k->sums, 0, (size_t)size * sizeof *k->sums);
  add_rows(k, stride);
  for (int64_t done = 0; done < size; done += piece) {
    const int64_t now = size - done < piece ? size - done : piece;
    SSNE_TRY(ssne_mpi_check(
        MPI_Allreduce(MPI_IN_PLACE, k->sums + done, (int)now, MPI_INT64_T, MPI_SUM, comm),
        "MPI_Allreduce", err));
  }
  move_centres(k, cells);
  return SSNE_OK;
}

ssne_code ssne_kmeans(const ssne_sample *sample, int64_t columns, int threads, MPI_Comm comm,
                      ssne_cells *cells, ssne_error *err) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  rounds k = {.sample = sample,
              .partition = ssne_partition_make(sample->count, SSNE_ROWS_BLOCK, ranks, rank)};
  ssne_code code =
      ssne_alloc(&k.nearest, k.partition.own_rows, sizeof *k.nearest, "cells of a sample", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&k.sums, cells->count * (cells->stride + 1), sizeof *k.sums, "sums", err);
  code = ssne_agree(comm, code, err);
  for (int round = 0; round < ROUNDS && code == SSNE_OK; round++)
    code = one_round(&k, columns, threads, comm, cells, err);
  ssne_free(&k.nearest);
  ssne_free(&k.sums);
  return code;
}
