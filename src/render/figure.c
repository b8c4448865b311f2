#include "figure.h"

#include "process.h"
#include "publish.h"
#include "shardsne/memory.h"

#include <math.h>
#include <string.h>

ssne_code ssne_figure_check(const ssne_figure *f, ssne_error *err) {
  const ssne_format *format = NULL;
  SSNE_TRY(ssne_format_choose(f->path, &format, err));
  const double longer = fmax(f->width, f->height), shorter = fmin(f->width, f->height);
  if (!(shorter >= 2 && longer <= 200))
    return ssne_fail(err, SSNE_USAGE, "a figure of %g x %g inches: choose from 2 to 200", f->width,
                     f->height);
  if (strcmp(format->terminal, "pngcairo") == 0 && longer * f->dpi > SSNE_PIXELS_MOST)
    return ssne_fail(err, SSNE_USAGE,
                     "a figure of %g x %g inches at %d dots an inch: no side may have more than %d "
                     "pixels",
                     f->width, f->height, f->dpi, SSNE_PIXELS_MOST);
  return SSNE_OK;
}

/* Units of the terminals' canvases: pngcairo's are pixels, svg's as CSS has them, pdfcairo's
 * points. Fonts of cairo are of a screen with 96 dots an inch; lines of pdfcairo a quarter of a
 * point. */
static figure_script make_script(const ssne_figure *f, const ssne_format *format) {
  figure_script s = {.width = 72 * f->width, .height = 72 * f->height};
  s.font = fmin(s.width, s.height) / 46;
  if (strcmp(format->terminal, "pngcairo") == 0) {
    const double unit = f->dpi / 72.0;
    s.font_scale = unit * 72 / 96;
    s.line_scale = unit;
    s.point_scale = unit / 6;
  } else if (strcmp(format->terminal, "svg") == 0) {
    const double unit = 96.0 / 72;
    s.font_scale = s.line_scale = unit;
    s.point_scale = unit / 9;
  } else {
    s.font_scale = 72.0 / 96;
    s.line_scale = 4;
    s.point_scale = 1.0 / 6;
  }
  s.line_scale *= s.font / 12.5;
  s.point_scale *= s.font / 12.5;
  return s;
}

static void write_head(const figure_script *s, const ssne_figure *f, const ssne_format *format) {
  fputs("set encoding utf8\n", s->file);
  fprintf(s->file, "set terminal %s enhanced font 'sans-serif,%.4f' background '#ffffff' size ",
          format->terminal, s->font * s->font_scale);
  if (strcmp(format->terminal, "pdfcairo") == 0)
    fprintf(s->file, "%.6fin,%.6fin fontscale 1\n", f->width, f->height);
  else if (strcmp(format->terminal, "svg") == 0)
    fprintf(s->file, "%ld,%ld\n", lround(f->width * 96), lround(f->height * 96));
  else
    fprintf(s->file, "%ld,%ld\n", lround(f->width * f->dpi), lround(f->height * f->dpi));
  fprintf(s->file, "set style line 1 linecolor " FIGURE_INK " linewidth %.4f\n",
          0.7 * s->line_scale);
  fprintf(s->file, "set style line 2 linecolor " FIGURE_GRID " linewidth %.4f\n",
          0.5 * s->line_scale);
  fputs("unset key\nset border linestyle 1\nset tics textcolor " FIGURE_INK "\n", s->file);
}

void ssne_figure_place(const figure_script *s, double left, double bottom, double width,
                       double height) {
  fprintf(s->file, "set lmargin at screen %.8f\nset rmargin at screen %.8f\n", left / s->width,
          (left + width) / s->width);
  fprintf(s->file, "set bmargin at screen %.8f\nset tmargin at screen %.8f\n", bottom / s->height,
          (bottom + height) / s->height);
}

void ssne_figure_font(const figure_script *s, double share) {
  fprintf(s->file, " font ',%.4f'", share * s->font * s->font_scale);
}

void ssne_figure_title_below(const figure_script *s, const char *title, double share) {
  fprintf(s->file, "set label '%s' at graph 0.5, screen %.8f center textcolor " FIGURE_INK, title,
          share * s->font / s->height);
  ssne_figure_font(s, share);
  fputc('\n', s->file);
}

ssne_code ssne_figure_draw(const ssne_figure *figure, figure_writer *write, const void *what,
                           ssne_error *err) {
  const ssne_format *format = NULL;
  char folder[SSNE_SCRATCH_SIZE];
  uint8_t *bytes = NULL;
  int64_t length = 0;
  SSNE_TRY(ssne_figure_check(figure, err));
  SSNE_TRY(ssne_format_choose(figure->path, &format, err));
  SSNE_TRY(ssne_scratch_make(folder, err));
  figure_script s = make_script(figure, format);
  ssne_code code = ssne_scratch_open(folder, SSNE_SCRATCH_SCRIPT, "wbe", &s.file, err);
  if (code == SSNE_OK) {
    write_head(&s, figure, format);
    write(&s, what);
    code = ssne_scratch_close(folder, &s.file, err);
  }
  if (code == SSNE_OK) code = ssne_gnuplot_run(folder, format->terminal, err);
  if (code == SSNE_OK) code = ssne_scratch_read(folder, SSNE_SCRATCH_PICTURE, &bytes, &length, err);
  if (code == SSNE_OK) code = ssne_format_finish(format, figure->dpi, &bytes, &length, err);
  ssne_scratch_remove(folder);
  if (code == SSNE_OK) code = ssne_publish(figure->path, bytes, length, err);
  ssne_free(&bytes);
  return code;
}
