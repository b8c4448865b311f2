/* The map of a run file's embedding: one of the pictures that `render` draws. */
#ifndef SHARDSNE_JOBS_MAP_H
#define SHARDSNE_JOBS_MAP_H

#include "job.h"
#include "selection.h"

#include "shardsne/partition.h"
#include "shardsne/render.h"
#include "shardsne/rows.h"

#include <stdbool.h>
#include <stdint.h>

/* Collective: that the map asked for can be drawn, as far as the options tell. */
ssne_code map_check(const job *j, ssne_error *err);

/* Collective: draws the map of the finished embedding in `store`, the run file at `path`, to
 * --plot. Every rank reads its own rows, a piece at a time; one picture has the same bytes on any
 * number of ranks. */
ssne_code map_draw(job *j, ssne_store *store, const char *path, ssne_error *err);

/* --- what map.c and map_values.c share --------------------------------------------------- */

/* A map on its way from a run file to a picture. */
typedef struct map {
  job *j;
  ssne_store *store;
  const char *path;
  selection chosen; /* rows that have coordinates */
  ssne_partition partition;
  bool has_labels; /* the file has them, and the picture wants them */
  int64_t class_count;
  char *class_text;     /* [class_count, width + 1] closed by zeros */
  const char **classes; /* [class_count] into it; NULL: the labels are the names */
  float *value;         /* [own_rows] of --color, or NULL */
  char value_name[512];
  ssne_survey survey; /* of all ranks */
  ssne_picture picture;
} map;

/* Reads `rows` chosen rows from `first` on, of `size` bytes each. Not collective. */
ssne_code map_read(const map *m, ssne_set set, int64_t first, int64_t rows, int64_t size, void *out,
                   ssne_error *err);

/* Whether --color asks for a value of each row. */
bool map_wants_values(const job *j);

/* Collective: the values that --color asks for, and the ends of their scale. */
ssne_code map_values(map *m, ssne_error *err);

#endif
