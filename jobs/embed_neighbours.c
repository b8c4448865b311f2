/* Neighbours: those of the file where they serve, else found and kept in it. */
#include "work.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_ROWS INT64_C(4096) /* that pass through a buffer on their way to or from the file */

/* --- what the file's neighbours are ------------------------------------------------------ */

static ssne_search search_called(const char *name) {
  if (strcmp(name, "exact") == 0) return SSNE_SEARCH_EXACT;
  return strcmp(name, "approximate") == 0 ? SSNE_SEARCH_APPROXIMATE : SSNE_SEARCH_AUTO;
}

static const char *name_of(ssne_search search) {
  return search == SSNE_SEARCH_APPROXIMATE ? "approximate" : "exact";
}

ssne_search_options embedding_search_options(const embedding *e) {
  const embed_options *o = &e->j->options.embed;
  ssne_search_options options = {.search = search_called(o->neighbours),
                                 .k = e->k,
                                 .recall = o->recall,
                                 .threads = e->j->threads,
                                 .stop = e->j->stop};
  if (options.search == SSNE_SEARCH_AUTO) options.search = ssne_search_choose(e->chosen.rows);
  return options;
}

/* Of what rows the neighbours are: the options that change the rows after the features were read.
 */
static void space_text(const embedding *e, char *text, size_t length) {
  const embed_options *o = &e->j->options.embed;
  snprintf(text, length, "%s, pca %" PRId64, o->metric, o->pca);
}

/* By which neighbours can be told to serve another embedding of the same rows. */
static void describe(const embedding *e, char text[256]) {
  char space[64];
  space_text(e, space, sizeof space);
  snprintf(text, 256, "%s; %s; recall %.6f; cells %" PRId64 "; probes %" PRId64 "; share %.6f",
           space, name_of(e->search.search), e->search.recall, e->search.cells, e->search.probes,
           e->search.share);
}

/* Whether neighbours described by `text` serve: of the same space, exact if exact ones are wanted,
 * and as good as wanted; e->search becomes what they are. */
static bool serves(embedding *e, const char *text) {
  char space[64], search[32] = "";
  ssne_search_report r = {.sample = 0};
  const ssne_search_options wanted = embedding_search_options(e);
  space_text(e, space, sizeof space);
  const size_t length = strlen(space);
  if (!text || strncmp(text, space, length) != 0 ||
      sscanf(text + length,
             "; %31[a-z]; recall %lf; cells %" SCNd64 "; probes %" SCNd64 "; share %lf", search,
             &r.recall, &r.cells, &r.probes, &r.share) != 5)
    return false;
  r.search = search_called(search);
  e->search = r;
  if (r.search == SSNE_SEARCH_EXACT) return true;
  /* a sample's recall comes out a little below or above what was wanted */
  return wanted.search == SSNE_SEARCH_APPROXIMATE && r.recall >= wanted.recall - 0.005;
}

/* --- transfer ---------------------------------------------------------------------------- */

/* Moves `rows` own rows from `first`, in a buffer of `k` numbers each, between the file and the
 * neighbour lists; rows of the file are numbered with the bad ones, rows of the embedding without.
 */
typedef struct passage {
  int64_t k; /* numbers of a row in the file: those wanted, or more */
  uint32_t *index;
  float *distance;
} passage;

static void fill_passage(const embedding *e, int64_t first, int64_t rows, const passage *b) {
  const ssne_neighbours *n = &e->neighbours;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < e->k; i++) {
      const int64_t from = (first + r) * n->stride + i;
      b->index[r * b->k + i] = (uint32_t)selection_to_file(&e->chosen, n->index[from]);
      b->distance[r * b->k + i] = n->distance[from];
    }
}

