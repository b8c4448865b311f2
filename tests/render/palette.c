/* Colours that can be told apart, measured as distances in OKLab (B. Ottosson, 2020), where about
 * 0.02 can just be seen, for the usual vision and three deficiencies. */
#include "check.h"

#include "shardsne/render.h"

#include <math.h>

typedef struct lab {
  double l, a, b;
} lab;

/* Severity 1 of G. M. Machado, M. M. Oliveira & L. A. F. Fernandes, 2009, on linear sRGB. */
static const double vision[4][3][3] = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                                       {{0.152286, 1.052583, -0.204868},
                                        {0.114503, 0.786281, 0.099216},
                                        {-0.003882, -0.048116, 1.051998}},
                                       {{0.367322, 0.860646, -0.227968},
                                        {0.280085, 0.672501, 0.047413},
                                        {-0.011820, 0.042940, 0.968881}},
                                       {{1.255528, -0.076749, -0.178779},
                                        {-0.078411, 0.930809, 0.147602},
                                        {0.004733, 0.691367, 0.303900}}};

static void multiply(const double m[3][3], const double in[3], double out[3]) {
  for (int i = 0; i < 3; i++) out[i] = m[i][0] * in[0] + m[i][1] * in[1] + m[i][2] * in[2];
}

static lab perceive(uint32_t color, int deficiency) {
  static const double to_lms[3][3] = {{0.4122214708, 0.5363325363, 0.0514459929},
                                      {0.2119034982, 0.6806995451, 0.1073969566},
                                      {0.0883024619, 0.2817188376, 0.6299787005}};
  static const double to_lab[3][3] = {{0.2104542553, 0.7936177850, -0.0040720468},
                                      {1.9779984951, -2.4285922050, 0.4505937099},
                                      {0.0259040371, 0.7827717662, -0.8086757660}};
  double rgb[3], seen[3], lms[3], out[3];
  for (int i = 0; i < 3; i++) {
    const double c = (color >> (16 - 8 * i) & 0xff) / 255.0;
    rgb[i] = c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
  }
  multiply(vision[deficiency], rgb, seen);
  for (int i = 0; i < 3; i++) seen[i] = fmin(fmax(seen[i], 0), 1);
  multiply(to_lms, seen, lms);
  for (int i = 0; i < 3; i++) lms[i] = cbrt(lms[i]);
  multiply(to_lab, lms, out);
  return (lab){out[0], out[1], out[2]};
}

static double distance(uint32_t one, uint32_t two, int deficiency) {
  const lab p = perceive(one, deficiency), q = perceive(two, deficiency);
  return sqrt((p.l - q.l) * (p.l - q.l) + (p.a - q.a) * (p.a - q.a) + (p.b - q.b) * (p.b - q.b));
}

/* Any two of ten, and each of them and no class. */
static void test_few(void) {
  for (int deficiency = 0; deficiency < 4; deficiency++)
    for (int i = 0; i < 10; i++) {
      CHECK(distance(ssne_palette(i, 10), SSNE_COLOR_UNKNOWN, deficiency) > 0.05);
      CHECK(distance(ssne_palette(i, 10), SSNE_COLOR_UNKNOWN_DARK, deficiency) > 0.05);
      for (int j = 0; j < i; j++)
        CHECK(distance(ssne_palette(i, 10), ssne_palette(j, 10), deficiency) > 0.06);
    }
}

/* A class keeps its colour when there are fewer or more of them, up to ten. */
static void test_stable(void) {
  CHECK(ssne_palette(0, 1) == 0x3f90da && ssne_palette(9, 10) == 0x92dadd);
  for (int count = 1; count <= 10; count++)
    for (int i = 0; i < count; i++) CHECK(ssne_palette(i, count) == ssne_palette(i, 10));
}

/* Up to twenty, any two, and each and no class, on either background. */
static void test_twenty(void) {
  static const double least[4] = {0.1, 0.065, 0.065, 0.045};
  for (int i = 0; i < 20; i++) {
    const uint32_t color = ssne_palette(i, 20);
    CHECK(distance(color, 0xffffff, 0) > 0.15 && distance(color, 0x14161a, 0) > 0.2);
    CHECK(ssne_palette(i, 11) == color);
    for (int deficiency = 0; deficiency < 4; deficiency++) {
      CHECK(distance(color, SSNE_COLOR_UNKNOWN, deficiency) > 0.03);
      CHECK(distance(color, SSNE_COLOR_UNKNOWN_DARK, deficiency) > 0.03);
      for (int j = 0; j < i; j++)
        CHECK(distance(color, ssne_palette(j, 20), deficiency) > least[deficiency]);
    }
  }
  for (int i = 0; i < 100; i++) CHECK(ssne_palette(i, 100) == ssne_palette(0, 100));
}

/* Even steps of falling lightness, for everyone; and both ends stand out from the background. */
static void check_scale(bool dark) {
  uint32_t scale[SSNE_SCALE_STEPS];
  ssne_scale_make(dark, scale);
  for (int deficiency = 0; deficiency < 4; deficiency++) {
    double shortest = 1, longest = 0;
    for (int i = 0; i + 16 < SSNE_SCALE_STEPS; i += 16) {
      const double l[2] = {perceive(scale[i], deficiency).l, perceive(scale[i + 16], deficiency).l};
      const double step = distance(scale[i], scale[i + 16], deficiency);
      CHECK(dark ? l[1] > l[0] + 0.01 : l[1] < l[0] - 0.01);
      shortest = fmin(shortest, step);
      longest = fmax(longest, step);
    }
    CHECK(longest / shortest < (deficiency == 0 ? 1.15 : 2.5));
  }
  const uint32_t background = dark ? 0x14161a : 0xffffff;
  CHECK(distance(scale[0], background, 0) > 0.15);
  CHECK(distance(scale[SSNE_SCALE_STEPS - 1], background, 0) > 0.15);
}

int main(void) {
  test_few();
  test_stable();
  test_twenty();
  check_scale(false);
  check_scale(true);
  return check_result();
}
