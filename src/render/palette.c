#include "shardsne/render.h"

#include <math.h>

/* M. A. Petroff, "Accessible Color Sequences for Data Visualization", 2021, the sequence of ten. */
static const uint32_t petroff[10] = {0x3f90da, 0xffa90e, 0xbd1f01, 0x94a4a2, 0x832db6,
                                     0xa96b59, 0xe76300, 0xb9ac70, 0x717581, 0x92dadd};

/* OKLCH to linear sRGB (B. Ottosson, "A perceptual color space for image processing", 2020). */
static void linear_from_oklch(double lightness, double chroma, double hue, double rgb[3]) {
  const double a = chroma * cos(hue), b = chroma * sin(hue);
  const double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  rgb[0] = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
  rgb[1] = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
  rgb[2] = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
}

static bool in_gamut(const double rgb[3]) {
  for (int i = 0; i < 3; i++)
    if (rgb[i] < 0 || rgb[i] > 1) return false;
  return true;
}

static uint32_t byte_from_linear(double c) {
  const double encoded = c <= 0.0031308 ? 12.92 * c : 1.055 * pow(c, 1 / 2.4) - 0.055;
  return (uint32_t)lround(255 * encoded);
}

uint32_t ssne_palette(int64_t index, int64_t count) {
  if (count <= 10) return petroff[index % 10];
  static const double lightness[3] = {0.48, 0.64, 0.80};
  const double golden_angle = 2.399963229728653; /* radians */
  const double hue = fmod((double)index * golden_angle, 6.283185307179586);
  double rgb[3], chroma = 0.15;
  do { /* the most vivid colour of that hue and lightness a screen can show */
    linear_from_oklch(lightness[index % 3], chroma, hue, rgb);
    chroma -= 0.005;
  } while (!in_gamut(rgb));
  return byte_from_linear(rgb[0]) << 16 | byte_from_linear(rgb[1]) << 8 | byte_from_linear(rgb[2]);
}
