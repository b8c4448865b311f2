/* Many small images in one JPEG. */
#ifndef SSNE_RENDER_SHEET_H
#define SSNE_RENDER_SHEET_H

#include "shardsne/page.h"
#include <stddef.h>

#define SSNE_SHEET_ROW 16 /* cells of a row */
#define SSNE_SHEET_MOST 256

/* The side of the cells in which `images` [count] lie: the larger of their sides, as a multiple of
 * 16, so that no block of the JPEG belongs to two. 0: there are no images. */
int ssne_sheet_cell(const ssne_small_image *images, int count);

/* *jpeg [*size] becomes a JPEG of them, each in the upper left corner of its cell, to be freed with
 * free. `cell` is positive. */
ssne_code ssne_sheet_encode(const ssne_small_image *images, int count, int cell,
                            unsigned char **jpeg, size_t *size, ssne_error *err);

#endif
