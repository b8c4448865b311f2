/* What `render` draws: opens the run file, and hands it to the one that draws. */
#include "animation.h"
#include "contact.h"
#include "figure.h"
#include "map.h"
#include "page.h"

#include "shardsne/agree.h"

#include <string.h>

static bool draws(const job *j, const char *figure) {
  return strcmp(j->options.render.figure, figure) == 0;
}

ssne_code render_check(const job *j, ssne_error *err) {
  SSNE_TRY(job_require(j->options.render.plot, "--plot MAP.png", err));
  if (draws(j, "animation")) return animation_check(j, err);
  if (!draws(j, "map")) return figure_check(j, err);
  if (contact_wanted(j)) return contact_check(j, err);
  return page_wanted(j) ? SSNE_OK : map_check(j, err);
}

static ssne_code check_ready(ssne_store *store, const char *path, ssne_error *err) {
  bool ready = false;
  SSNE_TRY(job_is_complete(store, "embed_complete", &ready, err));
  if (ready) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE, "%s holds no finished embedding: run `shardsne embed %s` first",
                   path, path);
}

/* Collective. */
static ssne_code draw(job *j, ssne_store *store, const char *path, ssne_error *err) {
  if (draws(j, "history")) return figure_draw_history(j, store, path, err);
  if (draws(j, "animation")) return animation_draw(j, store, path, err);
  if (draws(j, "stages")) return figure_draw_stages(j, store, path, err);
  if (contact_wanted(j)) return contact_draw(j, store, path, err);
  return page_wanted(j) ? page_draw(j, store, path, err) : map_draw(j, store, path, err);
}

ssne_code render_run_file(job *j, const char *path, ssne_error *err) {
  ssne_moment start = ssne_moment_now();
  ssne_store *store = NULL;
  SSNE_TRY(ssne_store_open(path, false, j->comm, &store, NULL, err));
  ssne_code code = ssne_agree(j->comm, check_ready(store, path, err), err);
  if (code == SSNE_OK) code = draw(j, store, path, err);
  ssne_error later;
  const ssne_code closed = ssne_store_close(&store, &later);
  if (code == SSNE_OK && closed != SSNE_OK) *err = later;
  ssne_stages_lap(&j->stages, "render", 1, &start);
  return code != SSNE_OK ? code : closed;
}

ssne_code job_render(job *j, ssne_error *err) {
  SSNE_TRY(job_require(j->word, "RUN.h5", err));
  SSNE_TRY(render_check(j, err));
  SSNE_TRY(render_run_file(j, j->word, err));
  ssne_log_info(j->log, "the %s is in %s", draws(j, "map") ? "map" : "figure",
                j->options.render.plot);
  return SSNE_OK;
}
