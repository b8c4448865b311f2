/* The run file: one HDF5 file shared by all ranks. The only part of the program that knows HDF5.
 *
 * docs/run-file.md describes the schema; the table in src/store/schema.c is its source. Datasets
 * have their full size and space from the start, and changes of the file's structure happen as a
 * whole or not at all, so that it opens after a kill at any moment. A file under construction is
 * called PATH.partial until ssne_store_publish. */
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
  SSNE_SET_FEATURES,   /* /features [N, D] float32 */
  SSNE_SET_FEATURES_2, /* /features_2 [N, D2] float32: of a second layer, */
  SSNE_SET_FEATURES_3, /* a third, and so on */
  SSNE_SET_FEATURES_4,
  SSNE_SET_FEATURES_5,
  SSNE_SET_FEATURES_6,
  SSNE_SET_FEATURES_7,
  SSNE_SET_FEATURES_8,
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
  SSNE_SET_CHECKPOINT_0,     /* /checkpoint/state_0 [M, 6] float32; of a checkpoint's file alone */
  SSNE_SET_CHECKPOINT_1,     /* /checkpoint/state_1 [M, 6] float32 */
  SSNE_SET_CHECKPOINT_SLOTS, /* /checkpoint/slots [2] of ssne_checkpoint_slot, a compound */
  SSNE_SET_SNAPSHOTS, /* /snapshots/coordinates [S * N, 2] float32: maps on the way, one after
                         the other */
  SSNE_SET_SNAPSHOT_ITERATION, /* /snapshots/iteration [S] int32: which; written once a map is whole
                                */
  SSNE_SET_COUNT
} ssne_set;

/* The sets SSNE_SET_FEATURES, SSNE_SET_FEATURES_2, ... follow each other. */
#define SSNE_FEATURE_SETS 8

/* The set of a layer's features, counted from 0, and whether a set is one of those. */
static inline ssne_set ssne_features_set(int output) {
  return (ssne_set)(SSNE_SET_FEATURES + output);
}

static inline bool ssne_is_features(ssne_set set) {
  return set >= SSNE_SET_FEATURES && set < SSNE_SET_FEATURES + SSNE_FEATURE_SETS;
}

typedef struct ssne_history_entry {
  int64_t iteration; /* steps taken, over both phases */
  double kl;         /* KL(P || Q), P not exaggerated */
  double gradient_norm;
  double exaggeration;
  double seconds; /* since the start of the optimisation */
  double span;    /* the larger of the map's two extents. Files made before it was kept have
                     entries without: a read leaves it as it was */
} ssne_history_entry;

typedef struct ssne_checkpoint_slot {
  int64_t steps;   /* taken; -1: no state is there */
  int64_t history; /* entries of /history that were written by then */
  double seconds;  /* of work that led there */
} ssne_checkpoint_slot;

/* What a dataset looks like in the file. */
typedef struct ssne_set_shape {
  bool exists;
  int64_t rows, columns; /* columns: 1 for one-dimensional sets */
  int64_t width;         /* bytes of an element (of a text, its fixed width) */
} ssne_set_shape;

/* Collective: creates PATH.partial, replacing an earlier one, which a kill leaves as it was until
 * the new one is whole. `comm` is duplicated. */
ssne_code ssne_store_create(const char *path, MPI_Comm comm, ssne_store **out, ssne_error *err);

/* Not collective, before anything else of this header and before MPI_Init: the program, not HDF5,
 * says when files are closed. At its end HDF5 would otherwise write what it could not write before,
 * over a change taken back. */
void ssne_store_begin(void);

/* Collective: opens `path`, or where that does not exist `path`.partial (*partial then says so; may
 * be NULL). SSNE_USAGE where there is neither, or what is there is no run file of a version known.
 */
ssne_code ssne_store_open(const char *path, bool writable, MPI_Comm comm, ssne_store **out,
                          bool *partial, ssne_error *err);

/* Collective: opens a run file that may be damaged, to be read. One that is truncated is lengthened
 * by zeros first. `lost` says which datasets are there and cannot be opened; they are as if they
 * were not. */
ssne_code ssne_store_open_damaged(const char *path, MPI_Comm comm, ssne_store **out,
                                  bool lost[SSNE_SET_COUNT], ssne_error *err);

/* Whether `path` (partial false) or `path`.partial (partial true) exists. Not collective. */
bool ssne_store_exists(const char *path, bool partial);

/* Not collective: removes the run file `path`, with or without an unfinished one, and their
 * journals. */
ssne_code ssne_store_delete(const char *path, bool unfinished_too, ssne_error *err);

/* Collective: closes *store, if any, and sets it to NULL. An error says that the last writes
 * failed. */
ssne_code ssne_store_close(ssne_store **store, ssne_error *err);

/* Collective: closes *store, and renames PATH.partial to PATH. */
ssne_code ssne_store_publish(ssne_store **store, ssne_error *err);

/* Collective: flushes to the file system. */
ssne_code ssne_store_flush(ssne_store *store, ssne_error *err);

/* --- structure --------------------------------------------------------------------------- */

