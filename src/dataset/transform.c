#include "decode.h"
#include "resize.h"

#include <limits.h>

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

/* The float of each of the 256 values of a channel, computed as ToTensor and Normalize do. */
static void set_table(const ssne_transform *t, float table[3][256]) {
  for (int c = 0; c < t->channels; c++) {
    const float mean = (float)t->mean[c], std = (float)t->std[c];
    for (int v = 0; v < 256; v++) table[c][v] = ((float)v / 255.0f - mean) / std;
  }
}

static void fill(float *out, int64_t count, float value) {
  for (int64_t i = 0; i < count; i++) out[i] = value;
}

/* One row of the output: padding, the pixels at `rgb`, padding. */
static void write_row(const uint8_t *rgb, int channels, const span *columns, float table[3][256],
                      float *out, int64_t plane) {
  const int64_t count = columns->window.count, end = columns->pad + count;
  for (int c = 0; c < channels; c++) {
    float *row = out + c * plane;
    fill(row, columns->pad, table[c][0]);
    for (int64_t x = 0; x < count; x++) row[columns->pad + x] = table[c][rgb[3 * x + c]];
    fill(row + end, columns->output - end, table[c][0]);
  }
}

static void write_rows(const uint8_t *rgb, int64_t stride, int channels, const span *columns,
                       const span *rows, float table[3][256], float *out) {
  const int64_t width = columns->output, plane = width * rows->output;
  const int64_t above = rows->pad, below = rows->output - above - rows->window.count;
  for (int c = 0; c < channels; c++) {
    fill(out + c * plane, above * width, table[c][0]);
    fill(out + (c + 1) * plane - below * width, below * width, table[c][0]);
  }
  for (int64_t y = 0; y < rows->window.count; y++)
    write_row(rgb + y * stride, channels, columns, table, out + (above + y) * width, plane);
}

ssne_code ssne_transform_apply(const ssne_transform *t, const ssne_image *image, int out_width,
                               int out_height, ssne_transform_work *work, float *out,
                               ssne_error *err) {
  span columns, rows;
  make_spans(t, image->width, image->height, &columns, &rows);
  if (columns.output != out_width || rows.output != out_height)
    return ssne_fail(err, SSNE_USAGE,
                     "%d x %d pixels become %d x %d, not %d x %d; resize and crop to one size",
                     image->width, image->height, clipped(columns.output), clipped(rows.output),
                     out_width, out_height);
  float table[3][256];
  set_table(t, table);
  if (columns.window.size == image->width && rows.window.size == image->height) {
    const int64_t stride = (int64_t)image->width * 3;
    write_rows(image->rgb + rows.window.first * stride + columns.window.first * 3, stride,
               t->channels, &columns, &rows, table, out);
    return SSNE_OK;
  }
  SSNE_TRY(ssne_resize(image, columns.window, rows.window, t->bicubic, work, err));
  write_rows(work->resized.rgb, columns.window.count * 3, t->channels, &columns, &rows, table, out);
  return SSNE_OK;
}

void ssne_transform_work_free(ssne_transform_work *work) {
  ssne_image_free(&work->resized);
  ssne_buffer_free(&work->rows);
  ssne_buffer_free(&work->coefficients);
}
