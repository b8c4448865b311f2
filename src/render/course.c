/* The figure of a descent's course. */
#include "figure.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct course {
  const ssne_course_entry *entries;
  int64_t count;
} course;

typedef struct panel {
  const char *title;
  size_t member; /* of an entry */
  bool logarithmic;
} panel;

static const panel panels[3] = {
    {"KL divergence", offsetof(ssne_course_entry, kl), false},
    {"Gradient norm", offsetof(ssne_course_entry, gradient_norm), true},
    {"Span of the map", offsetof(ssne_course_entry, span), true},
};

static double value_of(const ssne_course_entry *entry, const panel *p) {
  double value;
  memcpy(&value, (const char *)entry + p->member, sizeof value);
  return value;
}

/* Whether a value can be drawn: finite, and positive where the axis is logarithmic. */
static bool is_drawn(const panel *p, double value) {
  return isfinite(value) && (!p->logarithmic || value > 0);
}

static bool has_values(const course *c, const panel *p) {
  for (int64_t i = 0; i < c->count; i++)
    if (is_drawn(p, value_of(&c->entries[i], p))) return true;
  return false;
}

static double last_iteration(const course *c) {
  return fmax(c->entries[c->count - 1].iteration, 1);
}

/* --- phases ------------------------------------------------------------------------------ */

/* The background of phases with an exaggeration above 1, the stronger the more visible; in the top
 * panel each phase says what it was. */
static void write_phases(const figure_script *s, const course *c, bool named) {
  int object = 0;
  const double end = last_iteration(c);
  for (int64_t i = 0, next; i < c->count; i = next) {
    const double factor = c->entries[i].exaggeration, from = c->entries[i].iteration;
    for (next = i + 1; next < c->count && c->entries[next].exaggeration == factor; next++) continue;
    const double to = next < c->count ? c->entries[next].iteration : end;
    if (!(to > from)) continue;
    if (factor > 1)
      fprintf(s->file,
              "set object %d rectangle from first %.9g, graph 0 to first %.9g, graph 1 behind "
              "fillcolor " FIGURE_SHADE " fillstyle solid noborder\n",
              ++object, from, to);
    if (!named || to - from < 0.12 * end) continue;
    fprintf(s->file,
            "set label 'exaggeration %.4g' at first %.9g, graph 1 center offset 0, character 0.6 "
            "textcolor " FIGURE_INK,
            factor, (from + to) / 2);
    ssne_figure_font(s, 0.9);
    fputc('\n', s->file);
  }
}

/* --- panels ------------------------------------------------------------------------------ */

static void write_data(const figure_script *s, const course *c, const panel *p) {
  for (int64_t i = 0; i < c->count; i++) {
    const double value = value_of(&c->entries[i], p);
    if (is_drawn(p, value)) fprintf(s->file, "%.9g %.9g\n", c->entries[i].iteration, value);
  }
  fputs("e\n", s->file);
}

/* A logarithmic axis of many decades has a tick for some of them only. */
static void write_axis(const figure_script *s, const course *c, const panel *p) {
  double low = INFINITY, high = -INFINITY;
  for (int64_t i = 0; i < c->count; i++) {
    const double value = value_of(&c->entries[i], p);
    if (!is_drawn(p, value)) continue;
    low = fmin(low, value);
    high = fmax(high, value);
  }
  if (!p->logarithmic) {
    const double room = high > low ? 0.06 * (high - low) : fmax(fabs(high), 1) * 0.1;
    fprintf(s->file, "unset logscale y\nset yrange [%.9g:%.9g]\nset ytics auto format '%%g'\n",
            low - room, high + room);
    return;
  }
  const double decades = log10(high / low), room = pow(10, 0.06 * fmax(decades, 0.5));
  fprintf(s->file, "set logscale y 10\nset yrange [%.9g:%.9g]\n", low / room, high * room);
  if (decades < 1.2) /* powers of ten alone would leave the axis bare */
    fputs("set ytics auto format '%g'\n", s->file);
  else
    fprintf(s->file, "set ytics %.9g format '10^{%%T}'\n", pow(10, fmax(1, ceil(decades / 5))));
}

static void write_panel(const figure_script *s, const course *c, const panel *p, bool top,
                        bool bottom) {
  fputs("unset label\nunset object\n", s->file);
  write_phases(s, c, top);
  write_axis(s, c, p);
  fprintf(s->file, "set format x '%s'\n", bottom ? "%g" : "");
  if (bottom) ssne_figure_title_below(s, "Iteration", 1);
  fprintf(s->file,
          "set label '%s' at screen %.8f, graph 0.5 rotate by 90 center textcolor " FIGURE_INK "\n",
          p->title, 1.1 * s->font / s->width);
  fprintf(s->file,
          "plot '-' using 1:2 with linespoints linecolor " FIGURE_BLUE
          " linewidth %.4f pointtype 7 pointsize %.6f\n",
          1.5 * s->line_scale, 4 * s->point_scale);
  write_data(s, c, p);
}

static void write_course(const figure_script *s, const void *what) {
  const course *c = what;
  int count = 0;
  for (int i = 0; i < 3; i++) count += has_values(c, &panels[i]);
  const double left = 5.8 * s->font, below = 3.6 * s->font, above = 2.2 * s->font;
  const double gap = s->font, width = s->width - left - 1.8 * s->font;
  const double height = (s->height - below - above - (count - 1) * gap) / count;
  fprintf(s->file, "set multiplot\nset xrange [0:%.9g]\nset xtics\n", last_iteration(c));
  fputs("set grid xtics ytics linestyle 2\nset tics back\n", s->file);
  for (int i = 0, at = 0; i < 3; i++) {
    if (!has_values(c, &panels[i])) continue;
    ssne_figure_place(s, left, below + (count - 1 - at) * (height + gap), width, height);
    write_panel(s, c, &panels[i], at == 0, at == count - 1);
    at++;
  }
  fputs("unset multiplot\n", s->file);
}

ssne_code ssne_figure_course(const ssne_figure *figure, const ssne_course_entry *entries,
                             int64_t count, ssne_error *err) {
  const course c = {entries, count};
  bool any = false;
  for (int i = 0; i < 3 && count > 0; i++) any = any || has_values(&c, &panels[i]);
  if (!any)
    return ssne_fail(err, SSNE_FAILED, "the history holds no numbers: there is nothing to draw");
  return ssne_figure_draw(figure, write_course, &c, err);
}
