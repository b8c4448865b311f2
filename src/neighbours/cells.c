#include "cells.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <math.h>
#include <string.h>

#define SAMPLE_ROWS INT64_C(64) /* of the sample for each cell */
#define SPACING 10              /* which of the centres around one tells how far apart they are */

int64_t ssne_cells_count(int64_t rows) {
  const int64_t root = (int64_t)(1.5 * sqrt((double)rows)), most = rows / SAMPLE_ROWS;
  const int64_t count = root < most ? root : most;
  return count < 1 ? 1 : count;
}

int64_t ssne_cells_bytes(const ssne_partition *p, int64_t stride) {
  const int64_t count = ssne_cells_count(p->rows);
  const int64_t centres = count * (stride + 4) * (int64_t)sizeof(float);
  return SAMPLE_ROWS * centres + 3 * centres + p->own_rows * 16;
}

void ssne_cells_free(ssne_cells **cells) {
  if (*cells) {
    ssne_free(&(*cells)->centre);
    ssne_free(&(*cells)->norm);
    ssne_free(&(*cells)->spacing);
    ssne_free(&(*cells)->start);
    ssne_free(&(*cells)->cell);
    ssne_free(&(*cells)->nearest);
    ssne_free(&(*cells)->place);
  }
  ssne_free(cells);
}

/* --- centres ------------------------------------------------------------------------------- */

static ssne_code find_centres(const ssne_rows *rows, int threads, MPI_Comm comm, ssne_cells *cells,
                              ssne_error *err) {
  const int64_t stride = cells->stride;
  ssne_sample sample;
  SSNE_TRY(
      ssne_sample_rows(rows, SAMPLE_ROWS * cells->count, SSNE_RANDOM_CELLS, comm, &sample, err));
  for (int64_t c = 0; c < cells->count; c++)
    memcpy(cells->centre + c * stride, sample.data + c * sample.count / cells->count * stride,
           (size_t)stride * sizeof(float));
  ssne_lowered_norms(cells->centre, cells->count, stride, 1, cells->norm);
  const ssne_code code = ssne_kmeans(&sample, rows->columns, threads, comm, cells, err);
  ssne_sample_free(&sample);
  return code;
}

/* Swaps centre `place` with the nearest to the one before it among those from `place` on. */
static void swap_nearest(ssne_cells *cells, int64_t place) {
  const distance_kernels *kernels = distance_kernels_at(ssne_simd_level());
  const int64_t stride = cells->stride;
  float *here = cells->centre + place * stride, *nearest = here;
  float least = INFINITY;
  for (int64_t c = place; c < cells->count; c++) {
    float *other = cells->centre + c * stride;
    const float distance = kernels->squared_distance(here - stride, other, stride);
    if (distance >= least) continue;
    least = distance;
    nearest = other;
  }
  for (int64_t i = 0; i < stride; i++) {
    const float value = here[i];
    here[i] = nearest[i];
    nearest[i] = value;
  }
}

/* Cells that follow each other should lie near each other: a walk to the nearest centre not yet
 * visited. */
static void walk(ssne_cells *cells) {
  for (int64_t place = 1; place < cells->count; place++) swap_nearest(cells, place);
  ssne_lowered_norms(cells->centre, cells->count, cells->stride, 1, cells->norm);
}

static void measure_spacing(ssne_cells *cells, ssne_tile *tile) {
  const ssne_candidates centres = {
      .data = cells->centre, .norm = cells->norm, .count = cells->count};
  uint64_t best[SPACING];
  for (int64_t first = 0; first < cells->count; first += tile->capacity) {
    const int64_t left = cells->count - first;
    const int64_t count = left < tile->capacity ? left : tile->capacity;
    ssne_tile_clear(tile);
    for (int n = 0; n < SPACING; n++) best[n] = SSNE_NO_KEY;
    for (int64_t c = first; c < first + count; c++)
      ssne_tile_add(tile, cells->centre + c * cells->stride, (uint32_t)c, best);
    ssne_tile_scan(tile, NULL, 0, &centres);
    for (int64_t c = 0; c < count; c++) {
      float farthest = 0;
      ssne_tile_take(tile, c, best);
      for (int n = 0; n < SPACING; n++)
        if (best[n] != SSNE_NO_KEY) farthest = fmaxf(farthest, ssne_key_distance(best[n]));
      cells->spacing[first + c] = farthest;
    }
  }
}

/* --- rows ---------------------------------------------------------------------------------- */

/* `counts` [2, cells]: working space. */
static ssne_code find_places(const ssne_partition *p, MPI_Comm comm, int64_t *counts,
                             ssne_cells *cells, ssne_error *err) {
  const int size = (int)cells->count;
  int64_t *next = counts + cells->count;
  for (int64_t r = 0; r < p->own_rows; r++) counts[cells->cell[r]]++;
  SSNE_TRY(ssne_mpi_check(MPI_Exscan(counts, next, size, MPI_INT64_T, MPI_SUM, comm), "MPI_Exscan",
                          err));
  if (p->rank == 0) memset(next, 0, (size_t)cells->count * sizeof *next); /* undefined there */
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, counts, size, MPI_INT64_T, MPI_SUM, comm),
                          "MPI_Allreduce", err));
  for (int64_t c = 0; c < cells->count; c++) {
    cells->start[c + 1] = cells->start[c] + counts[c];
    next[c] += cells->start[c];
  }
  for (int64_t r = 0; r < p->own_rows; r++) cells->place[r] = next[cells->cell[r]]++;
  return SSNE_OK;
}

