/* Rows counted by the cells of a grid. The colour of a cell is a mean over its rows, in which each
 * class has its share; so the sums of their colours are kept rather than a count for each class:
 * what the picture needs of them, and the same memory for any number of classes. */
#include "tally.h"
#include "oklab.h"
#include "palette.h"

#include "shardsne/memory.h"

#include <math.h>

static int channels_of(const ssne_picture *picture) {
  if (picture->coloring == SSNE_COLORING_CLASS) return 4;
  return picture->coloring == SSNE_COLORING_VALUE ? 3 : 1;
}

static ssne_code lay_colors(const ssne_picture *picture, ssne_tally *tally, ssne_error *err) {
  const int64_t classes = picture->survey->class_count;
  uint32_t *colors = NULL;
  SSNE_TRY(ssne_alloc(&tally->lab, classes + 1, sizeof *tally->lab, "colours of classes", err));
  SSNE_TRY(ssne_alloc(&colors, classes + 1, sizeof *colors, "colours of classes", err));
  ssne_class_colors(picture, colors);
  for (int64_t c = 0; c <= classes; c++) {
    const ssne_lab lab = ssne_lab_from_rgb(colors[c]);
    tally->lab[c][0] = (int32_t)lround(lab.l * SSNE_TALLY_UNIT);
    tally->lab[c][1] = (int32_t)lround(lab.a * SSNE_TALLY_UNIT);
    tally->lab[c][2] = (int32_t)lround(lab.b * SSNE_TALLY_UNIT);
  }
  ssne_free(&colors);
  return SSNE_OK;
}

ssne_code ssne_tally_create(const ssne_picture *picture, const ssne_grid *grid, ssne_tally *out,
                            ssne_error *err) {
  *out = (ssne_tally){.grid = *grid, .channels = channels_of(picture)};
  SSNE_TRY(ssne_alloc(&out->cell, grid->rows * grid->columns * out->channels, sizeof *out->cell,
                      "cells of the picture", err));
  return out->channels == 4 ? lay_colors(picture, out, err) : SSNE_OK;
}

void ssne_tally_free(ssne_tally *tally) {
  ssne_free(&tally->cell);
  ssne_free(&tally->lab);
}

int64_t ssne_grid_cell(const ssne_grid *grid, const float *xy) {
  if (!isfinite(xy[0]) || !isfinite(xy[1])) return -1;
  const double column = floor((xy[0] - grid->x_left) * grid->x_cells);
  const double row = floor((grid->y_top - xy[1]) * grid->y_cells);
  if (!(column >= 0 && column < (double)grid->columns && row >= 0 && row < (double)grid->rows))
    return -1;
  return (int64_t)row * grid->columns + (int64_t)column;
}

static void add_row(ssne_tally *tally, const ssne_picture *picture, const ssne_map_rows *rows,
                    int64_t i, int64_t *cell) {
  cell[0]++;
  if (tally->channels == 4) {
    const int64_t classes = picture->survey->class_count;
    const int64_t label = rows->label ? rows->label[i] : -1;
    const int32_t *lab = tally->lab[label >= 0 && label < classes ? label : classes];
    for (int c = 0; c < 3; c++) cell[1 + c] += lab[c];
  } else if (tally->channels == 3 && !isnan(rows->value[i])) {
    cell[1]++;
    cell[2] += lround(ssne_value_place(picture, rows->value[i]) * SSNE_TALLY_UNIT);
  }
}

void ssne_tally_add(ssne_tally *tally, const ssne_picture *picture, const ssne_map_rows *rows) {
  for (int64_t i = 0; i < rows->count; i++) {
    const int64_t cell = ssne_grid_cell(&tally->grid, rows->xy + 2 * i);
    if (cell >= 0) add_row(tally, picture, rows, i, tally->cell + cell * tally->channels);
  }
}
