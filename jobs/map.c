/* The map of a run file's embedding: rank 0 reads it and has gnuplot draw it. */
#include "map.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"
#include "shardsne/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CLASSES 1000000

typedef struct map {
  ssne_store *store;
  float *xy;            /* [count, 2] */
  int32_t *label;       /* [count], or NULL */
  char *class_text;     /* [class_count, width + 1] closed by zeros */
  const char **classes; /* [class_count] into it */
  int64_t count, class_count;
} map;

static ssne_code read_coordinates(map *m, ssne_error *err) {
  ssne_set_shape shape = {0};
  SSNE_TRY(ssne_store_shape(m->store, SSNE_SET_NORMALIZED, &shape, err));
  m->count = shape.rows;
  SSNE_TRY(ssne_alloc(&m->xy, m->count, 2 * sizeof *m->xy, "coordinates", err));
  return ssne_store_read(m->store, SSNE_SET_NORMALIZED, 0, m->count, m->xy, err);
}

static ssne_code read_labels(map *m, ssne_error *err) {
  ssne_set_shape shape = {0};
  SSNE_TRY(ssne_store_shape(m->store, SSNE_SET_LABELS, &shape, err));
  if (!shape.exists || shape.rows != m->count) return SSNE_OK;
  SSNE_TRY(ssne_alloc(&m->label, m->count, sizeof *m->label, "labels", err));
  SSNE_TRY(ssne_store_read(m->store, SSNE_SET_LABELS, 0, m->count, m->label, err));
  for (int64_t i = 0; i < m->count; i++)
    if (m->label[i] >= m->class_count) m->class_count = (int64_t)m->label[i] + 1;
  if (m->class_count > MOST_CLASSES)
    return ssne_fail(err, SSNE_USAGE,
                     "labels go up to %" PRId64
                     ", more classes than a picture can tell apart (%d): "
                     "use --color none",
                     m->class_count - 1, MOST_CLASSES);
  return SSNE_OK;
}

static ssne_code read_classes(map *m, ssne_error *err) {
  ssne_set_shape shape = {0};
  SSNE_TRY(ssne_store_shape(m->store, SSNE_SET_CLASSES, &shape, err));
  if (!shape.exists || shape.rows < m->class_count) return SSNE_OK; /* numbers will do */
  m->class_count = shape.rows;
  SSNE_TRY(ssne_alloc(&m->class_text, shape.rows, (size_t)shape.width + 1, "class names", err));
  SSNE_TRY(ssne_alloc(&m->classes, shape.rows, sizeof *m->classes, "class names", err));
  for (int64_t c = 0; c < shape.rows; c++) {
    m->classes[c] = m->class_text + c * (shape.width + 1);
    SSNE_TRY(ssne_store_read(m->store, SSNE_SET_CLASSES, c, 1,
                             m->class_text + c * (shape.width + 1), err));
  }
  return SSNE_OK;
}

/* The picture as the options have it, without points. */
static ssne_code describe(const job *j, ssne_picture *picture, ssne_error *err) {
  const render_options *o = &j->options.render;
  *picture = (ssne_picture){.path = o->plot, .dpi = (int)o->dpi, .alpha = o->alpha};
  return options_size(o->size, &picture->width, &picture->height, err);
}

ssne_code map_check(const job *j, ssne_error *err) {
  ssne_picture picture;
  SSNE_TRY(describe(j, &picture, err));
  return ssne_picture_check(&picture, err);
}

static ssne_code draw(const job *j, const map *m, ssne_error *err) {
  const render_options *o = &j->options.render;
  ssne_picture picture;
  SSNE_TRY(describe(j, &picture, err));
  picture.color_by_label = m->label && strcmp(o->color, "label") == 0;
  picture.text_by_label = m->label && strcmp(o->text, "label") == 0;
  picture.xy = m->xy;
  picture.label = m->label;
  picture.count = m->count;
  picture.classes = (const char *const *)m->classes;
  picture.class_count = m->class_count;
  return ssne_picture_draw(&picture, err);
}

static bool wants_labels(const job *j) {
  const render_options *o = &j->options.render;
  return strcmp(o->color, "label") == 0 || strcmp(o->text, "label") == 0;
}

/* Rank 0 alone. */
static ssne_code read_and_draw(const job *j, ssne_store *store, ssne_error *err) {
  map m = {.store = store};
  ssne_code code = read_coordinates(&m, err);
  if (code == SSNE_OK && wants_labels(j)) code = read_labels(&m, err);
  if (code == SSNE_OK && m.label) code = read_classes(&m, err);
  if (code == SSNE_OK) code = draw(j, &m, err);
  ssne_free(&m.xy);
  ssne_free(&m.label);
  ssne_free(&m.class_text);
  ssne_free(&m.classes);
  return code;
}

ssne_code map_draw(job *j, ssne_store *store, ssne_error *err) {
  return ssne_agree(j->comm, j->rank == 0 ? read_and_draw(j, store, err) : SSNE_OK, err);
}
