/* A new run file with what is whole of a damaged one. What the steps of the program can make again
 * is left to them: the new file says that they have not been completed. */
#include "examination.h"
#include "pipeline.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOST_TEXTS 128
#define MOST_EDITS (MOST_TEXTS + SSNE_SET_COUNT)

typedef struct repair {
  job *j;
  ssne_store *from, *to;
  bool lost[SSNE_SET_COUNT];
  run_facts facts;
  examination found[SSNE_SET_COUNT];
  bool kept[SSNE_SET_COUNT];
  bool extracted;     /* the features come from images */
  bool samples_whole; /* features, labels, names and states */
  char *names[MOST_TEXTS], *values[MOST_TEXTS];
  int texts;
} repair;

/* --- what there is ----------------------------------------------------------------------- */

static const ssne_set sample_sets[] = {
    SSNE_SET_FEATURES,      SSNE_SET_LABELS,        SSNE_SET_CLASSES,   SSNE_SET_SAMPLE_NAMES,
    SSNE_SET_SAMPLE_STATUS, SSNE_SET_SAMPLE_REASON, SSNE_SET_BLOCK_DONE};
static const ssne_set neighbour_sets[] = {SSNE_SET_NEIGHBOUR_INDEX, SSNE_SET_NEIGHBOUR_DISTANCE};
static const ssne_set map_sets[] = {SSNE_SET_COORDINATES, SSNE_SET_NORMALIZED, SSNE_SET_HISTORY};
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* Collective. */
static ssne_code examine_all(repair *r, ssne_error *err) {
  SSNE_TRY_ALL(r->j->comm, examination_facts(r->from, &r->facts, err), err);
  if (r->facts.is_checkpoint)
    return ssne_fail(
        err, SSNE_USAGE,
        "%s is a checkpoint, which is not repaired: the run goes on from its other half, or "
        "from the start",
        r->j->word);
  for (int i = 0; i < SSNE_SET_COUNT; i++) {
    ssne_set_shape shape = {0};
    SSNE_TRY_ALL(r->j->comm, ssne_store_shape(r->from, (ssne_set)i, &shape, err), err);
    if (shape.exists)
      SSNE_TRY(examine_set(r->j, r->from, &r->facts, (ssne_set)i, &r->found[i], err));
  }
  return SSNE_OK;
}

static bool is_whole(const repair *r, const ssne_set *sets, int count, bool also_finished) {
  bool whole = true;
  for (int i = 0; i < count; i++)
    whole = whole && !r->lost[sets[i]] && examination_damage(&r->found[sets[i]]) == 0 &&
            (!also_finished || r->found[sets[i]].count[DEFECT_UNFINISHED] == 0);
  return whole;
}

/* Lists of neighbours and maps are kept whole, or not at all: their steps do not fill gaps. */
static void choose(repair *r) {
  const bool features = r->found[SSNE_SET_FEATURES].shape.exists || r->lost[SSNE_SET_FEATURES];
  const bool gap = r->j->options.repair.give_up && features &&
                   !is_whole(r, sample_sets, 1, true); /* fewer rows than they were made from */
  r->samples_whole = is_whole(r, sample_sets, COUNT(sample_sets), true);
  for (int i = 0; i < COUNT(sample_sets); i++)
    r->kept[sample_sets[i]] = r->found[sample_sets[i]].shape.exists;
  if (!r->kept[SSNE_SET_FEATURES]) r->kept[SSNE_SET_SAMPLE_STATUS] = false; /* none is done */
  for (int i = 0; i < COUNT(neighbour_sets); i++)
    r->kept[neighbour_sets[i]] = r->found[neighbour_sets[i]].shape.exists && !gap &&
                                 is_whole(r, neighbour_sets, COUNT(neighbour_sets), true);
  for (int i = 0; i < COUNT(map_sets); i++)
    r->kept[map_sets[i]] =
        r->found[map_sets[i]].shape.exists && !gap && is_whole(r, map_sets, COUNT(map_sets), true);
}

/* --- attributes -------------------------------------------------------------------------- */

