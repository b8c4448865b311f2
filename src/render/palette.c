#include "palette.h"
#include "oklab.h"

#include <math.h>
#include <stddef.h>

/* M. A. Petroff, "Accessible Color Sequences for Data Visualization", 2021, the sequence of ten. */
static const uint32_t petroff[10] = {0x3f90da, 0xffa90e, 0xbd1f01, 0x94a4a2, 0x832db6,
                                     0xa96b59, 0xe76300, 0xb9ac70, 0x717581, 0x92dadd};

/* By analysis/choose-palette. */
static const uint32_t twenty[SSNE_COLORS_MOST] = {0x4b78ff, 0xc3e100, 0xa52d0f, 0x0fd2e1, 0xff691e,
                                                  0x870f96, 0x007869, 0xc396a5, 0xe169d2, 0x96c387,
                                                  0x2d4bc3, 0x9696ff, 0xd22d5a, 0x6987a5, 0xa55ad2,
                                                  0x969669, 0x785a96, 0xc35a0f, 0xe1b42d, 0x2df087};

uint32_t ssne_palette(int64_t index, int64_t count) {
  if (count <= 10) return petroff[index];
  return count <= SSNE_COLORS_MOST ? twenty[index] : petroff[0];
}

uint32_t ssne_label_color(int32_t label, int64_t count) {
  return label >= 0 && label < count ? ssne_palette(label, count) : SSNE_COLOR_UNKNOWN;
}

ssne_theme ssne_theme_of(const ssne_picture *picture) {
  if (picture->dark) return (ssne_theme){0x14161a, 0xe8e8e8, 0x909090, SSNE_COLOR_UNKNOWN_DARK};
  return (ssne_theme){0xffffff, 0x202020, 0x808080, SSNE_COLOR_UNKNOWN};
}

/* Where more classes have names than there are colours, those that occur may still be few enough:
 * they are then counted among themselves. */
void ssne_class_colors(const ssne_picture *picture, uint32_t *colors) {
  const ssne_survey *s = picture->survey;
  const bool by_class = picture->coloring == SSNE_COLORING_CLASS;
  const bool all = s->class_count <= SSNE_COLORS_MOST;
  int64_t present = 0, before = 0;
  for (int64_t c = 0; c < s->class_count; c++) present += s->class_rows[c] > 0;
  const int64_t counted = all ? s->class_count : present;
  for (int64_t c = 0; c < s->class_count; c++) {
    const int64_t index = all ? c : before;
    const bool own = by_class && counted <= SSNE_COLORS_MOST && index < counted;
    colors[c] = own ? ssne_palette(index, counted) : ssne_palette(0, 1);
    before += s->class_rows[c] > 0;
  }
  colors[s->class_count] = by_class ? ssne_theme_of(picture).unknown : ssne_palette(0, 1);
}

uint32_t ssne_text_color(const ssne_picture *picture, uint32_t color) {
  ssne_lab lab = ssne_lab_from_rgb(color);
  lab.l = picture->dark ? 0.55 + 0.45 * lab.l : 0.47 * lab.l;
  lab.a *= 0.55;
  lab.b *= 0.55;
  return ssne_rgb_from_lab(lab, NULL);
}

double ssne_value_place(const ssne_picture *picture, float value) {
  const double low = picture->value_low, high = picture->value_high;
  if (!(high > low)) return 0.5;
  return fmin(fmax((value - low) / (high - low), 0), 1);
}

/* --- scale --- */

#define WAY_STEPS 2048

/* From yellow (0) to violet (1), as vivid as a screen can show all along the way, blue-green being
 * the least. */
static ssne_lab on_the_way(double share, double light, double dark) {
  const double hue = (100 + 190 * share) * M_PI / 180, beside = (share - 0.6) / 0.6;
  const double chroma = 0.09 + 0.055 * beside * beside;
  return (ssne_lab){
      .l = light + (dark - light) * share, .a = chroma * cos(hue), .b = chroma * sin(hue)};
}

void ssne_scale_make(bool dark, uint32_t scale[SSNE_SCALE_STEPS]) {
  const double high = dark ? 0.93 : 0.87, low = dark ? 0.36 : 0.3;
  double length = 0;
  for (int i = 1; i <= WAY_STEPS; i++)
    length += ssne_lab_distance(on_the_way((i - 1.0) / WAY_STEPS, high, low),
                                on_the_way((double)i / WAY_STEPS, high, low));
  double gone = 0;
  ssne_lab here = on_the_way(0, high, low);
  for (int i = 0, step = 0; i <= WAY_STEPS && step < SSNE_SCALE_STEPS; i++) {
    const ssne_lab next = on_the_way((double)i / WAY_STEPS, high, low);
    gone += ssne_lab_distance(here, next);
    here = next;
    while (step < SSNE_SCALE_STEPS && gone >= length * step / (SSNE_SCALE_STEPS - 1) - 1e-9)
      scale[dark ? SSNE_SCALE_STEPS - 1 - step++ : step++] = ssne_rgb_from_lab(here, NULL);
  }
}

void ssne_picture_scale(const ssne_picture *picture, uint32_t scale[SSNE_SCALE_STEPS]) {
  uint32_t upwards[SSNE_SCALE_STEPS];
  ssne_scale_make(picture->dark, upwards);
  for (int i = 0; i < SSNE_SCALE_STEPS; i++)
    scale[i] = upwards[picture->value_reversed ? SSNE_SCALE_STEPS - 1 - i : i];
}
