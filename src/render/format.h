/* The formats a picture can have, and the sizes by which gnuplot's terminals draw them. */
#ifndef SSNE_RENDER_FORMAT_H
#define SSNE_RENDER_FORMAT_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stdint.h>

/* The largest side, in pixels, of an image that cairo draws. */
#define SSNE_PIXELS_MOST 32767

/* A terminal draws on a canvas of its own units; a "point" below is 1/72 inch. */
typedef struct ssne_format {
  const char *extension;
  const char *terminal;
  double canvas_inch;   /* canvas units an inch; 0: as many as the picture has pixels */
  double marker_radius; /* canvas units of a circle (pt 7) of point size 1 */
  double font_unit;     /* canvas units of font size 1 */
} ssne_format;

/* Whether a path ends in an extension such as ".png", in either case. */
bool ssne_format_is(const char *path, const char *extension);

/* The format of a path by its extension. SSNE_USAGE where it is none of the three.
 */
ssne_code ssne_format_choose(const char *path, const ssne_format **out, ssne_error *err);

/* Makes what gnuplot wrote, *bytes [*length], the picture to be kept: checks that it is whole, as
 * gnuplot does not notice a full disk; tells a PNG its dots an inch; takes the date out of a PDF.
 * *bytes may be replaced by another array. */
ssne_code ssne_format_finish(const ssne_format *format, int dpi, uint8_t **bytes, int64_t *length,
                             ssne_error *err);

/* Gives the text of gnuplot's SVG a halo in the background's colour 0xRRGGBB: a style before its
 * first group, by which letters are drawn over wider ones. *bytes are replaced by another array. */
ssne_code ssne_svg_add_halo(uint32_t background, uint8_t **bytes, int64_t *length, ssne_error *err);

#endif