/* Not collective: all root attributes that are text. */
static ssne_code read_texts(repair *r, ssne_error *err) {
  for (int i = 0; r->texts < MOST_TEXTS; i++) {
    char *name = NULL, *value = NULL;
    SSNE_TRY(ssne_store_text_name(r->from, i, &name, err));
    if (!name) return SSNE_OK;
    const ssne_code code = ssne_store_get_text(r->from, name, &value, err);
    const bool wanted = code == SSNE_OK && value && strcmp(name, "format") != 0;
    r->extracted = r->extracted || strcmp(name, "extract_options") == 0;
    if (wanted) {
      r->names[r->texts] = name;
      r->values[r->texts++] = value;
    } else {
      ssne_free(&name);
      ssne_free(&value);
    }
  }
  return SSNE_OK;
}

static ssne_code set_value(repair *r, const char *name, const char *value, ssne_error *err) {
  for (int i = 0; i < r->texts; i++) {
    if (strcmp(r->names[i], name) != 0) continue;
    ssne_free(&r->values[i]);
    return ssne_copy_text(&r->values[i], value, err);
  }
  if (strcmp(value, "yes") != 0 || r->texts == MOST_TEXTS) return SSNE_OK; /* it is not there */
  SSNE_TRY(ssne_copy_text(&r->names[r->texts], name, err));
  return ssne_copy_text(&r->values[r->texts++], value, err);
}

static bool keeps_features(const repair *r) {
  return r->samples_whole || r->j->options.repair.give_up;
}

/* Not collective: which steps the new file has completed. */
static ssne_code mark_steps(repair *r, ssne_error *err) {
  if (r->extracted)
    SSNE_TRY(set_value(r, "extract_complete", keeps_features(r) ? "yes" : "no", err));
  if (!r->kept[SSNE_SET_NEIGHBOUR_INDEX]) SSNE_TRY(set_value(r, "neighbours_complete", "no", err));
  if (!r->kept[SSNE_SET_COORDINATES]) SSNE_TRY(set_value(r, "embed_complete", "no", err));
  return SSNE_OK;
}

/* --- the new file ------------------------------------------------------------------------ */

/* Collective. */
static ssne_code create(repair *r, ssne_error *err) {
  ssne_edit edits[MOST_EDITS];
  int count = 0;
  SSNE_TRY_ALL(r->j->comm, read_texts(r, err), err);
  SSNE_TRY_ALL(r->j->comm, mark_steps(r, err), err);
  for (int i = 0; i < r->texts; i++) edits[count++] = ssne_edit_text(r->names[i], r->values[i]);
  for (int i = 0; i < SSNE_SET_COUNT; i++) {
    const ssne_set_shape *shape = &r->found[i].shape;
    const bool text =
        i == SSNE_SET_CLASSES || i == SSNE_SET_SAMPLE_NAMES || i == SSNE_SET_SAMPLE_REASON;
    if (r->kept[i])
      edits[count++] =
          ssne_edit_define((ssne_set)i, shape->rows, shape->columns, text ? shape->width : 0);
  }
  if (r->lost[SSNE_SET_SAMPLE_STATUS] && r->kept[SSNE_SET_FEATURES])
    edits[count++] =
        ssne_edit_define(SSNE_SET_SAMPLE_STATUS, r->found[SSNE_SET_FEATURES].shape.rows, 1, 0);
  SSNE_TRY(ssne_store_create(r->j->options.repair.out, r->j->comm, &r->to, err));
  return ssne_store_change(r->to, edits, count, err);
}

typedef struct space {
  char *data;
  uint8_t *status, *state;
  int8_t *defects;
} space;

static ssne_code allocate(space *s, const ssne_set_shape *shape, int64_t rows, ssne_error *err) {
  SSNE_TRY(ssne_alloc(&s->data, rows, (size_t)(shape->columns * shape->width), "rows", err));
  SSNE_TRY(ssne_alloc(&s->status, rows, 1, "states", err));
  SSNE_TRY(ssne_alloc(&s->state, rows, 1, "states", err));
  return ssne_alloc(&s->defects, rows, 1, "states", err);
}

static void free_space(space *s) {
  ssne_free(&s->data);
  ssne_free(&s->status);
  ssne_free(&s->state);
  ssne_free(&s->defects);
}

static bool goes_over(int8_t verdict) {
  return verdict == ROW_WHOLE || verdict == DEFECT_NOT_FINITE; /* as it was computed */
}

/* Runs of rows that are as they were written. */
static ssne_code copy_rows(repair *r, ssne_set set, int64_t first, int64_t rows, const space *s,
                           ssne_error *err) {
  const ssne_set_shape *shape = &r->found[set].shape;
  for (int64_t row = 0; row < rows;) {
    int64_t end = row;
    while (end < rows && goes_over(s->defects[end])) end++;
    SSNE_TRY(ssne_store_write(r->to, set, first + row, end - row,
                              s->data + row * shape->columns * shape->width, err));
    while (end < rows && !goes_over(s->defects[end])) end++;
    row = end;
  }
  return SSNE_OK;
}

