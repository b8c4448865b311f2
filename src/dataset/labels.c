#include "labels.h"

#include "formats.h"
#include "gather.h"

#include "shardsne/files.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* --- gzipped or not ---------------------------------------------------------------------- */

static ssne_code unpack_from(gzFile file, int64_t offset, int64_t size, uint8_t *out,
                             ssne_error *err) {
  int reason = 0;
  bool whole = gzseek(file, offset, SEEK_SET) == offset;
  while (size > 0 && whole) {
    const int got = gzread(file, out, size < (1 << 28) ? (unsigned)size : 1U << 28);
    whole = got > 0;
    out += got;
    size -= got;
  }
  if (whole) return SSNE_OK;
  const char *why = gzerror(file, &reason);
  return ssne_fail(err, SSNE_USAGE, "truncated or damaged (%s); copy it anew",
                   reason < 0 ? why : "it ends too early");
}

ssne_code ssne_unpack(const char *path, int64_t offset, int64_t size, uint8_t *out,
                      ssne_error *err) {
  int handle = -1;
  SSNE_TRY(ssne_open_regular(path, &handle, NULL, NULL, err));
  gzFile file = gzdopen(handle, "rb"); /* which passes plain files through */
  if (!file) {
    close(handle);
    return ssne_fail(err, SSNE_FAILED, "%s: out of memory for zlib's state", path);
  }
  const ssne_code code = unpack_from(file, offset, size, out, err);
  gzclose(file);
  return code ? ssne_fail_in(err, "%s", path) : SSNE_OK;
}

/* --- IDX --------------------------------------------------------------------------------- */

ssne_code ssne_idx_shape(const char *path, int *dimensions, int64_t shape[4], int64_t *header,
                         int64_t *whole, ssne_error *err) {
  uint8_t head[4 + 4 * 4] = {0};
  int file = -1;
  SSNE_TRY(ssne_open_regular(path, &file, whole, NULL, err));
  close(file);
  SSNE_TRY(ssne_unpack(path, 0, 4, head, err));
  if (head[0] || head[1] || head[3] < 1 || head[3] > 4)
    return ssne_fail(err, SSNE_USAGE, "%s: not an IDX file of 1 to 4 dimensions", path);
  if (head[2] != 8)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: IDX elements of type %d; those of images and labels are bytes, type 8",
                     path, head[2]);
  *dimensions = head[3];
  *header = 4 + 4 * (int64_t)head[3];
  SSNE_TRY(ssne_unpack(path, 0, *header, head, err));
  for (int d = 0; d < *dimensions; d++) {
    const uint8_t *size = head + 4 + (size_t)4 * (size_t)d;
    shape[d] = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
  }
  return SSNE_OK;
}

/* The last `from` in the file's own name becomes `to`. */
static bool rename_labels(char *path, const char *from, const char *to) {
  char *slash = strrchr(path, '/'), *place = strstr(slash ? slash : path, from);
  if (!place) return false;
  while (*to) *place++ = *to++; /* of the same length */
  return true;
}

/* Whether `path`, gzipped or not, unlike the images, is there; it becomes the one that is. */
static ssne_code find_either(char *path, bool *found, ssne_error *err) {
  const size_t length = strlen(path);
  SSNE_TRY(ssne_is_there(path, found, err));
  if (*found) return SSNE_OK;
  if (length > 3 && strcmp(path + length - 3, ".gz") == 0)
    path[length - 3] = 0;
  else
    memcpy(path + length, ".gz", 4);
  return ssne_is_there(path, found, err);
}

ssne_code ssne_idx_find_labels(const char *path, char **labels, ssne_error *err) {
  const size_t length = strlen(path);
  char *beside = NULL;
  SSNE_TRY(ssne_alloc(&beside, (int64_t)length + 4, 1, "characters", err));
  memcpy(beside, path, length + 1);
  bool found = rename_labels(beside, "images-idx3", "labels-idx1") ||
               rename_labels(beside, "images.idx3", "labels.idx1");
  const ssne_code code = found ? find_either(beside, &found, err) : SSNE_OK;
  if (!code && found)
    *labels = beside;
  else
    ssne_free(&beside);
  return code;
}

