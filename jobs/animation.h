/* The descent as a film, of the snapshots that a run file has. */
#ifndef SHARDSNE_JOBS_ANIMATION_H
#define SHARDSNE_JOBS_ANIMATION_H

#include "job.h"

/* Not collective: that it can be drawn, as far as the options tell. */
ssne_code animation_check(const job *j, ssne_error *err);

/* Collective: draws that of the run file in `store`, called `path`, to --plot. */
ssne_code animation_draw(job *j, ssne_store *store, const char *path, ssne_error *err);

#endif
