#include "drawing.h"
#include "palette.h"
#include "publish.h"

#include "shardsne/memory.h"

#include <stdlib.h>
#include <string.h>

static ssne_code check_options(const ssne_picture *p, const ssne_format *format, ssne_error *err) {
  const double longer = p->width > p->height ? p->width : p->height;
  if (!(p->width >= 0.5 && p->height >= 0.5 && longer <= 200))
    return ssne_fail(err, SSNE_USAGE, "a picture of %g x %g inches: choose from 0.5 to 200",
                     p->width, p->height);
  if (!(p->alpha >= 0 && p->alpha <= 1))
    return ssne_fail(err, SSNE_USAGE, "an opacity of %g: choose from 0 to 1", p->alpha);
  if (p->mode == SSNE_MODE_DENSITY && p->text == SSNE_TEXT_NUMBERS)
    return ssne_fail(err, SSNE_USAGE, "a density has no points to write numbers on");
  if (p->dpi < 1) return ssne_fail(err, SSNE_USAGE, "%d dots an inch: choose at least 1", p->dpi);
  if (format->canvas_inch == 0 && longer * p->dpi > SSNE_PIXELS_MOST)
    return ssne_fail(
        err, SSNE_USAGE,
        "a picture of %g x %g inches at %d dots an inch: no side may have more than %d "
        "pixels",
        p->width, p->height, p->dpi, SSNE_PIXELS_MOST);
  return SSNE_OK;
}

/* --- plan --- */

typedef struct sized_class {
  int64_t rows;
  int32_t class;
} sized_class;

static int compare_sizes(const void *a, const void *b) {
  const sized_class *p = a, *q = b;
  if (p->rows != q->rows) return p->rows > q->rows ? -1 : 1;
  return p->class < q->class ? -1 : p->class > q->class;
}

static ssne_code choose_named(ssne_plan *plan, ssne_error *err) {
  const ssne_survey *s = plan->picture->survey;
  sized_class *sized = NULL;
  if (plan->picture->text != SSNE_TEXT_NAMES) return SSNE_OK;
  SSNE_TRY(ssne_alloc(&sized, s->class_count, sizeof *sized, "classes", err));
  for (int64_t c = 0; c < s->class_count; c++)
    sized[c] = (sized_class){s->class_rows[c], (int32_t)c};
  qsort(sized, (size_t)s->class_count, sizeof *sized, compare_sizes);
  for (int64_t c = 0; c < s->class_count && c < SSNE_NAMED_MOST && sized[c].rows > 0; c++) {
    ssne_named *named = &plan->named[plan->named_count++];
    named->class = sized[c].class;
    ssne_class_name(plan->picture, named->class, named->name);
  }
  ssne_free(&sized);
  return SSNE_OK;
}

/* All texts of the plan, one after the other; NULL after the last. */
static char *text_of(ssne_plan *plan, int index) {
  if (index == 0) return plan->title;
  if (index == 1) return plan->value_name;
  index -= 2;
  if (index < plan->legend.count) return plan->legend.row[index].name;
  index -= plan->legend.count;
  return index < plan->named_count ? plan->named[index].name : NULL;
}

/* Pango draws a character that no font has as a box as large as the whole picture when gnuplot asks
 * for it, so the picture must do without. An SVG's text is drawn elsewhere, with other fonts. */
static ssne_code restrict_texts(ssne_plan *plan, ssne_error *err) {
  ssne_characters *characters = NULL;
  FILE *fonts = NULL;
  bool listed = false;
  if (strcmp(plan->format->terminal, "svg") == 0) return SSNE_OK;
  SSNE_TRY(ssne_fonts_list(plan->folder, &listed, err));
  SSNE_TRY(ssne_alloc(&characters, 1, sizeof *characters, "characters of fonts", err));
  /* without a list all but ASCII is replaced */
  const ssne_code code = ssne_scratch_open(plan->folder, SSNE_SCRATCH_FONTS, "rbe", &fonts, err);
  if (code == SSNE_OK && listed) {
    ssne_characters_read(fonts, characters);
    plan->lacks_fonts = !(characters->bit['0' / 8] >> '0' % 8 & 1);
  }
  char *text = NULL;
  for (int i = 0; (text = text_of(plan, i)) != NULL; i++)
    if (!ssne_name_is_ascii(text)) ssne_name_restrict(text, characters);
  if (fonts) (void)fclose(fonts); /* read only: nothing can be lost */
  ssne_free(&characters);
  return SSNE_OK;
}

