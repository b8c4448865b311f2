#include "checkpoint.h"
#include "history.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS 6 /* of a row's state */

/* Rows that pass through a buffer on their way to or from the file. */
#define CHUNK_ROWS INT64_C(16384)

/* An automatic checkpoint is due after this, or once the work since the last one is worth so many
 * times what writing it took. */
#define LEAST_SECONDS 60.0
#define LEAST_WORK 200.0

static const ssne_set state_sets[2] = {SSNE_SET_CHECKPOINT_0, SSNE_SET_CHECKPOINT_1};

ssne_code checkpoint_parse(const char *text, checkpoint_rule *rule, ssne_error *err) {
  char *end = NULL;
  *rule = (checkpoint_rule){.never = strcmp(text, "never") == 0};
  if (rule->never || strcmp(text, "auto") == 0) return SSNE_OK;
  const double number = strtod(text, &end);
  const bool minutes = end != text && strcmp(end, "m") == 0;
  if (end == text || (*end && !minutes) || !(number > 0) || !(number < 1e9) ||
      (!minutes && number != (double)(int64_t)number))
    return ssne_fail(
        err, SSNE_USAGE,
        "--checkpoint-every: `%s` is none of auto, never, a number of iterations (200), or "
        "of minutes (10m)",
        text);
  if (minutes)
    rule->seconds = 60 * number;
  else
    rule->iterations = (int64_t)number;
  return SSNE_OK;
}

/* --- opening and closing ----------------------------------------------------------------- */

/* Not collective. */
static ssne_code name_file(const char *run_path, char **path, ssne_error *err) {
  const size_t size = strlen(run_path) + sizeof ".checkpoint";
  SSNE_TRY(ssne_alloc(path, (int64_t)size, 1, "characters", err));
  snprintf(*path, size, "%s.checkpoint", run_path);
  return SSNE_OK;
}

ssne_code checkpoint_open(job *j, const char *run_path, const char *owner, checkpoint_rule rule,
                          const ssne_partition *partition, const ssne_tsne_options *schedule,
                          checkpoint *out, ssne_error *err) {
  *out = (checkpoint){.j = j,
                      .owner = owner,
                      .rule = rule,
                      .partition = *partition,
                      .history_length = ssne_tsne_history_length(schedule),
                      .most_steps = schedule->early_iterations + schedule->iterations,
                      .slot = -1,
                      .written = ssne_clock()};
  return ssne_agree(j->comm, name_file(run_path, &out->path, err), err);
}

void checkpoint_close(checkpoint *c) {
  ssne_error unused;
  (void)ssne_store_close(&c->store, &unused);
  ssne_free(&c->path);
}

ssne_code checkpoint_remove(checkpoint *c, ssne_error *err) {
  ssne_code code = ssne_store_close(&c->store, err);
  if (code == SSNE_OK && c->j->rank == 0) code = ssne_store_delete(c->path, true, err);
  return ssne_agree(c->j->comm, code, err);
}

/* On rank 0. */
static ssne_code delete_of(const char *run_path, ssne_error *err) {
  char *path = NULL;
  SSNE_TRY(name_file(run_path, &path, err));
  const ssne_code code = ssne_store_delete(path, true, err);
  ssne_free(&path);
  return code;
}

ssne_code checkpoint_forget(const job *j, const char *run_path, ssne_error *err) {
  return ssne_agree(j->comm, j->rank == 0 ? delete_of(run_path, err) : SSNE_OK, err);
}

/* --- transfer ---------------------------------------------------------------------------- */

static void pack(const ssne_tsne_state *s, int64_t first, int64_t rows, float *out) {
  for (int64_t r = 0; r < rows; r++) {
    const int64_t at = 2 * (first + r);
    const float row[MEMBERS] = {s->xy[at],           s->xy[at + 1], s->velocity[at],
                                s->velocity[at + 1], s->gain[at],   s->gain[at + 1]};
    memcpy(out + r * MEMBERS, row, sizeof row);
  }
}

