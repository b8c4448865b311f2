/* The figure of the time that stages took. */
#include "figure.h"

#include "names.h"
#include "quote.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* In ems of the figure's font. */
#define ROW 1.75
#define HEAD 2.6
#define VALUE 8.5

typedef struct stages {
  const ssne_stage_panel *panels;
  int count;
} stages;

static bool is_part(const ssne_stage_bar *bar) {
  return strncmp(bar->name, "  ", 2) == 0;
}

/* Ems of the names, at most. */
static double names_width(const stages *what) {
  double ems = 4;
  for (int p = 0; p < what->count; p++)
    for (int b = 0; b < what->panels[p].count; b++) {
      char name[SSNE_NAME_SIZE];
      ssne_name_clean(what->panels[p].bars[b].name, name);
      ems = fmax(ems, ssne_name_width(name));
    }
  return fmin(ems, 24);
}

static double longest(const stages *what) {
  double seconds = 0;
  for (int p = 0; p < what->count; p++)
    for (int b = 0; b < what->panels[p].count; b++)
      seconds = fmax(seconds, what->panels[p].bars[b].max);
  return seconds > 0 ? seconds : 1;
}

static void write_value(const figure_script *s, const ssne_stage_panel *panel, int row,
                        double font) {
  const ssne_stage_bar *bar = &panel->bars[row];
  const int digits = bar->mean < 9.995 ? 2 : bar->mean < 99.95 ? 1 : 0;
  char share[32] = "";
  if (panel->seconds > 0)
    snprintf(share, sizeof share, "  (%.1f %%)", 100 * bar->mean / panel->seconds);
  fprintf(s->file, "set label '%.*f s%s' at first %.9g, first %d left offset character 0.7, 0",
          digits, bar->mean, share, fmax(bar->max, bar->mean), row);
  ssne_figure_font(s, 0.9 * font);
  fputs(" textcolor " FIGURE_INK "\n", s->file);
}

static void write_name(const figure_script *s, const ssne_stage_bar *bar, int row, double font) {
  char name[SSNE_NAME_SIZE];
  ssne_name_clean(bar->name, name);
  fputs("set label ", s->file);
  ssne_write_quoted(s->file, name + strspn(name, " "));
  fprintf(s->file, " at graph 0, first %d right noenhanced offset character -0.8, 0", row);
  ssne_figure_font(s, is_part(bar) ? 0.85 * font : font);
  fprintf(s->file, " textcolor rgb '%s'\n", is_part(bar) ? "#606060" : "#202020");
}

/* Bars of stages (part false) or of parts of stages, or the whiskers of all. */
static void write_bars(const figure_script *s, const ssne_stage_panel *panel, bool part) {
  for (int b = 0; b < panel->count; b++) {
    const ssne_stage_bar *bar = &panel->bars[b];
    if (is_part(bar) == part)
      fprintf(s->file, "%.9g %d 0 %.9g %.3f %.3f\n", bar->mean / 2, b, bar->mean, b - 0.32,
              b + 0.32);
  }
  fputs("e\n", s->file);
}

/* Shorter ones are no more than a blot. */
static bool has_whisker(const ssne_stage_bar *bar, double scale) {
  return bar->max - bar->min > 0.01 * scale;
}

static void write_whiskers(const figure_script *s, const ssne_stage_panel *panel, double scale) {
  for (int b = 0; b < panel->count; b++) {
    const ssne_stage_bar *bar = &panel->bars[b];
    if (has_whisker(bar, scale))
      fprintf(s->file, "%.9g %d %.9g %.9g\n", bar->mean, b, bar->min, bar->max);
  }
  fputs("e\n", s->file);
}

static bool has(const ssne_stage_panel *panel, bool part) {
  for (int b = 0; b < panel->count; b++)
    if (is_part(&panel->bars[b]) == part) return true;
  return false;
}

static bool has_whiskers(const ssne_stage_panel *panel, double scale) {
  for (int b = 0; b < panel->count; b++)
    if (has_whisker(&panel->bars[b], scale)) return true;
  return false;
}

static void write_panel(const figure_script *s, const ssne_stage_panel *panel, double font,
                        double scale, bool bottom) {
  fputs("unset label\n", s->file);
  for (int b = 0; b < panel->count; b++) {
    write_name(s, &panel->bars[b], b, font);
    write_value(s, panel, b, font);
  }
  fputs("set label ", s->file);
  ssne_write_quoted(s->file, panel->title);
  fputs(" at graph 0, graph 1 left noenhanced offset 0, character 0.7 textcolor " FIGURE_INK,
        s->file);
  ssne_figure_font(s, 1.1 * font);
  fprintf(s->file, "\nset yrange [%.2f:-0.7]\nset format x '%s'\n", panel->count - 0.3,
          bottom ? "%g" : "");
  if (bottom)
    ssne_figure_title_below(s, "Seconds of a rank: mean, and from the fastest to the slowest",
                            font);
  const char *with = "plot ";
  for (int part = 0; part < 2; part++) {
    if (!has(panel, part)) continue;
    fprintf(s->file,
            "%s'-' using 1:2:3:4:5:6 with boxxyerror fillstyle solid noborder linecolor %s", with,
            part ? FIGURE_PALE : FIGURE_BLUE);
    with = ", ";
  }
  if (has_whiskers(panel, scale))
    fprintf(s->file,
            "%s'-' using 1:2:3:4 with xerrorbars linecolor " FIGURE_INK
            " linewidth %.4f pointtype 7 pointsize 0",
            with, 0.9 * s->line_scale);
  fputc('\n', s->file);
  for (int part = 0; part < 2; part++)
    if (has(panel, part)) write_bars(s, panel, part);
  if (has_whiskers(panel, scale)) write_whiskers(s, panel, scale);
}

static void write_stages(const figure_script *s, const void *all) {
  const stages *what = all;
  double ems = 3.6; /* below */
  for (int p = 0; p < what->count; p++) ems += HEAD + ROW * what->panels[p].count;
  const double wide = names_width(what) + 1.6;
  /* smaller text where the rows would not fit */
  const double em = fmin(s->font, fmin(s->height / ems, 0.45 * s->width / wide));
  const double left = wide * em, width = s->width - left - 1.2 * em;
  const double row =
      (s->height - em * (3.6 + HEAD * what->count)) / ((ems - 3.6 - HEAD * what->count) / ROW);
  double top = s->height;
  fprintf(s->file, "set multiplot\nset xrange [0:%.9g]\n",
          longest(what) * width / fmax(width - VALUE * em, 0.3 * width));
  fputs("set border 3\nset tics back\nset xtics nomirror\nunset ytics\nset bars small\n"
        "set grid xtics linestyle 2\n",
        s->file);
  for (int p = 0; p < what->count; p++) {
    const double height = row * what->panels[p].count;
    top -= HEAD * em + height;
    ssne_figure_place(s, left, top, width, height);
    write_panel(s, &what->panels[p], em / s->font, longest(what), p == what->count - 1);
  }
  fputs("unset multiplot\n", s->file);
}

ssne_code ssne_figure_stages(const ssne_figure *figure, const ssne_stage_panel *panels, int count,
                             ssne_error *err) {
  const stages what = {panels, count};
  for (int p = 0; p < count; p++)
    if (panels[p].count < 1)
      return ssne_fail(err, SSNE_FAILED, "a step without stages: there is nothing to draw");
  return ssne_figure_draw(figure, write_stages, &what, err);
}
