/* From coordinates to a picture: what rows of a map add to it, and gnuplot as a separate process
 * that draws it. No MPI and no HDF5 in here.
 *
 * Rows may be shared among ranks, and no rank need hold them all: each surveys its own
 * (ssne_survey_add); from the sums one rank plans the picture (ssne_plan_create); with the plan's
 * grid each counts its own (ssne_tally_add, ssne_medians_add), in integers, so that the sums do not
 * depend on who counted what; and the one that planned draws (ssne_picture_draw). Where every point
 * is drawn by itself, that one needs all rows. */
#ifndef SHARDSNE_RENDER_H
#define SHARDSNE_RENDER_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stdint.h>

/* out[i][d] = (xy[i][d] - min_d) / (max_d - min_d) for each of the two coordinates, over the rows
 * whose coordinates are finite; 0.5 where all are equal; NaN for both where either is not finite.
 * `xy` and `out` [count, 2] may be the same array. */
void ssne_normalise(const float *xy, int64_t count, float *out);

/* --- colours ----------------------------------------------------------------------------- */

/* Classes that have colours of their own; of more, all have one. */
#define SSNE_COLORS_MOST 20

/* Colour of class `index` >= 0 of `count` as 0xRRGGBB. Up to 10 classes: Petroff's ten (2021),
 * chosen to be told apart under the usual colour-vision deficiencies. Up to SSNE_COLORS_MOST: those
 * that analysis/choose-palette found for the same purpose. Beyond: one colour for all. */
uint32_t ssne_palette(int64_t index, int64_t count);

/* The colour of points of no known class or value, on white and on the dark background: grays apart
 * from the classes' colours. */
#define SSNE_COLOR_UNKNOWN 0xbababau
#define SSNE_COLOR_UNKNOWN_DARK 0x4a4a4au

/* The colour of a class of `count` on white, SSNE_COLOR_UNKNOWN where `label` is none of them. */
uint32_t ssne_label_color(int32_t label, int64_t count);

/* Colours for values from low (0) to high: a way through OKLCH (B. Ottosson, 2020) from yellow by
 * green and blue to violet, in steps of equal distance in OKLab, its lightness ever falling; on a
 * dark background the other way round, so that high values stand out on either. */
#define SSNE_SCALE_STEPS 256
void ssne_scale_make(bool dark, uint32_t scale[SSNE_SCALE_STEPS]);

/* --- the picture ------------------------------------------------------------------------- */

typedef enum ssne_mode {
  SSNE_MODE_POINTS, /* a disc for each row */
  SSNE_MODE_DENSITY /* how many rows there are at each place */
} ssne_mode;

typedef enum ssne_coloring {
  SSNE_COLORING_NONE,    /* one colour */
  SSNE_COLORING_CLASS,   /* each class its own, of SSNE_COLORS_MOST at most */
  SSNE_COLORING_DENSITY, /* by how many rows are near */
  SSNE_COLORING_VALUE    /* by a value of each row */
} ssne_coloring;

typedef enum ssne_text {
  SSNE_TEXT_NONE,
  SSNE_TEXT_NUMBERS, /* the class's number on each point: counted from 1 where classes have names,
                        else the label itself; SSNE_MODE_POINTS alone */
  SSNE_TEXT_NAMES    /* the name of each class at the median of its rows */
} ssne_text;

/* Rows of a map. Those whose coordinates are not finite are left out of the picture. */
typedef struct ssne_map_rows {
  int64_t count;
  const float *xy;      /* [count, 2] */
  const int32_t *label; /* [count]; of no class where not in 0 ... class_count - 1; NULL: all */
  const float *value;   /* [count], NaN: none; NULL without SSNE_COLORING_VALUE */
} ssne_map_rows;

/* What there is of all rows. Counts of several surveys may be added up, extents joined. */
typedef struct ssne_survey {
  int64_t drawn;         /* rows with coordinates */
  float low[2], high[2]; /* of their coordinates; infinities where there are none */
  int64_t class_count;
  int64_t *class_rows; /* [class_count + 1] of each class, in the end of none; owned */
} ssne_survey;

/* A survey of no rows. Free with ssne_survey_free. */
ssne_code ssne_survey_create(int64_t class_count, ssne_survey *out, ssne_error *err);
void ssne_survey_add(ssne_survey *survey, const ssne_map_rows *rows);
void ssne_survey_free(ssne_survey *survey);

typedef struct ssne_picture {
  const char *path;     /* .png, .svg or .pdf, which chooses the format; replaced when complete */
  double width, height; /* inches */
  int dpi;              /* pixels an inch, for PNG also written into the file */
  double alpha;         /* opacity of a point, 0 to 1 */
  const char *title;    /* above the map; NULL: none */
  bool dark;            /* light on a dark background */
  bool stretched;       /* both axes equally long; else both have the same scale */
  bool legend;          /* of the classes' colours, or of a scale's values */
  ssne_mode mode;
  ssne_coloring coloring;
  ssne_text text;
  uint64_t seed; /* of the drawing order */
  const ssne_survey *survey;
  const char *const *classes;    /* [survey->class_count] names; NULL: the labels are the names */
  const char *value_name;        /* of SSNE_COLORING_VALUE */
  float value_low, value_high;   /* the ends of the scale; what lies beyond has the ends' colours */
  bool value_reversed;           /* low values are what is to stand out */
  bool value_below, value_above; /* whether something does */
} ssne_picture;

