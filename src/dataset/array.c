/* Arrays of images: IDX as MNIST has it, .npy, datasets of HDF5. Rows are read where they lie;
 * those of a gzipped file are held in memory. */
#include "decode.h"
#include "formats.h"
#include "gather.h"
#include "labels.h"

#include "shardsne/files.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define SIDE_MOST 65535
#define GZIP_MOST 1100 /* times that gzip makes zeros smaller, at most */

/* --- shapes ------------------------------------------------------------------------------ */

static bool is_channels(int64_t size) {
  return size == 1 || size == 3;
}

static ssne_code set_sides(ssne_input *input, int64_t height, int64_t width, int64_t channels,
                           ssne_error *err) {
  if (height < 1 || width < 1 || height > SIDE_MOST || width > SIDE_MOST)
    return ssne_fail(err, SSNE_USAGE, "%s: images of %" PRId64 " x %" PRId64 " pixels",
                     input->source, width, height);
  input->height = (int)height;
  input->width = (int)width;
  input->channels = (int)channels;
  return SSNE_OK;
}

/* [N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 channels. */
static ssne_code set_shape(ssne_input *input, int dimensions, const int64_t shape[4],
                           ssne_error *err) {
  if (dimensions != 3 && dimensions != 4)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %d dimension%s; an array of images is [N, H, W], [N, H, W, C] or "
                     "[N, C, H, W]",
                     input->source, dimensions, dimensions == 1 ? "" : "s");
  if (shape[0] < 1) return ssne_fail(err, SSNE_USAGE, "%s: no images", input->source);
  input->rows = shape[0];
  if (dimensions == 3) return set_sides(input, shape[1], shape[2], 1, err);
  const bool first = is_channels(shape[1]), last = is_channels(shape[3]);
  if (first == last)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: [%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 "]: %s", input->source,
                     shape[0], shape[1], shape[2], shape[3],
                     first ? "which dimension is the channels is not clear; make it [N, H, W]"
                           : "images have 1 or 3 channels, as second or as last dimension");
  input->planar = first;
  return first ? set_sides(input, shape[2], shape[3], shape[1], err)
               : set_sides(input, shape[1], shape[2], shape[3], err);
}

static int64_t row_bytes(const ssne_input *input) {
  return (int64_t)input->width * input->height * input->channels;
}

ssne_code ssne_input_pixels(const ssne_input *input, const uint8_t *bytes,
                            ssne_input_reader *reader, ssne_error *err) {
  const int64_t pixels = (int64_t)input->width * input->height;
  SSNE_TRY(ssne_image_reserve(&reader->image, input->width, input->height, err));
  const int64_t next = input->planar ? 1 : input->channels; /* pixel */
  const int64_t plane = input->channels == 1 ? 0 : input->planar ? pixels : 1;
  uint8_t *rgb = reader->image.rgb;
  for (int64_t p = 0; p < pixels; p++)
    for (int c = 0; c < 3; c++) *rgb++ = bytes[p * next + c * plane];
  return SSNE_OK;
}

/* --- IDX --------------------------------------------------------------------------------- */

bool ssne_idx_begins(const uint8_t *bytes, int64_t size) {
  return size >= 8 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 14 &&
         bytes[3] >= 1 && bytes[3] <= 4;
}

ssne_code ssne_idx_open(ssne_input *input, const char *path, ssne_error *err) {
  int64_t shape[4] = {0}, whole = 0;
  int dimensions = 0;
  SSNE_TRY(ssne_idx_shape(path, &dimensions, shape, &input->header, &whole, err));
  if (dimensions == 1)
    return ssne_fail(err, SSNE_USAGE, "%s: an IDX file of labels; --images wants that of images",
                     path);
  SSNE_TRY(set_shape(input, dimensions, shape, err));
  /* a row is below 2^34 bytes, rows are below 2^32; a length is at most what could be unpacked */
  const int64_t bytes = row_bytes(input);
  if (input->rows > (whole * (input->compressed ? GZIP_MOST : 1) - input->header) / bytes)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %" PRId64 " bytes hold no %" PRId64 " images: truncated; copy it anew",
                     path, whole, input->rows);
  input->format = &ssne_array_format;
  if (!input->labels) SSNE_TRY(ssne_idx_find_labels(path, &input->labels, err));
  return ssne_input_add(input, path, err);
}

/* --- .npy and HDF5 ----------------------------------------------------------------------- */

