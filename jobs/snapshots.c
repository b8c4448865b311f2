#include "snapshots.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTE "snapshot_every"

/* A film of a minute and a half; of a million rows, 12 GB. */
#define MOST 1000

/* How many there are with the start: of that, and of every so many iterations. */
static int64_t count_of(const embed_options *o) {
  return (o->early_iterations + o->iterations) / o->snapshot_every + 1;
}

ssne_code snapshots_check(const embed_options *o, ssne_error *err) {
  if (o->snapshot_every == 0 || count_of(o) <= MOST) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "--snapshot-every %" PRId64 " would keep %" PRId64
                   " maps, more than %d: keep fewer",
                   o->snapshot_every, count_of(o), MOST);
}

void snapshots_warn(const job *j, ssne_store *store, const char *path) {
  ssne_set_shape shape = {0};
  ssne_error unused;
  if (j->options.embed.snapshot_every == 0 ||
      ssne_store_shape(store, SSNE_SET_SNAPSHOTS, &shape, &unused) != SSNE_OK || shape.exists)
    return;
  ssne_log_warn(j->log, "%s was made without snapshots: --fresh embeds again, and keeps them",
                path);
}

/* --- the file ---------------------------------------------------------------------------- */

/* Not collective: what the descent that goes on was begun with must be what is wanted now. */
static ssne_code compare(const snapshots *s, ssne_error *err) {
  const embed_options *o = &s->j->options.embed;
  ssne_set_shape maps = {0};
  char *text = NULL;
  SSNE_TRY(ssne_store_shape(s->store, SSNE_SET_SNAPSHOTS, &maps, err));
  SSNE_TRY(ssne_store_get_text(s->store, ATTRIBUTE, &text, err));
  const int64_t before = maps.exists && text ? strtoll(text, NULL, 10) : 0;
  ssne_free(&text);
  const int64_t rows = s->every > 0 ? count_of(o) * s->chosen->file_rows : 0;
  if (before == s->every && maps.rows == rows) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "the embedding was begun with --snapshot-every %" PRId64
                   ", this command has %" PRId64 ": give the same, or start over with --fresh",
                   before, s->every);
}

/* Collective. */
static ssne_code define(snapshots *s, ssne_error *err) {
  const embed_options *o = &s->j->options.embed;
  const int64_t count = s->every > 0 ? count_of(o) : 0;
  ssne_set_shape maps = {0};
  char text[32];
  SSNE_TRY(ssne_store_shape(s->store, SSNE_SET_SNAPSHOTS, &maps, err));
  if (count == 0 && !maps.exists) return SSNE_OK;
  snprintf(text, sizeof text, "%" PRId64, s->every);
  const ssne_edit none[] = {ssne_edit_remove(SSNE_SET_SNAPSHOTS),
                            ssne_edit_remove(SSNE_SET_SNAPSHOT_ITERATION),
                            ssne_edit_text(ATTRIBUTE, text)};
  const ssne_edit some[] = {
      ssne_edit_define(SSNE_SET_SNAPSHOTS, count * s->chosen->file_rows, 2, 0),
      ssne_edit_define(SSNE_SET_SNAPSHOT_ITERATION, count, 1, 0), ssne_edit_text(ATTRIBUTE, text)};
  return ssne_store_change(s->store, count > 0 ? some : none, 3, err);
}

/* Not collective: own rows to the map of this number; from rank 0, NaN for bad rows. */
static ssne_code write_map(snapshots *s, int64_t number, ssne_error *err) {
  const int64_t before = number * s->chosen->file_rows;
  const ssne_partition *p = s->partition;
  const float none[2] = {NAN, NAN};
  for (int64_t done = 0; done < p->own_rows;) {
    const int64_t row = p->first_row + done;
    const int64_t run = selection_run(s->chosen, row, p->own_rows - done);
    SSNE_TRY(ssne_store_write(s->store, SSNE_SET_SNAPSHOTS,
                              before + selection_to_file(s->chosen, row), run, s->xy + 2 * done,
                              err));
    done += run;
  }
  for (int64_t b = 0; s->j->rank == 0 && b < s->chosen->file_rows - s->chosen->rows; b++)
    SSNE_TRY(
        ssne_store_write(s->store, SSNE_SET_SNAPSHOTS, before + s->chosen->bad[b], 1, none, err));
  return SSNE_OK;
}

/* Collective. That the map is whole is said once it is. */
static ssne_code write_snapshot(snapshots *s, const ssne_tsne_state *state, ssne_error *err) {
  const MPI_Comm comm = s->j->comm;
  const int64_t number = state->steps / s->every;
  const int32_t iteration = (int32_t)state->steps;
  memcpy(s->xy, state->xy, 2 * (size_t)s->partition->own_rows * sizeof *s->xy);
  SSNE_TRY(ssne_order_to_rows(s->order, s->partition, comm, s->xy, err));
  SSNE_TRY_ALL(comm, write_map(s, number, err), err);
  ssne_code code = SSNE_OK;
  if (s->j->rank == 0)
    code = ssne_store_write(s->store, SSNE_SET_SNAPSHOT_ITERATION, number, 1, &iteration, err);
  SSNE_TRY_ALL(comm, code, err);
  return ssne_store_flush(s->store, err);
}

/* --- the descent ------------------------------------------------------------------------- */

ssne_code snapshots_keep(snapshots *s, const ssne_tsne_state *state, ssne_error *err) {
  if (s->every == 0 || state->steps % s->every != 0) return SSNE_OK;
  ssne_moment since = ssne_moment_now();
  SSNE_TRY(write_snapshot(s, state, err));
  ssne_stages_lap(&s->j->stages, "snapshots", s->j->rank == 0, &since);
  return SSNE_OK;
}

ssne_code snapshots_begin(snapshots *s, job *j, ssne_store *store, const selection *chosen,
                          const ssne_partition *partition, const ssne_order *order,
                          const ssne_tsne_state *state, bool resumed, ssne_error *err) {
  *s = (snapshots){.j = j,
                   .store = store,
                   .chosen = chosen,
                   .partition = partition,
                   .order = order,
                   .every = j->options.embed.snapshot_every};
  const int64_t room = s->every > 0 ? 2 * partition->own_rows : 0;
  SSNE_TRY_ALL(j->comm, ssne_alloc(&s->xy, room, sizeof *s->xy, "coordinates", err), err);
  if (resumed) return ssne_agree(j->comm, compare(s, err), err);
  SSNE_TRY(define(s, err));
  return snapshots_keep(s, state, err);
}

void snapshots_free(snapshots *s) {
  ssne_free(&s->xy);
}
