#include "decode.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

typedef struct reader {
  png_structp png;
  png_infop info;
  const uint8_t *bytes; /* not yet read */
  size_t left;
  char message[256]; /* of what ended the decoding */
  jmp_buf failed;
} reader;

/* --- libpng's callbacks ------------------------------------------------------------------ */

static PNG_NORETURN void on_error(png_structp png, png_const_charp message) {
  reader *r = png_get_error_ptr(png);
  snprintf(r->message, sizeof r->message, "%s", message);
  longjmp(r->failed, 1);
}

/* Pillow does not stop for what libpng only warns of. */
static void on_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static void on_read(png_structp png, png_bytep out, size_t size) {
  reader *r = png_get_io_ptr(png);
  if (size > r->left) png_error(png, "truncated");
  memcpy(out, r->bytes, size);
  r->bytes += size;
  r->left -= size;
}

/* --- pixels ------------------------------------------------------------------------------ */

/* Asks for 8-bit RGB whatever the file holds; returns the number of passes over the rows. */
static int set_transforms(reader *r) {
  png_set_strip_16(r->png);
  png_set_palette_to_rgb(r->png);
  png_set_expand_gray_1_2_4_to_8(r->png);
  png_set_strip_alpha(r->png);
  png_set_gray_to_rgb(r->png);
  const int passes = png_set_interlace_handling(r->png);
  png_read_update_info(r->png, r->info);
  return passes;
}

/* libpng's errors come back here. Nothing that is needed after one is a local of this function. */
static ssne_code decode(reader *r, ssne_image *image, ssne_error *err) {
  if (setjmp(r->failed)) return ssne_fail(err, SSNE_USAGE, "PNG: %s", r->message);
  png_set_read_fn(r->png, r, on_read);
  /* gamma, profiles and texts change no pixel here: do not even unpack them */
  png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_read_info(r->png, r->info);
  SSNE_TRY(ssne_image_reserve(image, png_get_image_width(r->png, r->info),
                              png_get_image_height(r->png, r->info), err));
  const int passes = set_transforms(r);
  const size_t stride = png_get_rowbytes(r->png, r->info);
  if (stride != (size_t)image->width * 3)
    return ssne_fail(err, SSNE_USAGE, "PNG: rows of %zu bytes for %d pixels", stride, image->width);
  for (int pass = 0; pass < passes; pass++)
    for (int y = 0; y < image->height; y++)
      png_read_row(r->png, image->rgb + (size_t)y * stride, NULL);
  png_read_end(r->png, NULL);
  return SSNE_OK;
}

ssne_code ssne_png_decode(const uint8_t *bytes, size_t size, ssne_image *image, ssne_error *err) {
  reader r = {.bytes = bytes, .left = size};
  ssne_code code = SSNE_OK;
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
  if (r.png) r.info = png_create_info_struct(r.png);
  if (r.info)
    code = decode(&r, image, err);
  else
    code = ssne_fail(err, SSNE_FAILED, "out of memory for libpng's state");
  png_destroy_read_struct(&r.png, &r.info, NULL);
  return code;
}
