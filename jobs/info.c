/* What a run file holds, for people and for comparing two runs. */
#include "job.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <stdio.h>

static const ssne_set shown[] = {
    SSNE_SET_FEATURES,        SSNE_SET_FEATURES_2,         SSNE_SET_FEATURES_3,
    SSNE_SET_FEATURES_4,      SSNE_SET_FEATURES_5,         SSNE_SET_FEATURES_6,
    SSNE_SET_FEATURES_7,      SSNE_SET_FEATURES_8,         SSNE_SET_LABELS,
    SSNE_SET_CLASSES,         SSNE_SET_SAMPLE_NAMES,       SSNE_SET_SAMPLE_STATUS,
    SSNE_SET_NEIGHBOUR_INDEX, SSNE_SET_NEIGHBOUR_DISTANCE, SSNE_SET_COORDINATES,
    SSNE_SET_NORMALIZED,      SSNE_SET_SNAPSHOTS,          SSNE_SET_SNAPSHOT_ITERATION};

static const char *const attributes[] = {"program",          "revision",
                                         "library_torch",    "library_hdf5",
                                         "library_mpi",      "library_petsc",
                                         "created",          "model",
                                         "model_digest",     "device",
                                         "samples_digest",   "features_digest",
                                         "extract_complete", "neighbours_complete",
                                         "embed_complete",   "extract_options",
                                         "embed_options"};

/* Digests are collective; printing is rank 0's. */
static ssne_code show_sets(job *j, ssne_store *store, ssne_error *err) {
  if (j->rank == 0) printf("%-24s %14s %8s  %s\n", "dataset", "rows", "columns", "digest");
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
    ssne_set_shape shape = {0};
    char digest[SSNE_DIGEST_LENGTH];
    SSNE_TRY_ALL(j->comm, ssne_store_shape(store, shown[i], &shape, err), err);
    if (!shape.exists) continue;
    SSNE_TRY(ssne_store_digest(store, shown[i], digest, err));
    if (j->rank == 0)
      printf("%-24s %14" PRId64 " %8" PRId64 "  %s\n", ssne_store_name(shown[i]), shape.rows,
             shape.columns, digest);
  }
  return SSNE_OK;
}

static ssne_code show_history(ssne_store *store, ssne_error *err) {
  ssne_set_shape shape = {0};
  ssne_history_entry last;
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_HISTORY, &shape, err));
  if (!shape.exists || shape.rows == 0) return SSNE_OK;
  SSNE_TRY(ssne_store_read(store, SSNE_SET_HISTORY, shape.rows - 1, 1, &last, err));
  printf("\nafter iteration %" PRId64 ": KL %.6f, gradient norm %.3g, exaggeration %g, %.1f s\n",
         last.iteration, last.kl, last.gradient_norm, last.exaggeration, last.seconds);
  return SSNE_OK;
}

/* Lines stay lines; what else is no character to be read could drive the terminal. */
static void print_text(const char *text) {
  for (; *text; text++) {
    const unsigned char c = (unsigned char)*text;
    putchar((c < 0x20 && c != '\n') || c == 0x7f ? '?' : c);
  }
}

static ssne_code show_attributes(ssne_store *store, ssne_error *err) {
  printf("\n");
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
    char *value = NULL;
    SSNE_TRY(ssne_store_get_text(store, attributes[i], &value, err));
    if (value) {
      printf("%s: ", attributes[i]);
      print_text(value);
      printf("\n");
    }
    ssne_free(&value);
  }
  return SSNE_OK;
}

static ssne_code show(job *j, ssne_store *store, bool partial, ssne_error *err) {
  if (j->rank == 0)
    printf("%s%s\n\n", j->word,
           partial ? ".partial (not finished: run the same command again)" : "");
  SSNE_TRY(show_sets(j, store, err));
  ssne_code code = SSNE_OK;
  if (j->rank == 0) code = show_history(store, err);
  if (j->rank == 0 && code == SSNE_OK) code = show_attributes(store, err);
  return ssne_agree(j->comm, code, err);
}

ssne_code job_info(job *j, ssne_error *err) {
  ssne_store *store = NULL;
  bool partial = false;
  ssne_error later;
  SSNE_TRY(job_require(j->word, "RUN.h5", err));
  SSNE_TRY(ssne_store_open(j->word, false, j->comm, &store, &partial, err));
  const ssne_code code = show(j, store, partial, err);
  (void)ssne_store_close(&store, &later); /* it was only read */
  return code;
}
