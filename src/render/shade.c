#include "shade.h"
#include "oklab.h"
#include "palette.h"
#include "tally.h"

#include "shardsne/memory.h"

#include <math.h>
#include <string.h>

/* So many rows share in a place, on the whole, by which the smoothing is chosen; it never goes
 * farther than so many cells. */
static const double rows_sharing = 10, widest = 8;
#define RADIUS_MOST 24

/* The occupied area is counted in blocks of so many cells a side. */
#define BLOCK 16

/* Steps of log2 of the density by which places are ranked, and how many of them are a doubling. */
#define RANKS 4096
static const double ranks_doubling = 64;

/* --- smoothing --- */

static bool is_occupied(const ssne_tally *t, int64_t row, int64_t column) {
  for (int64_t r = row; r < row + BLOCK && r < t->grid.rows; r++)
    for (int64_t c = column; c < column + BLOCK && c < t->grid.columns; c++)
      if (t->cell[(r * t->grid.columns + c) * t->channels] > 0) return true;
  return false;
}

/* The standard deviation in cells of a kernel in which `rows_sharing` rows have a share: its area
 * is 4 pi sigma^2. */
static double choose_sigma(const ssne_tally *t) {
  int64_t rows = 0, blocks = 0;
  for (int64_t i = 0; i < t->grid.rows * t->grid.columns; i++) rows += t->cell[i * t->channels];
  for (int64_t r = 0; r < t->grid.rows; r += BLOCK)
    for (int64_t c = 0; c < t->grid.columns; c += BLOCK) blocks += is_occupied(t, r, c);
  if (rows == 0) return 0;
  const double area = (double)blocks * BLOCK * BLOCK / (double)rows; /* of a row */
  return fmin(sqrt(rows_sharing * area / (4 * M_PI)), widest);
}

typedef struct kernel {
  int radius;
  float weight[RADIUS_MOST + 1]; /* from the middle outwards; 1 in all, counted twice but that */
} kernel;

static kernel make_kernel(double sigma) {
  kernel k = {.radius = sigma < 0.3 ? 0 : (int)ceil(3 * sigma)};
  double sum = 0, weight[RADIUS_MOST + 1] = {1};
  if (k.radius > RADIUS_MOST) k.radius = RADIUS_MOST;
  for (int i = 0; i <= k.radius; i++) {
    weight[i] = k.radius > 0 ? exp(-pow(i / sigma, 2) / 2) : 1;
    sum += i > 0 ? 2 * weight[i] : weight[i];
  }
  for (int i = 0; i <= k.radius; i++) k.weight[i] = (float)(weight[i] / sum);
  return k;
}

static void add_scaled(float *to, const float *from, float weight, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] += weight * from[i];
}

/* `line` [columns] becomes its convolution, by way of `padded` with a radius of zeros at both ends.
 */
static void smooth_line(const kernel *k, float *line, int64_t columns, float *padded) {
  memcpy(padded + k->radius, line, (size_t)columns * sizeof *line);
  memset(line, 0, (size_t)columns * sizeof *line);
  for (int i = -k->radius; i <= k->radius; i++)
    add_scaled(line, padded + k->radius + i, k->weight[i < 0 ? -i : i], columns);
}

/* One channel, along rows and then along columns; `other` has room for as many cells. */
static void smooth(const kernel *k, const ssne_grid *g, float *cells, float *other, float *padded) {
  if (k->radius == 0) return;
  memset(other, 0, (size_t)(g->rows * g->columns) * sizeof *other);
  for (int64_t r = 0; r < g->rows; r++) smooth_line(k, cells + r * g->columns, g->columns, padded);
  for (int64_t r = 0; r < g->rows; r++)
    for (int i = -k->radius; i <= k->radius; i++)
      if (r + i >= 0 && r + i < g->rows)
        add_scaled(other + r * g->columns, cells + (r + i) * g->columns, k->weight[i < 0 ? -i : i],
                   g->columns);
  memcpy(cells, other, (size_t)(g->rows * g->columns) * sizeof *cells);
}

/* --- ranks --- */

static int rank_step(const ssne_shading *s, double density) {
  const double step = log2(density / s->low) * ranks_doubling;
  return step < 0 ? 0 : step < RANKS - 1 ? (int)step : RANKS - 1;
}

static void rank_places(ssne_shading *s) {
  const int64_t cells = s->grid.rows * s->grid.columns;
  int64_t coloured = 0, before = 0;
  s->low = s->lone / 2; /* places with less are on their way to the background */
  s->high = s->low;
  for (int64_t i = 0; i < cells; i++) {
    if (!(s->smooth[i] >= s->low)) continue;
    s->below[rank_step(s, s->smooth[i])]++;
    coloured++;
    if (s->smooth[i] > s->high) s->high = s->smooth[i];
  }
  for (int i = 0; i < RANKS; i++) {
    const int64_t here = (int64_t)s->below[i];
    s->below[i] = coloured > 0 ? (double)before / (double)coloured : 0;
    before += here;
  }
  s->below[RANKS] = 1;
}

