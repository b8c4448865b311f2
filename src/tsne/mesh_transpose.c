#include "mesh_transpose.h"

#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <stdbool.h>
#include <string.h>

#define TAG 34

ssne_code mesh_transpose_create(MPI_Comm comm, ssne_meanwhile *meanwhile, mesh_transpose *t,
                                ssne_error *err) {
  *t = (mesh_transpose){.comm = comm, .cell = MPI_DATATYPE_NULL};
  MPI_Comm_rank(comm, &t->rank);
  MPI_Comm_size(comm, &t->ranks);
  SSNE_TRY(
      ssne_mpi_check(MPI_Type_contiguous(sizeof(fft_cell) / sizeof(float), MPI_FLOAT, &t->cell),
                     "MPI_Type_contiguous", err));
  SSNE_TRY(ssne_mpi_check(MPI_Type_commit(&t->cell), "MPI_Type_commit", err));
  SSNE_TRY(ssne_alloc(&t->columns, t->ranks + 1, sizeof *t->columns, "ranks", err));
  SSNE_TRY(ssne_alloc(&t->bundles, t->ranks + 1, sizeof *t->bundles, "ranks", err));
  SSNE_TRY(ssne_alloc(&t->before, t->ranks, sizeof *t->before, "ranks", err));
  return ssne_messages_create(comm, TAG, meanwhile, &t->messages, err);
}

void mesh_transpose_free(mesh_transpose *t) {
  if (t->cell != MPI_DATATYPE_NULL) MPI_Type_free(&t->cell);
  ssne_messages_free(&t->messages);
  ssne_free(&t->columns);
  ssne_free(&t->bundles);
  ssne_free(&t->before);
  ssne_free(&t->by_bundle);
  ssne_free(&t->midway);
  ssne_free(&t->packed);
}

/* --- who has what ---------------------------------------------------------------------------- */

static int workers_of(const mesh_transpose *t) {
  return t->grid.rows * t->grid.columns;
}

static int rank_of(const mesh_transpose *t, int q) {
  return (int)((int64_t)q * t->ranks / workers_of(t));
}

static int64_t columns_of(const mesh_transpose *t, int q) {
  return t->columns[q + 1] - t->columns[q];
}

static int64_t bundles_of(const mesh_transpose *t, int q) {
  return t->bundles[q + 1] - t->bundles[q];
}

/* The worker in own row and another column, and the other way round. */
static int in_own_row(const mesh_transpose *t, int column) {
  return column * t->grid.rows + t->worker % t->grid.rows;
}

static int in_own_column(const mesh_transpose *t, int row) {
  return t->worker - t->worker % t->grid.rows + row;
}

/* Bundles of a column of the grid, which are one run. */
static int64_t column_begin(const mesh_transpose *t, int column) {
  return t->bundles[(int64_t)column * t->grid.rows];
}

static int64_t own_column_bundles(const mesh_transpose *t) {
  const int column = t->worker / t->grid.rows;
  return column_begin(t, column + 1) - column_begin(t, column);
}

/* Columns of all workers of a row. */
static int64_t row_columns(const mesh_transpose *t, int row) {
  int64_t sum = 0;
  for (int c = 0; c < t->grid.columns; c++) sum += columns_of(t, c * t->grid.rows + row);
  return sum;
}

static void share_out(mesh_transpose *t, int64_t columns, int64_t strip, int64_t bundles) {
  const int workers = workers_of(t);
  int64_t before = 0;
  for (int q = 0; q <= workers; q++) {
    t->columns[q] = strip * ssne_share_begin(columns / strip, workers, q);
    t->bundles[q] = ssne_share_begin(bundles, workers, q);
  }
  for (int row = 0; row < t->grid.rows; row++)
    for (int c = 0; c < t->grid.columns; c++) {
      const int q = c * t->grid.rows + row;
      t->before[q] = before;
      before += columns_of(t, q);
    }
}

ssne_code mesh_transpose_reserve(mesh_transpose *t, ssne_workers grid, int64_t columns,
                                 int64_t strip, int64_t bundles, ssne_error *err) {
  const char *what = "cells of the transform";
  t->grid = grid;
  const int before = ssne_workers_before(grid, t->ranks, t->rank);
  t->worker = ssne_workers_before(grid, t->ranks, t->rank + 1) > before ? before : -1;
  share_out(t, columns, strip, bundles);
  if (t->worker < 0 || workers_of(t) == 1) return SSNE_OK;
  SSNE_TRY(ssne_enlarge(&t->by_bundle, bundles_of(t, t->worker) * columns, sizeof *t->by_bundle,
                        what, &t->bundle_capacity, err));
  if (grid.rows == 1) return SSNE_OK;
  const int64_t cells = own_column_bundles(t) * row_columns(t, t->worker % grid.rows);
  SSNE_TRY(ssne_enlarge(&t->midway, cells, sizeof *t->midway, what, &t->midway_capacity, err));
  return ssne_enlarge(&t->packed, cells, sizeof *t->packed, what, &t->packed_capacity, err);
}

fft_cell *mesh_transpose_piece(const mesh_transpose *t, fft_cell *by_strip, int q) {
  if (q == t->worker && t->grid.rows == 1) return by_strip + t->bundles[q] * columns_of(t, q);
  return t->by_bundle + bundles_of(t, t->worker) * t->before[q];
}

