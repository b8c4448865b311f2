#include "oklab.h"

#include <math.h>

static double linear_from_byte(uint32_t byte) {
  const double c = byte / 255.0;
  return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static uint32_t byte_from_linear(double c) {
  const double encoded = c <= 0.0031308 ? 12.92 * c : 1.055 * pow(c, 1 / 2.4) - 0.055;
  return (uint32_t)lround(255 * fmin(fmax(encoded, 0), 1));
}

ssne_lab ssne_lab_from_rgb(uint32_t rgb) {
  const double r = linear_from_byte(rgb >> 16 & 0xff), g = linear_from_byte(rgb >> 8 & 0xff),
               b = linear_from_byte(rgb & 0xff);
  const double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return (ssne_lab){.l = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
                    .a = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
                    .b = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

uint32_t ssne_rgb_from_lab(ssne_lab lab, bool *shown) {
  const double l = lab.l + 0.3963377774 * lab.a + 0.2158037573 * lab.b;
  const double m = lab.l - 0.1055613458 * lab.a - 0.0638541728 * lab.b;
  const double s = lab.l - 0.0894841775 * lab.a - 1.2914855480 * lab.b;
  const double l3 = l * l * l, m3 = m * m * m, s3 = s * s * s;
  const double r = 4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3;
  const double g = -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3;
  const double b = -0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3;
  const double least = -1e-6, most = 1 + 1e-6; /* white itself comes out a little beyond */
  if (shown) *shown = fmin(r, fmin(g, b)) >= least && fmax(r, fmax(g, b)) <= most;
  return byte_from_linear(r) << 16 | byte_from_linear(g) << 8 | byte_from_linear(b);
}

ssne_lab ssne_lab_mix(ssne_lab one, ssne_lab two, double share) {
  return (ssne_lab){.l = one.l + share * (two.l - one.l),
                    .a = one.a + share * (two.a - one.a),
                    .b = one.b + share * (two.b - one.b)};
}

double ssne_lab_distance(ssne_lab one, ssne_lab two) {
  const double l = one.l - two.l, a = one.a - two.a, b = one.b - two.b;
  return sqrt(l * l + a * a + b * b);
}
