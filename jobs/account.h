/* How long each stage of a step took, as it stands in the run file: a text attribute of JSON,
 * docs/run-file.md describes it. */
#ifndef SHARDSNE_JOBS_ACCOUNT_H
#define SHARDSNE_JOBS_ACCOUNT_H

#include "job.h"

/* The attributes of the two steps. */
#define ACCOUNT_OF_EXTRACT "extract_stages"
#define ACCOUNT_OF_EMBED "embed_stages"

#define ACCOUNT_NAME_SIZE 64

typedef struct account_stage {
  char name[ACCOUNT_NAME_SIZE]; /* two spaces first where it is a part of the one before */
  double min, mean, max;        /* seconds of a rank, over ranks */
} account_stage;

typedef struct account {
  int ranks, threads;
  bool resumed;   /* what earlier jobs did of the step is not counted */
  double seconds; /* of the whole step */
  int count;
  account_stage stage[SSNE_STAGES_MAX];
} account;

/* Collective: the stages from number `first` of the job's on, of a step that took `seconds`, as
 * text; the same on every rank, to be freed with ssne_free. */
ssne_code account_write(const job *j, int first, double seconds, bool resumed, char **json,
                        ssne_error *err);

/* Not collective: reads such a text. SSNE_USAGE, naming `attribute`, where it is none. */
ssne_code account_read(const char *json, const char *attribute, account *out, ssne_error *err);

#endif
