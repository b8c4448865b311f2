/* What is wrong with the rows of a run file: for `verify`, which tells, and `repair`, which leaves
 * it out. */
#ifndef SHARDSNE_JOBS_EXAMINATION_H
#define SHARDSNE_JOBS_EXAMINATION_H

#include "job.h"

#include <stdbool.h>

typedef enum defect {
  DEFECT_DAMAGED,      /* does not match its checksum */
  DEFECT_MISSING,      /* not written, though the step that does it is marked as complete */
  DEFECT_NOT_FINITE,   /* holds a NaN or an infinity */
  DEFECT_OUT_OF_RANGE, /* holds a number that names nothing: a row, a class, a state */
  DEFECT_UNFINISHED,   /* not written yet: no damage */
  DEFECTS
} defect;

#define EXAMINATION_LISTED 8

/* Rows first ... last have a defect. */
typedef struct defect_run {
  int64_t first, last;
  defect kind;
} defect_run;

/* Of one dataset, over all ranks; the same on all. */
typedef struct examination {
  ssne_set set;
  ssne_set_shape shape;
  int64_t count[DEFECTS];
  defect_run listed[EXAMINATION_LISTED]; /* the first of them, in row order */
  int listed_count;
} examination;

/* What the file as a whole says of its rows. */
typedef struct run_facts {
  int64_t rows, classes; /* of the neighbours; class names, -1 where there are none */
  bool has_status;       /* /samples/status is there */
  bool is_checkpoint;    /* RUN.h5.checkpoint, not RUN.h5 */
  bool complete[3];      /* extract, neighbours, embed */
} run_facts;

/* Not collective. */
ssne_code examination_facts(ssne_store *store, run_facts *facts, ssne_error *err);

/* Collective. Examines every row of a dataset that exists. */
ssne_code examine_set(job *j, ssne_store *store, const run_facts *facts, ssne_set set,
                      examination *out, ssne_error *err);

/* Not collective. Reads `rows` rows of `set` (a multiple of its row's bytes in `data`) and says of
 * each in defects[] what is wrong; -1: nothing, and -2: nothing, but it is one of the rows that
 * have no value. `status` and `state` [rows] are working space. */
#define ROW_WHOLE (-1)
#define ROW_EMPTY (-2)
ssne_code examine_rows(ssne_store *store, const run_facts *facts, ssne_set set, int64_t first,
                       int64_t rows, void *data, uint8_t *status, uint8_t *state, int8_t *defects,
                       ssne_error *err);

/* Rows that pass at once. */
int64_t examination_chunk(const ssne_set_shape *shape);

/* Defects but for unfinished rows. */
int64_t examination_damage(const examination *e);

#endif
