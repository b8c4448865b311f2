/* The account of a run: how long each stage took on each rank, what it sent to others and, where
 * there is a formula for it, what it computed. */
#ifndef SHARDSNE_STAGES_H
#define SHARDSNE_STAGES_H

#include "shardsne/log.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdint.h>

#define SSNE_STAGES_MAX 32

typedef struct ssne_stage {
  const char *name;          /* a string that outlives the table */
  int64_t count;             /* how often it ran on this rank, or how many items it treated */
  double seconds;            /* on this rank */
  int64_t bytes_sent;        /* by this rank to others, as traffic.h counts them */
  double flops, bytes_moved; /* of this rank, by formula; 0 where there is none */
} ssne_stage;

/* Stages in the order of their first use, the same on every rank. */
typedef struct ssne_stages {
  int count;
  ssne_stage stage[SSNE_STAGES_MAX];
} ssne_stages;

/* Adds `seconds` and `count` to the stage called `name` (creating it). Stages beyond
 * SSNE_STAGES_MAX are not kept. */
void ssne_stages_add(ssne_stages *stages, const char *name, int64_t count, double seconds);

/* The same for a stage of which more is known. */
void ssne_stages_merge(ssne_stages *stages, const ssne_stage *stage);

/* Adds what was computed and moved in the stage called `name`; nothing where there is none. */
void ssne_stages_work(ssne_stages *stages, const char *name, double flops, double bytes_moved);

/* A moment of this process: the time, and the bytes sent by then. */
typedef struct ssne_moment {
  double clock;
  int64_t sent;
} ssne_moment;

ssne_moment ssne_moment_now(void);

/* Adds what has passed since *since, time and bytes sent, to the stage; *since becomes the present.
 */
void ssne_stage_lap(ssne_stage *stage, ssne_moment *since);

/* Adds `count` and what has passed since *since, time and bytes sent, to the stage called `name`;
 * *since becomes the present. */
void ssne_stages_lap(ssne_stages *stages, const char *name, int64_t count, ssne_moment *since);

/* A stage over all ranks. */
typedef struct ssne_stage_summary {
  double min, mean, max; /* seconds */
  int slowest;           /* the rank of `max` */
  int64_t count;         /* over all ranks */
  int64_t bytes_sent;    /* likewise, as are the two below */
  double flops, bytes_moved;
} ssne_stage_summary;

/* Collective: every rank passes its own account of the same stage. */
ssne_code ssne_stage_summarise(const ssne_stage *stage, MPI_Comm comm, ssne_stage_summary *out,
                               ssne_error *err);

/* Collective: prints the table (count; min, mean, max over ranks; slowest rank; share of `total`
 * seconds; on several ranks what one sends on average) to `log` and one "stage" record each. Every
 * rank must have the same stages. */
ssne_code ssne_stages_report(const ssne_stages *stages, double total, MPI_Comm comm, ssne_log *log,
                             ssne_error *err);

#endif
