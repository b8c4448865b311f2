/* What a picture's parts are coloured with. All colours are 0xRRGGBB. */
#ifndef SSNE_RENDER_PALETTE_H
#define SSNE_RENDER_PALETTE_H

#include "shardsne/render.h"

typedef struct ssne_theme {
  uint32_t background;
  uint32_t text;
  uint32_t line;    /* from a name to the place it belongs to */
  uint32_t unknown; /* points of no class or value */
} ssne_theme;

ssne_theme ssne_theme_of(const ssne_picture *picture);

/* The colour of each class of this picture, and in the end that of none: `colors` [class_count +
 * 1].
 */
void ssne_class_colors(const ssne_picture *picture, uint32_t *colors);

/* The same colour as text that can be read on it and on the background. */
uint32_t ssne_text_color(const ssne_picture *picture, uint32_t color);

/* The scale of this picture, from its low values to its high ones. */
void ssne_picture_scale(const ssne_picture *picture, uint32_t scale[SSNE_SCALE_STEPS]);

/* Where a value lies on the scale, 0 to 1. */
double ssne_value_place(const ssne_picture *picture, float value);

#endif
