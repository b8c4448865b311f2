/* An embedding on its way from features to coordinates in a run file: what embed.c, embed_input.c
 * and embed_neighbours.c share. */
#ifndef SHARDSNE_JOBS_EMBEDDING_H
#define SHARDSNE_JOBS_EMBEDDING_H

#include "checkpoint.h"
#include "job.h"
#include "selection.h"
#include "snapshots.h"
#include "source.h"

#include "shardsne/dataset.h"
#include "shardsne/neighbours.h"
#include "shardsne/rows.h"
#include "shardsne/tsne.h"

#include <stdbool.h>

typedef struct embedding {
  job *j;
  const char *path;
  double began;      /* by ssne_clock */
  int first_stage;   /* of the job's stages */
  bool own_features; /* of the run file itself, not of --features */
  char *recorded;
  char advice[SSNE_ERROR_LENGTH / 2]; /* where the file was made with other options */
  ssne_store *store;
  source from;
  source labels;
  selection chosen;
  float *start; /* of --init FILE, this rank's rows [own_rows, 2]; NULL: another start */
  char start_digest[SSNE_DIGEST_LENGTH];
  ssne_partition partition; /* of the chosen rows */
  ssne_rows rows;
  int64_t k;
  ssne_search_report search;  /* how the neighbours were found */
  ssne_neighbours neighbours; /* chosen rows */
  ssne_order order;
  ssne_affinities affinities;
  ssne_tsne_options schedule;
  ssne_tsne_state state; /* of the descent */
  checkpoint_rule rule;  /* of --checkpoint-every */
  checkpoint checkpoint;
  char *owner;  /* what a checkpoint must belong to */
  bool resumed; /* from one */
  snapshots snapshots;
} embedding;

/* --- input ------------------------------------------------------------------------------- */

/* Collective: opens the run file where there is one (*found), and says whether it has this very
 * embedding already (*complete). Other options than it was made with are an error. */
ssne_code embedding_open(embedding *e, bool *found, bool *complete, ssne_error *err);

/* Collective: opens the features and checks all input that can be checked without reading it. */
ssne_code embedding_open_input(embedding *e, ssne_error *err);

/* Collective: reads what --init's file, if it is one, has for this rank's rows; before the
 * neighbours are searched, which may take long. */
ssne_code embedding_read_start(embedding *e, ssne_error *err);

/* Collective: makes the run file of `embed --features`. */
ssne_code embedding_create_file(embedding *e, ssne_error *err);

/* Collective: copies the labels of --labels into the run file of `embed --features`, and which rows
 * are bad. */
ssne_code embedding_keep_samples(embedding *e, ssne_error *err);

/* Collective: reads and prepares own rows. */
ssne_code embedding_load_rows(embedding *e, ssne_error *err);

/* Whether --init asks for a spectral start, and (*or_pca, may be NULL) whether PCA will do. */
bool embedding_starts_spectral(const embedding *e, bool *or_pca);

/* Whether the later iterations are TAO's. */
bool embedding_uses_tao(const embedding *e);

/* --petsc, for whichever of the two wants it. */
ssne_petsc_options embedding_petsc_options(const embedding *e);

/* Whether --init names a file. */
bool embedding_starts_from_file(const embedding *e);

/* Moves own rows of `size` bytes between memory and the file, a run of chosen rows at a time. */
typedef ssne_code (*embedding_transfer)(ssne_store *, ssne_set, int64_t, int64_t, void *,
                                        ssne_error *);
ssne_code embedding_move_rows(embedding *e, ssne_set set, embedding_transfer move, int64_t first,
                              int64_t rows, void *data, int64_t size, ssne_error *err);

/* ssne_store_write as a transfer. */
ssne_code embedding_write(ssne_store *s, ssne_set set, int64_t first, int64_t rows, void *data,
                          ssne_error *err);

/* --- neighbours -------------------------------------------------------------------------- */

/* Collective: the file's neighbours where they serve, else found and kept in it; and the order of
 * the rows. */
ssne_code embedding_neighbours(embedding *e, ssne_error *err);

/* Collective: the file's neighbours, if there are enough of them and they serve (*kept); *damaged:
 * they would, but cannot be read. Needs of `e` the job, store, chosen rows, partition and k. */
ssne_code embedding_kept_neighbours(embedding *e, bool *kept, bool *damaged, ssne_error *err);

/* The columns of the rows once prepared. */
int64_t embedding_columns(const embedding *e);

/* The preparation of rows, the forces and the search that the options ask for. */
ssne_rows_options embedding_rows_options(const embedding *e);
ssne_force_options embedding_force_options(const embedding *e);
ssne_search_options embedding_search_options(const embedding *e);

#endif
