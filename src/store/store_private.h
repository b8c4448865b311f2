/* What the files of src/store share. */
#ifndef SHARDSNE_STORE_PRIVATE_H
#define SHARDSNE_STORE_PRIVATE_H

#include "shardsne/store.h"
#include <hdf5.h>

#define SSNE_STORE_FORMAT "shardsne run file"
#define SSNE_STORE_FORMAT_VERSION 1

/* Bytes of rows that pass at once, and the most that one row may have. */
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

/* A new HDF5 datatype of an element, or a negative number; `width` is that of a text, or of an
 * entry of a history that is there already. It is little
 * endian and without gaps, so that elements are in the file what they are in memory. */
hid_t ssne_schema_type(const ssne_schema *schema, int64_t width);

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

/* Not collective: opens an existing file with HDF5's serial driver. Parallel HDF5 is not used:
 * docs/design.md says why. */
ssne_code ssne_hdf5_open(const char *path, bool writable, hid_t *file, ssne_error *err);

/* Not collective: the same for a new file, which replaces an earlier one. */
ssne_code ssne_hdf5_create(const char *path, hid_t *file, ssne_error *err);

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

/* --- structure.c: what a run file holds, and where ---------------------------------------- */

/* Bytes of a row's checksum. */
#define SSNE_SUM_BYTES ((int64_t)sizeof(uint32_t))

/* A dataset: one piece of the file, row after row. All zero where it does not exist. */
typedef struct ssne_store_set {
  ssne_set_shape shape;
  int64_t place;      /* of the first row in the file, in bytes */
  bool summed;        /* has checksums; not in files made before there were any */
  int64_t sums_place; /* of the first row's */
} ssne_store_set;

/* The same on every rank. */
typedef struct ssne_structure {
  ssne_store_set sets[SSNE_SET_COUNT];
  char *texts; /* the root's text attributes: name, 0, value, 0, and so on */
  int64_t text_bytes;
} ssne_structure;

int64_t ssne_set_row_bytes(const ssne_set_shape *shape);
int64_t ssne_set_bytes(const ssne_set_shape *shape);

/* Not collective: what an open file holds, or an error where that is not what a run file has. With
 * `lost` [SSNE_SET_COUNT], of a damaged file: which datasets cannot be read, and are left out. To
 * be freed even after an error. */
ssne_code ssne_structure_read(const char *path, hid_t file, ssne_structure *structure, bool *lost,
                              ssne_error *err);

/* Collective: gives rank 0's to all; on other ranks it must be empty before. */
ssne_code ssne_structure_share(ssne_structure *structure, MPI_Comm comm, ssne_error *err);

void ssne_structure_free(ssne_structure *structure);

/* The byte behind the last row or checksum. */
int64_t ssne_structure_end(const ssne_structure *structure);

/* --- store.c ----------------------------------------------------------------------------- */

/* HDF5 has the file open only while rank 0 reads or changes its structure. */
struct ssne_store {
  MPI_Comm comm;
  int rank, ranks;
  char *path;      /* as published */
  char *open_path; /* the same, or with .partial */
  bool writable;
  int64_t piece; /* SSNE_STORE_PIECE; tests make it smaller */
  int file;      /* for rows, this rank's own; -1: closed */
  ssne_structure structure;
};

/* Not collective: the file that `path` means, itself or PATH.partial, in *found, to be freed with
 * ssne_free. SSNE_USAGE where there is neither. */
ssne_code ssne_store_find(const char *path, bool *partial, char **found, ssne_error *err);

/* Collective: as ssne_store_open, with `lost` as in ssne_structure_read. */
ssne_code ssne_store_open_lenient(const char *path, bool writable, MPI_Comm comm, bool *lost,
                                  ssne_store **out, bool *partial, ssne_error *err);

/* Collective: reads the file's structure, and opens it for rows; and closes it. */
ssne_code ssne_store_open_file(ssne_store *store, bool *lost, ssne_error *err);
ssne_code ssne_store_close_file(ssne_store *store, ssne_error *err);

/* Not collective: fails unless the file was opened for writing. */
ssne_code ssne_store_must_write(const ssne_store *store, ssne_error *err);

/* Not collective: the name of a dataset's checksums, "/checksums" and its own. */
#define SSNE_SUMS_NAME_LENGTH 64
void ssne_schema_sums_name(const ssne_schema *schema, char name[SSNE_SUMS_NAME_LENGTH]);

/* rows.c. Not collective: gives rows of a set of real numbers NAN, as rows not written have. */
ssne_code ssne_store_write_unwritten(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                                     ssne_error *err);

#endif