/* Not collective: this rank's share of a dataset. */
static ssne_code copy_set(repair *r, ssne_set set, ssne_error *err) {
  const ssne_set_shape *shape = &r->found[set].shape;
  const int64_t chunk = examination_chunk(shape);
  const int64_t end = ssne_share_begin(shape->rows, r->j->ranks, r->j->rank + 1);
  space s = {.data = NULL};
  ssne_code code = allocate(&s, shape, chunk, err);
  for (int64_t first = ssne_share_begin(shape->rows, r->j->ranks, r->j->rank);
       first < end && code == SSNE_OK; first += chunk) {
    const int64_t rows = end - first < chunk ? end - first : chunk;
    code = examine_rows(r->from, &r->facts, set, first, rows, s.data, s.status, s.state, s.defects,
                        err);
    if (code == SSNE_OK) code = copy_rows(r, set, first, rows, &s, err);
  }
  free_space(&s);
  return code;
}

/* As extract leaves a bad sample: no features, and a reason. */
static ssne_code write_bad(repair *r, int64_t row, ssne_error *err) {
  const ssne_set_shape *features = &r->found[SSNE_SET_FEATURES].shape;
  const int64_t width = r->found[SSNE_SET_SAMPLE_REASON].shape.width;
  const int64_t bytes = features->columns * features->width;
  char *zeros = NULL;
  SSNE_TRY(ssne_alloc(&zeros, bytes > width ? bytes : width, 1, "characters", err));
  ssne_code code = ssne_store_write(r->to, SSNE_SET_FEATURES, row, 1, zeros, err);
  if (code == SSNE_OK && r->kept[SSNE_SET_SAMPLE_REASON]) {
    snprintf(zeros, (size_t)width, "%s", "its features were damaged, and given up");
    code = ssne_store_write(r->to, SSNE_SET_SAMPLE_REASON, row, 1, zeros, err);
  }
  ssne_free(&zeros);
  return code;
}

/* A sample whose features or state are lost is pending again, or bad. One row a write: there are
 * few. */
static ssne_code write_state(repair *r, int64_t row, bool has_features, ssne_error *err) {
  const bool bad = r->j->options.repair.give_up && !has_features;
  const uint8_t state = has_features ? SAMPLE_GOOD : bad ? SAMPLE_BAD : SAMPLE_PENDING;
  if (bad) SSNE_TRY(write_bad(r, row, err));
  return ssne_store_write(r->to, SSNE_SET_SAMPLE_STATUS, row, 1, &state, err);
}

/* Features of bad samples are zeros. */
static bool is_zero(const char *row, int64_t bytes) {
  return row[0] == 0 && memcmp(row, row + 1, (size_t)bytes - 1) == 0;
}

/* Not collective: the states of own samples again, now that it is known which features are whole.
 */
static ssne_code mark_samples(repair *r, ssne_error *err) {
  const ssne_set_shape *shape = &r->found[SSNE_SET_FEATURES].shape;
  const int64_t chunk = examination_chunk(shape);
  const int64_t end = ssne_share_begin(shape->rows, r->j->ranks, r->j->rank + 1);
  const int64_t bytes = shape->columns * shape->width;
  const bool has_status = r->kept[SSNE_SET_SAMPLE_STATUS] || r->lost[SSNE_SET_SAMPLE_STATUS];
  if (!r->kept[SSNE_SET_FEATURES] || !has_status) return SSNE_OK;
  space s = {.data = NULL};
  ssne_code code = allocate(&s, shape, chunk, err);
  for (int64_t first = ssne_share_begin(shape->rows, r->j->ranks, r->j->rank);
       first < end && code == SSNE_OK; first += chunk) {
    const int64_t rows = end - first < chunk ? end - first : chunk;
    code = ssne_store_examine(r->to, SSNE_SET_FEATURES, first, rows, s.data, (uint8_t *)s.defects,
                              err);
    if (code == SSNE_OK)
      code = ssne_store_examine(r->to, SSNE_SET_SAMPLE_STATUS, first, rows, s.status, s.state, err);
    for (int64_t i = 0; i < rows && code == SSNE_OK; i++) {
      const bool whole = (uint8_t)s.defects[i] == SSNE_ROW_WHOLE;
      if (s.state[i] != SSNE_ROW_WHOLE || !whole)
        code = write_state(r, first + i, whole && !is_zero(s.data + i * bytes, bytes), err);
    }
  }
  free_space(&s);
  return code;
}