static ssne_code fill_plan(ssne_plan *plan, ssne_error *err) {
  const ssne_picture *p = plan->picture;
  const bool density = p->coloring == SSNE_COLORING_DENSITY;
  if (p->title) ssne_title_clean(p->title, plan->title);
  plan->with_bar = p->legend && (density || p->coloring == SSNE_COLORING_VALUE);
  if (plan->with_bar)
    ssne_title_clean(density ? "points in 1/10,000 of the map" : p->value_name, plan->value_name);
  SSNE_TRY(ssne_alloc(&plan->class_color, p->survey->class_count + 1, sizeof *plan->class_color,
                      "colours of classes", err));
  ssne_class_colors(p, plan->class_color);
  ssne_legend_make(p, plan->class_color, &plan->legend);
  SSNE_TRY(choose_named(plan, err));
  SSNE_TRY(ssne_scratch_make(plan->folder, err));
  SSNE_TRY(restrict_texts(plan, err));
  ssne_layout_make(plan);
  return SSNE_OK;
}

ssne_code ssne_plan_create(const ssne_picture *picture, ssne_plan **out, ssne_error *err) {
  const ssne_format *format = NULL;
  SSNE_TRY(ssne_format_choose(picture->path, &format, err));
  SSNE_TRY(check_options(picture, format, err));
  if (picture->survey->drawn == 0)
    return ssne_fail(err, SSNE_FAILED, "no row has coordinates: there is nothing to draw");
  SSNE_TRY(ssne_alloc(out, 1, sizeof **out, "plans", err));
  (*out)->picture = picture;
  (*out)->format = format;
  const ssne_code code = fill_plan(*out, err);
  if (code != SSNE_OK) ssne_plan_destroy(out);
  return code;
}

void ssne_plan_destroy(ssne_plan **plan) {
  if (!*plan) return;
  ssne_scratch_remove((*plan)->folder);
  ssne_free(&(*plan)->class_color);
  ssne_free(plan);
}

ssne_grid ssne_plan_grid(const ssne_plan *plan) {
  return plan->grid;
}

int ssne_plan_named(const ssne_plan *plan, int32_t named[SSNE_NAMED_MOST]) {
  for (int n = 0; n < plan->named_count; n++) named[n] = plan->named[n].class;
  return plan->named_count;
}

bool ssne_plan_lacks_fonts(const ssne_plan *plan) {
  return plan->lacks_fonts;
}

/* --- gnuplot's input --- */

static ssne_code write_file(const ssne_plan *plan, const char *name, const void *data, size_t size,
                            ssne_error *err) {
  FILE *file = NULL;
  SSNE_TRY(ssne_scratch_open(plan->folder, name, "wbe", &file, err));
  (void)fwrite(data, 1, size, file); /* closing tells of failure */
  return ssne_scratch_close(plan->folder, &file, err);
}

static ssne_code write_raster(const ssne_plan *plan, const ssne_raster *r, ssne_error *err) {
  return write_file(plan, SSNE_SCRATCH_RASTER, r->rgb, (size_t)(3 * r->rows * r->columns), err);
}

/* The scale's colours from its upper end, twice: gnuplot draws no image of a single column. */
static ssne_code write_bar(const ssne_plan *plan, ssne_error *err) {
  uint32_t scale[SSNE_SCALE_STEPS];
  uint8_t rgb[SSNE_SCALE_STEPS][6];
  ssne_picture_scale(plan->picture, scale);
  for (int i = 0; i < SSNE_SCALE_STEPS; i++)
    for (int c = 0; c < 6; c++)
      rgb[i][c] = (uint8_t)(scale[SSNE_SCALE_STEPS - 1 - i] >> (16 - 8 * (c % 3)) & 0xff);
  return write_file(plan, SSNE_SCRATCH_BAR, rgb, sizeof rgb, err);
}

/* What draws the rows; freed together. */
typedef struct drawing {
  const ssne_plan *plan;
  ssne_shading shading;
  ssne_point *points;
  int64_t count;
  ssne_raster raster;
} drawing;

static ssne_code draw_density(drawing *d, const ssne_tally *tally, ssne_error *err) {
  const ssne_plan *plan = d->plan;
  const ssne_grid *g = &plan->grid;
  SSNE_TRY(ssne_shading_make(tally, &d->shading, err));
  d->raster = (ssne_raster){.columns = g->columns,
                            .rows = g->rows,
                            .left = (double)plan->cell_left * plan->cell,
                            .top = plan->layout.height - (double)plan->cell_top * plan->cell,
                            .cell = plan->cell};
  SSNE_TRY(ssne_alloc(&d->raster.rgb, 3 * g->rows * g->columns, 1, "pixels", err));
  ssne_shade(plan->picture, &d->shading, d->raster.rgb);
  return write_raster(plan, &d->raster, err);
}

