/* The run file: one HDF5 file shared by all ranks. The only part of the program that knows HDF5.
 *
 * docs/run-file.md describes the schema; the table in src/store/schema.c is its source. Datasets
 * have their full size and space from the start, and the file is flushed after each change of its
 * structure, so that it opens after a kill at any later moment. A file under construction is called
 * PATH.partial until ssne_store_publish. */
#ifndef SHARDSNE_STORE_H
#define SHARDSNE_STORE_H

#include "shardsne/digest.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ssne_store ssne_store;

/* The datasets. Elements in memory and in the file are of the type given. */
typedef enum ssne_set {
  SSNE_SET_FEATURES,           /* /features [N, D] float32 */
  SSNE_SET_LABELS,             /* /labels [N] int32, -1 unknown */
  SSNE_SET_CLASSES,            /* /classes [C] text of fixed width, closed by zeros */
  SSNE_SET_SAMPLE_NAMES,       /* /samples/name [N] text of fixed width */
  SSNE_SET_SAMPLE_STATUS,      /* /samples/status [N] uint8: 0 pending, 1 good, 2 bad */
  SSNE_SET_SAMPLE_REASON,      /* /samples/reason [N] text of fixed width: why a row is bad */
  SSNE_SET_BLOCK_DONE,         /* /samples/block_done [blocks] uint8: the resume map of extract */
  SSNE_SET_NEIGHBOUR_INDEX,    /* /neighbours/index [M, k] uint32: file rows, nearest first */
  SSNE_SET_NEIGHBOUR_DISTANCE, /* /neighbours/distance [M, k] float32, not squared */
  SSNE_SET_COORDINATES,        /* /embedding/coordinates [N, 2] float32, NaN for bad rows */
  SSNE_SET_NORMALIZED,         /* /embedding/normalized [N, 2] float32 in [0, 1] */
  SSNE_SET_HISTORY,            /* /history [entries] of ssne_history_entry, a compound */
  SSNE_SET_COUNT
} ssne_set;

typedef struct ssne_history_entry {
  int64_t iteration; /* steps taken, over both phases */
  double kl;         /* KL(P || Q), P not exaggerated */
  double gradient_norm;
  double exaggeration;
  double seconds; /* since the start of the optimisation */
} ssne_history_entry;

/* What a dataset looks like in the file. */
typedef struct ssne_set_shape {
  bool exists;
  int64_t rows, columns; /* columns: 1 for one-dimensional sets */
  int64_t width;         /* bytes of an element (of a text, its fixed width) */
} ssne_set_shape;

/* Collective: creates PATH.partial, replacing an earlier one. `comm` is duplicated. */
ssne_code ssne_store_create(const char *path, MPI_Comm comm, ssne_store **out, ssne_error *err);

/* Collective: opens `path`, or where that does not exist `path`.partial (*partial then says so; may
 * be NULL). SSNE_USAGE where there is neither, or what is there is no run file of a version known.
 */
ssne_code ssne_store_open(const char *path, bool writable, MPI_Comm comm, ssne_store **out,
                          bool *partial, ssne_error *err);

/* Whether `path` (partial false) or `path`.partial (partial true) exists. Not collective. */
bool ssne_store_exists(const char *path, bool partial);

/* Collective: closes *store, if any, and sets it to NULL. An error says that the last writes
 * failed. */
ssne_code ssne_store_close(ssne_store **store, ssne_error *err);

/* Collective: closes *store, and renames PATH.partial to PATH. */
ssne_code ssne_store_publish(ssne_store **store, ssne_error *err);

/* Collective: flushes to the file system. */
ssne_code ssne_store_flush(ssne_store *store, ssne_error *err);

/* Collective: creates a dataset (removing an earlier one of the same name), allocates its space,
 * and flushes. `width`: bytes of a text set's elements, else 0. `columns` is 1 for one-dimensional
 * sets. */
ssne_code ssne_store_define(ssne_store *store, ssne_set set, int64_t rows, int64_t columns,
                            int64_t width, ssne_error *err);

/* Collective: removes a dataset, if it exists. */
ssne_code ssne_store_remove(ssne_store *store, ssne_set set, ssne_error *err);

/* Not collective. */
ssne_code ssne_store_shape(ssne_store *store, ssne_set set, ssne_set_shape *shape, ssne_error *err);

/* Not collective: writes or reads rows first ... first + rows - 1, all columns, to or from plain
 * memory [rows, columns]. Transfers of any size; the rows of no two ranks may overlap in a write.
 */
ssne_code ssne_store_write(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                           const void *data, ssne_error *err);
ssne_code ssne_store_read(ssne_store *store, ssne_set set, int64_t first, int64_t rows, void *data,
                          ssne_error *err);

/* Root attributes, all text. Writing is collective and every rank passes the same; reading is not
 * collective, gives NULL in *value where there is none, and the caller frees it with ssne_free. */
ssne_code ssne_store_set_text(ssne_store *store, const char *name, const char *value,
                              ssne_error *err);
ssne_code ssne_store_get_text(ssne_store *store, const char *name, char **value, ssne_error *err);

/* Collective: the digest of a dataset's elements in row order, the same on every rank and for any
 * number of ranks: XXH3-64 of each run of SSNE_DIGEST_ROWS rows, and XXH3-128 of these. */
#define SSNE_DIGEST_ROWS 4096
ssne_code ssne_store_digest(ssne_store *store, ssne_set set, char text[SSNE_DIGEST_LENGTH],
                            ssne_error *err);

/* A matrix in any HDF5 file, named FILE.h5:/path. Collective open; [rows, columns] with all but the
 * first dimension flattened; any numeric element type, converted. */
typedef struct ssne_matrix ssne_matrix;
ssne_code ssne_matrix_open(const char *file, const char *dataset, MPI_Comm comm, ssne_matrix **out,
                           int64_t *rows, int64_t *columns, ssne_error *err);
ssne_code ssne_matrix_read_float(ssne_matrix *matrix, int64_t first, int64_t rows, float *out,
                                 ssne_error *err);
void ssne_matrix_close(ssne_matrix **matrix);

/* "HDF5 1.10.8", for the record. */
void ssne_store_library(char *text, int length);

#endif
