/* Maps on the way to the embedding, kept in the run file. */
#ifndef SHARDSNE_JOBS_SNAPSHOTS_H
#define SHARDSNE_JOBS_SNAPSHOTS_H

#include "job.h"
#include "selection.h"

#include "shardsne/order.h"
#include "shardsne/partition.h"
#include "shardsne/tsne.h"

typedef struct snapshots {
  job *j;
  ssne_store *store;
  const selection *chosen;
  const ssne_partition *partition;
  const ssne_order *order;
  int64_t every; /* iterations; 0: none are kept */
  float *xy;     /* [own_rows, 2] on their way to the file */
} snapshots;

/* Not collective: --snapshot-every: no more than are kept. */
ssne_code snapshots_check(const embed_options *o, ssne_error *err);

/* Collective: prepares the run file for the snapshots of a descent. One that begins gets room for
 * them, in place of those of an earlier one, and its start is kept; one that is `resumed` goes on
 * with those that the file has, and other wishes than it was begun with are an error. What is
 * passed must outlive the snapshots. Free with snapshots_free, also after an error. */
ssne_code snapshots_begin(snapshots *s, job *j, ssne_store *store, const selection *chosen,
                          const ssne_partition *partition, const ssne_order *order,
                          const ssne_tsne_state *state, bool resumed, ssne_error *err);

/* Collective, after each step: keeps the state's map where it is due. It is on disk when this
 * returns. */
ssne_code snapshots_keep(snapshots *s, const ssne_tsne_state *state, ssne_error *err);

/* Not collective: warns where snapshots are wanted of an embedding that was made without. */
void snapshots_warn(const job *j, ssne_store *store, const char *path);

void snapshots_free(snapshots *s);

#endif