/* How dense the map is where each point lies. */
static ssne_code shade_points(drawing *d, const ssne_map_rows *rows, ssne_error *err) {
  ssne_tally tally = {.cell = NULL};
  ssne_code code = ssne_tally_create(d->plan->picture, &d->plan->grid, &tally, err);
  if (code == SSNE_OK) ssne_tally_add(&tally, d->plan->picture, rows);
  if (code == SSNE_OK) code = ssne_shading_make(&tally, &d->shading, err);
  ssne_tally_free(&tally);
  return code;
}

static ssne_code draw_points(drawing *d, const ssne_map_rows *rows, ssne_error *err) {
  const bool density = d->plan->picture->coloring == SSNE_COLORING_DENSITY;
  const bool png = strcmp(d->plan->format->terminal, "pngcairo") == 0;
  if (density) SSNE_TRY(shade_points(d, rows, err));
  SSNE_TRY(ssne_points_make(d->plan, rows, &d->shading, &d->points, &d->count, err));
  if (png || d->count <= SSNE_POINTS_VECTOR)
    return write_file(d->plan, SSNE_SCRATCH_POINTS, d->points, (size_t)d->count * sizeof *d->points,
                      err);
  SSNE_TRY(ssne_points_raster(d->plan, d->points, d->count, &d->raster, err));
  return write_raster(d->plan, &d->raster, err);
}

static ssne_code write_script(const drawing *d, const ssne_medians *medians, ssne_error *err) {
  const ssne_plan *plan = d->plan;
  ssne_place *places = NULL;
  ssne_bar bar;
  FILE *file = NULL;
  if (plan->with_bar) SSNE_TRY(write_bar(plan, err));
  if (plan->with_bar) ssne_bar_make(plan, &d->shading, &bar);
  SSNE_TRY(ssne_alloc(&places, plan->named_count, sizeof *places, "places of names", err));
  if (plan->named_count > 0) ssne_names_place(plan, medians, places);
  ssne_code code = ssne_scratch_open(plan->folder, SSNE_SCRATCH_SCRIPT, "wbe", &file, err);
  if (code == SSNE_OK) {
    ssne_script_write(file, &(ssne_scene){.plan = plan,
                                          .raster = d->raster.rgb ? &d->raster : NULL,
                                          .points = d->points && !d->raster.rgb,
                                          .bar = plan->with_bar ? &bar : NULL,
                                          .places = places});
    code = ssne_scratch_close(plan->folder, &file, err);
  }
  ssne_free(&places);
  return code;
}

static ssne_code prepare(const ssne_plan *plan, const ssne_map_rows *rows, const ssne_tally *tally,
                         const ssne_medians *medians, ssne_error *err) {
  drawing d = {.plan = plan};
  const bool density = plan->picture->mode == SSNE_MODE_DENSITY;
  ssne_code code = density ? draw_density(&d, tally, err) : draw_points(&d, rows, err);
  if (code == SSNE_OK) code = write_script(&d, medians, err);
  ssne_shading_free(&d.shading);
  ssne_free(&d.points);
  ssne_free(&d.raster.rgb);
  return code;
}

/* --- the picture --- */

ssne_code ssne_picture_check(const ssne_picture *picture, ssne_error *err) {
  const ssne_format *format = NULL;
  SSNE_TRY(ssne_format_choose(picture->path, &format, err));
  return check_options(picture, format, err);
}

ssne_code ssne_picture_draw(const ssne_plan *plan, const ssne_map_rows *rows,
                            const ssne_tally *tally, const ssne_medians *medians, ssne_error *err) {
  const bool svg = strcmp(plan->format->terminal, "svg") == 0;
  uint8_t *bytes = NULL;
  int64_t length = 0;
  ssne_code code = prepare(plan, rows, tally, medians, err);
  if (code == SSNE_OK) code = ssne_gnuplot_run(plan->folder, plan->format->terminal, err);
  if (code == SSNE_OK)
    code = ssne_scratch_read(plan->folder, SSNE_SCRATCH_PICTURE, &bytes, &length, err);
  if (code == SSNE_OK)
    code = ssne_format_finish(plan->format, plan->picture->dpi, &bytes, &length, err);
  if (code == SSNE_OK && svg && plan->picture->text == SSNE_TEXT_NAMES)
    code = ssne_svg_add_halo(ssne_theme_of(plan->picture).background, &bytes, &length, err);
  ssne_scratch_remove(plan->folder); /* before the picture is written: the two may share a disk */
  if (code == SSNE_OK) code = ssne_publish(plan->picture->path, bytes, length, err);
  ssne_free(&bytes);
  return code;
}