/* --- along rows of the grid ------------------------------------------------------------------ */

/* What comes from the worker in own row and column `column`: with one row it is there already. */
static fft_cell *from_column(const mesh_transpose *t, int column) {
  const int q = in_own_row(t, column);
  if (t->grid.rows == 1) return t->by_bundle + bundles_of(t, t->worker) * t->before[q];
  const int64_t before = t->before[q] - t->before[in_own_row(t, 0)];
  return t->midway + own_column_bundles(t) * before;
}

/* By strip to midway, or back. */
static ssne_code along_row(mesh_transpose *t, fft_cell *by_strip, bool back, ssne_error *err) {
  const int own_column = t->worker / t->grid.rows;
  const int64_t own = columns_of(t, t->worker);
  for (int turn = 0; turn < 2; turn++) /* first what is received */
    for (int step = 1; step < t->grid.columns; step++) {
      const int column = (own_column + step) % t->grid.columns, q = in_own_row(t, column);
      const bool of_strips = (turn == 0) == back;
      fft_cell *cells =
          of_strips ? by_strip + column_begin(t, column) * own : from_column(t, column);
      const int64_t count = of_strips
                                ? (column_begin(t, column + 1) - column_begin(t, column)) * own
                                : own_column_bundles(t) * columns_of(t, q);
      SSNE_TRY(turn == 0
                   ? ssne_messages_receive(&t->messages, cells, count, t->cell, rank_of(t, q), err)
                   : ssne_messages_send(&t->messages, cells, count, t->cell, rank_of(t, q), err));
    }
  if (t->grid.rows > 1) { /* what stays */
    fft_cell *strips = by_strip + column_begin(t, own_column) * own;
    fft_cell *there = from_column(t, own_column);
    const size_t size = (size_t)(own_column_bundles(t) * own) * sizeof *strips;
    memcpy(back ? strips : there, back ? there : strips, size);
  }
  return ssne_messages_wait(&t->messages, err);
}

/* --- along columns --------------------------------------------------------------------------- */

/* What row `row` of own column has for own row, or is to have from it, one worker of own row after
 * the other: in one place for a message, and midway. */
static void pack(mesh_transpose *t, int row, bool back, fft_cell *packed) {
  const int q = in_own_column(t, row);
  const int64_t skipped = t->bundles[q] - column_begin(t, t->worker / t->grid.rows);
  for (int c = 0; c < t->grid.columns; c++) {
    const int64_t columns = columns_of(t, in_own_row(t, c)), cells = bundles_of(t, q) * columns;
    fft_cell *midway = from_column(t, c) + skipped * columns;
    memcpy(back ? midway : packed, back ? packed : midway, (size_t)cells * sizeof *packed);
    packed += cells;
  }
}

/* Midway to by bundle, or back. */
static ssne_code along_column(mesh_transpose *t, bool back, ssne_error *err) {
  const int own_row = t->worker % t->grid.rows;
  const int64_t bundles = bundles_of(t, t->worker), width = row_columns(t, own_row);
  for (int turn = 0; turn < 2; turn++)
    for (int step = 1; step < t->grid.rows; step++) {
      const int row = (own_row + step) % t->grid.rows, q = in_own_column(t, row);
      const bool of_bundles = (turn == 0) == !back;
      fft_cell *out = t->packed + (t->bundles[q] - t->bundles[in_own_column(t, 0)]) * width;
      if (!of_bundles && !back) pack(t, row, false, out);
      fft_cell *cells = of_bundles ? t->by_bundle + bundles * t->before[row] : out;
      const int64_t count = of_bundles ? bundles * row_columns(t, row) : bundles_of(t, q) * width;
      SSNE_TRY(turn == 0
                   ? ssne_messages_receive(&t->messages, cells, count, t->cell, rank_of(t, q), err)
                   : ssne_messages_send(&t->messages, cells, count, t->cell, rank_of(t, q), err));
    }
  pack(t, own_row, back, t->by_bundle + bundles * t->before[own_row]);
  SSNE_TRY(ssne_messages_wait(&t->messages, err));
  for (int step = 1; step < t->grid.rows && back; step++) {
    const int row = (own_row + step) % t->grid.rows, q = in_own_column(t, row);
    pack(t, row, true, t->packed + (t->bundles[q] - t->bundles[in_own_column(t, 0)]) * width);
  }
  return SSNE_OK;
}

ssne_code mesh_transpose_apply(mesh_transpose *t, fft_cell *by_strip, ssne_error *err) {
  if (t->worker < 0 || workers_of(t) == 1) return SSNE_OK;
  SSNE_TRY(along_row(t, by_strip, false, err));
  return t->grid.rows > 1 ? along_column(t, false, err) : SSNE_OK;
}

ssne_code mesh_transpose_back(mesh_transpose *t, fft_cell *by_strip, ssne_error *err) {
  if (t->worker < 0 || workers_of(t) == 1) return SSNE_OK;
  if (t->grid.rows > 1) SSNE_TRY(along_column(t, true, err));
  return along_row(t, by_strip, true, err);
}
