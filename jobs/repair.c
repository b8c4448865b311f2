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

/* Features first. */
static const ssne_set sample_sets[] = {
    SSNE_SET_FEATURES,      SSNE_SET_FEATURES_2, SSNE_SET_FEATURES_3,   SSNE_SET_FEATURES_4,
    SSNE_SET_FEATURES_5,    SSNE_SET_FEATURES_6, SSNE_SET_FEATURES_7,   SSNE_SET_FEATURES_8,
    SSNE_SET_LABELS,        SSNE_SET_CLASSES,    SSNE_SET_SAMPLE_NAMES, SSNE_SET_SAMPLE_STATUS,
    SSNE_SET_SAMPLE_REASON, SSNE_SET_BLOCK_DONE};
static const ssne_set neighbour_sets[] = {SSNE_SET_NEIGHBOUR_INDEX, SSNE_SET_NEIGHBOUR_DISTANCE};
static const ssne_set map_sets[] = {SSNE_SET_COORDINATES, SSNE_SET_NORMALIZED, SSNE_SET_HISTORY};
static const ssne_set snapshot_sets[] = {SSNE_SET_SNAPSHOTS, SSNE_SET_SNAPSHOT_ITERATION};
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
  for (int i = 0; i < SSNE_SET_COUNT; i++)
    SSNE_TRY(examine_set(r->j, r->from, &r->facts, (ssne_set)i, &r->found[i], err));
  return SSNE_OK;
}

static bool is_whole(const repair *r, const ssne_set *sets, int count) {
  bool whole = true;
  for (int i = 0; i < count; i++)
    whole = whole && !r->lost[sets[i]] && examination_damage(&r->found[sets[i]]) == 0 &&
            r->found[sets[i]].count[DEFECT_UNFINISHED] == 0;
  return whole;
}

/* Lists of neighbours and maps are kept whole, or not at all: their steps do not fill gaps. */
static void keep_together(repair *r, const ssne_set *sets, int count, bool gap) {
  for (int i = 0; i < count; i++)
    r->kept[sets[i]] = r->found[sets[i]].shape.exists && !gap && is_whole(r, sets, count);
}

static void choose(repair *r) {
  const bool features = r->found[SSNE_SET_FEATURES].shape.exists || r->lost[SSNE_SET_FEATURES];
  const bool gap =
      r->j->options.repair.give_up && features &&
      !is_whole(r, sample_sets, SSNE_FEATURE_SETS); /* fewer rows than they were made from */
  r->samples_whole = is_whole(r, sample_sets, COUNT(sample_sets));
  for (int i = 0; i < COUNT(sample_sets); i++)
    r->kept[sample_sets[i]] = r->found[sample_sets[i]].shape.exists;
  bool none_done = !r->kept[SSNE_SET_FEATURES];
  for (int i = 1; i < SSNE_FEATURE_SETS && !r->j->options.repair.give_up; i++)
    none_done = none_done || r->lost[ssne_features_set(i)];
  if (none_done) r->kept[SSNE_SET_SAMPLE_STATUS] = false;
  keep_together(r, neighbour_sets, COUNT(neighbour_sets), gap);
  keep_together(r, map_sets, COUNT(map_sets), gap);
  keep_together(r, snapshot_sets, COUNT(snapshot_sets), gap);
}

/* --- attributes -------------------------------------------------------------------------- */

/* Not collective: all root attributes that are text. */
static ssne_code read_texts(repair *r, ssne_error *err) {
  const char *at = NULL, *name = NULL, *value = NULL;
  while (r->texts < MOST_TEXTS && ssne_store_next_text(r->from, &at, &name, &value)) {
    r->extracted = r->extracted || strcmp(name, "extract_options") == 0;
    if (strcmp(name, "format") == 0) continue;
    SSNE_TRY(ssne_copy_text(&r->names[r->texts], name, err));
    SSNE_TRY(ssne_copy_text(&r->values[r->texts++], value, err));
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
    if (r->kept[i])
      edits[count++] = ssne_edit_define((ssne_set)i, shape->rows, shape->columns, shape->width);
  }
  if (r->lost[SSNE_SET_SAMPLE_STATUS] && r->kept[SSNE_SET_FEATURES])
    edits[count++] =
        ssne_edit_define(SSNE_SET_SAMPLE_STATUS, r->found[SSNE_SET_FEATURES].shape.rows, 1, 0);
  SSNE_TRY(ssne_store_create(r->j->options.repair.out, r->j->comm, &r->to, err));
  return ssne_store_change(r->to, edits, count, err);
}

/* Not collective: visits this rank's share of a dataset of `store`. */
static ssne_code visit_own(repair *r, ssne_store *store, ssne_set set, examination_visit *visit,
                           void *context, ssne_error *err) {
  const int64_t rows = r->found[set].shape.rows;
  return examine_range(store, &r->facts, set, ssne_share_begin(rows, r->j->ranks, r->j->rank),
                       ssne_share_begin(rows, r->j->ranks, r->j->rank + 1), visit, context, err);
}

static bool goes_over(int8_t verdict) {
  return verdict == ROW_WHOLE || verdict == DEFECT_NOT_FINITE; /* as it was computed */
}

