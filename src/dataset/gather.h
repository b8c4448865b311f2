/* Putting samples together, for every kind of input; private to this folder. */
#ifndef SSNE_DATASET_GATHER_H
#define SSNE_DATASET_GATHER_H

#include "shardsne/dataset.h"

/* A name longer than this is no name: a file of samples has room for the longest a row. */
#define GATHER_LONGEST_NAME 4096

/* Makes room in *(void **)array, of which `used` elements are taken, for `more`. */
ssne_code ssne_grow(void *array, int64_t *room, int64_t used, int64_t more, size_t size,
                    const char *what, ssne_error *err);

/* Whether a file of this name is an image to torchvision's ImageFolder. */
bool ssne_is_image_name(const char *name);

/* ImageFolder's order of two paths whose folders have these lengths: by the folder's path as one
 * string ("a-b" before "a/b"), then by name. */
int ssne_compare_paths(const char *a, int64_t a_folder, const char *b, int64_t b_folder);

/* Samples under construction, with what the input says of each one's label. */
typedef struct gather {
  ssne_samples *out;
  int64_t rows_room, places_room, names_room, label_room, text_room;
  int64_t *label_text; /* [count] into `text`, -1: the sample has none */
  int64_t *line;       /* [count] where it stands in the input, for messages */
  int64_t line_room;
  char *text;
  int64_t text_size;
} gather;

/* Adds one sample; `label` may be NULL, `place` too (for all of them or none). */
ssne_code ssne_gather_add(gather *g, const char *name, const char *label, int64_t line,
                          const ssne_place *place, ssne_error *err);

/* What the labels of the samples from `from` on are: integers if the first one is, names otherwise
 * (or where `names` says so). A sample without, or a mixture, is an error that names the place:
 * `source`, and where `line_word` is given, "line 7". */
ssne_code ssne_gather_check(const gather *g, int64_t from, bool names, const char *source,
                            const char *line_word, ssne_label_kind *kind, ssne_error *err);

/* Turns the texts of labels, which are of this kind, into labels and classes; names are numbered in
 * byte order. */
ssne_code ssne_gather_assign(gather *g, ssne_label_kind kind, ssne_error *err);

/* Frees all but the samples, and these too where `failed`. */
void ssne_gather_end(gather *g, bool failed);

/* The whole file at `path` of at most `most` bytes, with a zero behind them; *size may be NULL. The
 * caller frees *text with ssne_free. */
ssne_code ssne_read_whole(const char *path, int64_t most, char **text, int64_t *size,
                          ssne_error *err);

#endif