/* --- labels ------------------------------------------------------------------------------ */

static ssne_code check_rows(const char *source, int64_t have, int64_t rows, ssne_error *err) {
  if (have == rows) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE, "%s: %" PRId64 " labels for %" PRId64 " images", source, have,
                   rows);
}

static ssne_code read_idx(const char *source, int64_t rows, int64_t first, int64_t count,
                          int32_t *out, ssne_error *err) {
  int dimensions = 0;
  int64_t shape[4], header = 0, whole = 0;
  uint8_t *bytes = NULL;
  SSNE_TRY(ssne_idx_shape(source, &dimensions, shape, &header, &whole, err));
  if (dimensions != 1)
    return ssne_fail(err, SSNE_USAGE, "%s: %d dimensions; labels have one", source, dimensions);
  SSNE_TRY(check_rows(source, shape[0], rows, err));
  SSNE_TRY(ssne_alloc(&bytes, count, 1, "labels", err));
  const ssne_code code = ssne_unpack(source, header + first, count, bytes, err);
  for (int64_t i = 0; i < count && !code; i++) out[i] = bytes[i];
  ssne_free(&bytes);
  return code;
}

static ssne_code read_npy(const char *source, int64_t rows, int64_t first, int64_t count,
                          int32_t *out, ssne_error *err) {
  ssne_npy npy;
  SSNE_TRY(ssne_npy_open(source, &npy, err));
  if (npy.columns != 1)
    return ssne_fail(err, SSNE_USAGE, "%s: %" PRId64 " columns; labels have one", source,
                     npy.columns);
  SSNE_TRY(check_rows(source, npy.rows, rows, err));
  return ssne_npy_read_int(source, &npy, first, count, out, err);
}

static ssne_code read_dataset(const char *source, const ssne_arrays *arrays, const char *file,
                              const char *dataset, int64_t rows, int64_t first, int64_t count,
                              int32_t *out, ssne_error *err) {
  void *array = NULL;
  int dimensions = 0;
  int64_t shape[4];
  if (!arrays) return ssne_fail(err, SSNE_USAGE, "%s: datasets of HDF5 are not read here", source);
  SSNE_TRY(arrays->open(file, dataset, &array, &dimensions, shape, err));
  ssne_code code = check_rows(source, shape[0], rows, err);
  bool column = dimensions <= 4; /* one, or others of size 1 */
  for (int d = 1; d < dimensions && column; d++) column = shape[d] == 1;
  if (!code && !column)
    code = ssne_fail(err, SSNE_USAGE, "%s: %d dimensions; labels have one", source, dimensions);
  if (!code) code = arrays->read_int(array, first, count, out, err);
  arrays->close(&array);
  return code;
}

static ssne_code read_file(const char *source, int64_t rows, int64_t first, int64_t count,
                           int32_t *out, ssne_error *err) {
  char magic[6] = "";
  int file = -1;
  ssne_error unused;
  SSNE_TRY(ssne_open_regular(source, &file, NULL, NULL, err));
  (void)ssne_read_at(file, magic, sizeof magic, 0, &unused);
  close(file);
  return memcmp(magic, "\x93NUMPY", sizeof magic) == 0
             ? read_npy(source, rows, first, count, out, err)
             : read_idx(source, rows, first, count, out, err);
}

ssne_code ssne_labels_read(const char *source, const ssne_arrays *arrays, int64_t rows,
                           int64_t first, int64_t count, int32_t *out, ssne_error *err) {
  char *file = NULL;
  const char *dataset = NULL;
  SSNE_TRY(ssne_split_dataset(source, &file, &dataset, err));
  ssne_code code = dataset
                       ? read_dataset(source, arrays, file, dataset, rows, first, count, out, err)
                       : read_file(source, rows, first, count, out, err);
  ssne_free(&file);
  for (int64_t i = 0; i < count && !code; i++)
    if (out[i] < -1)
      code = ssne_fail(err, SSNE_USAGE,
                       "%s: row %" PRId64 ": the label %" PRId32
                       " is neither a class from 0 on nor -1, for unknown",
                       source, first + i, out[i]);
  return code;
}
