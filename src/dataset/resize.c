#include "resize.h"

#include "decode.h"

#include "shardsne/simd.h"

#include <math.h>
#include <string.h>

/* Pillow's scheme. An output pixel is a weighted mean of the input pixels under a triangle as wide
 * as two output pixels (as two input pixels where the image grows). Weights are integers that sum
 * to about 2^22, so that a sum of 8-bit pixels fits an int; each of the two passes rounds to 8
 * bits. */
#define WEIGHT_BITS (32 - 8 - 2)
#define WEIGHT_HALF (1 << (WEIGHT_BITS - 1))

#define STRIP 64 /* bytes of a row that the vertical pass sums up at a time */

/* The weights of the wanted output pixels along one direction. */
typedef struct axis {
  int64_t count;   /* output pixels */
  int64_t taps;    /* room for the weights of one */
  int32_t *first;  /* [count] the first input pixel under the triangle */
  int32_t *length; /* [count] how many are */
  int32_t *weight; /* [count, taps] */
} axis;

/* --- weights ----------------------------------------------------------------------------- */

static double triangle(double x) {
  return x > -1 && x < 1 ? 1 - fabs(x) : 0;
}

static int64_t axis_taps(int64_t input, const ssne_window *w) {
  return 2 * (int64_t)ceil(fmax((double)input / (double)w->size, 1)) + 1;
}

static int64_t axis_numbers(const axis *a) {
  return a->count * (a->taps + 2);
}

/* In doubles and in Pillow's order of operations: a weight may lie on the edge of rounding. */
static void set_weights(axis *a, int64_t input, const ssne_window *w) {
  const double scale = (double)input / (double)w->size, support = fmax(scale, 1);
  const double shrink = 1 / support;
  for (int64_t i = 0; i < a->count; i++) {
    const double centre = ((double)(w->first + i) + 0.5) * scale;
    int64_t first = (int64_t)(centre - support + 0.5), end = (int64_t)(centre + support + 0.5);
    if (first < 0) first = 0;
    if (end > input) end = input;
    double sum = 0;
    for (int64_t x = first; x < end; x++) sum += triangle(((double)x - centre + 0.5) * shrink);
    int32_t *weight = a->weight + i * a->taps;
    for (int64_t x = first; x < end; x++) {
      const double share = triangle(((double)x - centre + 0.5) * shrink) / sum;
      *weight++ = (int32_t)(0.5 + share * (1 << WEIGHT_BITS));
    }
    a->first[i] = (int32_t)first;
    a->length[i] = (int32_t)(end - first);
  }
}

/* Lays both axes out in work->coefficients and fills them. */
static ssne_code set_axes(const ssne_image *image, const ssne_window *columns,
                          const ssne_window *rows, ssne_transform_work *work, axis axes[2],
                          ssne_error *err) {
  const int64_t input[2] = {image->width, image->height};
  const ssne_window *windows[2] = {columns, rows};
  int64_t numbers = 0;
  for (int d = 0; d < 2; d++) {
    axes[d] = (axis){.count = windows[d]->count, .taps = axis_taps(input[d], windows[d])};
    numbers += axis_numbers(&axes[d]);
  }
  SSNE_TRY(ssne_buffer_reserve(&work->coefficients, numbers * (int64_t)sizeof(int32_t),
                               "bytes of resizing weights", err));
  int32_t *place = (int32_t *)(void *)work->coefficients.bytes;
  for (int d = 0; d < 2; d++) {
    axes[d].first = place;
    axes[d].length = axes[d].first + axes[d].count;
    axes[d].weight = axes[d].length + axes[d].count;
    place += axis_numbers(&axes[d]);
    set_weights(&axes[d], input[d], windows[d]);
  }
  return SSNE_OK;
}

/* --- passes ------------------------------------------------------------------------------ */

static uint8_t rounded(int32_t sum) {
  const int32_t value = sum >> WEIGHT_BITS;
  return (uint8_t)(value > 255 ? 255 : value);
}

static void resize_row(const uint8_t *in, const axis *a, uint8_t *out) {
  for (int64_t i = 0; i < a->count; i++, out += 3) {
    const uint8_t *pixel = in + (int64_t)a->first[i] * 3;
    const int32_t *weight = a->weight + i * a->taps;
    const int32_t length = a->length[i];
    int32_t red = WEIGHT_HALF, green = WEIGHT_HALF, blue = WEIGHT_HALF;
    for (int32_t t = 0; t < length; t++, pixel += 3) {
      red += pixel[0] * weight[t];
      green += pixel[1] * weight[t];
      blue += pixel[2] * weight[t];
    }
    out[0] = rounded(red);
    out[1] = rounded(green);
    out[2] = rounded(blue);
  }
}

/* Adds up `length` rows, each `stride` bytes after the one before, `width` <= STRIP bytes of each.
 */
static inline void mix_strip(const uint8_t *in, int64_t stride, const int32_t *weight,
                             int32_t length, int64_t width, uint8_t *out) {
  int32_t sum[STRIP];
  for (int64_t x = 0; x < width; x++) sum[x] = WEIGHT_HALF;
  for (int32_t t = 0; t < length; t++, in += stride)
    for (int64_t x = 0; x < width; x++) sum[x] += in[x] * weight[t];
  for (int64_t x = 0; x < width; x++) out[x] = rounded(sum[x]);
}

SSNE_CLONES
static void mix_rows(const uint8_t *in, int64_t stride, const int32_t *weight, int32_t length,
                     uint8_t *out) {
  int64_t x = 0;
  for (; x + STRIP <= stride; x += STRIP) mix_strip(in + x, stride, weight, length, STRIP, out + x);
  mix_strip(in + x, stride, weight, length, stride - x, out + x);
}

ssne_code ssne_resize(const ssne_image *image, ssne_window columns, ssne_window rows,
                      ssne_transform_work *work, ssne_error *err) {
  axis axes[2];
  SSNE_TRY(ssne_image_reserve(&work->resized, columns.count, rows.count, err));
  SSNE_TRY(set_axes(image, &columns, &rows, work, axes, err));
  const axis *x = &axes[0], *y = &axes[1];
  const int64_t stride = x->count * 3, last = y->count - 1;
  const int64_t first = y->first[0], end = (int64_t)y->first[last] + y->length[last];
  SSNE_TRY(ssne_buffer_reserve(&work->rows, (end - first) * stride, "bytes of resized rows", err));
  for (int64_t r = first; r < end; r++)
    resize_row(image->rgb + r * image->width * 3, x, work->rows.bytes + (r - first) * stride);
  for (int64_t r = 0; r <= last; r++)
    mix_rows(work->rows.bytes + (y->first[r] - first) * stride, stride, y->weight + r * y->taps,
             y->length[r], work->resized.rgb + r * stride);
  return SSNE_OK;
}
