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
};

extern const input_format ssne_folder_format, ssne_list_format, ssne_tar_format;

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