static ssne_code place_rows(const ssne_partition *p, MPI_Comm comm, ssne_cells *cells,
                            ssne_error *err) {
  int64_t *counts = NULL;
  SSNE_TRY_ALL(comm, ssne_alloc(&counts, 2 * cells->count, sizeof *counts, "cells", err), err);
  const ssne_code code = find_places(p, comm, counts, cells, err);
  ssne_free(&counts);
  return code;
}

static ssne_code allocate(const ssne_partition *p, ssne_cells *cells, ssne_error *err) {
  const int64_t count = cells->count;
  SSNE_TRY(ssne_alloc(&cells->centre, count * cells->stride, sizeof(float), "centres", err));
  SSNE_TRY(ssne_alloc(&cells->norm, count, sizeof(float), "centres", err));
  SSNE_TRY(ssne_alloc(&cells->spacing, count, sizeof(float), "centres", err));
  SSNE_TRY(ssne_alloc(&cells->start, count + 1, sizeof(int64_t), "cells", err));
  SSNE_TRY(ssne_alloc(&cells->cell, p->own_rows, sizeof(uint32_t), "cells of rows", err));
  SSNE_TRY(ssne_alloc(&cells->nearest, p->own_rows, sizeof(float), "cells of rows", err));
  return ssne_alloc(&cells->place, p->own_rows, sizeof(int64_t), "places of rows", err);
}

static ssne_code assign_rows(const ssne_rows *rows, int threads, ssne_cells *cells,
                             ssne_error *err) {
  const ssne_candidates centres = {
      .data = cells->centre, .norm = cells->norm, .count = cells->count};
  ssne_tile tile;
  ssne_code code =
      ssne_tile_allocate(rows->columns, rows->stride, SPACING, 4 * SSNE_TILE_WORD, &tile, err);
  if (code == SSNE_OK) measure_spacing(cells, &tile);
  ssne_tile_free(&tile);
  if (code != SSNE_OK) return code;
  return ssne_assign(rows->data, rows->partition.own_rows, rows->stride, rows->columns, &centres,
                     threads, cells->cell, cells->nearest, err);
}

static ssne_code build(const ssne_rows *rows, int threads, MPI_Comm comm, ssne_cells *cells,
                       ssne_error *err) {
  SSNE_TRY_ALL(comm, allocate(&rows->partition, cells, err), err);
  SSNE_TRY(find_centres(rows, threads, comm, cells, err));
  walk(cells);
  SSNE_TRY_ALL(comm, assign_rows(rows, threads, cells, err), err);
  return place_rows(&rows->partition, comm, cells, err);
}

ssne_code ssne_cells_build(const ssne_rows *rows, int threads, MPI_Comm comm, ssne_cells **out,
                           ssne_error *err) {
  SSNE_TRY_ALL(comm, ssne_alloc(out, 1, sizeof **out, "cells", err), err);
  **out = (ssne_cells){.count = ssne_cells_count(rows->partition.rows), .stride = rows->stride};
  const ssne_code code = build(rows, threads, comm, *out, err);
  if (code != SSNE_OK) ssne_cells_free(out);
  return code;
}

/* --- order --------------------------------------------------------------------------------- */

/* Rank by rank, places of own rows come to all. */
static ssne_code gather_order(const ssne_cells *cells, const ssne_partition *p, MPI_Comm comm,
                              uint32_t *buffer, uint32_t *row, ssne_error *err) {
  for (int r = 0; r < p->ranks; r++) {
    const int64_t first = ssne_partition_first_row(p, r);
    const int64_t count = ssne_partition_first_row(p, r + 1) - first;
    for (int64_t i = 0; i < count && r == p->rank; i++) buffer[i] = (uint32_t)cells->place[i];
    SSNE_TRY(ssne_broadcast(buffer, count * (int64_t)sizeof *buffer, r, comm, err));
    for (int64_t i = 0; i < count; i++) row[buffer[i]] = (uint32_t)(first + i);
  }
  return SSNE_OK;
}

ssne_code ssne_cells_order(const ssne_cells *cells, const ssne_partition *p, MPI_Comm comm,
                           ssne_order *out, ssne_error *err) {
  uint32_t *buffer = NULL;
  *out = (ssne_order){.rows = p->rows};
  ssne_code code = ssne_alloc(&out->row, p->rows, sizeof *out->row, "order of rows", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&buffer, (p->blocks / p->ranks + 1) * p->block_rows, sizeof *buffer,
                      "order of rows", err);
  code = ssne_agree(comm, code, err);
  if (code == SSNE_OK) code = gather_order(cells, p, comm, buffer, out->row, err);
  ssne_free(&buffer);
  if (code != SSNE_OK) ssne_order_free(out);
  return code;
}