static bool empty_passage(embedding *e, int64_t first, int64_t rows, const passage *b) {
  ssne_neighbours *n = &e->neighbours;
  bool sound = true;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < e->k; i++) {
      const uint32_t row = b->index[r * b->k + i];
      const int64_t to = (first + r) * n->stride + i;
      const float distance = b->distance[r * b->k + i];
      const int64_t chosen = selection_from_file(&e->chosen, row);
      sound = sound && chosen < e->chosen.rows && distance >= 0 && isfinite(distance);
      n->index[to] = sound ? (uint32_t)chosen : 0;
      n->distance[to] = distance;
    }
  return sound;
}

static ssne_code move_chunk(embedding *e, embedding_transfer move, int64_t first, int64_t rows,
                            const passage *b, ssne_error *err) {
  const int64_t size = b->k * (int64_t)sizeof(uint32_t);
  SSNE_TRY(
      embedding_move_rows(e, SSNE_SET_NEIGHBOUR_INDEX, move, first, rows, b->index, size, err));
  return embedding_move_rows(e, SSNE_SET_NEIGHBOUR_DISTANCE, move, first, rows, b->distance, size,
                             err);
}

/* Not collective. *sound: what was read can be neighbours. */
static ssne_code move_all(embedding *e, bool reading, const passage *b, bool *sound,
                          ssne_error *err) {
  const int64_t own = e->partition.own_rows;
  *sound = true;
  for (int64_t first = 0; first < own && *sound; first += CHUNK_ROWS) {
    const int64_t rows = own - first < CHUNK_ROWS ? own - first : CHUNK_ROWS;
    if (!reading) fill_passage(e, first, rows, b);
    SSNE_TRY(
        move_chunk(e, reading ? ssne_store_read_written : embedding_write, first, rows, b, err));
    if (reading) *sound = empty_passage(e, first, rows, b);
  }
  return SSNE_OK;
}

static ssne_code move_neighbours(embedding *e, bool reading, int64_t k, bool *sound,
                                 ssne_error *err) {
  passage b = {.k = k};
  ssne_code code = ssne_alloc(&b.index, CHUNK_ROWS * k, sizeof *b.index, "neighbours", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&b.distance, CHUNK_ROWS * k, sizeof *b.distance, "distances", err);
  if (code == SSNE_OK) code = move_all(e, reading, &b, sound, err);
  ssne_free(&b.index);
  ssne_free(&b.distance);
  return code;
}

/* --- reuse or search --------------------------------------------------------------------- */

ssne_code embedding_kept_neighbours(embedding *e, bool *kept, bool *damaged, ssne_error *err) {
  ssne_set_shape shape = {0}, distances = {0};
  char *made = NULL;
  bool complete = false;
  int sound = 1;
  ssne_code code = job_is_complete(e->store, "neighbours_complete", &complete, err);
  if (code == SSNE_OK) code = ssne_store_shape(e->store, SSNE_SET_NEIGHBOUR_INDEX, &shape, err);
  if (code == SSNE_OK)
    code = ssne_store_shape(e->store, SSNE_SET_NEIGHBOUR_DISTANCE, &distances, err);
  if (code == SSNE_OK) code = ssne_store_get_text(e->store, "neighbours_made", &made, err);
  *damaged = false;
  *kept = code == SSNE_OK && complete && shape.exists && shape.rows == e->chosen.file_rows &&
          shape.columns >= e->k && distances.rows == shape.rows &&
          distances.columns == shape.columns && serves(e, made);
  ssne_free(&made);
  if (code == SSNE_OK && *kept) {
    bool whole = true;
    code = ssne_neighbours_allocate(&e->partition, e->k, &e->neighbours, err);
    if (code == SSNE_OK)
      sound = move_neighbours(e, true, shape.columns, &whole, err) == SSNE_OK && whole;
  }
  SSNE_TRY_ALL(e->j->comm, code, err);
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &sound, 1, MPI_INT, MPI_MIN, e->j->comm),
                          "MPI_Allreduce", err));
  if (sound) return SSNE_OK;
  ssne_neighbours_free(&e->neighbours);
  *kept = false;
  *damaged = true;
  return SSNE_OK;
}

