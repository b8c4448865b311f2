/* What an input is: a folder of images in ImageFolder layout, a .npy array; decoding and
 * transforms. No MPI in here: a caller decides which rank reads what. */
#ifndef SHARDSNE_DATASET_H
#define SHARDSNE_DATASET_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- samples: which images there are ----------------------------------------------------- */

/* Where a sample's bytes lie, where it is no file of its own: `size` bytes from byte `offset` on of
 * the input's container `file` (a tar, an array's file), counted from 0. */
typedef struct ssne_place {
  int64_t file, offset, size;
} ssne_place;

/* What the labels of samples are. */
typedef enum ssne_label_kind {
  SSNE_LABELS_NONE,    /* -1 throughout */
  SSNE_LABELS_NUMBERS, /* integers as the input has them, -1 for unknown; no class has a name */
  SSNE_LABELS_NAMES    /* indices of `classes` */
} ssne_label_kind;

/* Refuses an input of which some parts have labels of one kind and others of another, unless they
 * are the same. */
ssne_code ssne_label_kinds_agree(const char *source, ssne_label_kind one, ssne_label_kind other,
                                 ssne_error *err);

/* Samples in row order. Strings lie one after the other, each with its closing zero. */
typedef struct ssne_samples {
  int64_t count;
  int64_t *name_offset; /* [count] into `names` */
  char *names;          /* paths relative to the folder, '/' between parts */
  int64_t names_size;   /* bytes of `names` */
  int32_t *label;       /* [count] index of the class, -1 where unknown */
  int64_t class_count;
  int64_t *class_offset; /* [class_count] into `classes` */
  char *classes;
  int64_t classes_size;
  int64_t ignored; /* files left out: no images by their extension, or beside the class folders */
  int64_t
      unlabelled;    /* files beside images that could hold their labels, where none of them does */
  ssne_place *place; /* [count]; NULL: each sample is a file of its own, called by its name */
  ssne_label_kind labels;
  bool classes_fixed; /* part 0 has all classes, in the input's own order; other parts have none */
} ssne_samples;

/* Lists the images below the folder `path`.
 *
 * ImageFolder layout: each folder directly below `path` is a class, classes numbered from 0 in
 * byte order of their names; within a class all images at any depth, links followed, in byte order
 * of their folder's path and then of their name: the rows and labels of torchvision's
 * ImageFolder. Extensions are torchvision's too (jpg jpeg png ppm bmp pgm tif tiff webp, in either
 * case). A folder without class folders but with images of its own gives these, in byte order,
 * labelled -1. Fails with SSNE_USAGE where there is no such folder, no image, or a class without
 * images (as torchvision does). Link loops are an error. The caller frees `out` with
 * ssne_samples_free. */
ssne_code ssne_samples_scan(const char *path, ssne_samples *out, ssne_error *err);

/* The same for part `part` of `parts`, counted from 0: of the classes in their order, the part's
 * share (ssne_samples_scan's rows are those of all parts one after the other). Labels and classes
 * of `out` are those of the part alone, and it may have no rows. Every part lists `path` itself,
 * and a folder without classes is listed by part 0 alone. */
ssne_code ssne_samples_scan_part(const char *path, int part, int parts, ssne_samples *out,
                                 ssne_error *err);

void ssne_samples_free(ssne_samples *samples);

/* --- images: decoding -------------------------------------------------------------------- */

typedef struct ssne_image {
  int width, height;
  uint8_t *rgb;    /* [height, width, 3], owned */
  size_t capacity; /* bytes allocated at `rgb`; kept from one image to the next */
} ssne_image;

/* Decodes the JPEG, PNG or WebP in `bytes` (recognised by its first bytes, not its name) to 8-bit
 * RGB, as Pillow's Image.open(...).convert("RGB") does: grayscale is repeated, CMYK and YCCK JPEGs
 * converted with Pillow's formula, palettes expanded, alpha dropped, EXIF orientation left alone. A
 * PNG of 16 bits a channel keeps its high bytes (for grayscale Pillow would clip instead). A
 * truncated file, an animated WebP, more than 2^28 pixels, or anything else is an error that says
 * what the bytes are not. `image` may be zero or hold an earlier image, whose memory is used again.
 * Thread-safe. */
ssne_code ssne_image_decode(const uint8_t *bytes, size_t size, ssne_image *image, ssne_error *err);

/* Reads and decodes the file at `path`. `buffer`, zero at first, is this caller's memory for files,
 * grown as needed; its bytes are to be freed with ssne_free. An error says
 * what is wrong, not the path, which the caller knows: SSNE_USAGE where the fault is the file's
 * own, SSNE_FAILED where it is the system's. Thread-safe for distinct buffers. */
