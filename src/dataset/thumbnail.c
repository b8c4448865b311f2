#include "resize.h"

static int64_t at_least_one(int64_t size) {
  return size > 1 ? size : 1;
}

ssne_code ssne_thumbnail_fit(const ssne_image *image, int most, ssne_transform_work *work,
                             const ssne_image **out, ssne_error *err) {
  const int64_t width = image->width, height = image->height;
  const int64_t longer = width > height ? width : height;
  *out = image;
  if (longer <= most) return SSNE_OK;
  const int64_t columns = at_least_one(width * most / longer);
  const int64_t rows = at_least_one(height * most / longer);
  *out = &work->resized;
  return ssne_resize(image, (ssne_window){columns, 0, columns}, (ssne_window){rows, 0, rows}, false,
                     work, err);
}

ssne_code ssne_thumbnail_square(const ssne_image *image, int side, ssne_transform_work *work,
                                const ssne_image **out, ssne_error *err) {
  const int64_t width = image->width, height = image->height;
  const int64_t shorter = width < height ? width : height;
  *out = image;
  if (width == side && height == side) return SSNE_OK;
  const int64_t columns = width * side / shorter, rows = height * side / shorter;
  *out = &work->resized;
  return ssne_resize(image, (ssne_window){columns, (columns - side) / 2, side},
                     (ssne_window){rows, (rows - side) / 2, side}, false, work, err);
}
