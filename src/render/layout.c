/* Sizes and places of a picture's parts. */
#include "drawing.h"

#include <math.h>

/* In ems of the legend's font: its markers' distance to the map and to the names; and the scale's
 * bar, ticks, numbers, and what it is of. */
static const double legend_gap = 1.8, marker_gap = 1.0, row_height = 1.55;
static const double bar_gap = 1.6, bar_width = 1.3, ticks_width = 5.2, bar_title_width = 1.8;

/* Of the shorter side. */
static const double margin_share = 0.02, font_share = 1.0 / 64, title_share = 1.0 / 40;

/* From 9 points for a few hundred rows by way of 4 for some thousands to 1.1 for a hundred
 * thousand, on a square of 8 inches; never so small that a single one cannot be seen. */
static double point_diameter(double side, int64_t drawn) {
  return side / 576 * fmin(fmax(98 * pow((double)drawn, -0.39), 0.4), 9);
}

static double legend_ems(const ssne_legend *legend) {
  double ems = 0;
  for (int i = 0; i < legend->count; i++) ems = fmax(ssne_name_width(legend->row[i].name), ems);
  return legend_gap + marker_gap + ems;
}

/* The font of what stands beside the map, with at most two fifths of the width. */
static void measure_side(const ssne_plan *plan, double margin, double height, ssne_layout *l) {
  const double font = font_share * fmin(l->width, l->height);
  if (plan->legend.count > 0) {
    l->side = fmin(font, 0.4 * l->width / legend_ems(&plan->legend));
    l->side = fmin(l->side, (height - 2 * margin) / (row_height * plan->legend.count));
    l->legend_row = row_height * l->side;
  } else if (plan->with_bar) {
    l->side = fmin(font, 0.4 * l->width / (bar_gap + bar_width + ticks_width + bar_title_width));
  }
}

static double side_width(const ssne_plan *plan, const ssne_layout *l) {
  if (plan->legend.count > 0) return l->side * legend_ems(&plan->legend);
  return plan->with_bar ? l->side * (bar_gap + bar_width + ticks_width + bar_title_width) : 0;
}

/* The map's rectangle in a room of so much width and height, its left at 0. */
static void measure_map(const ssne_picture *p, double width, double height, ssne_layout *l) {
  double extent[2];
  for (int d = 0; d < 2; d++) extent[d] = (double)p->survey->high[d] - p->survey->low[d];
  double scale[2] = {extent[0] > 0 ? width / extent[0] : INFINITY,
                     extent[1] > 0 ? height / extent[1] : INFINITY};
  if (p->stretched) {
    scale[0] *= fmin(width, height) / width;
    scale[1] *= fmin(width, height) / height;
  } else {
    scale[0] = scale[1] = fmin(scale[0], scale[1]);
  }
  for (int d = 0; d < 2; d++) {
    l->low[d] = p->survey->low[d];
    l->scale[d] = isfinite(scale[d]) ? scale[d] : 1;
  }
  /* where all rows lie on a line or in a point, in the middle of what the other axis has */
  l->map_width = extent[0] > 0 ? extent[0] * l->scale[0] : fmin(width, height);
  l->map_height = extent[1] > 0 ? extent[1] * l->scale[1] : fmin(width, height);
  if (!(extent[0] > 0)) l->low[0] -= l->map_width / 2 / l->scale[0];
  if (!(extent[1] > 0)) l->low[1] -= l->map_height / 2 / l->scale[1];
}

static void place_side(const ssne_plan *plan, double middle, ssne_layout *l) {
  const double right = l->left + l->map_width;
  if (plan->legend.count > 0) {
    l->side_left = right + legend_gap * l->side;
    l->legend_top = middle + l->legend_row * (plan->legend.count - 1) / 2;
  } else if (plan->with_bar) {
    l->side_left = right + bar_gap * l->side;
    l->bar_width = bar_width * l->side;
    l->bar_height = 0.6 * l->map_height;
    l->bar_bottom = middle - l->bar_height / 2;
    l->bar_title = fmin(l->side, l->map_height / fmax(ssne_name_width(plan->value_name), 1));
  }
}

