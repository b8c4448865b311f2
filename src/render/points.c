#include "drawing.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

typedef struct place {
  uint64_t key;
  int64_t row;
} place;

static int compare(const void *a, const void *b) {
  const place *p = a, *q = b;
  if (p->key != q->key) return p->key < q->key ? -1 : 1;
  return p->row < q->row ? -1 : p->row > q->row;
}

static bool is_known(const ssne_picture *picture, int64_t row) {
  return picture->label && picture->label[row] >= 0 && picture->label[row] < picture->class_count;
}

/* A shade dark enough to read on its own colour; many of them crowded still show which it was. */
static uint32_t darken(uint32_t color) {
  uint32_t dark = 0;
  for (int shift = 0; shift < 24; shift += 8) dark |= (color >> shift & 0xff) * 2 / 5 << shift;
  return dark;
}

static ssne_point make_point(const ssne_picture *picture, int64_t row) {
  const bool known = is_known(picture, row);
  uint32_t color = ssne_palette(0, 1);
  if (picture->color_by_label)
    color = known ? ssne_palette(picture->label[row], picture->class_count) : SSNE_COLOR_UNKNOWN;
  const uint32_t transparency = (uint32_t)lround(255 * (1 - picture->alpha));
  return (ssne_point){.x = picture->xy[2 * row],
                      .y = picture->xy[2 * row + 1],
                      .color = transparency << 24 | color,
                      .number = known ? (uint32_t)picture->label[row] + 1 : 0,
                      .text_color = darken(color)};
}

static ssne_code find_places(const ssne_picture *picture, place *places, int64_t *count,
                             ssne_error *err) {
  *count = 0;
  for (int64_t row = 0; row < picture->count; row++) {
    const float x = picture->xy[2 * row], y = picture->xy[2 * row + 1];
    if (!isfinite(x) || !isfinite(y)) continue;
    if (x < 0 || x > 1 || y < 0 || y > 1)
      return ssne_fail(err, SSNE_FAILED,
                       "row %" PRId64
                       " lies at (%g, %g), outside of the unit square: normalise the "
                       "coordinates before drawing them",
                       row, (double)x, (double)y);
    places[(*count)++] =
        (place){ssne_random_bits(picture->seed, SSNE_RANDOM_DRAWING, (uint64_t)row), row};
  }
  if (*count > 0) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED,
                   "none of the %" PRId64 " rows has coordinates: there is nothing to draw",
                   picture->count);
}

ssne_code ssne_points_make(const ssne_picture *picture, ssne_point **points, int64_t *count,
                           ssne_error *err) {
  place *places = NULL;
  SSNE_TRY(ssne_alloc(&places, picture->count, sizeof *places, "places in the drawing order", err));
  ssne_code code = find_places(picture, places, count, err);
  if (code == SSNE_OK) code = ssne_alloc(points, *count, sizeof **points, "points", err);
  if (code != SSNE_OK) goto done;
  qsort(places, (size_t)*count, sizeof *places, compare);
  for (int64_t i = 0; i < *count; i++) (*points)[i] = make_point(picture, places[i].row);
done:
  ssne_free(&places);
  return code;
}

/* --- legend --- */

/* How many rows of each class are drawn, and of none in counts[class_count]. */
static ssne_code count_classes(const ssne_picture *picture, int64_t **counts, ssne_error *err) {
  SSNE_TRY(ssne_alloc(counts, picture->class_count + 1, sizeof **counts, "class counts", err));
  for (int64_t row = 0; row < picture->count; row++) {
    if (!isfinite(picture->xy[2 * row]) || !isfinite(picture->xy[2 * row + 1])) continue;
    (*counts)[is_known(picture, row) ? picture->label[row] : picture->class_count]++;
  }
  return SSNE_OK;
}

static void add_class(const ssne_picture *picture, int64_t class, ssne_legend *legend) {
  ssne_legend_row *row = &legend->row[legend->count++];
  row->marked = true;
  row->color = ssne_palette(class, picture->class_count);
  if (picture->classes)
    ssne_name_clean(picture->classes[class], row->name);
  else
    snprintf(row->name, sizeof row->name, "%" PRId64, class);
}

ssne_code ssne_legend_make(const ssne_picture *picture, ssne_legend *legend, ssne_error *err) {
  legend->count = 0;
  if (!picture->color_by_label || picture->text_by_label || !picture->label) return SSNE_OK;
  int64_t *counts = NULL, more = 0;
  SSNE_TRY(count_classes(picture, &counts, err));
  for (int64_t class = 0; class < picture->class_count; class ++) {
    if (counts[class] == 0) continue;
    if (legend->count < SSNE_LEGEND_CLASSES)
      add_class(picture, class, legend);
    else
      more++;
  }
  ssne_legend_row *row = &legend->row[legend->count];
  if (more > 0) {
    *row = (ssne_legend_row){.marked = false};
    snprintf(row->name, sizeof row->name, "and %" PRId64 " more", more);
    row = &legend->row[++legend->count];
  }
  if (counts[picture->class_count] > 0) {
    *row = (ssne_legend_row){.name = "no label", .marked = true, .color = SSNE_COLOR_UNKNOWN};
    legend->count++;
  }
  ssne_free(&counts);
  return SSNE_OK;
}
