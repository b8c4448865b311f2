#include "decode.h"
#include "resize.h"

#include <limits.h>
#include <string.h>

/* --- sizes ------------------------------------------------------------------------------- */

/* One direction of the result: `count` pixels of the resized image from `first` on, `pad` pixels
 * from the border of the output. */
typedef struct span {
  ssne_window window;
  int64_t pad, output;
} span;

static span make_span(int64_t size, int64_t crop) {
  if (crop == 0) return (span){.window = {size, 0, size}, .output = size};
  if (size <= crop)
    return (span){.window = {size, 0, size}, .pad = (crop - size) / 2, .output = crop};
  const int64_t spare = size - crop, half = spare / 2;
  const int64_t first = half + (spare & half & 1); /* spare / 2 rounded half to even */
  return (span){.window = {size, first, crop}, .output = crop};
}

static void make_spans(const ssne_transform *t, int width, int height, span *columns, span *rows) {
  int64_t size[2] = {width, height};
  if (t->resize > 0) {
    const int shorter = height < width;
    size[!shorter] = (int64_t)((double)t->resize * (double)size[!shorter] / (double)size[shorter]);
    size[shorter] = t->resize;
  }
  *columns = make_span(size[0], t->crop);
  *rows = make_span(size[1], t->crop);
}

static int clipped(int64_t size) {
  return size < INT_MAX ? (int)size : INT_MAX;
}

void ssne_transform_size(const ssne_transform *t, int width, int height, int *out_width,
                         int *out_height) {
  span columns, rows;
  make_spans(t, width, height, &columns, &rows);
  *out_width = clipped(columns.output);
  *out_height = clipped(rows.output);
}

/* --- pixels ------------------------------------------------------------------------------ */

/* The kept part of an image, within the zeros that pad it: `rgb` is its first pixel, its rows
 * `stride` bytes apart. A gray image has three equal channels, of which one is wanted. */
static void write_rows(const uint8_t *rgb, int64_t stride, int channels, const span *columns,
                       const span *rows, uint8_t *out) {
  const int64_t width = columns->window.count, line = columns->output * channels;
  if (columns->pad > 0 || width < columns->output || rows->window.count < rows->output)
    memset(out, 0, (size_t)(line * rows->output));
  out += rows->pad * line + columns->pad * channels;
  for (int64_t y = 0; y < rows->window.count; y++, rgb += stride, out += line) {
    if (channels == 3)
      memcpy(out, rgb, (size_t)width * 3);
    else
      for (int64_t x = 0; x < width; x++) out[x] = rgb[3 * x];
  }
}

ssne_code ssne_transform_apply(const ssne_transform *t, const ssne_image *image, int out_width,
                               int out_height, ssne_transform_work *work, uint8_t *out,
                               ssne_error *err) {
  span columns, rows;
  make_spans(t, image->width, image->height, &columns, &rows);
  if (columns.output != out_width || rows.output != out_height)
    return ssne_fail(err, SSNE_USAGE,
                     "%d x %d pixels become %d x %d, not %d x %d; resize and crop to one size",
                     image->width, image->height, clipped(columns.output), clipped(rows.output),
                     out_width, out_height);
  if (columns.window.size == image->width && rows.window.size == image->height) {
    const int64_t stride = (int64_t)image->width * 3;
    write_rows(image->rgb + rows.window.first * stride + columns.window.first * 3, stride,
               t->channels, &columns, &rows, out);
    return SSNE_OK;
  }
  SSNE_TRY(ssne_resize(image, columns.window, rows.window, t->bicubic, work, err));
  write_rows(work->resized.rgb, columns.window.count * 3, t->channels, &columns, &rows, out);
  return SSNE_OK;
}

void ssne_transform_work_free(ssne_transform_work *work) {
  ssne_image_free(&work->resized);
  ssne_buffer_free(&work->rows);
  ssne_buffer_free(&work->coefficients);
}