static void unpack(const float *in, int64_t first, int64_t rows, ssne_tsne_state *s) {
  for (int64_t r = 0; r < rows; r++) {
    const int64_t at = 2 * (first + r);
    memcpy(s->xy + at, in + r * MEMBERS, 2 * sizeof *in);
    memcpy(s->velocity + at, in + r * MEMBERS + 2, 2 * sizeof *in);
    memcpy(s->gain + at, in + r * MEMBERS + 4, 2 * sizeof *in);
  }
}

/* Not collective: own rows to the file, from `from`, or to `to`. */
static ssne_code move_state(checkpoint *c, int slot, const ssne_tsne_state *from,
                            ssne_tsne_state *to, ssne_error *err) {
  const ssne_partition *p = &c->partition;
  const ssne_set set = state_sets[slot];
  float *rows = NULL;
  SSNE_TRY(ssne_alloc(&rows, CHUNK_ROWS * MEMBERS, sizeof *rows, "coordinates", err));
  ssne_code code = SSNE_OK;
  for (int64_t first = 0; first < p->own_rows && code == SSNE_OK; first += CHUNK_ROWS) {
    const int64_t left = p->own_rows - first, count = left < CHUNK_ROWS ? left : CHUNK_ROWS;
    if (from) {
      pack(from, first, count, rows);
      code = ssne_store_write(c->store, set, p->first_row + first, count, rows, err);
    } else {
      code = ssne_store_read_written(c->store, set, p->first_row + first, count, rows, err);
      unpack(rows, first, count, to);
    }
  }
  ssne_free(&rows);
  return code;
}

static ssne_code write_slot(checkpoint *c, int slot, const ssne_checkpoint_slot *what,
                            ssne_error *err) {
  if (c->j->rank > 0) return SSNE_OK;
  return ssne_store_write(c->store, SSNE_SET_CHECKPOINT_SLOTS, slot, 1, what, err);
}

/* --- writing ----------------------------------------------------------------------------- */

/* Collective. */
static ssne_code create_file(checkpoint *c, ssne_error *err) {
  const int64_t rows = c->partition.rows;
  const ssne_edit edits[] = {ssne_edit_text("checkpoint_of", c->owner),
                             ssne_edit_define(SSNE_SET_CHECKPOINT_0, rows, MEMBERS, 0),
                             ssne_edit_define(SSNE_SET_CHECKPOINT_1, rows, MEMBERS, 0),
                             ssne_edit_define(SSNE_SET_CHECKPOINT_SLOTS, 2, 1, 0),
                             ssne_edit_define(SSNE_SET_HISTORY, c->history_length, 1, 0)};
  SSNE_TRY(ssne_store_create(c->path, c->j->comm, &c->store, err));
  ssne_code code = ssne_store_change(c->store, edits, (int)(sizeof edits / sizeof *edits), err);
  if (code == SSNE_OK) code = ssne_store_publish(&c->store, err);
  if (code == SSNE_OK) code = ssne_store_open(c->path, true, c->j->comm, &c->store, NULL, err);
  return code;
}

/* Collective. The slot is void while its state is written; what is written reaches the disk in this
 * order, so that the loss of a node costs no more than a kill. */
static ssne_code write_checkpoint(checkpoint *c, const ssne_tsne_state *s, ssne_error *err) {
  const int slot = c->slot == 0 ? 1 : 0;
  const ssne_checkpoint_slot none = {.steps = -1}, done = {s->steps, s->history_count, s->seconds};
  const MPI_Comm comm = c->j->comm;
  if (!c->store) SSNE_TRY(create_file(c, err));
  SSNE_TRY_ALL(comm, write_slot(c, slot, &none, err), err);
  SSNE_TRY(ssne_store_flush(c->store, err));
  ssne_code code = move_state(c, slot, s, NULL, err);
  if (code == SSNE_OK && c->j->rank == 0)
    code = history_write(c->store, s->history, c->history, s->history_count, err);
  SSNE_TRY_ALL(comm, code, err);
  SSNE_TRY(ssne_store_flush(c->store, err));
  SSNE_TRY_ALL(comm, write_slot(c, slot, &done, err), err);
  SSNE_TRY(ssne_store_flush(c->store, err));
  c->slot = slot;
  c->history = s->history_count;
  return SSNE_OK;
}

