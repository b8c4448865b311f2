#include "examination.h"

#include "pipeline.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <math.h>
#include <string.h>

#define CHUNK_BYTES ((int64_t)1 << 22)
#define MOST_CHUNK_ROWS INT64_C(65536)

/* Which step makes a dataset of a run file, and whether rows of bad samples have no value there. */
typedef enum step { BY_EXTRACT, BY_NEIGHBOURS, BY_EMBED } step;

static const struct {
  step step;
  bool good_only;
} made[SSNE_SET_COUNT] = {
    [SSNE_SET_NEIGHBOUR_INDEX] = {BY_NEIGHBOURS, true},
    [SSNE_SET_NEIGHBOUR_DISTANCE] = {BY_NEIGHBOURS, true},
    [SSNE_SET_COORDINATES] = {BY_EMBED, true},
    [SSNE_SET_NORMALIZED] = {BY_EMBED, true},
    [SSNE_SET_HISTORY] = {BY_EMBED, false},
};

/* Rows that pass at once. */
static int64_t chunk_of(const ssne_set_shape *shape) {
  const int64_t fitting = CHUNK_BYTES / (shape->columns * shape->width) + 1;
  return fitting < MOST_CHUNK_ROWS ? fitting : MOST_CHUNK_ROWS;
}

int64_t examination_damage(const examination *e) {
  int64_t damage = 0;
  for (int d = 0; d < DEFECTS; d++) damage += d == DEFECT_UNFINISHED ? 0 : e->count[d];
  return damage;
}

ssne_code examination_facts(ssne_store *store, run_facts *facts, ssne_error *err) {
  static const char *const names[] = {"extract_complete", "neighbours_complete", "embed_complete"};
  ssne_set_shape shape = {0};
  *facts = (run_facts){.rows = 0};
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_CLASSES, &shape, err));
  facts->classes = shape.exists ? shape.rows : -1;
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_SAMPLE_STATUS, &shape, err));
  facts->has_status = shape.exists;
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_CHECKPOINT_SLOTS, &shape, err));
  facts->is_checkpoint = shape.exists;
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_NEIGHBOUR_INDEX, &shape, err));
  facts->rows = shape.rows;
  for (int i = 0; i < 3; i++) SSNE_TRY(job_is_complete(store, names[i], &facts->complete[i], err));
  return SSNE_OK;
}

/* --- a row ------------------------------------------------------------------------------- */

static bool is_finite(const char *row, int64_t columns) {
  bool finite = true;
  for (int64_t c = 0; c < columns; c++) {
    float value;
    memcpy(&value, row + c * (int64_t)sizeof value, sizeof value);
    finite = finite && isfinite(value);
  }
  return finite;
}

static bool is_in_range(const run_facts *facts, ssne_set set, const char *row, int64_t columns) {
  bool within = true;
  for (int64_t c = 0; c < columns; c++) {
    uint32_t value = (uint8_t)row[0];
    if (set != SSNE_SET_SAMPLE_STATUS)
      memcpy(&value, row + c * (int64_t)sizeof value, sizeof value);
    if (set == SSNE_SET_SAMPLE_STATUS) within = within && value <= SAMPLE_BAD;
    if (set == SSNE_SET_NEIGHBOUR_INDEX) within = within && value < (uint64_t)facts->rows;
    if (set == SSNE_SET_LABELS && facts->classes >= 0)
      within = within && (int32_t)value >= -1 && (int32_t)value < facts->classes;
  }
  return within;
}

/* What is wrong with a row's contents. */
static int judge(const run_facts *facts, ssne_set set, const char *row, int64_t columns) {
  if (ssne_is_features(set)) return is_finite(row, columns) ? ROW_WHOLE : DEFECT_NOT_FINITE;
  switch (set) {
  case SSNE_SET_NEIGHBOUR_DISTANCE:
  case SSNE_SET_COORDINATES:
  case SSNE_SET_NORMALIZED:
  case SSNE_SET_CHECKPOINT_0:
  case SSNE_SET_CHECKPOINT_1:
    return is_finite(row, columns) ? ROW_WHOLE : DEFECT_NOT_FINITE;
  case SSNE_SET_SAMPLE_STATUS:
  case SSNE_SET_NEIGHBOUR_INDEX:
  case SSNE_SET_LABELS:
    return is_in_range(facts, set, row, columns) ? ROW_WHOLE : DEFECT_OUT_OF_RANGE;
  default:
    return ROW_WHOLE;
  }
}

/* A row that nobody has written, of a sample that is not bad. */
static int judge_unwritten(const run_facts *facts, ssne_set set) {
  const bool snapshot = set == SSNE_SET_SNAPSHOTS || set == SSNE_SET_SNAPSHOT_ITERATION;
  /* a descent that ended early has fewer snapshots than there is room for */
  if (set == SSNE_SET_SAMPLE_REASON || facts->is_checkpoint || snapshot) return ROW_EMPTY;
  if (set == SSNE_SET_LABELS && !facts->has_status) return DEFECT_MISSING;
  return facts->complete[made[set].step] ? DEFECT_MISSING : DEFECT_UNFINISHED;
}

/* --- a range of rows --------------------------------------------------------------------- */

/* Room for a chunk. */
typedef struct space {
  char *data;
  uint8_t *status; /* of the samples */
  uint8_t *state;  /* of the rows, by their checksums */
  int8_t *verdicts;
} space;

static ssne_code allocate(space *s, const ssne_set_shape *shape, int64_t rows, ssne_error *err) {
  SSNE_TRY(ssne_alloc(&s->data, rows, (size_t)(shape->columns * shape->width), "rows", err));
  SSNE_TRY(ssne_alloc(&s->status, rows, 1, "states", err));
  SSNE_TRY(ssne_alloc(&s->state, rows, 1, "states", err));
  return ssne_alloc(&s->verdicts, rows, 1, "states", err);
}

