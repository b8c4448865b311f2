#include "animation.h"

#include "figure.h"
#include "history.h"
#include "subset.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE INT64_C(16384) /* rows that pass at once */

typedef struct frames {
  ssne_store *store;
  int64_t rows;         /* of the file */
  int64_t count;        /* snapshots that were kept */
  int64_t *number;      /* [count] in the file */
  int32_t *iteration;   /* [count] */
  const subset *points; /* drawn */
  int64_t *order;       /* [points->count] them, by row */
  float *piece;         /* [PIECE, 2] */
  ssne_tsne_record *history;
  int64_t history_count;
} frames;

static ssne_code describe(const job *j, ssne_figure *figure, ssne_error *err) {
  return figure_describe(j, j->options.render.dpi / 3, figure, err);
}

ssne_code animation_check(const job *j, ssne_error *err) {
  ssne_figure figure;
  SSNE_TRY(describe(j, &figure, err));
  return ssne_animation_check(&figure, err);
}

/* --- frames ------------------------------------------------------------------------------ */

/* Chosen points of one map, a piece of its rows at a time; pieces with none of them are passed
 * over. */
static ssne_code read_map(frames *f, int64_t number, float *xy, ssne_error *err) {
  const subset *s = f->points;
  for (int64_t i = 0; i < s->count;) {
    const int64_t first = s->row[f->order[i]] / PIECE * PIECE;
    const int64_t rows = f->rows - first < PIECE ? f->rows - first : PIECE;
    SSNE_TRY(ssne_store_read_written(f->store, SSNE_SET_SNAPSHOTS, number * f->rows + first, rows,
                                     f->piece, err));
    for (; i < s->count && s->row[f->order[i]] < first + rows; i++)
      memcpy(xy + 2 * f->order[i], f->piece + 2 * (s->row[f->order[i]] - first), 2 * sizeof *xy);
  }
  return SSNE_OK;
}

static ssne_code give_frame(void *context, int64_t frame, float *xy, char *text, int text_size,
                            ssne_error *err) {
  frames *f = context;
  const ssne_tsne_record *record = &f->history[0];
  for (int64_t i = 0; i < f->history_count && f->history[i].iteration <= f->iteration[frame]; i++)
    record = &f->history[i];
  snprintf(text, (size_t)text_size, "iteration %d of %" PRId64 ", exaggeration %.4g",
           f->iteration[frame], f->history[f->history_count - 1].iteration, record->exaggeration);
  return read_map(f, f->number[frame], xy, err);
}

/* Which snapshots there are: those whose iteration has been written. */
static ssne_code find_snapshots(frames *f, int64_t most, ssne_error *err) {
  uint8_t *state = NULL;
  int32_t *iteration = NULL;
  SSNE_TRY(ssne_alloc(&f->number, most, sizeof *f->number, "snapshots", err));
  SSNE_TRY(ssne_alloc(&f->iteration, most, sizeof *f->iteration, "snapshots", err));
  ssne_code code = ssne_alloc(&state, most, 1, "states", err);
  if (code == SSNE_OK) code = ssne_alloc(&iteration, most, sizeof *iteration, "snapshots", err);
  if (code == SSNE_OK)
    code =
        ssne_store_examine(f->store, SSNE_SET_SNAPSHOT_ITERATION, 0, most, iteration, state, err);
  for (int64_t i = 0; i < most && code == SSNE_OK; i++) {
    if (state[i] != SSNE_ROW_WHOLE || (i > 0 && iteration[i] == 0)) continue;
    f->number[f->count] = i;
    f->iteration[f->count++] = iteration[i];
  }
  ssne_free(&state);
  ssne_free(&iteration);
  return code;
}

static ssne_code open_snapshots(frames *f, const char *path, ssne_error *err) {
  ssne_set_shape maps = {0}, iterations = {0}, coordinates = {0}, history = {0};
  SSNE_TRY(ssne_store_shape(f->store, SSNE_SET_SNAPSHOTS, &maps, err));
  SSNE_TRY(ssne_store_shape(f->store, SSNE_SET_SNAPSHOT_ITERATION, &iterations, err));
  SSNE_TRY(ssne_store_shape(f->store, SSNE_SET_COORDINATES, &coordinates, err));
  SSNE_TRY(ssne_store_shape(f->store, SSNE_SET_HISTORY, &history, err));
  f->rows = coordinates.rows;
  f->history_count = history.rows;
  if (!maps.exists || f->history_count < 1 || f->rows < 1)
    return ssne_fail(err, SSNE_USAGE,
                     "%s holds no snapshots: `embed --snapshot-every N` keeps them", path);
  if (iterations.rows < 1 || maps.rows % f->rows != 0 || maps.rows / f->rows != iterations.rows)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: its snapshots are not of its rows: they were written by another program",
                     path);
  SSNE_TRY(ssne_alloc(&f->piece, PIECE, 2 * sizeof *f->piece, "coordinates", err));
  SSNE_TRY(ssne_alloc(&f->history, f->history_count, sizeof *f->history, "history", err));
  SSNE_TRY(history_read(f->store, f->history_count, f->history, err));
  return find_snapshots(f, iterations.rows, err);
}

/* --- the film ---------------------------------------------------------------------------- */

static int by_row(const void *a, const void *b, void *context) {
  const int64_t *row = context, p = row[*(const int64_t *)a], q = row[*(const int64_t *)b];
  return (p > q) - (p < q);
}

static ssne_code draw_film(const job *j, frames *f, const subset *s, ssne_error *err) {
  char note[96];
  ssne_animation animation = {.frames = f->count,
                              .count = s->count,
                              .label = s->labelled ? s->label : NULL,
                              .classes = s->classes,
                              .class_count = s->class_count,
                              .source = give_frame,
                              .context = f};
  SSNE_TRY(describe(j, &animation.figure, err));
  SSNE_TRY(ssne_alloc(&f->order, s->count, sizeof *f->order, "rows", err));
  for (int64_t i = 0; i < s->count; i++) f->order[i] = i;
  qsort_r(f->order, (size_t)s->count, sizeof *f->order, by_row, s->row);
  f->points = s;
  snprintf(note, sizeof note, "a sample of %" PRId64 " of %" PRId64 " points", s->count, s->total);
  if (s->count < s->total) animation.note = note;
  return ssne_animation_draw(&animation, err);
}

/* Rank 0 alone. */
static ssne_code draw(const job *j, ssne_store *store, const char *path, ssne_error *err) {
  frames f = {.store = store};
  subset s = {.count = 0};
  ssne_code code = open_snapshots(&f, path, err);
  if (code == SSNE_OK) code = subset_choose(store, SUBSET_SHOWN, &s, err);
  if (code == SSNE_OK) code = draw_film(j, &f, &s, err);
  subset_free(&s);
  ssne_free(&f.number);
  ssne_free(&f.iteration);
  ssne_free(&f.order);
  ssne_free(&f.piece);
  ssne_free(&f.history);
  return code;
}

ssne_code animation_draw(job *j, ssne_store *store, const char *path, ssne_error *err) {
  return ssne_agree(j->comm, j->rank == 0 ? draw(j, store, path, err) : SSNE_OK, err);
}
