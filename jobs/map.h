/* The map of a run file's embedding: one of the pictures that `render` draws. */
#ifndef SHARDSNE_JOBS_MAP_H
#define SHARDSNE_JOBS_MAP_H

#include "job.h"

/* Not collective: that the map asked for can be drawn, as far as the options tell. */
ssne_code map_check(const job *j, ssne_error *err);

/* Collective: draws the map of the finished embedding in `store` to --plot. */
ssne_code map_draw(job *j, ssne_store *store, ssne_error *err);

#endif
