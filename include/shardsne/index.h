/* The index of an input that is slow to scan (tars): its samples in row order, in a file of its
 * own, with what tells whether the input has changed since. Any number of readers takes any rows. A
 * damaged or foreign file is told from one that is whole by checksums, and never trusted. */
#ifndef SHARDSNE_INDEX_H
#define SHARDSNE_INDEX_H

#include "shardsne/dataset.h"
#include "shardsne/digest.h"

/* The first bytes of the file, as they lie. */
typedef struct ssne_index_head {
  char magic[8];
  uint64_t check; /* XXH3-64 of all that follows, up to the rows */
  int64_t count, block_rows, ignored, unlabelled;
  int64_t names_size, longest_name;
  int64_t classes_size, state_size;
  char digest[40]; /* of the samples, in blocks of block_rows; zeros behind */
} ssne_index_head;

/* Rows of an index in memory; the arrays are the caller's. */
typedef struct ssne_index_rows {
  int64_t first, count;
  int64_t first_name; /* bytes of names before these rows' */
  ssne_place *place;  /* [count] */
  int32_t *label;     /* [count] */
  char *names;        /* one after the other, each with its closing zero */
  int64_t names_size;
} ssne_index_rows;

/* Writes the beginning of the index at `path`, which is made or emptied. `state` says what the
 * input looked like. magic and check of `head` are set. */
ssne_code ssne_index_write_head(const char *path, ssne_index_head *head, const void *state,
                                const char *classes, ssne_error *err);

/* Writes some rows. Rows of different callers may be written at once. */
ssne_code ssne_index_write_rows(const char *path, const ssne_index_head *head,
                                const ssne_index_rows *rows, ssne_error *err);

/* Reads the beginning, into *classes (to be freed with ssne_free). Fails where the file is absent,
 * not whole, or of an input whose state is not `state`. */
ssne_code ssne_index_read_head(const char *path, const void *state, int64_t state_size,
                               ssne_index_head *head, char **classes, ssne_error *err);

/* Reads the rows first ... first + count - 1 into arrays that are made (to be freed with ssne_free,
 * also after an error). */
ssne_code ssne_index_read_rows(const char *path, const ssne_index_head *head, int64_t first,
                               int64_t count, ssne_index_rows *rows, ssne_error *err);

#endif
