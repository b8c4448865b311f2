/* IDX headers, gzipped files, and labels in files of their own; private to this folder. */
#ifndef SSNE_DATASET_LABELS_H
#define SSNE_DATASET_LABELS_H

#include "shardsne/input.h"

/* The shape of the IDX file of bytes at `path`, gzipped or not, and the bytes before its first row;
 * *whole is
 * the file's length, gzipped or not. */
ssne_code ssne_idx_shape(const char *path, int *dimensions, int64_t shape[4], int64_t *header,
                         int64_t *whole, ssne_error *err);

/* The labels that MNIST's naming puts beside `path` (images-idx3 becomes labels-idx1), gzipped or
 * not; NULL where there are none. That this cannot be told is an error. The caller frees *labels
 * with ssne_free. */
ssne_code ssne_idx_find_labels(const char *path, char **labels, ssne_error *err);

/* `size` bytes from `offset` on of what the file holds, unpacked if it is gzipped. */
ssne_code ssne_unpack(const char *path, int64_t offset, int64_t size, uint8_t *out,
                      ssne_error *err);

/* Labels `first` ... `first + count - 1` of `rows` in `source`: .npy, IDX, or FILE.h5:/path. */
ssne_code ssne_labels_read(const char *source, const ssne_arrays *arrays, int64_t rows,
                           int64_t first, int64_t count, int32_t *out, ssne_error *err);

#endif