/* Collective: as above, with the account of it. */
static ssne_code save(checkpoint *c, const ssne_tsne_state *s, ssne_error *err) {
  const ssne_moment began = ssne_moment_now();
  ssne_moment since = began;
  const ssne_code code = write_checkpoint(c, s, err);
  ssne_stages_lap(&c->j->stages, "checkpoints", 1, &since);
  c->written = since.clock;
  c->cost = since.clock - began.clock;
  if (code != SSNE_OK) { /* what is half there is of no use; the other slot, if any, is */
    ssne_error later;
    if (c->slot < 0) (void)ssne_store_close(&c->store, &later);
    return code;
  }
  ssne_log_event(c->j->log, "checkpoint", "{s:I, s:f}", "iteration", (long long)s->steps, "seconds",
                 c->cost);
  return SSNE_OK;
}

/* --- reading ----------------------------------------------------------------------------- */

/* Rank 0: the two slots; steps -1 where a slot is none or not whole. */
static ssne_code read_slots(checkpoint *c, ssne_checkpoint_slot slots[2], ssne_error *err) {
  ssne_set_shape state = {0}, history = {0};
  uint8_t whole[2];
  SSNE_TRY(ssne_store_shape(c->store, SSNE_SET_CHECKPOINT_0, &state, err));
  SSNE_TRY(ssne_store_shape(c->store, SSNE_SET_HISTORY, &history, err));
  SSNE_TRY(ssne_store_examine(c->store, SSNE_SET_CHECKPOINT_SLOTS, 0, 2, slots, whole, err));
  const bool fits = state.rows == c->partition.rows && state.columns == MEMBERS &&
                    history.rows == c->history_length;
  if (!fits)
    return ssne_fail(
        err, SSNE_FAILED,
        "%s is not of the size that this embedding needs: --fresh starts over without it", c->path);
  for (int i = 0; i < 2; i++)
    if (whole[i] != SSNE_ROW_WHOLE || slots[i].steps > c->most_steps || slots[i].history < 1 ||
        slots[i].history >= history.rows)
      slots[i].steps = -1;
  return SSNE_OK;
}

/* Collective. */
static ssne_code read_state(checkpoint *c, int slot, const ssne_checkpoint_slot *what,
                            ssne_tsne_state *s, ssne_error *err) {
  const int64_t size = what->history * (int64_t)sizeof *s->history;
  ssne_code code = move_state(c, slot, NULL, s, err);
  if (code == SSNE_OK && c->j->rank == 0)
    code = history_read(c->store, what->history, s->history, err);
  SSNE_TRY_ALL(c->j->comm, code, err);
  SSNE_TRY(ssne_broadcast(s->history, size, 0, c->j->comm, err));
  s->steps = what->steps;
  s->history_count = what->history;
  s->seconds = what->seconds;
  c->slot = slot;
  c->history = what->history;
  return SSNE_OK;
}

/* Collective: opens the file, if it is this embedding's. */
static ssne_code open_file(checkpoint *c, bool *ours, ssne_error *err) {
  int there = c->j->rank == 0 && ssne_store_exists(c->path, false);
  char *owner = NULL;
  *ours = false;
  SSNE_TRY(ssne_broadcast(&there, sizeof there, 0, c->j->comm, err));
  if (!there) return SSNE_OK;
  ssne_code code = ssne_store_open(c->path, true, c->j->comm, &c->store, NULL, err);
  if (code == SSNE_OK) {
    code = ssne_agree(c->j->comm, ssne_store_get_text(c->store, "checkpoint_of", &owner, err), err);
    *ours = code == SSNE_OK && owner && strcmp(owner, c->owner) == 0;
    ssne_free(&owner);
  }
  if (code != SSNE_OK)
    return ssne_fail_in(err, "the checkpoint cannot be opened (--fresh starts over without it)");
  return *ours ? SSNE_OK : ssne_store_close(&c->store, err);
}

