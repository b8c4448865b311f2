/* What the decoders share; private to this folder. */
#ifndef SSNE_DATASET_DECODE_H
#define SSNE_DATASET_DECODE_H

#include "shardsne/dataset.h"

/* Makes room for at least `size` bytes; what the buffer held is lost when it grows. */
ssne_code ssne_buffer_reserve(ssne_buffer *buffer, int64_t size, const char *what, ssne_error *err);

void ssne_buffer_free(ssne_buffer *buffer);

/* Gives `image` this size and room for its pixels, whose values are left open. More than 2^28
 * pixels are an error. */
ssne_code ssne_image_reserve(ssne_image *image, int64_t width, int64_t height, ssne_error *err);

/* ssne_image_decode for bytes that begin as a JPEG, a PNG or a WebP does. */
ssne_code ssne_jpeg_decode(const uint8_t *bytes, size_t size, ssne_image *image, ssne_error *err);
ssne_code ssne_png_decode(const uint8_t *bytes, size_t size, ssne_image *image, ssne_error *err);
ssne_code ssne_webp_decode(const uint8_t *bytes, size_t size, ssne_image *image, ssne_error *err);

#endif
