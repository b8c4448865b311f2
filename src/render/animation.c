/* Maps on the way to the embedding as a film. */
#include "apng.h"
#include "figure.h"
#include "names.h"
#include "process.h"
#include "publish.h"
#include "quote.h"
#include "shardsne/memory.h"
#include "shardsne/render.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define FRAME_HUNDREDTHS 8 /* of a second that a frame is shown, */
#define LAST_FRAMES 24     /* and times as long the last one */
#define PIXELS_MOST 4096
#define TEXT_SIZE 96

typedef struct film {
  const ssne_animation *a;
  bool gif; /* else APNG */
  char folder[SSNE_SCRATCH_SIZE];
  float *xy;               /* [count, 2] of one frame */
  double *reach;           /* [frames] the largest coordinate; then half the side shown */
  char (*text)[TEXT_SIZE]; /* [frames] */
  uint32_t *color;         /* [count] */
} film;

/* --- formats ----------------------------------------------------------------------------- */

ssne_code ssne_animation_check(const ssne_figure *f, ssne_error *err) {
  if (!ssne_format_is(f->path, ".gif") && !ssne_format_is(f->path, ".png") &&
      !ssne_format_is(f->path, ".apng"))
    return ssne_fail(err, SSNE_USAGE, "%s: an animation's name ends in .gif, .png or .apng",
                     f->path);
  const double shorter = fmin(f->width, f->height) * f->dpi;
  const double longer = fmax(f->width, f->height) * f->dpi;
  if (shorter >= 64 && longer <= PIXELS_MOST) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "an animation of %.0f x %.0f pixels: choose a --size and --dpi (of which a "
                   "third counts) that give from 64 to %d",
                   f->width * f->dpi, f->height * f->dpi, PIXELS_MOST);
}

/* --- the size of what is shown ----------------------------------------------------------- */

/* Frames before and after that the size of what a frame shows depends on. */
static int64_t window(const film *f) {
  const int64_t share = f->a->frames / 60;
  return share < 1 ? 1 : share < 8 ? share : 8;
}

static double at_frame(const film *f, int64_t frame) {
  if (frame < 0) frame = 0;
  return f->reach[frame < f->a->frames ? frame : f->a->frames - 1];
}

/* A running maximum, and of that a running mean as wide: never below what it began with. */
static ssne_code smooth(film *f, ssne_error *err) {
  const int64_t around = window(f);
  double *widest = NULL;
  SSNE_TRY(ssne_alloc(&widest, f->a->frames, sizeof *widest, "frames", err));
  for (int64_t i = 0; i < f->a->frames; i++)
    for (int64_t k = i - around; k <= i + around; k++) widest[i] = fmax(widest[i], at_frame(f, k));
  for (int64_t i = 0; i < f->a->frames; i++) f->reach[i] = log(fmax(widest[i], 1e-12));
  for (int64_t i = 0; i < f->a->frames; i++) {
    double sum = 0;
    for (int64_t k = i - around; k <= i + around; k++) sum += at_frame(f, k);
    widest[i] = 1.03 * exp(sum / (double)(2 * around + 1));
  }
  memcpy(f->reach, widest, (size_t)f->a->frames * sizeof *widest);
  ssne_free(&widest);
  return SSNE_OK;
}

/* --- data -------------------------------------------------------------------------------- */

static void write_points(film *f, FILE *file, int64_t frame) {
  double reach = 0;
  for (int64_t i = 0; i < f->a->count; i++) {
    const float *xy = f->xy + 2 * i;
    const uint32_t color = f->color[i];
    if (isfinite(xy[0]) && isfinite(xy[1]))
      reach = fmax(reach, fmax(fabs((double)xy[0]), fabs((double)xy[1])));
    fwrite(xy, sizeof *xy, 2, file);
    fwrite(&color, sizeof color, 1, file);
  }
  f->reach[frame] = reach;
}

static void name_file(char name[32], const char *kind, int64_t frame) {
  snprintf(name, 32, "%s-%05" PRId64, kind, frame);
}

static ssne_code write_data(film *f, ssne_error *err) {
  for (int64_t frame = 0; frame < f->a->frames; frame++) {
    FILE *file = NULL;
    char name[32];
    name_file(name, "points", frame);
    SSNE_TRY(f->a->source(f->a->context, frame, f->xy, f->text[frame], TEXT_SIZE, err));
    SSNE_TRY(ssne_scratch_open(f->folder, name, "wbe", &file, err));
    write_points(f, file, frame);
    SSNE_TRY(ssne_scratch_close(f->folder, &file, err));
  }
  return smooth(f, err);
}

