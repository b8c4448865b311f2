/* The script: one plot command over the whole canvas, whose coordinates are points from its lower
 * left corner. It keeps to what gnuplot has had since 5.2. */
#include "drawing.h"
#include "palette.h"
#include "quote.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Canvas units of a point. */
static double unit_of(const ssne_plan *plan) {
  const double inch = plan->format->canvas_inch;
  return (inch > 0 ? inch : plan->picture->dpi) / 72;
}

/* gnuplot's point size of a disc with diameter 1. */
static double marker_of(const ssne_plan *plan) {
  return unit_of(plan) / (2 * plan->format->marker_radius);
}

static void write_terminal(FILE *file, const ssne_plan *plan) {
  const ssne_layout *l = &plan->layout;
  const double unit = unit_of(plan);
  fputs("set encoding utf8\n", file);
  fprintf(file, "set terminal %s noenhanced font 'sans-serif,12' background '#%06" PRIx32 "' size ",
          plan->format->terminal, ssne_theme_of(plan->picture).background);
  if (strcmp(plan->format->terminal, "pdfcairo") == 0)
    fprintf(file, "%.6fin,%.6fin fontscale 1\n", l->width / 72, l->height / 72);
  else
    fprintf(file, "%ld,%ld\n", lround(l->width * unit), lround(l->height * unit));
}

/* Cairo's terminals draw in twentieths of a pixel, the last of which is the plot's edge. */
static void write_frame(FILE *file, const ssne_plan *plan) {
  const ssne_layout *l = &plan->layout;
  const double edge = plan->format->canvas_inch > 0 ? 0 : 0.05 / unit_of(plan);
  fputs("unset border\nunset tics\nunset key\nunset colorbox\n"
        "set lmargin at screen 0\nset rmargin at screen 1\n"
        "set bmargin at screen 0\nset tmargin at screen 1\n",
        file);
  fprintf(file, "set xrange [0:%.8f] noextend\nset yrange [0:%.8f] noextend\n", l->width - edge,
          l->height - edge);
}

typedef struct text {
  const char *text, *align; /* left, center, right */
  double x, y, size;
  uint32_t color;
  bool upwards, bold; /* upwards: read from below */
} text;

static void write_text(FILE *file, const ssne_plan *plan, const text *t) {
  fputs("set label ", file);
  ssne_write_quoted(file, t->text);
  fprintf(file,
          " at %.6f,%.6f %s%s front noenhanced font '%s,%.4f' textcolor rgb '#%06" PRIx32 "'\n",
          t->x, t->y, t->align, t->upwards ? " rotate by 90" : "", t->bold ? "sans-serif Bold" : "",
          t->size * unit_of(plan) / plan->format->font_unit, t->color);
}

static void write_title(FILE *file, const ssne_plan *plan) {
  const ssne_layout *l = &plan->layout;
  if (!(l->title > 0)) return;
  write_text(file, plan,
             &(text){.text = plan->title,
                     .align = "center",
                     .x = l->title_x,
                     .y = l->title_y,
                     .size = l->title,
                     .color = ssne_theme_of(plan->picture).text});
}

static void write_legend(FILE *file, const ssne_plan *plan) {
  const ssne_layout *l = &plan->layout;
  const double marker_size = 0.85, to_name = 1.0; /* ems */
  for (int i = 0; i < plan->legend.count; i++) {
    const ssne_legend_row *row = &plan->legend.row[i];
    const double y = l->legend_top - i * l->legend_row;
    fprintf(file,
            "set label '' at %.6f,%.6f front point pointtype 7 pointsize %.6f linewidth 0 "
            "linecolor rgb '#%06" PRIx32 "'\n",
            l->side_left, y, marker_size * l->side * marker_of(plan), row->color);
    write_text(file, plan,
               &(text){.text = row->name,
                       .align = "left",
                       .x = l->side_left + to_name * l->side,
                       .y = y,
                       .size = l->side,
                       .color = ssne_theme_of(plan->picture).text});
  }
}

static void write_bar(FILE *file, const ssne_plan *plan, const ssne_bar *bar) {
  const ssne_layout *l = &plan->layout;
  const ssne_theme theme = ssne_theme_of(plan->picture);
  const double right = l->side_left + l->bar_width;
  for (int i = 0; i < bar->count; i++) {
    const double y = l->bar_bottom + bar->tick[i].place * l->bar_height;
    fprintf(file,
            "set arrow from %.6f,%.6f to %.6f,%.6f nohead front linewidth %.4f linecolor rgb "
            "'#%06" PRIx32 "'\n",
            right, y, right + 0.4 * l->side, y, 0.6 * unit_of(plan), theme.text);
    write_text(file, plan,
               &(text){.text = bar->tick[i].text,
                       .align = "left",
                       .x = right + 0.8 * l->side,
                       .y = y,
                       .size = 0.9 * l->side,
                       .color = theme.text});
  }
  write_text(file, plan,
             &(text){.text = bar->title,
                     .align = "center",
                     .x = right + 6.1 * l->side,
                     .y = l->bar_bottom + l->bar_height / 2,
                     .size = l->bar_title,
                     .color = theme.text,
                     .upwards = true});
}

/* --- names in the map --- */

static bool is_svg(const ssne_plan *plan) {
  return strcmp(plan->format->terminal, "svg") == 0;
}