/* The slot to begin from: that of `iteration`, or of the most steps; -1: none. */
static int choose(const ssne_checkpoint_slot slots[2], int64_t iteration) {
  int best = -1;
  for (int i = 0; i < 2; i++) {
    if (slots[i].steps < 0 || (iteration >= 0 && slots[i].steps != iteration)) continue;
    if (best < 0 || slots[i].steps > slots[best].steps) best = i;
  }
  return best;
}

static ssne_code no_such_iteration(const checkpoint *c, int64_t iteration,
                                   const ssne_checkpoint_slot slots[2], ssne_error *err) {
  char have[64] = "no iteration";
  if (slots[0].steps >= 0 && slots[1].steps >= 0)
    snprintf(have, sizeof have, "iterations %" PRId64 " and %" PRId64, slots[0].steps,
             slots[1].steps);
  else if (slots[0].steps >= 0 || slots[1].steps >= 0)
    snprintf(have, sizeof have, "iteration %" PRId64,
             slots[0].steps >= 0 ? slots[0].steps : slots[1].steps);
  return ssne_fail(err, SSNE_USAGE, "--resume-from %" PRId64 ": %s holds %s of this embedding",
                   iteration, c->path, have);
}

ssne_code checkpoint_load(checkpoint *c, int64_t iteration, ssne_tsne_state *state, bool *found,
                          ssne_error *err) {
  ssne_checkpoint_slot slots[2] = {{.steps = -1}, {.steps = -1}};
  bool ours = false;
  *found = false;
  SSNE_TRY(open_file(c, &ours, err));
  if (ours) {
    SSNE_TRY_ALL(c->j->comm, c->j->rank == 0 ? read_slots(c, slots, err) : SSNE_OK, err);
    SSNE_TRY(ssne_broadcast(slots, sizeof slots, 0, c->j->comm, err));
  }
  for (int slot = choose(slots, iteration); slot >= 0 && !*found; slot = choose(slots, iteration)) {
    *found = read_state(c, slot, &slots[slot], state, err) == SSNE_OK;
    if (!*found) ssne_log_warn(c->j->log, "a checkpoint cannot be used: %s", err->text);
    if (!*found) slots[slot].steps = -1;
  }
  if (!*found) ssne_tsne_state_reset(&c->partition, state); /* of what was read before it failed */
  c->written = ssne_clock();
  c->watched = state->steps;
  if (*found || iteration < 0) return SSNE_OK;
  return no_such_iteration(c, iteration, slots, err);
}

/* --- between two steps ------------------------------------------------------------------- */

static bool is_due(const checkpoint *c, const ssne_tsne_state *s) {
  const double passed = ssne_clock() - c->written;
  if (c->rule.never) return false;
  if (c->rule.iterations > 0)
    return s->steps / c->rule.iterations > c->watched / c->rule.iterations;
  if (c->rule.seconds > 0) return passed >= c->rule.seconds;
  return passed >= LEAST_SECONDS && passed >= LEAST_WORK * c->cost;
}

ssne_code checkpoint_watch(void *context, const ssne_tsne_state *state, ssne_error *err) {
  enum { GO_ON, SAVE, STOP };
  checkpoint *c = context;
  char what[64];
  int wish = GO_ON; /* when one is due is for rank 0 to say: clocks differ */
  if (c->j->rank == 0 && is_due(c, state)) wish = SAVE;
  c->watched = state->steps;
  if (ssne_stop_wanted(c->j->stop)) wish = STOP;
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &wish, 1, MPI_INT, MPI_MAX, c->j->comm),
                          "MPI_Allreduce", err));
  if (wish == GO_ON) return SSNE_OK;
  const ssne_code code = save(c, state, err);
  if (wish == STOP) {
    if (code != SSNE_OK) return ssne_fail_in(err, "stopping: no checkpoint could be written");
    snprintf(what, sizeof what, "at a checkpoint after iteration %" PRId64, state->steps);
    return ssne_stop_fail(c->j->stop, what, err);
  }
  if (code != SSNE_OK && !c->failing)
    ssne_log_warn(c->j->log, "no checkpoint could be written, the work goes on: %s", err->text);
  c->failing = code != SSNE_OK;
  return SSNE_OK;
}