/* --- script ------------------------------------------------------------------------------ */

typedef struct stage {
  double width, height, font; /* pixels; a font's is its size in points */
  double left, bottom, side;  /* of the square */
  int legend;                 /* classes named; 0: no legend */
} stage;

static stage make_stage(const film *f) {
  const ssne_figure *g = &f->a->figure;
  stage s = {.width = round(g->width * g->dpi), .height = round(g->height * g->dpi)};
  const double least = fmin(s.width, s.height);
  s.font = fmax(least / 64, 6);
  const bool named = f->a->label && f->a->class_count <= SSNE_COLORS_MOST;
  s.legend = named ? (int)f->a->class_count : 0;
  const double reserved = named ? 0.17 * s.width : 0;
  s.side = fmin(s.width - reserved, s.height - 3.2 * s.font) - 0.02 * least;
  s.left = (s.width - reserved - s.side) / 2;
  s.bottom = (s.height + 2.4 * s.font - s.side) / 2; /* the middle of it and the text below */
  return s;
}

static void write_legend(const film *f, const stage *s, FILE *file) {
  for (int c = 0; c < s->legend; c++) {
    char name[SSNE_NAME_SIZE];
    const double row = fmin(2.4 * s->font, 0.8 * s->height / s->legend);
    const double x = (s->left + s->side + 1.5 * s->font) / s->width;
    const double y = (s->bottom + s->side - s->font - c * row) / s->height;
    snprintf(name, sizeof name, "class %d", c);
    if (f->a->classes) ssne_name_clean(f->a->classes[c], name);
    /* a character that no font has would be drawn as a box, some as large as the picture */
    for (char *p = name; *p; p++)
      if ((unsigned char)*p > 0x7e) *p = '?';
    fprintf(file,
            "set label %d '' at screen %.6f,%.6f point pointtype 7 pointsize %.4f linecolor rgb "
            "'#%06" PRIx32 "'\n",
            10 + 2 * c, x, y, s->font / 8, ssne_palette(c, f->a->class_count));
    fprintf(file, "set label %d ", 11 + 2 * c);
    ssne_write_quoted(file, name);
    fprintf(file, " at screen %.6f,%.6f left noenhanced textcolor rgb '#202020'\n",
            x + 1.2 * s->font / s->width, y);
  }
}

static void write_head(const film *f, const stage *s, FILE *file) {
  fputs("set encoding utf8\n", file);
  if (f->gif)
    fprintf(file,
            "set terminal gif animate delay %d loop 0 size %.0f,%.0f background '#ffffff' "
            "font 'sans,%.2f' noenhanced\n",
            FRAME_HUNDREDTHS, s->width, s->height, s->font);
  else
    fprintf(file,
            "set terminal pngcairo noenhanced font 'sans-serif,%.2f' background '#ffffff' size "
            "%.0f,%.0f\n",
            s->font, s->width, s->height);
  fputs("unset key\nunset tics\nset border linecolor rgb '#d8d8d8'\n", file);
  fprintf(file, "set lmargin at screen %.8f\nset rmargin at screen %.8f\n", s->left / s->width,
          (s->left + s->side) / s->width);
  fprintf(file, "set bmargin at screen %.8f\nset tmargin at screen %.8f\n", s->bottom / s->height,
          (s->bottom + s->side) / s->height);
  write_legend(f, s, file);
  if (f->a->note) {
    fputs("set label 1 ", file);
    ssne_write_quoted(file, f->a->note);
    fprintf(file, " at screen %.6f,%.6f right noenhanced textcolor rgb '#606060'\n",
            (s->left + s->side) / s->width, (s->bottom - 1.5 * s->font) / s->height);
  }
}

static void write_frame(const film *f, const stage *s, FILE *file, int64_t frame) {
  char name[32];
  const double half = f->reach[frame];
  const double size = fmax(1, 60 * pow((double)f->a->count, -0.36)) * s->side / 800;
  if (!f->gif) {
    name_file(name, "frame", frame);
    fprintf(file, "set output '%s'\n", name);
  }
  name_file(name, "points", frame);
  fprintf(file, "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\nset label 2 ", -half, half, -half,
          half);
  ssne_write_quoted(file, f->text[frame]);
  fprintf(file, " at screen %.6f,%.6f left noenhanced textcolor rgb '#202020'\n",
          s->left / s->width, (s->bottom - 1.5 * s->font) / s->height);
  fprintf(file,
          "plot '%s' binary format='%%float32%%float32%%uint32' using 1:2:3 with points pointtype "
          "7 pointsize %.5f linewidth 0 linecolor rgb variable\n",
          name, size / 6);
}

