/* Whether a run file is whole, and which rows are not. */
#include "examination.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const words[DEFECTS] = {
    [DEFECT_DAMAGED] = "damaged",         [DEFECT_MISSING] = "missing",
    [DEFECT_NOT_FINITE] = "not finite",   [DEFECT_OUT_OF_RANGE] = "out of range",
    [DEFECT_UNFINISHED] = "not done yet",
};

/* Rank 0. */
static void tell(const examination *e) {
  bool sound = true;
  printf("%-24s %14" PRId64 "  ", ssne_store_name(e->set), e->shape.rows);
  for (int d = 0; d < DEFECTS; d++) {
    if (e->count[d] > 0) printf("%s%" PRId64 " %s", sound ? "" : ", ", e->count[d], words[d]);
    sound = sound && e->count[d] == 0;
  }
  puts(sound ? "whole" : "");
  for (int i = 0; i < e->listed_count; i++) {
    const defect_run *run = &e->listed[i];
    if (run->first == run->last)
      printf("    row %" PRId64 ": %s\n", run->first, words[run->kind]);
    else
      printf("    rows %" PRId64 " to %" PRId64 ": %s\n", run->first, run->last, words[run->kind]);
  }
  if (e->listed_count == EXAMINATION_LISTED) printf("    ... and perhaps more\n");
}

/* Collective. *damaged: rows of all datasets that are. */
static ssne_code examine_all(job *j, ssne_store *store, int64_t *damaged, ssne_error *err) {
  run_facts facts;
  SSNE_TRY_ALL(j->comm, examination_facts(store, &facts, err), err);
  if (j->rank == 0) printf("%-24s %14s\n", "dataset", "rows");
  for (int i = 0; i < SSNE_SET_COUNT; i++) {
    examination e;
    SSNE_TRY(examine_set(j, store, &facts, (ssne_set)i, &e, err));
    if (j->rank == 0 && e.shape.exists) tell(&e);
    *damaged += examination_damage(&e);
  }
  return SSNE_OK;
}

/* What else is under way although no row is missing. */
static ssne_code check_steps(const job *j, ssne_store *store, bool partial, ssne_error *err) {
  static const char *const steps[] = {"extract_complete", "embed_complete"};
  bool unfinished = partial;
  for (int i = 0; i < 2; i++) {
    char *value = NULL;
    SSNE_TRY(ssne_store_get_text(store, steps[i], &value, err));
    unfinished = unfinished || (value && value[0] == 'n');
    ssne_free(&value);
  }
  if (!unfinished) return SSNE_OK;
  return ssne_fail(err, SSNE_STOPPED,
                   "%s is sound and not finished: run the command that makes it again", j->word);
}

ssne_code job_verify(job *j, ssne_error *err) {
  ssne_store *store = NULL;
  bool partial = false;
  int64_t damaged = 0;
  ssne_error later;
  SSNE_TRY(job_require(j->word, "RUN.h5", err));
  SSNE_TRY(ssne_store_open(j->word, false, j->comm, &store, &partial, err));
  ssne_code code = examine_all(j, store, &damaged, err);
  if (code == SSNE_OK && damaged > 0)
    code = ssne_fail(err, SSNE_FAILED,
                     "%s: %" PRId64
                     " rows are damaged; `shardsne repair %s --out NEW.h5` brings back what "
                     "is whole",
                     j->word, damaged, j->word);
  if (code == SSNE_OK) code = ssne_agree(j->comm, check_steps(j, store, partial, err), err);
  (void)ssne_store_close(&store, &later); /* it was only read */
  return code;
}
