/* What the colours mean: names of classes, or a scale's ticks. */
#include "drawing.h"
#include "palette.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void ssne_class_name(const ssne_picture *picture, int64_t class, char name[SSNE_NAME_SIZE]) {
  if (picture->classes)
    ssne_name_clean(picture->classes[class], name);
  else
    snprintf(name, SSNE_NAME_SIZE, "%" PRId64, class);
}

int64_t ssne_class_number(const ssne_picture *picture, int64_t class) {
  return picture->classes ? class + 1 : class;
}

static void add_class(const ssne_picture *picture, int64_t class, uint32_t color,
                      ssne_legend *legend) {
  char name[SSNE_NAME_SIZE];
  ssne_legend_row *row = &legend->row[legend->count++];
  row->color = color;
  ssne_class_name(picture, class, name);
  if (picture->text == SSNE_TEXT_NUMBERS && picture->classes)
    snprintf(row->name, sizeof row->name, "%" PRId64 "  %.220s", ssne_class_number(picture, class),
             name);
  else
    memcpy(row->name, name, sizeof name);
}

void ssne_legend_make(const ssne_picture *picture, const uint32_t *class_color,
                      ssne_legend *legend) {
  const ssne_survey *s = picture->survey;
  int64_t present = 0;
  legend->count = 0;
  for (int64_t c = 0; c < s->class_count; c++) present += s->class_rows[c] > 0;
  if (!picture->legend || picture->coloring != SSNE_COLORING_CLASS || present > SSNE_COLORS_MOST)
    return;
  for (int64_t c = 0; c < s->class_count; c++)
    if (s->class_rows[c] > 0) add_class(picture, c, class_color[c], legend);
  if (s->class_rows[s->class_count] > 0)
    legend->row[legend->count++] =
        (ssne_legend_row){.name = "no label", .color = class_color[s->class_count]};
}

/* --- scale --- */

/* The nearest of 1, 2 and 5 times a power of ten that is at least `value`. */
static double round_up(double value) {
  const double power = pow(10, floor(log10(value)));
  static const double steps[] = {1, 2, 5, 10};
  for (int i = 0; i < 3; i++)
    if (steps[i] * power >= value * (1 - 1e-9)) return steps[i] * power;
  return 10 * power;
}

/* Unless it stands too near to the one before. */
static void add_tick(const ssne_plan *plan, ssne_bar *bar, double place, const char *before,
                     double value) {
  const double least = 1.4 * plan->layout.side / plan->layout.bar_height;
  if (bar->count == SSNE_TICKS_MOST) return;
  for (int i = 0; i < bar->count; i++)
    if (fabs(bar->tick[i].place - place) < least) return;
  ssne_tick *tick = &bar->tick[bar->count++];
  tick->place = place;
  snprintf(tick->text, sizeof tick->text, "%s%.4g", before, fabs(value) < 1e-300 ? 0 : value);
}

static void add_value_ticks(const ssne_plan *plan, ssne_bar *bar) {
  const ssne_picture *p = plan->picture;
  const double low = p->value_low, high = p->value_high;
  if (!(high > low)) {
    add_tick(plan, bar, 0.5, "", low);
    return;
  }
  if (p->value_below) add_tick(plan, bar, 0, "< ", low);
  if (p->value_above) add_tick(plan, bar, 1, "> ", high);
  const double step = round_up((high - low) / 6);
  const double first = ceil(low / step - 1e-9), last = floor(high / step + 1e-9);
  for (double i = first; i <= last && i < first + SSNE_TICKS_MOST; i++)
    add_tick(plan, bar, fmin(fmax((i * step - low) / (high - low), 0), 1), "", i * step);
}

/* Densities as rows in a ten-thousandth of the map's rectangle, whatever the size of the picture.
 */
static void add_density_ticks(const ssne_plan *plan, const ssne_shading *shading, ssne_bar *bar) {
  const ssne_layout *l = &plan->layout;
  const double cells = l->map_width * l->map_height / (plan->cell * plan->cell) / 10000;
  const double low = shading->low * cells, high = shading->high * cells;
  if (!(low > 0)) return;
  double value = round_up(low);
  while (value <= high) {
    add_tick(plan, bar, ssne_shading_rank(shading, value / cells), "", value);
    value = round_up(value * 1.1);
  }
}

void ssne_bar_make(const ssne_plan *plan, const ssne_shading *shading, ssne_bar *bar) {
  bar->count = 0;
  memcpy(bar->title, plan->value_name, sizeof bar->title);
  if (plan->picture->coloring == SSNE_COLORING_DENSITY)
    add_density_ticks(plan, shading, bar);
  else
    add_value_ticks(plan, bar);
}
