#include "mesh_halo.h"

#include "shardsne/memory.h"

#include <string.h>

#define TAG 33

/* What the window of one rank and the strips of another have in common. */
typedef struct slice {
  int64_t strip, strips; /* of the mesh */
  int64_t row, rows;
} slice;

static slice slice_of(const mesh_halo *halo, int window_of, int strips_of) {
  const mesh_window *w = &halo->window[window_of];
  const int64_t first = w->first[0] / MESH_STRIP, end = first + mesh_window_strips(w);
  const int64_t from = halo->strips[strips_of], to = halo->strips[strips_of + 1];
  const int64_t begin = first > from ? first : from, stop = end < to ? end : to;
  return (slice){begin, stop > begin ? stop - begin : 0, w->first[1], w->nodes[1]};
}

static int64_t cells_of(const slice *s) {
  return s->strips * s->rows;
}

/* Where a slice begins in this rank's own window. */
static int64_t place_in_window(const mesh_halo *halo, const slice *s) {
  return (s->strip - halo->window[halo->rank].first[0] / MESH_STRIP) * s->rows;
}

ssne_code mesh_halo_create(int threads, MPI_Comm comm, ssne_meanwhile *meanwhile, mesh_halo *halo,
                           ssne_error *err) {
  *halo = (mesh_halo){.comm = comm, .threads = threads, .cell = MPI_DATATYPE_NULL};
  MPI_Comm_rank(comm, &halo->rank);
  MPI_Comm_size(comm, &halo->ranks);
  SSNE_TRY(ssne_messages_create(comm, TAG, meanwhile, &halo->messages, err));
  SSNE_TRY(ssne_alloc(&halo->taken, halo->ranks, sizeof *halo->taken, "ranks", err));
  SSNE_TRY(ssne_mpi_check(MPI_Type_contiguous(MESH_STRIP, MPI_INT32_T, &halo->cell),
                          "MPI_Type_contiguous", err));
  return ssne_mpi_check(MPI_Type_commit(&halo->cell), "MPI_Type_commit", err);
}

void mesh_halo_free(mesh_halo *halo) {
  if (halo->cell != MPI_DATATYPE_NULL) MPI_Type_free(&halo->cell);
  ssne_messages_free(&halo->messages);
  ssne_free(&halo->slice);
  ssne_free(&halo->taken);
}

/* The first rank of those whose strips end after `strip`, which is one of the mesh. */
static int owner_of(const mesh_halo *halo, int64_t strip) {
  int low = 0, high = halo->ranks - 1;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (halo->strips[middle + 1] > strip)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* A window overlaps the strips of few ranks: all ranks' windows are looked at in every iteration.
 */
int64_t mesh_halo_plan(mesh_halo *halo, const mesh_window *window, const int64_t *strips,
                       int64_t rows) {
  int64_t most = 0;
  halo->window = window;
  halo->strips = strips;
  halo->rows = rows;
  memset(halo->taken, 0, (size_t)halo->ranks * sizeof *halo->taken);
  for (int r = 0; r < halo->ranks; r++) {
    const int64_t first = window[r].first[0] / MESH_STRIP;
    const int64_t end = first + mesh_window_strips(&window[r]);
    for (int owner = owner_of(halo, first); owner < halo->ranks && strips[owner] < end; owner++) {
      const slice s = slice_of(halo, r, owner);
      if (r != owner) halo->taken[owner] += cells_of(&s);
    }
  }
  for (int r = 0; r < halo->ranks; r++)
    if (halo->taken[r] > most) most = halo->taken[r];
  return most;
}

ssne_code mesh_halo_reserve(mesh_halo *halo, int64_t cells, ssne_error *err) {
  return ssne_enlarge(&halo->slice, cells, sizeof *halo->slice, "cells of the mesh",
                      &halo->capacity, err);
}

/* --- charges --------------------------------------------------------------------------------- */

static void add_cells(const mesh_cell *from, int64_t count, mesh_cell *to) {
  for (int64_t c = 0; c < count; c++)
    for (int l = 0; l < MESH_STRIP; l++) to[c].charge[l] += from[c].charge[l];
}

/* What there is of strip `strip` of the mesh in the slices of all windows. */
static void add_strip(const mesh_halo *halo, const mesh_cell *window, int64_t strip,
                      mesh_cell *own) {
  const mesh_cell *next = halo->slice;
  memset(own, 0, (size_t)halo->rows * sizeof *own);
  for (int r = 0; r < halo->ranks; r++) {
    const slice s = slice_of(halo, r, halo->rank);
    const mesh_cell *from = r == halo->rank ? window + place_in_window(halo, &s) : next;
    if (r != halo->rank) next += cells_of(&s);
    if (strip >= s.strip && strip < s.strip + s.strips)
      add_cells(from + (strip - s.strip) * s.rows, s.rows, own + s.row);
  }
}

ssne_code mesh_halo_add(mesh_halo *halo, const mesh_cell *window, mesh_cell *own, ssne_error *err) {
  const int64_t first = halo->strips[halo->rank], end = halo->strips[halo->rank + 1];
  mesh_cell *next = halo->slice;
  for (int r = 0; r < halo->ranks; r++) {
    const slice s = slice_of(halo, r, halo->rank);
    if (r == halo->rank) continue;
    SSNE_TRY(ssne_messages_receive(&halo->messages, next, cells_of(&s), halo->cell, r, err));
    next += cells_of(&s);
  }
  for (int r = 0; r < halo->ranks; r++) {
    const slice s = slice_of(halo, halo->rank, r);
    if (r == halo->rank || s.strips == 0) continue;
    SSNE_TRY(ssne_messages_send(&halo->messages, window + place_in_window(halo, &s), cells_of(&s),
                                halo->cell, r, err));
  }
  SSNE_TRY(ssne_messages_wait(&halo->messages, err));
#pragma omp parallel for schedule(static) num_threads(halo->threads)
  for (int64_t s = first; s < end; s++) add_strip(halo, window, s, own + (s - first) * halo->rows);
  return SSNE_OK;
}

/* --- potentials ------------------------------------------------------------------------------ */

static void copy_slice(const mesh_halo *halo, const slice *s, const mesh_cell *own, mesh_cell *to) {
  const int64_t first = halo->strips[halo->rank];
#pragma omp parallel for schedule(static) num_threads(halo->threads)
  for (int64_t i = 0; i < s->strips; i++)
    memcpy(to + i * s->rows, own + (s->strip + i - first) * halo->rows + s->row,
           (size_t)s->rows * sizeof *to);
}

ssne_code mesh_halo_fetch(mesh_halo *halo, const mesh_cell *own, mesh_cell *window,
                          ssne_error *err) {
  mesh_cell *next = halo->slice;
  for (int r = 0; r < halo->ranks; r++) {
    const slice s = slice_of(halo, halo->rank, r);
    if (r == halo->rank || s.strips == 0) continue;
    SSNE_TRY(ssne_messages_receive(&halo->messages, window + place_in_window(halo, &s),
                                   cells_of(&s), halo->cell, r, err));
  }
  for (int r = 0; r < halo->ranks; r++) {
    const slice s = slice_of(halo, r, halo->rank);
    if (s.strips == 0) continue;
    if (r == halo->rank) {
      copy_slice(halo, &s, own, window + place_in_window(halo, &s));
      continue;
    }
    copy_slice(halo, &s, own, next);
    SSNE_TRY(ssne_messages_send(&halo->messages, next, cells_of(&s), halo->cell, r, err));
    next += cells_of(&s);
  }
  return ssne_messages_wait(&halo->messages, err);
}
