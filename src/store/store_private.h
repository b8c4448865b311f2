/* What the files of src/store share. */
#ifndef SHARDSNE_STORE_PRIVATE_H
#define SHARDSNE_STORE_PRIVATE_H

#include "shardsne/store.h"
#include <hdf5.h>

#define SSNE_STORE_FORMAT "shardsne run file"
#define SSNE_STORE_FORMAT_VERSION 1

/* Bytes of one transfer: MPI and HDF5 1.10 are trusted below 2 GiB only. */
#define SSNE_STORE_PIECE ((int64_t)1 << 30)

/* An HDF5 handle that is none. */
#define SSNE_NO_ID ((hid_t)-1)

/* --- schema.c: what the datasets are ----------------------------------------------------- */

typedef enum ssne_element {
  SSNE_ELEMENT_FLOAT32,
  SSNE_ELEMENT_INT32,
  SSNE_ELEMENT_UINT32,
  SSNE_ELEMENT_UINT8,
  SSNE_ELEMENT_TEXT,
  SSNE_ELEMENT_HISTORY,
  SSNE_ELEMENT_SLOT
} ssne_element;

typedef struct ssne_schema {
  const char *name;
  const char *description;
  const char *units; /* NULL where there are none */
  ssne_element element;
  int dimensions;
  bool nan;        /* rows not written are NaN, else zero */
  bool summed;     /* has a checksum a row */
  int64_t columns; /* that it must have; 0: any number */
} ssne_schema;

/* The schema of `set`, which must be one of the enumeration's. */
const ssne_schema *ssne_schema_of(ssne_set set);

/* A new HDF5 datatype of an element in the file or in memory, or a negative number; `width` is that
 * of a text. */
hid_t ssne_schema_type(const ssne_schema *schema, int64_t width, bool in_file);

/* --- hdf5.c: what run files and other HDF5 files have in common -------------------------- */

/* SSNE_FAILED: "PATH: <format> failed: <HDF5's innermost reason>". To be called right after the
 * HDF5 call that failed. Says how little space is left where that may be why. */
ssne_code ssne_hdf5_fail(const char *path, ssne_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Not collective, for one rank while the others do not write: fails unless the file can grow by
 * `metadata` bytes and some more for HDF5's own, which is tried, and its file system has room for
 * `data` bytes beside, which is asked. `what` is what needs them. */
ssne_code ssne_hdf5_room(const char *path, int64_t metadata, int64_t data, const char *what,
                         ssne_error *err);

/* Not collective: opens an existing file for this process alone, with HDF5's serial driver, so that
 * whatever is wrong with it is found where nobody waits. */
ssne_code ssne_hdf5_open_alone(const char *path, bool writable, hid_t *file, ssne_error *err);

/* Not collective: the same for a new file, which replaces an earlier one. */
ssne_code ssne_hdf5_create_alone(const char *path, hid_t *file, ssne_error *err);

/* Collective: opens an existing HDF5 file for all ranks of `comm`. */
ssne_code ssne_hdf5_open(const char *path, bool writable, MPI_Comm comm, hid_t *file,
                         ssne_error *err);

/* --- journal.c --------------------------------------------------------------------------- */

/* Bytes `first` to `end` - 1 of a file. */
typedef struct ssne_extent {
  int64_t first, end;
} ssne_extent;

/* Not collective: copies all bytes of the file at `path` but those of `rows` (`count` extents, in
 * order and disjoint) to PATH.journal. *lock, a file descriptor, keeps others from taking the
 * journal for one left behind; to be given to ssne_journal_drop or ssne_journal_roll_back, which
 * close it. */
ssne_code ssne_journal_write(const char *path, const ssne_extent *rows, int count, int *lock,
                             ssne_error *err);

/* Not collective: the change is done, and its journal removed, once the file is on disk. */
ssne_code ssne_journal_drop(const char *path, int lock, ssne_error *err);

/* Not collective: removes the journal of a file that is to be replaced, if there is one. */
ssne_code ssne_journal_forget(const char *path, ssne_error *err);

/* Not collective: where there is a whole journal, makes the file what it was when that was written;
 * removes the journal. `lock`: -1 for a journal that another process may have left. */
ssne_code ssne_journal_roll_back(const char *path, int lock, ssne_error *err);

/* --- attributes.c ------------------------------------------------------------------------ */

/* Writes a text attribute of an object, in place where it fits. A negative number means failed. */
herr_t ssne_attribute_write(hid_t object, const char *name, const char *value);

/* Reads one; *value is NULL where there is none or it is not one text, else to be freed with
 * ssne_free. `path` is for messages. */
ssne_code ssne_attribute_read(hid_t object, const char *path, const char *name, char **value,
                              ssne_error *err);

/* --- store.c and sets.c ------------------------------------------------------------------ */

typedef struct ssne_store_set {
  hid_t id;   /* of the dataset; SSNE_NO_ID where it does not exist */
  hid_t sums; /* of its checksums; SSNE_NO_ID in files made before there were any */
  hid_t type; /* of an element in memory */
  ssne_set_shape shape;
} ssne_store_set;

/* The datasets stay open, so that reading and writing rows touches no metadata and is free of
 * HDF5's rules on collective calls. */
struct ssne_store {
  MPI_Comm comm;
  int rank, ranks;
  char *path;      /* as published */
  char *open_path; /* the same, or with .partial */
  bool writable;
  int64_t piece; /* SSNE_STORE_PIECE; tests make it smaller */
  hid_t file;
  ssne_store_set sets[SSNE_SET_COUNT];
};

/* Not collective: the file that `path` means, itself or PATH.partial, in *found, to be freed with
 * ssne_free. SSNE_USAGE where there is neither. */
ssne_code ssne_store_find(const char *path, bool *partial, char **found, ssne_error *err);

/* Collective: finds the file and checks on rank 0 what it is, also its datasets if `and_sets`;
 * opens nothing yet. As ssne_store_open. */
ssne_code ssne_store_open_handle(const char *path, bool writable, bool and_sets, MPI_Comm comm,
                                 ssne_store **out, bool *partial, ssne_error *err);

/* Collective: opens the file and the datasets that it holds; and closes them. */
ssne_code ssne_store_open_file(ssne_store *store, ssne_error *err);
ssne_code ssne_store_close_file(ssne_store *store, ssne_error *err);

/* Not collective: opens one dataset of `file`, if there is one. */
ssne_code ssne_store_open_set(const char *path, hid_t file, ssne_set set, ssne_store_set *out,
                              ssne_error *err);

/* Closes the handles of one dataset. */
void ssne_store_close_set(ssne_store_set *set);

/* Not collective: fails unless the file was opened for writing. */
ssne_code ssne_store_must_write(const ssne_store *store, ssne_error *err);

/* Not collective: the name of a dataset's checksums, "/checksums" and its own. */
#define SSNE_SUMS_NAME_LENGTH 64
void ssne_schema_sums_name(const ssne_schema *schema, char name[SSNE_SUMS_NAME_LENGTH]);

/* rows.c. Not collective: gives rows of a set of real numbers NAN, as rows not written have. */
ssne_code ssne_store_write_unwritten(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                                     ssne_error *err);

#endif
