/* Where the rows to embed come from: a run file, a .npy file, or a dataset of any HDF5 file. */
#ifndef SHARDSNE_JOBS_SOURCE_H
#define SHARDSNE_JOBS_SOURCE_H

#include "selection.h"

#include "shardsne/dataset.h"
#include "shardsne/status.h"
#include "shardsne/store.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct source {
  int64_t rows, columns;
  ssne_store *store;   /* the run file; else NULL */
  bool owned;          /* `store` is, and is closed with the source */
  ssne_set set;        /* of the run file */
  ssne_matrix *matrix; /* the HDF5 dataset; else NULL */
  const char *path;    /* the .npy file, not owned; else NULL */
  ssne_npy npy;
} source;

/* Not collective. The features of `store`. */
ssne_code source_open_store(ssne_store *store, source *out, ssne_error *err);

/* Collective. `name` is X.npy or FILE.h5:/path, and must outlive the source. */
ssne_code source_open(const char *name, MPI_Comm comm, source *out, ssne_error *err);

/* Collective. The same; the features of a run file, of whichever layer, are opened as such: then
 * out->store knows the bad rows, and damage is noticed. */
ssne_code source_open_features(const char *name, MPI_Comm comm, source *out, ssne_error *err);

/* Not collective. The selected rows that `p`'s rank owns, to `out` [own_rows, columns]. */
ssne_code source_read(source *s, const selection *chosen, const ssne_partition *p, float *out,
                      ssne_error *err);

/* Not collective. Rows of integers of a .npy file or an HDF5 dataset, to `out` [rows, columns]; an
 * error where they do not fit. */
ssne_code source_read_int(source *s, int64_t first, int64_t rows, int32_t *out, ssne_error *err);

/* Collective. */
void source_close(source *s);

#endif