typedef struct copying {
  ssne_store *to;
  ssne_set set;
  int64_t bytes; /* of a row */
} copying;

/* Runs of rows that are as they were written. */
static ssne_code copy_rows(void *context, const examined_rows *rows, ssne_error *err) {
  const copying *c = context;
  for (int64_t row = 0; row < rows->rows;) {
    int64_t end = row;
    while (end < rows->rows && goes_over(rows->verdicts[end])) end++;
    SSNE_TRY(ssne_store_write(c->to, c->set, rows->first + row, end - row,
                              rows->data + row * c->bytes, err));
    while (end < rows->rows && !goes_over(rows->verdicts[end])) end++;
    row = end;
  }
  return SSNE_OK;
}

static ssne_code copy_set(repair *r, ssne_set set, ssne_error *err) {
  const ssne_set_shape *shape = &r->found[set].shape;
  copying c = {r->to, set, shape->columns * shape->width};
  return visit_own(r, r->from, set, copy_rows, &c, err);
}

/* As extract leaves a bad sample: no features, and a reason. */
static ssne_code write_bad(repair *r, int64_t row, ssne_error *err) {
  static const char reason[] = "its features were damaged, and given up";
  ssne_code code = SSNE_OK;
  for (int i = 0; i <= SSNE_FEATURE_SETS && code == SSNE_OK; i++) {
    const ssne_set set = i < SSNE_FEATURE_SETS ? ssne_features_set(i) : SSNE_SET_SAMPLE_REASON;
    const ssne_set_shape *shape = &r->found[set].shape;
    char *value = NULL;
    if (!r->kept[set]) continue;
    SSNE_TRY(ssne_alloc(&value, shape->columns * shape->width, 1, "characters", err));
    if (set == SSNE_SET_SAMPLE_REASON) snprintf(value, (size_t)shape->width, "%s", reason);
    code = ssne_store_write(r->to, set, row, 1, value, err);
    ssne_free(&value);
  }
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

/* The states of samples again, now that it is known which of their features went over. */
static ssne_code mark_states(repair *r, const examined_rows *features, uint8_t *status,
                             uint8_t *state, ssne_error *err) {
  const ssne_set_shape *shape = &r->found[SSNE_SET_FEATURES].shape;
  const int64_t bytes = shape->columns * shape->width;
  SSNE_TRY(ssne_store_examine(r->to, SSNE_SET_SAMPLE_STATUS, features->first, features->rows,
                              status, state, err));
  for (int64_t i = 0; i < features->rows; i++) {
    const bool whole = goes_over(features->verdicts[i]);
    if (whole && state[i] == SSNE_ROW_WHOLE) continue;
    SSNE_TRY(write_state(r, features->first + i,
                         whole && !is_zero(features->data + i * bytes, bytes), err));
  }
  return SSNE_OK;
}

static ssne_code mark_samples(void *context, const examined_rows *features, ssne_error *err) {
  uint8_t *status = NULL, *state = NULL;
  ssne_code code = ssne_alloc(&status, features->rows, 1, "states", err);
  if (code == SSNE_OK) code = ssne_alloc(&state, features->rows, 1, "states", err);
  if (code == SSNE_OK) code = mark_states(context, features, status, state, err);
  ssne_free(&status);
  ssne_free(&state);
  return code;
}

/* The state of samples whose features of a further layer did not go over. */
static ssne_code mark_further(void *context, const examined_rows *features, ssne_error *err) {
  for (int64_t i = 0; i < features->rows; i++)
    if (!goes_over(features->verdicts[i]))
      SSNE_TRY(write_state(context, features->first + i, false, err));
  return SSNE_OK;
}

/* Labels that did not go over become unknown. */
static ssne_code mark_labels(void *context, const examined_rows *labels, ssne_error *err) {
  const repair *r = context;
  const int32_t unknown = -1;
  for (int64_t i = 0; i < labels->rows; i++)
    if (!goes_over(labels->verdicts[i]))
      SSNE_TRY(ssne_store_write(r->to, SSNE_SET_LABELS, labels->first + i, 1, &unknown, err));
  return SSNE_OK;
}

/* Not collective: what is to be said of own rows that are lost. Labels are mended by extract, where
 * that goes on with the file. */
static ssne_code mark_lost(repair *r, ssne_error *err) {
  const bool has_status = r->kept[SSNE_SET_SAMPLE_STATUS] || r->lost[SSNE_SET_SAMPLE_STATUS];
  if (r->kept[SSNE_SET_FEATURES] && has_status)
    SSNE_TRY(visit_own(r, r->to, SSNE_SET_FEATURES, mark_samples, r, err));
  for (int i = 1; i < SSNE_FEATURE_SETS && has_status; i++)
    if (r->kept[ssne_features_set(i)])
      SSNE_TRY(visit_own(r, r->to, ssne_features_set(i), mark_further, r, err));
  if (!r->kept[SSNE_SET_LABELS] || (r->extracted && !r->j->options.repair.give_up)) return SSNE_OK;
  return visit_own(r, r->to, SSNE_SET_LABELS, mark_labels, r, err);
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
  SSNE_TRY_ALL(comm, mark_lost(r, err), err);
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