ssne_code ssne_npy_images_open(ssne_input *input, const char *path, ssne_error *err) {
  ssne_npy npy;
  SSNE_TRY(ssne_npy_open(path, &npy, err));
  if (npy.element != SSNE_UINT8)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: its elements are no 8-bit unsigned integers, as those of images are: of "
                     "colours in [0, 1] save (255 * x).round().astype('uint8')",
                     path);
  SSNE_TRY(set_shape(input, npy.dimensions, npy.shape, err));
  input->header = npy.data_offset;
  input->format = &ssne_array_format;
  return ssne_input_add(input, path, err);
}

ssne_code ssne_hdf5_open_images(ssne_input *input, const char *file, const char *dataset,
                                ssne_error *err) {
  int64_t shape[4];
  int dimensions = 0;
  uint8_t *first = NULL;
  if (!input->arrays)
    return ssne_fail(err, SSNE_USAGE, "%s: datasets of HDF5 are not read here", input->source);
  SSNE_TRY(input->arrays->open(file, dataset, &input->array, &dimensions, shape, err));
  SSNE_TRY(set_shape(input, dimensions, shape, err));
  SSNE_TRY(ssne_alloc(&first, row_bytes(input), 1, "pixels", err));
  const ssne_code code = input->arrays->read_bytes(input->array, 0, 1, first, err); /* are they? */
  ssne_free(&first);
  input->format = &ssne_hdf5_format;
  return code;
}

/* --- rows -------------------------------------------------------------------------------- */

static ssne_code scan_array(const ssne_input *input, int part, int parts, ssne_samples *out,
                            ssne_error *err) {
  const int64_t begin = ssne_share_begin(input->rows, parts, part);
  const int64_t end = ssne_share_begin(input->rows, parts, part + 1), bytes = row_bytes(input);
  gather g = {.out = out};
  char name[32];
  const int digits = snprintf(name, sizeof name, "%" PRId64, input->rows - 1);
  ssne_code code = SSNE_OK;
  for (int64_t row = begin; row < end && !code; row++) {
    const ssne_place place = {0, input->header + row * bytes, bytes};
    snprintf(name, sizeof name, "%0*" PRId64, digits, row);
    code = ssne_gather_add(&g, name, NULL, 0, &place, err);
  }
  if (!code && input->labels) {
    out->labels = SSNE_LABELS_NUMBERS;
    code = ssne_labels_read(input->labels, input->arrays, input->rows, begin, end - begin,
                            out->label, err);
  }
  ssne_gather_end(&g, code != SSNE_OK);
  return code;
}

static ssne_code read_array(const ssne_input *input, const char *name, const ssne_place *place,
                            ssne_input_reader *reader, ssne_error *err) {
  (void)name;
  if (input->compressed) {
    const int64_t row = (place->offset - input->header) / place->size - input->held_first;
    if (row < 0 || row >= input->held_rows)
      return ssne_fail(err, SSNE_FAILED, "not among the rows in memory");
    return ssne_input_pixels(input, input->held + row * place->size, reader, err);
  }
  SSNE_TRY(ssne_input_use(input, place->file, reader, err));
  SSNE_TRY(ssne_buffer_reserve(&reader->bytes, place->size, "bytes of an image", err));
  SSNE_TRY(ssne_read_at(reader->handle, reader->bytes.bytes, place->size, place->offset, err));
  return ssne_input_pixels(input, reader->bytes.bytes, reader, err);
}

static ssne_code read_dataset(const ssne_input *input, const char *name, const ssne_place *place,
                              ssne_input_reader *reader, ssne_error *err) {
  (void)name;
  SSNE_TRY(ssne_buffer_reserve(&reader->bytes, place->size, "bytes of an image", err));
  SSNE_TRY(input->arrays->read_bytes(input->array, place->offset / place->size, 1,
                                     reader->bytes.bytes, err));
  return ssne_input_pixels(input, reader->bytes.bytes, reader, err);
}

ssne_code ssne_input_hold(ssne_input *input, int64_t first, int64_t rows, ssne_error *err) {
  if (!input->compressed || rows == 0) return SSNE_OK;
  const int64_t bytes = row_bytes(input);
  ssne_free(&input->held);
  SSNE_TRY(ssne_alloc(&input->held, rows * bytes, 1, "bytes of images unpacked", err));
  input->held_first = first;
  input->held_rows = rows;
  return ssne_unpack(input->container[0], input->header + first * bytes, rows * bytes, input->held,
                     err);
}

const input_format ssne_array_format = {"array", scan_array, read_array};
const input_format ssne_hdf5_format = {"dataset", scan_array, read_dataset};