/* A raster of a PNG consists of whole pixels, so that none is smeared over two. */
static void lay_grid(ssne_plan *plan) {
  const ssne_layout *l = &plan->layout;
  const double cells_inch = 150, most = 4e6, pad = 24;
  const double pixel = plan->format->canvas_inch > 0 ? 72 / cells_inch : 72.0 / plan->picture->dpi;
  double pixels = fmax(1, floor(plan->picture->dpi / cells_inch + 0.5));
  if (plan->format->canvas_inch > 0) pixels = 1;
  while (l->map_width * l->map_height / (pixels * pixel * pixels * pixel) > most) pixels++;
  plan->cell = pixels * pixel;
  const double top = l->height - l->bottom - l->map_height;
  plan->cell_left = (int64_t)fmax(0, floor(l->left / plan->cell) - pad);
  plan->cell_top = (int64_t)fmax(0, floor(top / plan->cell) - pad);
  const double right = fmin((l->left + l->map_width) / plan->cell + pad, l->width / plan->cell);
  const double bottom = fmin((l->height - l->bottom) / plan->cell + pad, l->height / plan->cell);
  plan->grid = (ssne_grid){
      .columns = (int64_t)ceil(right) - plan->cell_left,
      .rows = (int64_t)ceil(bottom) - plan->cell_top,
      .x_left = l->low[0] + ((double)plan->cell_left * plan->cell - l->left) / l->scale[0],
      .x_cells = l->scale[0] / plan->cell,
      .y_top =
          l->low[1] + (l->height - (double)plan->cell_top * plan->cell - l->bottom) / l->scale[1],
      .y_cells = l->scale[1] / plan->cell};
}

/* The canvas in whole pixels. */
static double canvas_length(const ssne_plan *plan, double inches) {
  if (plan->format->canvas_inch > 0) return 72 * inches;
  return 72 * (double)lround(inches * plan->picture->dpi) / plan->picture->dpi;
}

void ssne_layout_make(ssne_plan *plan) {
  const ssne_picture *p = plan->picture;
  ssne_layout l = {.width = canvas_length(plan, p->width),
                   .height = canvas_length(plan, p->height)};
  const double least = fmin(l.width, l.height), margin = margin_share * least;
  if (plan->title[0])
    l.title = fmin(title_share * least, (l.width - 2 * margin) / ssne_name_width(plan->title));
  const double height = l.height - 1.6 * l.title; /* of what is below the title */
  measure_side(plan, margin, height, &l);
  const double beside = side_width(plan, &l);
  measure_map(p, l.width - beside - 2 * margin, height - 2 * margin, &l);
  l.left = (l.width - beside - l.map_width) / 2;
  l.bottom = (height - l.map_height) / 2;
  l.title_x = l.width / 2;
  l.title_y = l.height - margin - l.title / 2;
  place_side(plan, height / 2, &l);
  const double side = sqrt(l.map_width * l.map_height);
  l.diameter = point_diameter(side, p->survey->drawn);
  if (p->text == SSNE_TEXT_NUMBERS) l.diameter *= 1.3;
  l.number = 0.85 * l.diameter; /* two digits are about as wide as the point */
  /* names share the map: the more they are, the smaller, from 12 points on 8 inches to 6 */
  l.name = least / 48 * fmax(sqrt(20.0 / fmax(plan->named_count, 20)), 0.5);
  l.names =
      (ssne_bounds){.left = margin / 2,
                    .right = beside > 0 ? l.left + l.map_width + margin / 2 : l.width - margin / 2,
                    .bottom = margin / 2,
                    .top = height - margin / 2};
  plan->layout = l;
  lay_grid(plan);
}

/* --- names in the map --- */

/* The middle of the bin in which half of the rows are reached, 0 to 1. */
static double median_of(const int64_t *bins) {
  int64_t rows = 0, reached = 0;
  int bin = 0;
  for (int b = 0; b < SSNE_MEDIAN_BINS; b++) rows += bins[b];
  while (bin < SSNE_MEDIAN_BINS && 2 * (reached += bins[bin]) < rows) bin++;
  return (bin + 0.5) / SSNE_MEDIAN_BINS;
}

void ssne_names_place(const ssne_plan *plan, const ssne_medians *medians, ssne_place *places) {
  const ssne_layout *l = &plan->layout;
  const ssne_survey *s = plan->picture->survey;
  for (int n = 0; n < plan->named_count; n++) {
    const int64_t *bins = medians->bin + (int64_t)n * 2 * SSNE_MEDIAN_BINS;
    double anchor[2];
    for (int d = 0; d < 2; d++) {
      const double extent = (double)s->high[d] - s->low[d];
      const double at = s->low[d] + extent * median_of(bins + (int64_t)d * SSNE_MEDIAN_BINS);
      anchor[d] = (at - l->low[d]) * l->scale[d];
    }
    places[n] =
        (ssne_place){.anchor_x = l->left + anchor[0],
                     .anchor_y = l->bottom + anchor[1],
                     .width = 1.1 * ssne_name_width(plan->named[n].name) * l->name, /* bold */
                     .height = 1.2 * l->name};
  }
  /* a few are shown all, wherever there is room */
  const double anywhere = (l->width + l->height) / l->name;
  ssne_places_settle(places, plan->named_count, &l->names, plan->named_count > 40 ? 2.5 : anywhere);
}