/* Collective. */
static ssne_code keep(embedding *e, ssne_error *err) {
  ssne_store *s = e->store;
  ssne_moment since = ssne_moment_now();
  bool sound = true;
  char text[256];
  describe(e, text);
  const ssne_edit defined[] = {
      ssne_edit_define(SSNE_SET_NEIGHBOUR_INDEX, e->chosen.file_rows, e->k, 0),
      ssne_edit_define(SSNE_SET_NEIGHBOUR_DISTANCE, e->chosen.file_rows, e->k, 0)};
  const ssne_edit done[] = {ssne_edit_text("neighbours_made", text),
                            ssne_edit_text("neighbours_complete", "yes")};
  SSNE_TRY(ssne_store_set_text(s, "neighbours_complete", "no", err));
  SSNE_TRY(ssne_store_change(s, defined, 2, err));
  SSNE_TRY_ALL(e->j->comm, move_neighbours(e, false, e->k, &sound, err), err);
  SSNE_TRY(ssne_store_flush(s, err));
  SSNE_TRY(ssne_store_change(s, done, 2, err));
  ssne_stages_lap(&e->j->stages, "write neighbours", e->partition.own_rows, &since);
  return SSNE_OK;
}

static void tell(const embedding *e, const char *verb) {
  const ssne_search_report *r = &e->search;
  if (r->search == SSNE_SEARCH_APPROXIMATE)
    ssne_log_info(e->j->log,
                  "neighbours: %s, approximate, recall %.4f; %" PRId64 " of %" PRId64
                  " cells searched for a row, %.2f%% of all pairs",
                  verb, r->recall, r->probes, r->cells, 100 * r->share);
  else
    ssne_log_info(e->j->log, "neighbours: %s, exact", verb);
  ssne_log_event(e->j->log, "neighbours", "{s:s, s:s, s:I, s:f, s:I, s:I, s:I, s:f}", "made", verb,
                 "search", name_of(r->search), "k", (long long)e->k, "recall", r->recall, "sample",
                 (long long)r->sample, "cells", (long long)r->cells, "probes", (long long)r->probes,
                 "share", r->share);
}

static ssne_code find(embedding *e, const ssne_cells *cells, ssne_error *err) {
  const ssne_search_options options = embedding_search_options(e);
  ssne_moment since = ssne_moment_now();
  SSNE_TRY(ssne_neighbours_find(&e->rows, cells, &options, e->j->comm, e->j->log, &e->neighbours,
                                &e->search, err));
  ssne_stages_lap(&e->j->stages, "neighbours", e->partition.own_rows, &since);
  work_account_search(e);
  tell(e, "found");
  return keep(e, err);
}

static ssne_code reuse_or_find(embedding *e, const ssne_cells *cells, ssne_error *err) {
  bool kept = false, damaged = false;
  SSNE_TRY(embedding_kept_neighbours(e, &kept, &damaged, err));
  if (damaged)
    ssne_log_warn(e->j->log, "%s: /neighbours is damaged; they are searched anew", e->path);
  if (!kept) return find(e, cells, err);
  tell(e, "kept");
  return SSNE_OK;
}

ssne_code embedding_neighbours(embedding *e, ssne_error *err) {
  ssne_cells *cells = NULL;
  e->order = (ssne_order){.rows = e->chosen.rows};
  if (e->chosen.rows < SSNE_ORDER_ROWS) return reuse_or_find(e, NULL, err);
  ssne_moment since = ssne_moment_now();
  ssne_code code = ssne_cells_build(&e->rows, e->j->threads, e->j->comm, &cells, err);
  if (code == SSNE_OK) code = ssne_cells_order(cells, &e->partition, e->j->comm, &e->order, err);
  ssne_stages_lap(&e->j->stages, "cells and order", e->partition.own_rows, &since);
  if (code == SSNE_OK) code = reuse_or_find(e, cells, err);
  ssne_cells_free(&cells);
  return code;
}
