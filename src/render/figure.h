/* What the figures of a run share: gnuplot's terminal, and lengths in points, 1/72 inch. */
#ifndef SSNE_RENDER_FIGURE_H
#define SSNE_RENDER_FIGURE_H

#include "format.h"
#include "shardsne/figures.h"
#include <stdio.h>

/* Ink, and the colours of what is drawn with it, as gnuplot has them. */
#define FIGURE_INK "rgb '#202020'"
#define FIGURE_GRID "rgb '#d8d8d8'"
#define FIGURE_BLUE "rgb '#3f90da'"
#define FIGURE_PALE "rgb '#a9cdf0'"
#define FIGURE_SHADE "rgb '#fff3dc'"

typedef struct figure_script {
  FILE *file;
  double width, height; /* of the canvas, in points */
  double font;          /* size of the text, in points */
  double font_scale;    /* gnuplot's font size of one point */
  double line_scale; /* gnuplot's linewidth of 0.08 of that, a point where the figure is 8 inches */
  double point_scale; /* gnuplot's pointsize of a circle of that diameter */
} figure_script;

/* Has gnuplot run what `write` writes, and puts the picture in its place. */
typedef void figure_writer(const figure_script *script, const void *what);
ssne_code ssne_figure_draw(const ssne_figure *figure, figure_writer *write, const void *what,
                           ssne_error *err);

/* A panel's place: sets the margins, in points from the lower left corner. */
void ssne_figure_place(const figure_script *s, double left, double bottom, double width,
                       double height);

/* " font ',SIZE'" of `share` of the figure's font. */
void ssne_figure_font(const figure_script *s, double share);

/* The title of the horizontal axis, at the lower edge of the canvas, in `share` of the figure's
 * font. gnuplot's own (xlabel) is left out of an SVG where it would lie close to the edge. */
void ssne_figure_title_below(const figure_script *s, const char *title, double share);

#endif
