/* What is drawn where, decided before gnuplot hears of it. Lengths are in points, 1/72 inch. */
#ifndef SSNE_RENDER_DRAWING_H
#define SSNE_RENDER_DRAWING_H

#include "format.h"
#include "names.h"
#include "shardsne/render.h"
#include <stdio.h>

/* Classes named in a legend; then at most two lines more: how many others, and the unknown. */
#define SSNE_LEGEND_CLASSES 40
#define SSNE_LEGEND_ROWS (SSNE_LEGEND_CLASSES + 2)

typedef struct ssne_legend_row {
  char name[SSNE_NAME_SIZE];
  bool marked;    /* with a point of this colour: */
  uint32_t color; /* 0xRRGGBB */
} ssne_legend_row;

typedef struct ssne_legend {
  int count; /* 0: no legend */
  ssne_legend_row row[SSNE_LEGEND_ROWS];
} ssne_legend;

typedef struct ssne_layout {
  double width, height;      /* of the canvas */
  double left, bottom, side; /* of the square that the points lie in */
  double diameter;           /* of a point */
  double text;               /* font size of the numbers on points */
  double legend_left;        /* centre of its markers */
  double legend_top;         /* centre of its first row */
  double legend_font, legend_row;
} ssne_layout;

/* One point as it stands in the data file: 20 bytes. */
typedef struct ssne_point {
  float x, y;
  uint32_t color;      /* 0xTTRRGGBB, TT the transparency */
  uint32_t number;     /* class number from 1; 0: unknown */
  uint32_t text_color; /* 0xRRGGBB */
} ssne_point;

/* The points of finite rows in drawing order, [*count], to be freed with ssne_free. An error where
 * there is none, or one lies outside of [0, 1]. */
ssne_code ssne_points_make(const ssne_picture *picture, ssne_point **points, int64_t *count,
                           ssne_error *err);

/* Names the classes that occur among the rows, if colour and text leave them to be named. */
ssne_code ssne_legend_make(const ssne_picture *picture, ssne_legend *legend, ssne_error *err);

ssne_layout ssne_layout_make(const ssne_picture *picture, int64_t drawn, const ssne_legend *legend);

/* Writes the script that draws SSNE_SCRATCH_POINTS. */
void ssne_script_write(FILE *file, const ssne_picture *picture, const ssne_format *format,
                       const ssne_layout *layout, const ssne_legend *legend);

#endif
