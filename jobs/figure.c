#include "figure.h"

#include "account.h"
#include "history.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/memory.h"

#include <stdio.h>

ssne_code figure_describe(const job *j, int64_t dpi, ssne_figure *figure, ssne_error *err) {
  const render_options *o = &j->options.render;
  *figure = (ssne_figure){.path = o->plot, .dpi = (int)dpi};
  return options_size(o->size, &figure->width, &figure->height, err);
}

ssne_code figure_check(const job *j, ssne_error *err) {
  ssne_figure figure;
  SSNE_TRY(figure_describe(j, j->options.render.dpi, &figure, err));
  return ssne_figure_check(&figure, err);
}

/* --- history ----------------------------------------------------------------------------- */

static ssne_code read_course(ssne_store *store, int64_t count, ssne_course_entry *course,
                             ssne_error *err) {
  ssne_tsne_record *records = NULL;
  SSNE_TRY(ssne_alloc(&records, count, sizeof *records, "history", err));
  const ssne_code code = history_read(store, count, records, err);
  for (int64_t i = 0; i < count && code == SSNE_OK; i++)
    course[i] = (ssne_course_entry){.iteration = (double)records[i].iteration,
                                    .kl = records[i].kl,
                                    .gradient_norm = records[i].gradient_norm,
                                    .span = records[i].span,
                                    .exaggeration = records[i].exaggeration};
  ssne_free(&records);
  return code;
}

static ssne_code draw_history(const job *j, ssne_store *store, const char *path, ssne_error *err) {
  ssne_set_shape shape = {0};
  ssne_course_entry *course = NULL;
  ssne_figure figure;
  SSNE_TRY(figure_describe(j, j->options.render.dpi, &figure, err));
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_HISTORY, &shape, err));
  if (!shape.exists || shape.rows == 0)
    return ssne_fail(err, SSNE_USAGE, "%s holds no history of an embedding", path);
  SSNE_TRY(ssne_alloc(&course, shape.rows, sizeof *course, "history", err));
  ssne_code code = read_course(store, shape.rows, course, err);
  if (code == SSNE_OK) code = ssne_figure_course(&figure, course, shape.rows, err);
  ssne_free(&course);
  return code;
}

ssne_code figure_draw_history(job *j, ssne_store *store, const char *path, ssne_error *err) {
  return ssne_agree(j->comm, j->rank == 0 ? draw_history(j, store, path, err) : SSNE_OK, err);
}

/* --- stages ------------------------------------------------------------------------------ */

#define STEPS 2

typedef struct step_account {
  account account;
  char title[160];
  ssne_stage_bar bars[SSNE_STAGES_MAX];
} step_account;

static void make_panel(const char *step, step_account *from, ssne_stage_panel *out) {
  const account *a = &from->account;
  char took[32];
  ssne_clock_text(a->seconds, took, sizeof took);
  snprintf(from->title, sizeof from->title, "%s: %s, %d rank%s x %d thread%s%s", step, took,
           a->ranks, a->ranks == 1 ? "" : "s", a->threads, a->threads == 1 ? "" : "s",
           a->resumed ? "; of the last job that worked on it" : "");
  for (int i = 0; i < a->count; i++)
    from->bars[i] =
        (ssne_stage_bar){a->stage[i].name, a->stage[i].min, a->stage[i].mean, a->stage[i].max};
  *out = (ssne_stage_panel){from->title, a->seconds, from->bars, a->count};
}

/* Adds the account of a step, where the file has it. */
static ssne_code add_step(ssne_store *store, const char *attribute, const char *step,
                          step_account *into, ssne_stage_panel *panels, int *count,
                          ssne_error *err) {
  char *json = NULL;
  SSNE_TRY(ssne_store_get_text(store, attribute, &json, err));
  if (!json) return SSNE_OK;
  const ssne_code code = account_read(json, attribute, &into->account, err);
  ssne_free(&json);
  if (code != SSNE_OK || into->account.count == 0) return code;
  make_panel(step, into, &panels[(*count)++]);
  return SSNE_OK;
}

static ssne_code draw_stages(const job *j, ssne_store *store, const char *path, ssne_error *err) {
  ssne_stage_panel panels[STEPS];
  step_account *accounts = NULL;
  int count = 0;
  ssne_figure figure;
  SSNE_TRY(figure_describe(j, j->options.render.dpi, &figure, err));
  SSNE_TRY(ssne_alloc(&accounts, STEPS, sizeof *accounts, "stages", err));
  ssne_code code =
      add_step(store, ACCOUNT_OF_EXTRACT, "extract", &accounts[0], panels, &count, err);
  if (code == SSNE_OK)
    code = add_step(store, ACCOUNT_OF_EMBED, "embed", &accounts[1], panels, &count, err);
  if (code == SSNE_OK && count == 0)
    code = ssne_fail(err, SSNE_USAGE,
                     "%s does not say how long its stages took: an older shardsne made it", path);
  if (code == SSNE_OK) code = ssne_figure_stages(&figure, panels, count, err);
  ssne_free(&accounts);
  return code;
}

ssne_code figure_draw_stages(job *j, ssne_store *store, const char *path, ssne_error *err) {
  return ssne_agree(j->comm, j->rank == 0 ? draw_stages(j, store, path, err) : SSNE_OK, err);
}