/* One step of a change of the file's structure. */
typedef enum ssne_edit_kind { SSNE_EDIT_DEFINE, SSNE_EDIT_REMOVE, SSNE_EDIT_TEXT } ssne_edit_kind;

typedef struct ssne_edit {
  ssne_edit_kind kind;
  ssne_set set;                 /* of the first two */
  int64_t rows, columns, width; /* of a definition */
  const char *name, *value;     /* of a text */
} ssne_edit;

/* A dataset, replacing an earlier one of the same name, with its space allocated and no row
 * written. `width`: bytes of a text set's elements; of others it is known, and overlooked (but for
 * an older history's). `columns`: 1 for one-dimensional sets.
 */
static inline ssne_edit ssne_edit_define(ssne_set set, int64_t rows, int64_t columns,
                                         int64_t width) {
  return (ssne_edit){SSNE_EDIT_DEFINE, set, rows, columns, width, NULL, NULL};
}

/* No dataset of this name; there need not have been one. */
static inline ssne_edit ssne_edit_remove(ssne_set set) {
  return (ssne_edit){SSNE_EDIT_REMOVE, set, 0, 0, 0, NULL, NULL};
}

/* A root attribute, replacing an earlier one. */
static inline ssne_edit ssne_edit_text(const char *name, const char *value) {
  return (ssne_edit){SSNE_EDIT_TEXT, SSNE_SET_COUNT, 0, 0, 0, name, value};
}

/* Collective: does all of `edits`, or none of them if one fails or the job is killed meanwhile:
 * rank 0 makes the change with the others waiting, and keeps what was there in PATH.journal until
 * it is on disk; whoever opens the file after a kill takes back what is half done. But the rows of
 * a dataset that is removed or replaced may be lost even so: attributes that vouch for them are to
 * be unset by a change of its own before. Every rank passes the same edits. */
ssne_code ssne_store_change(ssne_store *store, const ssne_edit *edits, int count, ssne_error *err);

/* Collective: the same with one edit. */
ssne_code ssne_store_define(ssne_store *store, ssne_set set, int64_t rows, int64_t columns,
                            int64_t width, ssne_error *err);
ssne_code ssne_store_remove(ssne_store *store, ssne_set set, ssne_error *err);
ssne_code ssne_store_set_text(ssne_store *store, const char *name, const char *value,
                              ssne_error *err);

/* Not collective: a root attribute; NULL in *value where there is none or it is no text. The caller
 * frees it with ssne_free. */
ssne_code ssne_store_get_text(ssne_store *store, const char *name, char **value, ssne_error *err);

/* Not collective: steps through the root attributes that are text; false behind the last. *at is
 * NULL at the begin. Name and value are the store's, until it is changed or closed. */
bool ssne_store_next_text(const ssne_store *store, const char **at, const char **name,
                          const char **value);

/* --- rows -------------------------------------------------------------------------------- */

/* Not collective. */
ssne_code ssne_store_shape(ssne_store *store, ssne_set set, ssne_set_shape *shape, ssne_error *err);

/* Not collective: writes or reads rows first ... first + rows - 1, all columns, to or from plain
 * memory [rows, columns]. Transfers of any size; the rows of no two ranks may overlap in a write.
 * A checksum of each row is written with it (docs/run-file.md). Reading fails where a row written
 * does not match its own: the file was damaged since. */
ssne_code ssne_store_write(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                           const void *data, ssne_error *err);
ssne_code ssne_store_read(ssne_store *store, ssne_set set, int64_t first, int64_t rows, void *data,
                          ssne_error *err);

/* Not collective: as ssne_store_read, and fails as well where nobody has written a row: the loss of
 * a node can leave such. Rows of datasets without checksums are all taken for written. */
ssne_code ssne_store_read_written(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                                  void *data, ssne_error *err);

/* The name of a dataset in the file. */
const char *ssne_store_name(ssne_set set);

/* What a row's checksum says of it. */
typedef enum ssne_row_state { SSNE_ROW_UNWRITTEN, SSNE_ROW_WHOLE, SSNE_ROW_DAMAGED } ssne_row_state;

/* Not collective: reads as ssne_store_read, but takes damaged rows as they are and says of each row
 * what it is in `state` [rows]. Rows of datasets without checksums are all taken for whole. */
ssne_code ssne_store_examine(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                             void *data, uint8_t *state, ssne_error *err);

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

/* The same as bytes, of a dataset of 8-bit unsigned integers; and as int32, of one of integers,
 * where one that does not fit is an error. Others are SSNE_USAGE. */
ssne_code ssne_matrix_read_bytes(ssne_matrix *matrix, int64_t first, int64_t rows, uint8_t *out,
                                 ssne_error *err);
ssne_code ssne_matrix_read_int(ssne_matrix *matrix, int64_t first, int64_t rows, int32_t *out,
                               ssne_error *err);

/* The number of its dimensions, and the sizes of the first four. */
int ssne_matrix_shape(const ssne_matrix *matrix, int64_t shape[4]);

/* Not collective: whether its file is a run file. */
bool ssne_matrix_in_run_file(const ssne_matrix *matrix);

void ssne_matrix_close(ssne_matrix **matrix);

/* "HDF5 1.10.8", for the record. */
void ssne_store_library(char *text, int length);

#endif
