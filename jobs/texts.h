/* Texts of a run file's rows: names of classes and samples. */
#ifndef SHARDSNE_JOBS_TEXTS_H
#define SHARDSNE_JOBS_TEXTS_H

#include "shardsne/status.h"
#include "shardsne/store.h"

/* Not collective: those of the rows `row` [count] (NULL: 0 ... count - 1) of a set whose texts have
 * `width` bytes, each closed by a zero: (*out) [count], in *text. Both are to be freed with
 * ssne_free, also after an error. */
ssne_code texts_read(ssne_store *store, ssne_set set, const int64_t *row, int64_t count,
                     int64_t width, char **text, const char ***out, ssne_error *err);

#endif
