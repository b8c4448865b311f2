/* A choice of a map's points, for pictures that show each by itself: by class, so that each has its
 * share. Plain memory of as many points as are chosen, however many there are. */
#ifndef SHARDSNE_JOBS_SUBSET_H
#define SHARDSNE_JOBS_SUBSET_H

#include "shardsne/status.h"
#include "shardsne/store.h"

typedef struct subset {
  int64_t total;  /* points of the map that there are to choose from */
  int64_t count;  /* chosen; the arrays are in an order shuffled by the seed */
  int64_t *row;   /* [count] in the run file */
  float *xy;      /* [count, 2] of /embedding/coordinates */
  int32_t *label; /* [count]; all -1 where the file has none */
  bool labelled;
  int64_t class_count; /* labels are below */
  char *class_text;
  const char **classes; /* [class_count] names; NULL: there are none */
  char *name_text;
  const char **names; /* [count] of the samples; NULL: not read, or there are none */
} subset;

/* More points that are shown each by itself are neither told apart nor quick to draw. */
#define SUBSET_SHOWN 20000

/* Of the random numbers that choose. */
#define SUBSET_SEED 0

/* How many points of each class are chosen when `most` of all are: its share, to within one; and
 * where that leaves half of the room at least one of each. `counts`, `out` [classes]. */
void subset_shares(const int64_t *counts, int64_t classes, int64_t most, int64_t *out);

/* Not collective: chooses at most `most` points, within a class by random numbers of the row. Free
 * with subset_free, also after an error. */
ssne_code subset_choose(ssne_store *store, int64_t most, subset *out, ssne_error *err);

/* Not collective: keeps at most `most` points, of each class its share, spread evenly over the part
 * of the map where the class is: every so many along a curve that fills the plane (D. Hilbert,
 * 1891).
 */
ssne_code subset_thin(subset *s, int64_t most, ssne_error *err);

/* Not collective: reads the names of the samples, where the file has them. */
ssne_code subset_read_names(ssne_store *store, subset *s, ssne_error *err);

void subset_free(subset *s);

#endif
