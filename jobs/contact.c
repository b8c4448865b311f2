#include "contact.h"

#include "inputs.h"
#include "subset.h"

#include "shardsne/agree.h"
#include "shardsne/page.h"
#include "shardsne/render.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* So many candidates for each cell, of which one stands for those around it. */
#define CANDIDATES 16

bool contact_wanted(const job *j) {
  return j->options.render.thumbnails > 0;
}

/* The picture as the options have it, without points. */
static ssne_code describe(const job *j, ssne_contact *contact, ssne_error *err) {
  const render_options *o = &j->options.render;
  double width = 0, height = 0;
  SSNE_TRY(options_size(o->size, &width, &height, err));
  *contact = (ssne_contact){.path = o->plot,
                            .side = (int)o->thumbnails,
                            .width = (int)lround(width * (double)o->dpi),
                            .height = (int)lround(height * (double)o->dpi),
                            .dpi = (int)o->dpi};
  return SSNE_OK;
}

ssne_code contact_check(const job *j, ssne_error *err) {
  ssne_contact contact;
  SSNE_TRY(describe(j, &contact, err));
  return ssne_contact_check(&contact, err);
}

static ssne_code draw_images(const job *j, const subset *s, inputs *in, const char *path,
                             ssne_error *err) {
  ssne_contact contact;
  SSNE_TRY(describe(j, &contact, err));
  if (!in->input)
    return ssne_fail(err, SSNE_USAGE, "%s: its images are not at hand: %s", path, in->why);
  contact.count = s->count;
  contact.xy = s->xy;
  const bool framed = /* in colours that can be told apart */
      s->labelled && s->class_count <= SSNE_COLORS_MOST &&
      strcmp(j->options.render.color, "none") != 0;
  contact.label = framed ? s->label : NULL;
  contact.class_count = s->class_count;
  contact.images = inputs_give;
  contact.context = in;
  SSNE_TRY(ssne_contact_draw(&contact, err));
  if (s->count < s->total)
    ssne_log_info(j->log, "contact map: %" PRId64 " images stand for %" PRId64, s->count, s->total);
  if (in->missing > 0)
    ssne_log_warn(j->log, "%d of %" PRId64 " images could not be read from %s and are gray",
                  (int)in->missing, in->given, in->source);
  return SSNE_OK;
}

/* Rank 0 alone. */
static ssne_code draw(const job *j, ssne_store *store, const char *path, ssne_error *err) {
  const int64_t cells = j->options.render.thumbnails * j->options.render.thumbnails;
  subset s = {.count = 0};
  inputs in = {.input = NULL};
  ssne_code code = subset_choose(store, CANDIDATES * cells, &s, err);
  if (code == SSNE_OK) code = subset_thin(&s, cells, err);
  if (code == SSNE_OK) code = subset_read_names(store, &s, err);
  if (code == SSNE_OK)
    code = inputs_find(store, j->options.render.images, &s, j->threads, &in, err);
  if (code == SSNE_OK) code = draw_images(j, &s, &in, path, err);
  inputs_free(&in);
  subset_free(&s);
  return code;
}

ssne_code contact_draw(job *j, ssne_store *store, const char *path, ssne_error *err) {
  return ssne_agree(j->comm, j->rank == 0 ? draw(j, store, path, err) : SSNE_OK, err);
}
