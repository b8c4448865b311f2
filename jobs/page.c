#include "page.h"

#include "inputs.h"
#include "subset.h"

#include "shardsne/agree.h"
#include "shardsne/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool page_wanted(const job *j) {
  return j->options.render.plot && ssne_page_is(j->options.render.plot);
}

/* What the page says of itself. */
static void describe(const subset *s, const inputs *in, char *text, size_t size) {
  char sampled[128] = "";
  if (s->count < s->total)
    snprintf(sampled, sizeof sampled, ", a sample of %" PRId64 ", drawn by class with seed %d",
             s->total, SUBSET_SEED);
  snprintf(
      text, size, "%" PRId64 " points%s. %s%s%sPoint at one; turn the wheel, drag, double-click.",
      s->count, sampled, in->input ? "" : "Without the images: ", in->why, in->input ? "" : ". ");
}

static ssne_code write_page(const job *j, const char *path, const subset *s, inputs *in,
                            ssne_error *err) {
  const char *slash = strrchr(path, '/');
  char about[1024];
  describe(s, in, about, sizeof about);
  const ssne_page page = {.path = j->options.render.plot,
                          .title = slash ? slash + 1 : path,
                          .about = about,
                          .count = s->count,
                          .xy = s->xy,
                          .label = s->labelled ? s->label : NULL,
                          .row = s->row,
                          .names = s->names,
                          .classes = s->classes,
                          .class_count = s->class_count,
                          .images = in->input ? inputs_give : NULL,
                          .context = in};
  SSNE_TRY(ssne_page_write(&page, err));
  if (!in->input) ssne_log_info(j->log, "the page has no thumbnails: %s", in->why);
  if (in->missing > 0)
    ssne_log_warn(j->log, "%d of %" PRId64 " images could not be read from %s for thumbnails",
                  (int)in->missing, in->given, in->source);
  return SSNE_OK;
}

/* Rank 0 alone. */
static ssne_code draw(const job *j, ssne_store *store, const char *path, ssne_error *err) {
  subset s = {.count = 0};
  inputs in = {.input = NULL};
  ssne_code code = subset_choose(store, SUBSET_SHOWN, &s, err);
  if (code == SSNE_OK) code = subset_read_names(store, &s, err);
  if (code == SSNE_OK)
    code = inputs_find(store, j->options.render.images, &s, j->threads, &in, err);
  if (code == SSNE_OK) code = write_page(j, path, &s, &in, err);
  inputs_free(&in);
  subset_free(&s);
  return code;
}

ssne_code page_draw(job *j, ssne_store *store, const char *path, ssne_error *err) {
  return ssne_agree(j->comm, j->rank == 0 ? draw(j, store, path, err) : SSNE_OK, err);
}
