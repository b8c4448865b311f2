/* The hover page: the map as one HTML file that tells each point's name, class and image. */
#ifndef SHARDSNE_JOBS_PAGE_H
#define SHARDSNE_JOBS_PAGE_H

#include "job.h"

/* Whether --plot asks for one. */
bool page_wanted(const job *j);

/* Collective: writes the page of the finished embedding in `store`, the run file `path`, to --plot.
 */
ssne_code page_draw(job *j, ssne_store *store, const char *path, ssne_error *err);

#endif
