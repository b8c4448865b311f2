/* A set of images, whatever holds it: a folder, a list, tars, an array. No MPI in here: a caller
 * decides which rank scans which part and reads which rows. docs/inputs.md describes the kinds. */
#ifndef SHARDSNE_INPUT_H
#define SHARDSNE_INPUT_H

#include "shardsne/dataset.h"

typedef struct ssne_input ssne_input;

/* Who reads datasets FILE.h5:/path, for this module knows no HDF5. Functions may be called by
 * several threads at once. Rows are all dimensions but the first. */
typedef struct ssne_arrays {
  /* The dataset's number of dimensions and the sizes of the first four. Close with `close`. */
  ssne_code (*open)(const char *file, const char *dataset, void **array, int *dimensions,
                    int64_t shape[4], ssne_error *err);
  ssne_code (*read_bytes)(void *array, int64_t first, int64_t rows, uint8_t *out, ssne_error *err);
  ssne_code (*read_int)(void *array, int64_t first, int64_t rows, int32_t *out, ssne_error *err);
  void (*close)(void **array);
} ssne_arrays;

/* Recognises what `source` is and opens it: a folder (ImageFolder, or CIFAR's binary files), a CSV
 * or TSV list, a tar, several as `shards-{000..127}.tar`, an IDX file, gzipped or not, a file of
 * CIFAR's, a .npy array, a dataset FILE.h5:/path. The kind follows from what is there, not from the
 * name alone. `labels`, NULL for none, are those of an array: .npy, IDX or FILE.h5:/path. `arrays`
 * may be NULL. SSNE_USAGE where it is nothing that is read here, in words that say what it is.
 * Close with ssne_input_close. */
ssne_code ssne_input_open(const char *source, const char *labels, const ssne_arrays *arrays,
                          ssne_input **out, ssne_error *err);

void ssne_input_close(ssne_input **input);

/* What it is, for people: "folder", "list", "tar, 2 files". */
const char *ssne_input_kind(const ssne_input *input);

/* Whether it is a folder of image files: then a sample's name leads to it, without a scan. */
bool ssne_input_is_folder(const ssne_input *input);

/* What an index of the input would depend on: sizes and times of change of its tars, and their
 * names, as bytes in *state (to be freed with ssne_free). *size is 0 where the input has no use for
 * an index. */
ssne_code ssne_input_state(const ssne_input *input, char **state, int64_t *size, ssne_error *err);

/* The samples of part `part` of `parts`, counted from 0: the rows of all parts one after the other
 * are the rows of the input, whatever the number of parts. Labels that are SSNE_LABELS_NAMES count
 * the part's own classes: a caller with several parts puts these together, in byte order of their
 * names; unless part 0 has all of them (classes_fixed), which the labels of all parts then count. A
 * part may have no rows. The caller frees `out` with ssne_samples_free. */
ssne_code ssne_input_scan(const ssne_input *input, int part, int parts, ssne_samples *out,
                          ssne_error *err);

/* Before the first ssne_input_read: takes the rows `first` ... `first + rows - 1` of a compressed
 * array into memory, as it cannot be read in place; of other inputs nothing. Other rows cannot be
 * read then. Not thread-safe. */
ssne_code ssne_input_hold(ssne_input *input, int64_t first, int64_t rows, ssne_error *err);

/* What one thread reads with; zero at first. */
typedef struct ssne_input_reader {
  ssne_image image;  /* the last one read */
  ssne_buffer bytes; /* of its file */
  int handle;        /* the container last read from, kept open: */
  int64_t opened;    /* its number and 1, 0: none */
} ssne_input_reader;

/* Reads and decodes one sample, as its scan has described it (`place` is NULL where the samples
 * have none), into reader->image. An error says what is wrong, not the name: SSNE_USAGE where it is
 * the image's own fault, SSNE_FAILED where it is the system's. Thread-safe for distinct readers. */
ssne_code ssne_input_read(const ssne_input *input, const char *name, const ssne_place *place,
                          ssne_input_reader *reader, ssne_error *err);

void ssne_input_reader_free(ssne_input_reader *reader);

/* Splits FILE:/dataset at the last ":/". *dataset points into `name`, and is NULL where there is
 * none; the caller frees *file with ssne_free. */
ssne_code ssne_split_dataset(const char *name, char **file, const char **dataset, ssne_error *err);

#endif