/* Whether a picture of this path, size, resolution and opacity can be drawn: SSNE_USAGE if not. For
 * a job that computes for hours before it draws; nothing else need be known yet. */
ssne_code ssne_picture_check(const ssne_picture *picture, ssne_error *err);

/* Square cells that cover the map in the picture, from its upper left corner. Row (x, y) lies in
 * column floor((x - x_left) * x_cells) and row floor((y_top - y) * y_cells). */
typedef struct ssne_grid {
  int64_t columns, rows;
  double x_left, x_cells, y_top, y_cells;
} ssne_grid;

/* Classes that are named in the map: the largest ones, and no more of them than that. */
#define SSNE_NAMED_MOST 512

/* What is where, decided before anything is counted or drawn. */
typedef struct ssne_plan ssne_plan;

/* Lays the picture out. `picture` and what it points to must outlive the plan. An error where no
 * row has coordinates. Free with ssne_plan_destroy. */
ssne_code ssne_plan_create(const ssne_picture *picture, ssne_plan **out, ssne_error *err);
void ssne_plan_destroy(ssne_plan **plan);

ssne_grid ssne_plan_grid(const ssne_plan *plan);

/* The classes to be named in the map, at most SSNE_NAMED_MOST: their number, and the classes in
 * `named`. 0 without SSNE_TEXT_NAMES. */
int ssne_plan_named(const ssne_plan *plan, int32_t named[SSNE_NAMED_MOST]);

/* Whether fontconfig knows of no font at all: gnuplot then leaves the text of a PNG or PDF out. */
bool ssne_plan_lacks_fonts(const ssne_plan *plan);

/* How many rows lie in each cell, and the sum of what colours them. */
typedef struct ssne_tally {
  ssne_grid grid;
  int channels;  /* numbers a cell: 1, 3 with values, 4 with classes */
  int64_t *cell; /* [grid.rows, grid.columns, channels]; owned; several tallies may be added up */
  int32_t (*lab)[3]; /* [class_count + 1] colours of classes; owned */
} ssne_tally;

/* A tally of no rows. Free with ssne_tally_free. */
ssne_code ssne_tally_create(const ssne_picture *picture, const ssne_grid *grid, ssne_tally *out,
                            ssne_error *err);
void ssne_tally_add(ssne_tally *tally, const ssne_picture *picture, const ssne_map_rows *rows);
void ssne_tally_free(ssne_tally *tally);

/* Where rows of classes lie along each axis, to find medians by. */
#define SSNE_MEDIAN_BINS 2048
typedef struct ssne_medians {
  int count;      /* classes */
  int32_t *place; /* [class_count] of a class among the named, or -1; owned */
  int64_t *bin;   /* [count, 2, SSNE_MEDIAN_BINS] rows; owned; several medians may be added up */
} ssne_medians;

/* Medians of no rows for the `count` classes of `named`. Free with ssne_medians_free. */
ssne_code ssne_medians_create(const ssne_survey *survey, const int32_t *named, int count,
                              ssne_medians *out, ssne_error *err);
void ssne_medians_add(ssne_medians *medians, const ssne_survey *survey, const ssne_map_rows *rows);
void ssne_medians_free(ssne_medians *medians);

/* Draws the picture by running `gnuplot` (found on PATH, or named by the environment's
 * SHARDSNE_GNUPLOT) in a folder of its own below TMPDIR. `rows` are all rows, for SSNE_MODE_POINTS;
 * `tally` is of all rows, for SSNE_MODE_DENSITY; `medians` of all rows where classes are named. The
 * others may be NULL.
 *
 * No axes, a margin; points the smaller the more they are, in an order shuffled by the seed, so
 * that no class hides another; in SVG and PDF more than SSNE_POINTS_VECTOR of them as an image. A
 * density is smoothed until about ten rows share in a place, and shown by its rank among all
 * places; a place's colour is the mean of its rows' in OKLab. Names of classes are moved apart
 * where they would overlap, those of the largest staying nearest to their places; beyond some forty
 * classes, ones that have no room near their place are left out. All text lies within the picture,
 * is text in SVG and PDF, and is shown as it is, but for control characters and, in PNG and PDF,
 * characters that no font here has (by fontconfig's fc-list); names are cut at 40 characters.
 * Nothing of what the user named is parsed or run: paths never reach gnuplot, names only as quoted
 * literals. On failure (no gnuplot, gnuplot's complaint, a full disk) nothing is left behind, an
 * earlier picture stays, and the error holds gnuplot's first line. The same input gives the same
 * bytes with the same gnuplot and fonts; in a PDF the time of drawing is taken out where cairo
 * (1.16) leaves it in sight. */
#define SSNE_POINTS_VECTOR 5000
ssne_code ssne_picture_draw(const ssne_plan *plan, const ssne_map_rows *rows,
                            const ssne_tally *tally, const ssne_medians *medians, ssne_error *err);

#endif
