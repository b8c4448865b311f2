/* The history of a descent as it stands in a file, in RUN.h5 and in its checkpoint. */
#ifndef SHARDSNE_JOBS_HISTORY_H
#define SHARDSNE_JOBS_HISTORY_H

#include "shardsne/status.h"
#include "shardsne/store.h"
#include "shardsne/tsne.h"

/* Not collective, for one rank: writes entries first ... end - 1 of `history`, or reads entries
 * 0 ... count - 1 into it. */
ssne_code history_write(ssne_store *store, const ssne_tsne_record *history, int64_t first,
                        int64_t end, ssne_error *err);
ssne_code history_read(ssne_store *store, int64_t count, ssne_tsne_record *history,
                       ssne_error *err);

#endif
