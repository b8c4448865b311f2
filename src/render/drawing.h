/* What is drawn where, decided before gnuplot hears of it. Lengths are in points, 1/72 inch, from
 * the lower left corner of the canvas. */
#ifndef SSNE_RENDER_DRAWING_H
#define SSNE_RENDER_DRAWING_H

#include "format.h"
#include "names.h"
#include "places.h"
#include "process.h"
#include "shade.h"
#include "shardsne/render.h"
#include <stdio.h>

/* The classes with colours, and those of none. */
#define SSNE_LEGEND_ROWS (SSNE_COLORS_MOST + 1)

typedef struct ssne_legend_row {
  char name[SSNE_NAME_SIZE];
  uint32_t color;
} ssne_legend_row;

typedef struct ssne_legend {
  int count; /* 0: no legend */
  ssne_legend_row row[SSNE_LEGEND_ROWS];
} ssne_legend;

typedef struct ssne_layout {
  double width, height;          /* of the canvas */
  double left, bottom;           /* of the rectangle that the points lie in, */
  double map_width, map_height;  /* and its size */
  double low[2], scale[2];       /* a row is at left + (x - low[0]) * scale[0], likewise above */
  double diameter;               /* of a point */
  double number;                 /* font sizes: of the numbers on points, */
  double name;                   /* of names in the map, */
  double title;                  /* of the title; 0: none */
  double title_x, title_y;       /* its middle */
  double side;                   /* of the legend or the scale beside the map; 0: none */
  double side_left;              /* where that begins: markers' middle, or the bar */
  double legend_top, legend_row; /* the middle of the legend's first row; from row to row */
  double bar_bottom, bar_width, bar_height; /* of the scale; 0: none */
  double bar_title;                         /* the font size of what it is of */
  ssne_bounds names;                        /* where names may be */
} ssne_layout;

/* A tick of the scale. */
typedef struct ssne_tick {
  double place; /* 0 to 1 of the bar's height */
  char text[24];
} ssne_tick;

#define SSNE_TICKS_MOST 16
typedef struct ssne_bar {
  int count; /* ticks */
  ssne_tick tick[SSNE_TICKS_MOST];
  char title[SSNE_TITLE_SIZE];
} ssne_bar;

/* A class that is named in the map. */
typedef struct ssne_named {
  int32_t class;
  char name[SSNE_NAME_SIZE];
} ssne_named;

struct ssne_plan {
  const ssne_picture *picture;
  const ssne_format *format;
  char folder[SSNE_SCRATCH_SIZE]; /* for gnuplot */
  bool lacks_fonts;
  uint32_t *class_color; /* [class_count + 1], in the end that of none; owned */
  char title[SSNE_TITLE_SIZE];
  char value_name[SSNE_TITLE_SIZE];
  ssne_legend legend;
  bool with_bar;
  int named_count;
  ssne_named named[SSNE_NAMED_MOST]; /* the largest first */
  ssne_layout layout;
  double cell;                 /* side of the grid's cells */
  int64_t cell_left, cell_top; /* cells between the canvas's upper left corner and the grid's */
  ssne_grid grid;
};

/* One point as it stands in the data file: 20 bytes. */
typedef struct ssne_point {
  float x, y;
  uint32_t color;      /* 0xTTRRGGBB, TT the transparency */
  int32_t number;      /* of its class; -1: none */
  uint32_t text_color; /* 0xRRGGBB */
} ssne_point;

/* An image that gnuplot places on the canvas. */
typedef struct ssne_raster {
  int64_t columns, rows;
  double left, top, cell; /* its upper left corner, and the side of a pixel */
  uint8_t *rgb;           /* [rows, columns, 3] from the top; owned */
} ssne_raster;

/* The points of finite rows in drawing order, [*count], to be freed with ssne_free. `shading`: of
 * the same rows, for SSNE_COLORING_DENSITY. */
ssne_code ssne_points_make(const ssne_plan *plan, const ssne_map_rows *rows,
                           const ssne_shading *shading, ssne_point **points, int64_t *count,
                           ssne_error *err);

/* Draws points as discs into an image of about `dpi` pixels an inch. */
ssne_code ssne_points_raster(const ssne_plan *plan, const ssne_point *points, int64_t count,
                             ssne_raster *out, ssne_error *err);

/* Names the classes that occur among the rows, if colours leave them to be named. */
void ssne_legend_make(const ssne_picture *picture, const uint32_t *class_color,
                      ssne_legend *legend);

/* The name of a class as a legend or the map shows it, and its number. */
void ssne_class_name(const ssne_picture *picture, int64_t class, char name[SSNE_NAME_SIZE]);
int64_t ssne_class_number(const ssne_picture *picture, int64_t class);

/* Names the scale's ticks. `shading`: for SSNE_COLORING_DENSITY. */
void ssne_bar_make(const ssne_plan *plan, const ssne_shading *shading, ssne_bar *bar);

/* Fills the plan's layout and grid, from the rest of it. */
void ssne_layout_make(ssne_plan *plan);

/* Where the named classes' names stand: `places` [plan->named_count]. */
void ssne_names_place(const ssne_plan *plan, const ssne_medians *medians, ssne_place *places);

/* All that the script draws. */
typedef struct ssne_scene {
  const ssne_plan *plan;
  const ssne_raster *raster; /* SSNE_SCRATCH_RASTER, or NULL */
  bool points;               /* SSNE_SCRATCH_POINTS */
  const ssne_bar *bar;       /* SSNE_SCRATCH_BAR, or NULL */
  const ssne_place *places;  /* [plan->named_count] */
} ssne_scene;

void ssne_script_write(FILE *file, const ssne_scene *scene);

#endif
