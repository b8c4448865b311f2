#include "assignment.h"
#include "format.h"
#include "publish.h"
#include "shardsne/memory.h"
#include "shardsne/page.h"
#include "shardsne/render.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <string.h>

#define CELL_LEAST 6 /* pixels */
#define PIECE 256    /* images made at a time */

_Static_assert(SSNE_CONTACT_SIDE_MOST <= SSNE_ASSIGN_SIDE_MOST, "the grid can be assigned");

static int cell_of(const ssne_contact *c) {
  return (c->width < c->height ? c->width : c->height) / c->side;
}

ssne_code ssne_contact_check(const ssne_contact *c, ssne_error *err) {
  if (!ssne_format_is(c->path, ".png"))
    return ssne_fail(err, SSNE_USAGE, "%s: a contact map is a PNG: its name ends in .png", c->path);
  if (c->side < 2 || c->side > SSNE_CONTACT_SIDE_MOST)
    return ssne_fail(err, SSNE_USAGE, "a contact map of %d images a side: choose from 2 to %d",
                     c->side, SSNE_CONTACT_SIDE_MOST);
  if (c->width > SSNE_PIXELS_MOST || c->height > SSNE_PIXELS_MOST || cell_of(c) < CELL_LEAST)
    return ssne_fail(
        err, SSNE_USAGE,
        "%d images a side on %d x %d pixels: each would have %d, and %d are the least; "
        "choose another --size or --dpi (no side may have more than %d)",
        c->side, c->width, c->height, cell_of(c), CELL_LEAST, SSNE_PIXELS_MOST);
  return SSNE_OK;
}

/* --- places ------------------------------------------------------------------------------ */

static ssne_code place_points(const ssne_contact *c, int32_t *cell, ssne_error *err) {
  float *place = NULL;
  SSNE_TRY(ssne_alloc(&place, c->count, 2 * sizeof *place, "places", err));
  ssne_normalise(c->xy, c->count, place);
  for (int64_t i = 0; i < 2 * c->count; i++) place[i] *= (float)c->side;
  const ssne_code code = ssne_grid_assign(place, c->count, c->side, cell, err);
  ssne_free(&place);
  return code;
}

/* --- pixels ------------------------------------------------------------------------------ */

typedef struct canvas {
  const ssne_contact *c;
  int cell, gap, frame; /* pixels of a cell, left free around it, and of the coloured frame */
  int left, top;        /* of the grid */
  uint8_t *rgb;         /* [height, width, 3] */
} canvas;

static uint8_t *pixel(const canvas *v, int x, int y) {
  return v->rgb + ((int64_t)y * v->c->width + x) * 3;
}

static void fill(const canvas *v, int left, int top, int side, uint32_t color) {
  for (int y = top; y < top + side; y++)
    for (int x = left; x < left + side; x++)
      for (int k = 0; k < 3; k++) pixel(v, x, y)[k] = (uint8_t)(color >> (16 - 8 * k));
}

/* Sides of the images within their cells. */
static int image_side(const canvas *v) {
  return v->cell - 2 * (v->gap + v->frame);
}

static void draw_image(const canvas *v, int64_t point, int cell, const ssne_small_image *image) {
  const ssne_contact *c = v->c;
  const int left = v->left + cell % c->side * v->cell + v->gap;
  const int top = v->top + cell / c->side * v->cell + v->gap;
  if (v->frame > 0)
    fill(v, left, top, v->cell - 2 * v->gap, ssne_label_color(c->label[point], c->class_count));
  if (image->width == 0) { /* gray, in place of what could not be read */
    fill(v, left + v->frame, top + v->frame, image_side(v), 0xe4e4e4);
    return;
  }
  for (int y = 0; y < image->height; y++)
    memcpy(pixel(v, left + v->frame, top + v->frame + y),
           image->rgb + (int64_t)y * image->width * 3, (size_t)image->width * 3);
}

static ssne_code draw_images(const canvas *v, const int32_t *cell, ssne_error *err) {
  const ssne_contact *c = v->c;
  const int side = image_side(v);
  const int64_t room = (int64_t)side * side * 3;
  ssne_small_image images[PIECE];
  uint8_t *pixels = NULL;
  ssne_code code = SSNE_OK;
  SSNE_TRY(ssne_alloc(&pixels, PIECE * room, 1, "bytes of thumbnails", err));
  for (int i = 0; i < PIECE; i++) images[i] = (ssne_small_image){.rgb = pixels + i * room};
  for (int64_t first = 0; first < c->count && code == SSNE_OK; first += PIECE) {
    const int count = c->count - first < PIECE ? (int)(c->count - first) : PIECE;
    code = c->images(c->context, first, count, side, true, images, err);
    for (int i = 0; i < count && code == SSNE_OK; i++)
      draw_image(v, first + i, cell[first + i], &images[i]);
  }
  ssne_free(&pixels);
  return code;
}

/* --- the file ---------------------------------------------------------------------------- */

static void on_error(png_structp png, png_const_charp message) {
  snprintf(png_get_error_ptr(png), 128, "%s", message);
  longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message) {
  (void)png, (void)message;
}

/* libpng's errors come back here. Nothing that is needed after one is a local of this function. */
static bool write_rows(const canvas *v, png_structp png, png_infop info, FILE *file) {
  const ssne_contact *c = v->c;
  if (setjmp(png_jmpbuf(png))) return false;
  const png_uint_32 per_metre = (png_uint_32)lround(c->dpi / 0.0254);
  png_init_io(png, file);
  png_set_IHDR(png, info, (png_uint_32)c->width, (png_uint_32)c->height, 8, PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_pHYs(png, info, per_metre, per_metre, PNG_RESOLUTION_METER);
  png_write_info(png, info);
  for (int y = 0; y < c->height; y++) png_write_row(png, pixel(v, 0, y));
  png_write_end(png, NULL);
  return true;
}

static ssne_code encode(void *context, FILE *file, ssne_error *err) {
  const canvas *v = context;
  char message[128] = "out of memory";
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  const bool done = info && write_rows(v, png, info, file);
  png_destroy_write_struct(&png, &info);
  if (done) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "the contact map cannot be made a PNG: %s", message);
}

ssne_code ssne_contact_draw(const ssne_contact *c, ssne_error *err) {
  int32_t *cell = NULL;
  SSNE_TRY(ssne_contact_check(c, err));
  canvas v = {.c = c, .cell = cell_of(c)};
  v.frame = c->label && v.cell >= 12 ? (v.cell + 12) / 24 : 0;
  v.gap = v.cell >= 24 ? (v.cell + 24) / 48 : 0;
  v.left = (c->width - v.cell * c->side) / 2;
  v.top = (c->height - v.cell * c->side) / 2;
  SSNE_TRY(ssne_alloc(&v.rgb, (int64_t)c->width * c->height, 3, "pixels", err));
  memset(v.rgb, 0xff, (size_t)c->width * (size_t)c->height * 3);
  ssne_code code = ssne_alloc(&cell, c->count, sizeof *cell, "cells of the grid", err);
  if (code == SSNE_OK) code = place_points(c, cell, err);
  if (code == SSNE_OK) code = draw_images(&v, cell, err);
  if (code == SSNE_OK) code = ssne_publish_written(c->path, encode, &v, err);
  ssne_free(&cell);
  ssne_free(&v.rgb);
  return code;
}