double ssne_shading_rank(const ssne_shading *s, double density) {
  const double step = log2(density / s->low) * ranks_doubling;
  if (!(step > 0)) return 0;
  if (step >= RANKS - 1) return 1;
  const double part = step - floor(step);
  return s->below[(int)step] * (1 - part) + s->below[(int)step + 1] * part;
}

ssne_code ssne_shading_make(const ssne_tally *t, ssne_shading *out, ssne_error *err) {
  const int64_t cells = t->grid.rows * t->grid.columns;
  const kernel k = make_kernel(choose_sigma(t));
  float *other = NULL, *padded = NULL;
  *out = (ssne_shading){
      .grid = t->grid, .channels = t->channels, .lone = (double)k.weight[0] * (double)k.weight[0]};
  ssne_code code = ssne_alloc(&out->smooth, cells * t->channels, sizeof(float), "densities", err);
  if (code == SSNE_OK) code = ssne_alloc(&out->below, RANKS + 1, sizeof(double), "ranks", err);
  if (code == SSNE_OK) code = ssne_alloc(&other, cells, sizeof *other, "densities", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&padded, t->grid.columns + 2 * (int64_t)k.radius, sizeof *padded, "densities",
                      err);
  if (code == SSNE_OK) {
    for (int c = 0; c < t->channels; c++) {
      float *channel = out->smooth + c * cells;
      for (int64_t i = 0; i < cells; i++) channel[i] = (float)t->cell[i * t->channels + c];
      smooth(&k, &t->grid, channel, other, padded);
    }
    rank_places(out);
  }
  ssne_free(&other);
  ssne_free(&padded);
  return code;
}

void ssne_shading_free(ssne_shading *shading) {
  ssne_free(&shading->smooth);
  ssne_free(&shading->below);
}

/* --- drawing --- */

typedef struct shader {
  const ssne_picture *picture;
  const ssne_shading *shading;
  ssne_lab background, unknown, plain, scale[SSNE_SCALE_STEPS];
} shader;

static ssne_lab scale_at(const shader *s, double place) {
  return s->scale[(int)lround(fmin(fmax(place, 0), 1) * (SSNE_SCALE_STEPS - 1))];
}

/* The colour of a place with rows. */
static ssne_lab color_of(const shader *s, int64_t cell, double rank) {
  const int64_t cells = s->shading->grid.rows * s->shading->grid.columns;
  const float *channel = s->shading->smooth + cell;
  switch (s->picture->coloring) {
  case SSNE_COLORING_CLASS: {
    const double unit = (double)channel[0] * SSNE_TALLY_UNIT;
    return (ssne_lab){channel[cells] / unit, channel[2 * cells] / unit, channel[3 * cells] / unit};
  }
  case SSNE_COLORING_VALUE:
    if (!(channel[cells] > 0)) return s->unknown;
    return scale_at(s, channel[2 * cells] / ((double)channel[cells] * SSNE_TALLY_UNIT));
  case SSNE_COLORING_DENSITY:
    return scale_at(s, rank);
  default:
    return s->plain;
  }
}

/* Where the colour itself tells the density or a value, it is not to be changed by another. */
static double opacity_of(const shader *s, double rank) {
  const ssne_coloring c = s->picture->coloring;
  return c == SSNE_COLORING_VALUE || c == SSNE_COLORING_DENSITY ? 1 : 0.3 + 0.7 * rank;
}

void ssne_shade(const ssne_picture *picture, const ssne_shading *shading, uint8_t *rgb) {
  const ssne_theme theme = ssne_theme_of(picture);
  shader s = {.picture = picture,
              .shading = shading,
              .background = ssne_lab_from_rgb(theme.background),
              .unknown = ssne_lab_from_rgb(theme.unknown),
              .plain = ssne_lab_from_rgb(ssne_palette(0, 1))};
  uint32_t scale[SSNE_SCALE_STEPS];
  ssne_picture_scale(picture, scale);
  for (int i = 0; i < SSNE_SCALE_STEPS; i++) s.scale[i] = ssne_lab_from_rgb(scale[i]);
  for (int64_t i = 0; i < shading->grid.rows * shading->grid.columns; i++) {
    const double density = (double)shading->smooth[i];
    uint32_t color = theme.background;
    if (density > 0.02 * shading->lone) {
      const double rank = ssne_shading_rank(shading, density);
      const double opacity = fmin(1, density / shading->lone) * opacity_of(&s, rank);
      color = ssne_rgb_from_lab(ssne_lab_mix(s.background, color_of(&s, i, rank), opacity), NULL);
    }
    for (int c = 0; c < 3; c++) rgb[3 * i + c] = (uint8_t)(color >> (16 - 8 * c) & 0xff);
  }
}
