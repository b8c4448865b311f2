/* Points by themselves: their order, their colours, and discs of them in an image. */
#include "drawing.h"
#include "palette.h"
#include "tally.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

typedef struct keyed_row {
  uint64_t key;
  int64_t row;
} keyed_row;

static int compare(const void *a, const void *b) {
  const keyed_row *p = a, *q = b;
  if (p->key != q->key) return p->key < q->key ? -1 : 1;
  return p->row < q->row ? -1 : p->row > q->row;
}

/* What colours points: found once for all of them. */
typedef struct paint {
  const ssne_plan *plan;
  const ssne_map_rows *rows;
  const ssne_shading *shading;
  uint32_t scale[SSNE_SCALE_STEPS];
} paint;

static uint32_t scale_at(const paint *p, double place) {
  return p->scale[lround(fmin(fmax(place, 0), 1) * (SSNE_SCALE_STEPS - 1))];
}

static uint32_t color_of(const paint *p, int64_t row, int64_t class) {
  const ssne_picture *picture = p->plan->picture;
  if (picture->coloring == SSNE_COLORING_VALUE) {
    const float value = p->rows->value[row];
    if (isnan(value)) return ssne_theme_of(picture).unknown;
    return scale_at(p, ssne_value_place(picture, value));
  }
  if (picture->coloring == SSNE_COLORING_DENSITY) {
    const int64_t cell = ssne_grid_cell(&p->shading->grid, p->rows->xy + 2 * row);
    const double density = cell < 0 ? 0 : (double)p->shading->smooth[cell];
    return scale_at(p, ssne_shading_rank(p->shading, density));
  }
  return p->plan->class_color[class];
}

static ssne_point make_point(const paint *p, int64_t row) {
  const ssne_picture *picture = p->plan->picture;
  const ssne_layout *l = &p->plan->layout;
  const int64_t classes = picture->survey->class_count;
  const int64_t label = p->rows->label ? p->rows->label[row] : -1;
  const bool known = label >= 0 && label < classes;
  const uint32_t color = color_of(p, row, known ? label : classes);
  const uint32_t transparency = (uint32_t)lround(255 * (1 - picture->alpha));
  const float *xy = p->rows->xy + 2 * row;
  return (ssne_point){.x = (float)(l->left + (xy[0] - l->low[0]) * l->scale[0]),
                      .y = (float)(l->bottom + (xy[1] - l->low[1]) * l->scale[1]),
                      .color = transparency << 24 | color,
                      .number = known ? (int32_t)ssne_class_number(picture, label) : -1,
                      .text_color = ssne_text_color(picture, color)};
}

static int64_t find_places(const ssne_plan *plan, const ssne_map_rows *rows, keyed_row *places) {
  int64_t count = 0;
  for (int64_t row = 0; row < rows->count; row++)
    if (isfinite(rows->xy[2 * row]) && isfinite(rows->xy[2 * row + 1]))
      places[count++] = (keyed_row){
          ssne_random_bits(plan->picture->seed, SSNE_RANDOM_DRAWING, (uint64_t)row), row};
  return count;
}

ssne_code ssne_points_make(const ssne_plan *plan, const ssne_map_rows *rows,
                           const ssne_shading *shading, ssne_point **points, int64_t *count,
                           ssne_error *err) {
  keyed_row *places = NULL;
  paint p = {.plan = plan, .rows = rows, .shading = shading};
  ssne_picture_scale(plan->picture, p.scale);
  ssne_code code =
      ssne_alloc(&places, rows->count, sizeof *places, "places in the drawing order", err);
  if (code == SSNE_OK) {
    *count = find_places(plan, rows, places);
    code = ssne_alloc(points, *count, sizeof **points, "points", err);
  }
  if (code == SSNE_OK) {
    qsort(places, (size_t)*count, sizeof *places, compare);
    for (int64_t i = 0; i < *count; i++) (*points)[i] = make_point(&p, places[i].row);
  }
  ssne_free(&places);
  return code;
}

/* --- discs in an image --- */

/* Each channel a float, so that many faint points add up. */
typedef struct canvas {
  int64_t columns, rows;
  float *rgb;
} canvas;

/* What part of a pixel at such a distance from the middle a disc covers, nearly. */
static double coverage(double distance, double radius) {
  return fmin(fmax(radius - distance + 0.5, 0), 1);
}

/* A disc with its middle at (x, y), in pixels from the upper left corner. */
static void draw_disc(canvas *c, double x, double y, double radius, const ssne_point *p) {
  const double opacity = 1 - (p->color >> 24) / 255.0;
  const int64_t top = (int64_t)fmax(floor(y - radius - 1), 0);
  const int64_t left = (int64_t)fmax(floor(x - radius - 1), 0);
  const int64_t bottom = (int64_t)fmin(ceil(y + radius + 1), (double)c->rows);
  const int64_t right = (int64_t)fmin(ceil(x + radius + 1), (double)c->columns);
  for (int64_t row = top; row < bottom; row++)
    for (int64_t column = left; column < right; column++) {
      const double dx = (double)column + 0.5 - x, dy = (double)row + 0.5 - y;
      const float share = (float)(opacity * coverage(sqrt(dx * dx + dy * dy), radius));
      float *rgb = c->rgb + 3 * (row * c->columns + column);
      for (int i = 0; i < 3 && share > 0; i++)
        rgb[i] += share * ((float)(p->color >> (16 - 8 * i) & 0xff) - rgb[i]);
    }
}

/* The whole canvas, pixels of its resolution, or coarser ones where those would be too many. */
static void lay_raster(const ssne_plan *plan, ssne_raster *out) {
  const ssne_layout *l = &plan->layout;
  const double most = 8e6;
  double pixels = 1;
  const double pixel = 72.0 / plan->picture->dpi;
  while (l->width * l->height / (pixels * pixel * pixels * pixel) > most) pixels++;
  *out = (ssne_raster){.cell = pixels * pixel, .top = l->height};
  out->columns = (int64_t)ceil(l->width / out->cell);
  out->rows = (int64_t)ceil(l->height / out->cell);
}

ssne_code ssne_points_raster(const ssne_plan *plan, const ssne_point *points, int64_t count,
                             ssne_raster *out, ssne_error *err) {
  const uint32_t background = ssne_theme_of(plan->picture).background;
  lay_raster(plan, out);
  const int64_t values = 3 * out->rows * out->columns;
  canvas c = {.columns = out->columns, .rows = out->rows};
  SSNE_TRY(ssne_alloc(&out->rgb, values, 1, "pixels", err));
  SSNE_TRY(ssne_alloc(&c.rgb, values, sizeof *c.rgb, "pixels", err));
  for (int64_t i = 0; i < values; i++) c.rgb[i] = (float)(background >> (16 - 8 * (i % 3)) & 0xff);
  for (int64_t i = 0; i < count; i++)
    draw_disc(&c, points[i].x / out->cell, (plan->layout.height - points[i].y) / out->cell,
              plan->layout.diameter / 2 / out->cell, &points[i]);
  for (int64_t i = 0; i < values; i++) out->rgb[i] = (uint8_t)lround((double)c.rgb[i]);
  ssne_free(&c.rgb);
  return SSNE_OK;
}
