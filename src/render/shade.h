/* How dense a map is in each place, and an image of it. */
#ifndef SSNE_RENDER_SHADE_H
#define SSNE_RENDER_SHADE_H

#include "shardsne/render.h"

/* The tally, smoothed, with its places ranked by density. */
typedef struct ssne_shading {
  ssne_grid grid;
  int channels;
  float *smooth;    /* [channels, grid.rows, grid.columns] of the tally; owned */
  double lone;      /* density in the place of a row that is alone */
  double low, high; /* the least density with colour, and the greatest */
  double *below;    /* share of the places with colour that are less dense, by steps of log density;
                       owned */
} ssne_shading;

/* Free with ssne_shading_free. */
ssne_code ssne_shading_make(const ssne_tally *tally, ssne_shading *out, ssne_error *err);
void ssne_shading_free(ssne_shading *shading);

/* The share of the places that are less dense than `density`, 0 to 1, and the inverse. */
double ssne_shading_rank(const ssne_shading *shading, double density);

/* Draws the places: `rgb` [grid.rows, grid.columns, 3], from the upper left. */
void ssne_shade(const ssne_picture *picture, const ssne_shading *shading, uint8_t *rgb);

#endif
