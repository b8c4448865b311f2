/* OKLab (B. Ottosson, "A perceptual color space for image processing", 2020): equal distances look
 * about equally large, and a mean looks like one. */
#ifndef SSNE_RENDER_OKLAB_H
#define SSNE_RENDER_OKLAB_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ssne_lab {
  double l, a, b; /* lightness 0 to 1; green to red, blue to yellow, up to about 0.3 each */
} ssne_lab;

/* Of a colour 0xRRGGBB of sRGB. */
ssne_lab ssne_lab_from_rgb(uint32_t rgb);

/* The nearest 0xRRGGBB; *shown, unless NULL: a screen can show the colour itself. */
uint32_t ssne_rgb_from_lab(ssne_lab lab, bool *shown);

/* share of `two` and the rest of `one`. */
ssne_lab ssne_lab_mix(ssne_lab one, ssne_lab two, double share);

double ssne_lab_distance(ssne_lab one, ssne_lab two);

#endif
