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

/* Collective. Examines every row of a dataset; of one that does not exist only says so. */
ssne_code examine_set(job *j, ssne_store *store, const run_facts *facts, ssne_set set,
                      examination *out, ssne_error *err);

/* Some rows of a dataset, and what is wrong with each: a defect, or one of the two below. */
typedef struct examined_rows {
  int64_t first, rows;
  const char *data;       /* [rows] as they are in the file */
  const int8_t *verdicts; /* [rows] */
} examined_rows;

#define ROW_WHOLE (-1)
#define ROW_EMPTY (-2) /* not written, and need not be */

typedef ssne_code examination_visit(void *context, const examined_rows *rows, ssne_error *err);

/* Not collective. Examines rows first ... end - 1 of a dataset that exists, and calls `visit` with
 * some thousands of them at a time, in order, until it fails. */
ssne_code examine_range(ssne_store *store, const run_facts *facts, ssne_set set, int64_t first,
                        int64_t end, examination_visit *visit, void *context, ssne_error *err);

/* Defects but for unfinished rows. */
int64_t examination_damage(const examination *e);

#endif