static bool is_png(const ssne_plan *plan) {
  return strcmp(plan->format->terminal, "pngcairo") == 0;
}

/* From the place that is named to a name that had to move away from it. */
static void write_line(FILE *file, const ssne_plan *plan, const ssne_place *p) {
  const double x = fmin(fmax(p->anchor_x, p->x - p->width / 2), p->x + p->width / 2);
  const double y = fmin(fmax(p->anchor_y, p->y - p->height / 2), p->y + p->height / 2);
  if (hypot(x - p->anchor_x, y - p->anchor_y) < 0.25 * p->height) return;
  fprintf(file,
          "set arrow from %.6f,%.6f to %.6f,%.6f nohead front linewidth %.4f linecolor rgb "
          "'#%06" PRIx32 "'\n",
          p->anchor_x, p->anchor_y, x, y, 0.5 * unit_of(plan), ssne_theme_of(plan->picture).line);
}

/* A name stands out from the points by what is between them: in a PNG a halo of copies in the
 * background's colour; in a PDF, where copies would be text as well, a plate; an SVG's style does
 * it (format.c). */
static void write_ground(FILE *file, const ssne_plan *plan, const text *t, const ssne_place *p) {
  enum { COPIES = 12 };
  if (is_svg(plan)) return;
  text copy = *t;
  copy.color = ssne_theme_of(plan->picture).background;
  for (int i = 0; is_png(plan) && i < COPIES; i++) {
    copy.x = t->x + 0.13 * t->size * cos(2 * M_PI * i / COPIES);
    copy.y = t->y + 0.13 * t->size * sin(2 * M_PI * i / COPIES);
    write_text(file, plan, &copy);
  }
  if (is_png(plan)) return;
  fprintf(file,
          "set object rectangle center %.6f,%.6f size %.6f,%.6f front fillcolor rgb '#%06" PRIx32
          "' fillstyle transparent solid 0.7 noborder\n",
          p->x, p->y, p->width, p->height, copy.color);
}

static void write_names(FILE *file, const ssne_plan *plan, const ssne_place *places) {
  const ssne_picture *picture = plan->picture;
  for (int n = 0; n < plan->named_count; n++)
    if (places[n].shown) write_line(file, plan, &places[n]);
  for (int n = 0; n < plan->named_count; n++) {
    if (!places[n].shown) continue;
    const bool tinted = picture->coloring == SSNE_COLORING_CLASS;
    const uint32_t color = plan->class_color[plan->named[n].class];
    const text t = {.text = plan->named[n].name,
                    .align = "center",
                    .x = places[n].x,
                    .y = places[n].y,
                    .size = plan->layout.name,
                    .color = tinted ? ssne_text_color(picture, color) : ssne_theme_of(picture).text,
                    .bold = true};
    write_ground(file, plan, &t, &places[n]);
    write_text(file, plan, &t);
  }
}

/* --- the plot --- */

static void write_image(FILE *file, const char *name, int64_t columns, int64_t rows, double left,
                        double top, double pixel_width, double pixel_height) {
  fprintf(
      file,
      "'%s' binary array=(%" PRId64 ",%" PRId64
      ") format='%%uchar' flipy dx=%.12f dy=%.12f origin=(%.12f,%.12f) using 1:2:3 with rgbimage "
      "notitle",
      name, columns, rows, pixel_width, pixel_height, left + pixel_width / 2,
      top - pixel_height * ((double)rows - 0.5));
}

static void write_points(FILE *file, const ssne_plan *plan) {
  static const char data[] =
      "'" SSNE_SCRATCH_POINTS "' binary format='%float32%float32%uint32%int32%uint32' using ";
  const ssne_layout *l = &plan->layout;
  fprintf(file,
          "%s1:2:3 with points pointtype 7 pointsize %.6f linewidth 0 linecolor rgb variable "
          "notitle",
          data, l->diameter * marker_of(plan));
  if (plan->picture->text == SSNE_TEXT_NUMBERS)
    fprintf(file,
            ", \\\n  %s1:2:($4 >= 0 ? sprintf('%%d', $4) : ''):5 with labels center noenhanced "
            "font ',%.4f' textcolor rgb variable notitle",
            data, l->number * unit_of(plan) / plan->format->font_unit);
}

void ssne_script_write(FILE *file, const ssne_scene *scene) {
  const ssne_plan *plan = scene->plan;
  const ssne_layout *l = &plan->layout;
  const char *between = "plot ";
  write_terminal(file, plan);
  write_frame(file, plan);
  write_title(file, plan);
  write_legend(file, plan);
  if (scene->bar) write_bar(file, plan, scene->bar);
  write_names(file, plan, scene->places);
  if (scene->raster) {
    const ssne_raster *r = scene->raster;
    fputs(between, file);
    write_image(file, SSNE_SCRATCH_RASTER, r->columns, r->rows, r->left, r->top, r->cell, r->cell);
    between = ", \\\n  ";
  }
  if (scene->points) {
    fputs(between, file);
    write_points(file, plan);
    between = ", \\\n  ";
  }
  if (scene->bar) {
    fputs(between, file);
    write_image(file, SSNE_SCRATCH_BAR, 2, SSNE_SCALE_STEPS, l->side_left,
                l->bar_bottom + l->bar_height, l->bar_width / 2, l->bar_height / SSNE_SCALE_STEPS);
  }
  fputc('\n', file);
}
