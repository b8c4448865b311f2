#include "resize.h"

#include "decode.h"
#include "resize_kernels.h"

#include <math.h>
#include <string.h>

/* Pillow's scheme. An output pixel is a weighted mean of the input pixels under a triangle as wide
 * as two output pixels (as two input pixels where the image grows), or under a cubic twice as wide.
 * Weights are integers that sum to about 2^22, so that a sum of 8-bit pixels fits an int; each of
 * the two passes rounds to 8 bits (resize_kernels.h). */

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

/* Keys's cubic with a = -1/2, in Pillow's order of operations. */
static double cubic(double x) {
  x = fabs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

typedef struct filter {
  double (*at)(double x);
  double reach; /* beyond which it is zero */
} filter;

static int64_t axis_taps(int64_t input, const ssne_window *w, const filter *f) {
  return 2 * (int64_t)ceil(f->reach * fmax((double)input / (double)w->size, 1)) + 1;
}

static int32_t fixed(double share) {
  return (int32_t)((share < 0 ? -0.5 : 0.5) + share * (1 << RESIZE_WEIGHT_BITS));
}

static int64_t axis_numbers(const axis *a) {
  return a->count * (a->taps + 2);
}

/* In doubles and in Pillow's order of operations: a weight may lie on the edge of rounding. */
static void set_weights(axis *a, int64_t input, const ssne_window *w, const filter *f) {
  const double scale = (double)input / (double)w->size, support = f->reach * fmax(scale, 1);
  const double shrink = 1 / fmax(scale, 1);
  for (int64_t i = 0; i < a->count; i++) {
    const double centre = ((double)(w->first + i) + 0.5) * scale;
    int64_t first = (int64_t)(centre - support + 0.5), end = (int64_t)(centre + support + 0.5);
    if (first < 0) first = 0;
    if (end > input) end = input;
    double sum = 0;
    for (int64_t x = first; x < end; x++) sum += f->at(((double)x - centre + 0.5) * shrink);
    int32_t *weight = a->weight + i * a->taps;
    for (int64_t x = first; x < end; x++) {
      *weight++ = fixed(f->at(((double)x - centre + 0.5) * shrink) / sum);
    }
    a->first[i] = (int32_t)first;
    a->length[i] = (int32_t)(end - first);
  }
}

/* Lays both axes out in work->coefficients and fills them. */
static ssne_code set_axes(const ssne_image *image, const ssne_window *columns,
                          const ssne_window *rows, const filter *f, ssne_transform_work *work,
                          axis axes[2], ssne_error *err) {
  const int64_t input[2] = {image->width, image->height};
  const ssne_window *windows[2] = {columns, rows};
  int64_t numbers = 0;
  for (int d = 0; d < 2; d++) {
    axes[d] = (axis){.count = windows[d]->count, .taps = axis_taps(input[d], windows[d], f)};
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
    set_weights(&axes[d], input[d], windows[d], f);
  }
  return SSNE_OK;
}

/* --- passes ------------------------------------------------------------------------------ */

static void resize_row(const uint8_t *in, const axis *a, uint8_t *out) {
  for (int64_t i = 0; i < a->count; i++, out += 3) {
    const uint8_t *pixel = in + (int64_t)a->first[i] * 3;
    const int32_t *weight = a->weight + i * a->taps;
    const int32_t length = a->length[i];
    int32_t red = RESIZE_WEIGHT_HALF, green = RESIZE_WEIGHT_HALF, blue = RESIZE_WEIGHT_HALF;
    for (int32_t t = 0; t < length; t++, pixel += 3) {
      red += pixel[0] * weight[t];
      green += pixel[1] * weight[t];
      blue += pixel[2] * weight[t];
    }
    out[0] = resize_rounded(red);
    out[1] = resize_rounded(green);
    out[2] = resize_rounded(blue);
  }
}

ssne_code ssne_resize(const ssne_image *image, ssne_window columns, ssne_window rows, bool bicubic,
                      ssne_transform_work *work, ssne_error *err) {
  const filter f = bicubic ? (filter){cubic, 2} : (filter){triangle, 1};
  const resize_kernels *kernels = resize_kernels_at(ssne_simd_level());
  axis axes[2];
  SSNE_TRY(ssne_image_reserve(&work->resized, columns.count, rows.count, err));
  SSNE_TRY(set_axes(image, &columns, &rows, &f, work, axes, err));
  const axis *x = &axes[0], *y = &axes[1];
  const int64_t stride = x->count * 3, last = y->count - 1;
  const int64_t first = y->first[0], end = (int64_t)y->first[last] + y->length[last];
  SSNE_TRY(ssne_buffer_reserve(&work->rows, (end - first) * stride, "bytes of resized rows", err));
  for (int64_t r = first; r < end; r++)
    resize_row(image->rgb + r * image->width * 3, x, work->rows.bytes + (r - first) * stride);
  for (int64_t r = 0; r <= last; r++)
    kernels->mix_rows(work->rows.bytes + (y->first[r] - first) * stride, stride,
                      y->weight + r * y->taps, y->length[r], work->resized.rgb + r * stride);
  return SSNE_OK;
}
