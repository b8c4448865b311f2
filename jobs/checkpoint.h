/* Checkpoints of the descent: its state in a file of its own, RUN.h5.checkpoint, from which the
 * same command goes on. Two states are kept, and the older one is replaced by the next, so that one
 * of them is whole at any moment. docs/run-file.md has the schema. */
#ifndef SHARDSNE_JOBS_CHECKPOINT_H
#define SHARDSNE_JOBS_CHECKPOINT_H

#include "job.h"

#include "shardsne/tsne.h"

#include <stdbool.h>

/* How often: every so many iterations, or seconds, whichever is positive; automatic where neither
 * is. */
typedef struct checkpoint_rule {
  int64_t iterations;
  double seconds;
  bool never; /* but when stopped */
} checkpoint_rule;

typedef struct checkpoint {
  job *j;
  char *path;        /* RUN.h5.checkpoint */
  const char *owner; /* what the checkpoint says it belongs to: the embedding begun in RUN.h5 */
  checkpoint_rule rule;
  ssne_partition partition; /* of the rows in the order of the descent */
  int64_t history_length, most_steps;
  int64_t watched;   /* steps when it was last asked whether one is due */
  ssne_store *store; /* NULL until the first is written */
  int slot;          /* the latest; -1: none */
  int64_t history;   /* entries in the file */
  double written;    /* when that was, by ssne_clock */
  double cost;       /* seconds that the last one took */
  bool failing;      /* the last one could not be written; said once */
} checkpoint;

/* Not collective: --checkpoint-every: "auto", "never", "200" iterations, or "10m" minutes. */
ssne_code checkpoint_parse(const char *text, checkpoint_rule *rule, ssne_error *err);

/* Collective: for the run file at `run_path`, to be written by `rule`. `owner` must outlive the
 * checkpoint. Free with checkpoint_close. */
ssne_code checkpoint_open(job *j, const char *run_path, const char *owner, checkpoint_rule rule,
                          const ssne_partition *partition, const ssne_tsne_options *schedule,
                          checkpoint *out, ssne_error *err);

/* Collective: closes what is open; the file stays. */
void checkpoint_close(checkpoint *c);

/* Collective: closes and removes the file, if there is one. */
ssne_code checkpoint_remove(checkpoint *c, ssne_error *err);

/* Collective: removes the file of the run file at `run_path`, if there is one: a kill between the
 * end of an embedding and that of its checkpoint leaves it. */
ssne_code checkpoint_forget(const job *j, const char *run_path, ssne_error *err);

/* Collective: fills `state` from the latest whole checkpoint of this embedding, or where
 * `iteration` is not negative from the one of that iteration, which is an error if there is none.
 * *found: there was one. */
ssne_code checkpoint_load(checkpoint *c, int64_t iteration, ssne_tsne_state *state, bool *found,
                          ssne_error *err);

/* Collective; an ssne_tsne_watch with the checkpoint as its context: writes one where it is due,
 * and where a rank was asked to stop, then returning SSNE_STOPPED. */
ssne_code checkpoint_watch(void *context, const ssne_tsne_state *state, ssne_error *err);

#endif
