/* The contact map: the map drawn with the images themselves, on a grid. */
#ifndef SHARDSNE_JOBS_CONTACT_H
#define SHARDSNE_JOBS_CONTACT_H

#include "job.h"

/* Whether --thumbnails asks for one. */
bool contact_wanted(const job *j);

/* Not collective: that it can be drawn, as far as the options tell. */
ssne_code contact_check(const job *j, ssne_error *err);

/* Collective: draws that of the finished embedding in `store`, the run file `path`, to --plot. */
ssne_code contact_draw(job *j, ssne_store *store, const char *path, ssne_error *err);

#endif