static void free_space(space *s) {
  ssne_free(&s->data);
  ssne_free(&s->status);
  ssne_free(&s->state);
  ssne_free(&s->verdicts);
}

static ssne_code examine_chunk(ssne_store *store, const run_facts *facts, ssne_set set,
                               int64_t columns, int64_t bytes, int64_t first, int64_t rows,
                               space *s, ssne_error *err) {
  const bool asks = made[set].good_only && facts->has_status;
  if (asks)
    SSNE_TRY(
        ssne_store_examine(store, SSNE_SET_SAMPLE_STATUS, first, rows, s->status, s->state, err));
  SSNE_TRY(ssne_store_examine(store, set, first, rows, s->data, s->state, err));
  for (int64_t r = 0; r < rows; r++) {
    int verdict = DEFECT_DAMAGED;
    if (s->state[r] != SSNE_ROW_DAMAGED && asks && s->status[r] == SAMPLE_BAD)
      verdict = ROW_EMPTY;
    else if (s->state[r] == SSNE_ROW_UNWRITTEN)
      verdict = judge_unwritten(facts, set);
    else if (s->state[r] == SSNE_ROW_WHOLE)
      verdict = judge(facts, set, s->data + r * bytes, columns);
    s->verdicts[r] = (int8_t)verdict;
  }
  return SSNE_OK;
}

ssne_code examine_range(ssne_store *store, const run_facts *facts, ssne_set set, int64_t first,
                        int64_t end, examination_visit *visit, void *context, ssne_error *err) {
  ssne_set_shape shape;
  space s = {.data = NULL};
  SSNE_TRY(ssne_store_shape(store, set, &shape, err));
  const int64_t chunk = chunk_of(&shape), most = end - first < chunk ? end - first : chunk;
  ssne_code code = allocate(&s, &shape, most, err);
  for (; first < end && code == SSNE_OK; first += chunk) {
    const int64_t rows = end - first < chunk ? end - first : chunk;
    const examined_rows seen = {first, rows, s.data, s.verdicts};
    code = examine_chunk(store, facts, set, shape.columns, shape.columns * shape.width, first, rows,
                         &s, err);
    if (code == SSNE_OK) code = visit(context, &seen, err);
  }
  free_space(&s);
  return code;
}

/* --- a dataset --------------------------------------------------------------------------- */

static void note(examination *e, int64_t row, int kind) {
  defect_run *last = e->listed_count > 0 ? &e->listed[e->listed_count - 1] : NULL;
  e->count[kind]++;
  if (last && (int)last->kind == kind && last->last == row - 1)
    last->last = row;
  else if (e->listed_count < EXAMINATION_LISTED)
    e->listed[e->listed_count++] = (defect_run){row, row, (defect)kind};
}

static ssne_code note_defects(void *context, const examined_rows *rows, ssne_error *err) {
  (void)err;
  for (int64_t r = 0; r < rows->rows; r++)
    if (rows->verdicts[r] >= 0) note(context, rows->first + r, rows->verdicts[r]);
  return SSNE_OK;
}

/* What the ranks found, in rank order and so in row order. */
static void merge(examination *into, const examination *of) {
  for (int i = 0; i < of->listed_count; i++) {
    defect_run *last = into->listed_count > 0 ? &into->listed[into->listed_count - 1] : NULL;
    const defect_run *next = &of->listed[i];
    if (last && last->kind == next->kind && last->last == next->first - 1)
      last->last = next->last;
    else if (into->listed_count < EXAMINATION_LISTED)
      into->listed[into->listed_count++] = *next;
  }
  for (int d = 0; d < DEFECTS; d++) into->count[d] += of->count[d];
}

/* Collective. */
static ssne_code merge_all(job *j, const examination *own, examination *out, ssne_error *err) {
  int64_t *counts = NULL;
  examination *all = NULL;
  const int64_t ranks = j->rank == 0 ? j->ranks : 0;
  ssne_code code = ssne_alloc(&counts, ranks, sizeof *counts, "ranks", err);
  if (code == SSNE_OK) code = ssne_alloc(&all, ranks, sizeof *all, "ranks", err);
  code = ssne_agree(j->comm, code, err);
  for (int64_t r = 0; r < ranks && code == SSNE_OK; r++) counts[r] = 1;
  if (code == SSNE_OK) code = ssne_gather(own, 1, all, counts, sizeof *all, 0, j->comm, err);
  *out = (examination){.set = own->set, .shape = own->shape};
  for (int64_t r = 0; r < ranks && code == SSNE_OK; r++) merge(out, &all[r]);
  if (code == SSNE_OK) code = ssne_broadcast(out, sizeof *out, 0, j->comm, err);
  ssne_free(&counts);
  ssne_free(&all);
  return code;
}

ssne_code examine_set(job *j, ssne_store *store, const run_facts *facts, ssne_set set,
                      examination *out, ssne_error *err) {
  examination own = {.set = set};
  SSNE_TRY(ssne_store_shape(store, set, &own.shape, err));
  *out = own;
  if (!own.shape.exists) return SSNE_OK;
  const ssne_partition p = ssne_partition_make(own.shape.rows, SSNE_DIGEST_ROWS, j->ranks, j->rank);
  SSNE_TRY_ALL(j->comm,
               examine_range(store, facts, set, p.first_row, p.first_row + p.own_rows, note_defects,
                             &own, err),
               err);
  return merge_all(j, &own, out, err);
}
