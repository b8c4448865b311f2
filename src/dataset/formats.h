/* The kinds of input, one file each; private to this folder. */
#ifndef SSNE_DATASET_FORMATS_H
#define SSNE_DATASET_FORMATS_H

#include "shardsne/input.h"

/* What one kind of input can do. */
typedef struct input_format {
  const char *name;
  ssne_code (*scan)(const ssne_input *input, int part, int parts, ssne_samples *out,
                    ssne_error *err);
  ssne_code (*read)(const ssne_input *input, const char *name, const ssne_place *place,
                    ssne_input_reader *reader, ssne_error *err);
} input_format;

struct ssne_input {
  const input_format *format;
  char *source;     /* as it was given */
  char *folder;     /* that names are relative to, of a folder or a list */
  char **container; /* [containers] paths of tars */
  int64_t containers;
  char kind[64];
  /* of arrays and CIFAR's files */
  int64_t rows;
  int width, height, channels;
  bool planar;               /* [channels, height, width] rather than [height, width, channels] */
  int64_t header;            /* bytes before the first row */
  char *labels;              /* where they are, as given or found; NULL: nowhere */
  const ssne_arrays *arrays; /* who reads HDF5 */
  void *array;
  bool compressed;
  uint8_t *held; /* the rows from held_first on, of a compressed array */
  int64_t held_first, held_rows;
};

extern const input_format ssne_folder_format, ssne_list_format, ssne_tar_format, ssne_cifar_format,
    ssne_array_format, ssne_hdf5_format;

/* Opens what has been recognised: an IDX file, gzipped or not; a .npy file; a dataset. */
ssne_code ssne_idx_open(ssne_input *input, const char *path, ssne_error *err);
ssne_code ssne_npy_images_open(ssne_input *input, const char *path, ssne_error *err);
ssne_code ssne_hdf5_open_images(ssne_input *input, const char *file, const char *dataset,
                                ssne_error *err);

/* Whether these bytes, unpacked, begin a file of IDX images or labels. */
bool ssne_idx_begins(const uint8_t *bytes, int64_t size);

/* CIFAR's files: whether `folder` has some, then opens them; whether a file of this size is one. */
ssne_code ssne_cifar_open_folder(ssne_input *input, const char *folder, bool *is, ssne_error *err);
bool ssne_cifar_is_file(const char *path, int64_t size);
ssne_code ssne_cifar_open_file(ssne_input *input, const char *path, ssne_error *err);

/* Puts the pixels of a row into reader->image; one channel is repeated. */
ssne_code ssne_input_pixels(const ssne_input *input, const uint8_t *bytes,
                            ssne_input_reader *reader, ssne_error *err);

/* Refuses a file of `whole` bytes that is no tar, in words that say what it is. */
ssne_code ssne_input_check_tar(const char *path, int file, int64_t whole, ssne_error *err);

/* Adds one container to the input. */
ssne_code ssne_input_add(ssne_input *input, const char *path, ssne_error *err);

/* Sees to it that reader->handle is the container `file`. */
ssne_code ssne_input_use(const ssne_input *input, int64_t file, ssne_input_reader *reader,
                         ssne_error *err);

/* Reads the file at folder/name (or at name, if that is absolute). */
ssne_code ssne_input_read_file(const ssne_input *input, const char *name, const ssne_place *place,
                               ssne_input_reader *reader, ssne_error *err);

/* Whether these bytes are the header of a tar's entry. */
bool ssne_tar_begins(const uint8_t *bytes, int64_t size);

#endif