static ssne_code write_script(const film *f, ssne_error *err) {
  FILE *file = NULL;
  const stage s = make_stage(f);
  SSNE_TRY(ssne_scratch_open(f->folder, SSNE_SCRATCH_SCRIPT, "wbe", &file, err));
  write_head(f, &s, file);
  for (int64_t i = 0; i < f->a->frames; i++) write_frame(f, &s, file, i);
  for (int i = 1; i < LAST_FRAMES && f->gif; i++) write_frame(f, &s, file, f->a->frames - 1);
  fputs("unset output\n", file);
  return ssne_scratch_close(f->folder, &file, err);
}

/* --- the film ---------------------------------------------------------------------------- */

static ssne_code join_frames(void *context, FILE *file, ssne_error *err) {
  const film *f = context;
  ssne_apng apng = {.file = file, .frames = f->a->frames};
  for (int64_t i = 0; i < f->a->frames; i++) {
    uint8_t *bytes = NULL;
    int64_t length = 0;
    char name[32];
    name_file(name, "frame", i);
    const int held = i == f->a->frames - 1 ? LAST_FRAMES : 1;
    ssne_code code = ssne_scratch_read(f->folder, name, &bytes, &length, err);
    if (code == SSNE_OK)
      code = ssne_apng_add(&apng, bytes, length, 10 * FRAME_HUNDREDTHS * held, err);
    ssne_free(&bytes);
    SSNE_TRY(code);
  }
  ssne_apng_end(&apng);
  return SSNE_OK;
}

static ssne_code save_gif(const film *f, ssne_error *err) {
  uint8_t *bytes = NULL;
  int64_t length = 0;
  ssne_code code = ssne_scratch_read(f->folder, SSNE_SCRATCH_PICTURE, &bytes, &length, err);
  const bool whole = code == SSNE_OK && length > 14 && memcmp(bytes, "GIF89a", 6) == 0 &&
                     bytes[length - 1] == 0x3b;
  if (code == SSNE_OK && !whole)
    code = ssne_fail(err, SSNE_FAILED,
                     "gnuplot ended without complaint, but the gif it wrote is not whole: is there "
                     "room in TMPDIR (or /tmp)?");
  if (code == SSNE_OK) code = ssne_publish(f->a->figure.path, bytes, length, err);
  ssne_free(&bytes);
  return code;
}

static ssne_code draw(film *f, ssne_error *err) {
  SSNE_TRY(ssne_alloc(&f->xy, f->a->count, 2 * sizeof *f->xy, "coordinates", err));
  SSNE_TRY(ssne_alloc(&f->color, f->a->count, sizeof *f->color, "colours", err));
  SSNE_TRY(ssne_alloc(&f->reach, f->a->frames, sizeof *f->reach, "frames", err));
  SSNE_TRY(ssne_alloc(&f->text, f->a->frames, sizeof *f->text, "frames", err));
  for (int64_t i = 0; i < f->a->count; i++)
    f->color[i] =
        f->a->label ? ssne_label_color(f->a->label[i], f->a->class_count) : ssne_palette(0, 1);
  SSNE_TRY(write_data(f, err));
  SSNE_TRY(write_script(f, err));
  SSNE_TRY(ssne_gnuplot_run(f->folder, f->gif ? "gif" : "pngcairo", err));
  return f->gif ? save_gif(f, err) : ssne_publish_written(f->a->figure.path, join_frames, f, err);
}

ssne_code ssne_animation_draw(const ssne_animation *animation, ssne_error *err) {
  film f = {.a = animation, .gif = ssne_format_is(animation->figure.path, ".gif")};
  SSNE_TRY(ssne_animation_check(&animation->figure, err));
  if (animation->frames < 1 || animation->count < 1)
    return ssne_fail(err, SSNE_FAILED, "no frames: there is nothing to draw");
  SSNE_TRY(ssne_scratch_make(f.folder, err));
  const ssne_code code = draw(&f, err);
  ssne_scratch_remove(f.folder);
  ssne_free(&f.xy);
  ssne_free(&f.color);
  ssne_free(&f.reach);
  ssne_free(&f.text);
  return code;
}
