/* Figures of a run: the history of its descent, and the time of its stages. */
#ifndef SHARDSNE_JOBS_FIGURE_H
#define SHARDSNE_JOBS_FIGURE_H

#include "job.h"

#include "shardsne/figures.h"

/* Not collective: path, size and resolution as the options have them, with `dpi` dots an inch. */
ssne_code figure_describe(const job *j, int64_t dpi, ssne_figure *figure, ssne_error *err);

/* Not collective: that the figure asked for can be drawn, as far as the options tell. */
ssne_code figure_check(const job *j, ssne_error *err);

/* Collective: draw what the run file in `store`, called `path`, tells, to --plot. */
ssne_code figure_draw_history(job *j, ssne_store *store, const char *path, ssne_error *err);
ssne_code figure_draw_stages(job *j, ssne_store *store, const char *path, ssne_error *err);

#endif