typedef struct ssne_buffer {
  uint8_t *bytes;
  size_t capacity;
} ssne_buffer;
ssne_code ssne_image_read(const char *path, ssne_buffer *buffer, ssne_image *image,
                          ssne_error *err);

void ssne_image_free(ssne_image *image);

/* Makes all three channels of `image` its luma, as Pillow's convert("L") has it: (19595 R + 38470 G
 * + 7471 B) / 2^16, rounded. What is gray stays as it is. */
void ssne_image_gray(ssne_image *image);

/* --- transforms: from an image to a network's input -------------------------------------- */

typedef struct ssne_transform {
  int resize;   /* length of the shorter side after resizing; 0: keep the size */
  int crop;     /* side of the centre crop; 0: keep the whole */
  int channels; /* of the result: 3, or 1, for which the image must be gray (ssne_image_gray) */
  bool bicubic; /* how to resize; else bilinear */
} ssne_transform;

/* Width and height that an image of `width` x `height` has after resizing and cropping. */
void ssne_transform_size(const ssne_transform *t, int width, int height, int *out_width,
                         int *out_height);

/* Working memory of ssne_transform_apply, for one thread; zero at first. */
typedef struct ssne_transform_work {
  ssne_image resized;
  ssne_buffer rows, coefficients;
} ssne_transform_work;

/* torchvision's Resize and CenterCrop on a PIL image, to the bit: `out` [height, width, channels].
 * Resize is Pillow's antialiased bilinear or bicubic filter with its 8-bit fixed-point arithmetic
 * (two passes, horizontal first), the long side truncated; the crop begins at (size - crop) / 2
 * rounded half to even, and pads with zeros where the image is smaller, as torchvision does.
 * `out_width` and `out_height` are what the caller made room for; an image of another size is an
 * error that names both. */
ssne_code ssne_transform_apply(const ssne_transform *t, const ssne_image *image, int out_width,
                               int out_height, ssne_transform_work *work, uint8_t *out,
                               ssne_error *err);

void ssne_transform_work_free(ssne_transform_work *work);

/* --- thumbnails: images made small for people to look at ---------------------------------- */

/* A view of `image` no larger than `most` pixels a side, in its own shape: the image itself where
 * it is as small, else resized as ssne_transform_apply does. *out points to `image` or into `work`.
 */
ssne_code ssne_thumbnail_fit(const ssne_image *image, int most, ssne_transform_work *work,
                             const ssne_image **out, ssne_error *err);

/* The largest square in the middle of `image`, as `side` x `side` pixels. *out as above. */
ssne_code ssne_thumbnail_square(const ssne_image *image, int side, ssne_transform_work *work,
                                const ssne_image **out, ssne_error *err);

/* --- arrays ------------------------------------------------------------------------------ */

typedef enum ssne_element {
  SSNE_FLOAT32,
  SSNE_FLOAT64,
  SSNE_INT8,
  SSNE_INT16,
  SSNE_INT32,
  SSNE_INT64,
  SSNE_UINT8,
  SSNE_UINT16,
  SSNE_UINT32,
  SSNE_UINT64
} ssne_element;

/* A .npy file's header: C order, little-endian, read as [rows, columns] with all but the first
 * dimension flattened (a 1-D array has one column). */
typedef struct ssne_npy {
  int64_t rows, columns;
  ssne_element element;
  int64_t data_offset; /* bytes before the first element */
  int dimensions;
  int64_t shape[4]; /* the first four of them */
} ssne_npy;

/* Reads and checks the header of the .npy file at `path`, format versions 1 to 3. SSNE_USAGE for
 * Fortran order, big-endian or non-numeric elements, sizes that overflow, a file shorter than its
 * header says. */
ssne_code ssne_npy_open(const char *path, ssne_npy *npy, ssne_error *err);

/* Reads rows first ... first + rows - 1 as float32, `out` [rows, columns]. */
ssne_code ssne_npy_read_float(const char *path, const ssne_npy *npy, int64_t first, int64_t rows,
                              float *out, ssne_error *err);

/* Reads them as int32, `out` [rows, columns]; values that are not integers or do not fit are an
 * error that names the row. */
ssne_code ssne_npy_read_int(const char *path, const ssne_npy *npy, int64_t first, int64_t rows,
                            int32_t *out, ssne_error *err);

/* Writes a header for [rows, columns] (columns 0: a 1-D array) of `element` to the open stream, so
 * that the data written next make a .npy file. `stream` is a FILE *. */
ssne_code ssne_npy_write_header(void *stream, ssne_element element, int64_t rows, int64_t columns,
                                ssne_error *err);

#endif
