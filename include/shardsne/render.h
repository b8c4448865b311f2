/* From coordinates to a picture: normalisation, colours, and gnuplot as a separate process. No MPI
 * and no HDF5 in here. */
#ifndef SHARDSNE_RENDER_H
#define SHARDSNE_RENDER_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stdint.h>

/* out[i][d] = (xy[i][d] - min_d) / (max_d - min_d) for each of the two coordinates, over the rows
 * whose coordinates are finite; 0.5 where all are equal; NaN for both where either is not finite.
 * `xy` and `out` [count, 2] may be the same array. */
void ssne_normalise(const float *xy, int64_t count, float *out);

/* Colour of class `index` >= 0 of `count` as 0xRRGGBB. Up to 10 classes: Petroff's ten (2021),
 * chosen to be told apart under the usual colour-vision deficiencies. Beyond: hues by the golden
 * angle in OKLCH at three alternating lightnesses, so that no class looks like the next. */
uint32_t ssne_palette(int64_t index, int64_t count);

/* The colour of points of no known class: a gray apart from the two among the ten. */
#define SSNE_COLOR_UNKNOWN 0xbababau

typedef struct ssne_picture {
  const char *path;     /* .png, .svg or .pdf, which chooses the format; replaced when complete */
  double width, height; /* inches */
  int dpi;              /* pixels an inch, for PNG also written into the file */
  double alpha;         /* opacity of a point, 0 to 1 */
  bool color_by_label;  /* else one colour */
  bool text_by_label;   /* the class number, counted from 1, as text on each point; else a legend */
  const float *xy;      /* [count, 2] in [0, 1]; rows that are not finite are left out */
  const int32_t *label; /* [count]; unknown where not in 0 ... class_count - 1; NULL: none */
  int64_t count;
  const char *const *classes; /* [class_count] names for the legend; NULL: the labels themselves */
  int64_t class_count;
  uint64_t seed; /* of the drawing order */
} ssne_picture;

/* Draws the picture by running `gnuplot` (found on PATH, or named by the environment's
 * SHARDSNE_GNUPLOT) in a folder of its own below TMPDIR. No axes, equal scale, a margin; points the
 * smaller the more they are, in an order shuffled by the seed, so that no class hides another; a
 * legend of the classes that occur, 40 at most, where labels are coloured and the text is off.
 * Names are shown as they are, but for control characters and, in PNG and PDF, characters that no
 * font here has (by fontconfig's fc-list), and are cut at 40 characters. Nothing of what the user
 * named is parsed or run: paths never reach gnuplot, class names only as quoted literals. On
 * failure (no gnuplot, gnuplot's complaint, a full disk) nothing is left behind, an earlier picture
 * stays, and the error holds gnuplot's first line. The same input gives the same bytes with the
 * same gnuplot and fonts; in a PDF the time of drawing is taken out where cairo (1.16) leaves it in
 * sight. */
ssne_code ssne_picture_draw(const ssne_picture *picture, ssne_error *err);

/* Whether ssne_picture_draw would accept the picture's path, size, resolution and opacity:
 * SSNE_USAGE if not. For a job that computes for hours before it draws; its points need not be
 * there yet. */
ssne_code ssne_picture_check(const ssne_picture *picture, ssne_error *err);

#endif
