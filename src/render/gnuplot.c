#include "drawing.h"
#include "process.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static double at_least(double value, double least) {
  return value > least ? value : least;
}

static double at_most(double value, double most) {
  return value < most ? value : most;
}

/* --- layout --- */

/* In ems of the legend's font: markers, their gaps to the names and to the points, and rows. */
static const double marker_size = 0.85, marker_gap = 1.0, legend_gap = 1.8, row_height = 1.55;

static double legend_width(const ssne_legend *legend) {
  double ems = 0;
  for (int i = 0; i < legend->count; i++) ems = at_least(ssne_name_width(legend->row[i].name), ems);
  return legend_gap + marker_gap + ems;
}

/* From 9 points for a few hundred rows by way of 4 for some thousands to 1.1 for a hundred
 * thousand, on a square of 8 inches; never so small that a single one cannot be seen. */
static double point_diameter(double side, int64_t drawn) {
  return side / 576 * at_most(at_least(98 * pow((double)drawn, -0.39), 0.4), 9);
}

ssne_layout ssne_layout_make(const ssne_picture *picture, int64_t drawn,
                             const ssne_legend *legend) {
  ssne_layout l = {.width = 72 * picture->width, .height = 72 * picture->height};
  const double least = at_most(l.width, l.height), margin = 0.02 * least;
  double reserved = 0;
  if (legend->count > 0) { /* beside the points, with at most two fifths of the width */
    l.legend_font = at_most(least / 64, 0.4 * l.width / legend_width(legend));
    l.legend_font = at_most(l.legend_font, (l.height - 2 * margin) / (row_height * legend->count));
    l.legend_row = row_height * l.legend_font;
    reserved = l.legend_font * legend_width(legend);
  }
  l.side = at_most(l.width - reserved, l.height) - 2 * margin;
  l.left = (l.width - reserved - l.side) / 2;
  if (legend->count > 0) l.left = at_most(l.left, margin + l.left / 2);
  l.bottom = (l.height - l.side) / 2;
  l.legend_left = l.left + l.side + legend_gap * l.legend_font;
  l.legend_top = (l.height + l.legend_row * (legend->count - 1)) / 2;
  l.diameter = point_diameter(l.side, drawn) * (picture->text_by_label ? 1.3 : 1);
  l.text = 0.85 * l.diameter; /* two digits are about as wide as the point */
  return l;
}

/* --- script --- */

/* Writes a string expression of gnuplot. Between single quotes all is literal but the quote itself,
 * and \U+ in newer releases, which a space of no width keeps apart. A quote stands in double quotes
 * of its own: doubled as the manual has it, it is misread at the start of a string (5.4). */
static void write_quoted(FILE *file, const char *text) {
  fputc('\'', file);
  for (const char *s = text; *s; s++) {
    if (*s == '\'')
      fputs("'.\"'\".'", file);
    else
      fputc(*s, file);
    if (strncmp(s, "\\U+", 3) == 0) fputs("\u200b", file);
  }
  fputc('\'', file);
}

static double canvas_inch(const ssne_picture *picture, const ssne_format *format) {
  return format->canvas_inch > 0 ? format->canvas_inch : picture->dpi;
}

static void write_terminal(FILE *file, const ssne_picture *picture, const ssne_format *format) {
  const double units = canvas_inch(picture, format);
  fputs("set encoding utf8\n", file);
  fprintf(file, "set terminal %s noenhanced font 'sans-serif,12' background '#ffffff' size ",
          format->terminal);
  if (strcmp(format->terminal, "pdfcairo") == 0)
    fprintf(file, "%.6fin,%.6fin fontscale 1\n", picture->width, picture->height);
  else
    fprintf(file, "%ld,%ld\n", lround(picture->width * units), lround(picture->height * units));
}

static void write_frame(FILE *file, const ssne_layout *l) {
  fputs("unset border\nunset tics\nunset key\nunset colorbox\n", file);
  fprintf(file, "set lmargin at screen %.8f\nset rmargin at screen %.8f\n", l->left / l->width,
          (l->left + l->side) / l->width);
  fprintf(file, "set bmargin at screen %.8f\nset tmargin at screen %.8f\n", l->bottom / l->height,
          (l->bottom + l->side) / l->height);
  fputs("set xrange [0:1] noextend\nset yrange [0:1] noextend\n", file);
}

static void write_legend(FILE *file, const ssne_legend *legend, const ssne_layout *l, double font,
                         double marker) {
  for (int i = 0; i < legend->count; i++) {
    const ssne_legend_row *row = &legend->row[i];
    const double y = (l->legend_top - i * l->legend_row) / l->height;
    if (row->marked)
      fprintf(file,
              "set label '' at screen %.8f,%.8f point pointtype 7 pointsize %.6f linewidth 0 "
              "linecolor rgb '#%06" PRIx32 "'\n",
              l->legend_left / l->width, y, marker_size * l->legend_font * marker, row->color);
    fputs("set label ", file);
    write_quoted(file, row->name);
    fprintf(file, " at screen %.8f,%.8f left noenhanced font ',%.4f' textcolor rgb '#202020'\n",
            (l->legend_left + marker_gap * l->legend_font) / l->width, y, l->legend_font * font);
  }
}

void ssne_script_write(FILE *file, const ssne_picture *picture, const ssne_format *format,
                       const ssne_layout *l, const ssne_legend *legend) {
  const double unit = canvas_inch(picture, format) / 72; /* canvas units of a point */
  const double font = unit / format->font_unit;
  const double marker = unit / (2 * format->marker_radius); /* point size of diameter 1 */
  static const char data[] =
      "'" SSNE_SCRATCH_POINTS "' binary format='%float32%float32%uint32%uint32%uint32' using ";
  write_terminal(file, picture, format);
  write_frame(file, l);
  write_legend(file, legend, l, font, marker);
  fprintf(file,
          "plot %s1:2:3 with points pointtype 7 pointsize %.6f linewidth 0 linecolor rgb variable "
          "notitle",
          data, l->diameter * marker);
  if (picture->text_by_label)
    fprintf(file,
            ", \\\n  %s1:2:($4 > 0 ? sprintf('%%d', $4) : ''):5 with labels center noenhanced font "
            "',%.4f' textcolor rgb variable notitle",
            data, l->text * font);
  fputc('\n', file);
}
