/* Which rows of a run file take part in the embedding: all but the bad ones. Those that do are
 * counted anew from 0, without gaps; the few that do not are known to every rank. */
#ifndef SHARDSNE_JOBS_SELECTION_H
#define SHARDSNE_JOBS_SELECTION_H

#include "shardsne/partition.h"
#include "shardsne/status.h"
#include "shardsne/store.h"

#include <stdint.h>

typedef struct selection {
  int64_t file_rows; /* in all */
  int64_t rows;      /* that take part */
  int64_t *bad;      /* [file_rows - rows] the others, ascending */
} selection;

/* All of `file_rows` rows. */
selection selection_all(int64_t file_rows);

/* Not collective. Reads /samples/status. SSNE_FAILED where rows are still pending. */
ssne_code selection_read(ssne_store *store, int64_t file_rows, selection *out, ssne_error *err);

/* Not collective: writes /samples/status, which is there, for one rank to do. */
ssne_code selection_write(const selection *s, ssne_store *store, ssne_error *err);

void selection_free(selection *s);

/* The file row of the row'th that takes part, and back. */
int64_t selection_to_file(const selection *s, int64_t row);
int64_t selection_from_file(const selection *s, int64_t file_row);

/* The length of the run of consecutive file rows that begins with `row`, at most `most` long. */
int64_t selection_run(const selection *s, int64_t row, int64_t most);

#endif