/* Not collective: labels of `embed --features` that are lost become unknown. */
static ssne_code mark_labels(repair *r, ssne_error *err) {
  const int64_t rows = r->found[SSNE_SET_LABELS].shape.rows;
  const int64_t end = ssne_share_begin(rows, r->j->ranks, r->j->rank + 1);
  const int32_t unknown = -1;
  if (!r->kept[SSNE_SET_LABELS] || (r->extracted && !r->j->options.repair.give_up)) return SSNE_OK;
  for (int64_t row = ssne_share_begin(rows, r->j->ranks, r->j->rank); row < end; row++) {
    int32_t label = 0;
    uint8_t state = 0;
    SSNE_TRY(ssne_store_examine(r->to, SSNE_SET_LABELS, row, 1, &label, &state, err));
    if (state != SSNE_ROW_WHOLE)
      SSNE_TRY(ssne_store_write(r->to, SSNE_SET_LABELS, row, 1, &unknown, err));
  }
  return SSNE_OK;
}

/* --- all of it --------------------------------------------------------------------------- */

static void tell(const repair *r) {
  ssne_log *log = r->j->log;
  for (int i = 0; i < SSNE_SET_COUNT; i++) {
    const examination *e = &r->found[i];
    const char *name = ssne_store_name((ssne_set)i);
    if (r->lost[i])
      ssne_log_warn(log, "%s: lost", name);
    else if (e->shape.exists && !r->kept[i])
      ssne_log_warn(log,
                    "%s: left out, to be made again where it is needed (%" PRId64 " rows damaged)",
                    name, examination_damage(e));
    else if (examination_damage(e) > 0)
      ssne_log_warn(log, "%s: all but %" PRId64 " of %" PRId64 " rows", name, examination_damage(e),
                    e->shape.rows);
    else if (e->shape.exists)
      ssne_log_info(log, "%s: whole", name);
  }
}

static ssne_code copy_all(repair *r, ssne_error *err) {
  const MPI_Comm comm = r->j->comm;
  SSNE_TRY(create(r, err));
  for (int i = 0; i < SSNE_SET_COUNT; i++)
    if (r->kept[i]) SSNE_TRY_ALL(comm, copy_set(r, (ssne_set)i, err), err);
  SSNE_TRY_ALL(comm, mark_samples(r, err), err);
  SSNE_TRY_ALL(comm, mark_labels(r, err), err);
  tell(r);
  const char *out = r->j->options.repair.out;
  if (!r->extracted || keeps_features(r)) {
    ssne_log_info(r->j->log, "%s has what is whole; the command that made %s does the rest on it",
                  out, r->j->word);
    return ssne_store_publish(&r->to, err);
  }
  ssne_log_info(r->j->log,
                "%s.partial has what is whole; `shardsne extract` with --out %s, and otherwise "
                "the options that made %s, does the rest",
                out, out, r->j->word);
  return ssne_store_close(&r->to, err);
}

/* The new file must not be there: what is in it may be all that is left of another one. */
static ssne_code check_target(const job *j, ssne_error *err) {
  const char *out = j->options.repair.out;
  if (j->rank > 0 || (!ssne_store_exists(out, false) && !ssne_store_exists(out, true)))
    return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE, "%s is there already: give --out another name", out);
}

ssne_code job_repair(job *j, ssne_error *err) {
  repair r = {.j = j};
  ssne_error later;
  SSNE_TRY(job_require(j->word, "RUN.h5", err));
  SSNE_TRY(job_require(j->options.repair.out, "--out NEW.h5", err));
  SSNE_TRY_ALL(j->comm, check_target(j, err), err);
  ssne_code code = ssne_store_open_damaged(j->word, j->comm, &r.from, r.lost, err);
  if (code == SSNE_OK) code = examine_all(&r, err);
  if (code == SSNE_OK) {
    choose(&r);
    code = copy_all(&r, err);
  }
  (void)ssne_store_close(&r.from, &later); /* it was only read */
  (void)ssne_store_close(&r.to, &later);
  for (int i = 0; i < r.texts; i++) {
    ssne_free(&r.names[i]);
    ssne_free(&r.values[i]);
  }
  return code;
}
