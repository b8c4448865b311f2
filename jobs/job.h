/* What every sub-command works with. */
#ifndef SHARDSNE_JOBS_JOB_H
#define SHARDSNE_JOBS_JOB_H

#include "options.h"

#include "shardsne/log.h"
#include "shardsne/stages.h"
#include "shardsne/status.h"
#include "shardsne/stop.h"
#include "shardsne/store.h"

#include <mpi.h>

typedef struct job {
  MPI_Comm comm;
  int rank, ranks, local_rank;
  int threads;
  all_options options;
  const char *word; /* the sub-command's own argument, such as RUN.h5; NULL where not given */
  ssne_log *log;
  ssne_stages stages;
  ssne_stop *stop; /* NULL for commands that are over before it matters */
} job;

/* The sub-commands. All collective: every rank calls the same, with the same options, and gets the
 * same code back. */
ssne_code job_run(job *j, ssne_error *err);
ssne_code job_extract(job *j, ssne_error *err);
ssne_code job_embed(job *j, ssne_error *err);
ssne_code job_render(job *j, ssne_error *err);
ssne_code job_info(job *j, ssne_error *err);
ssne_code job_model(job *j, ssne_error *err);
ssne_code job_export(job *j, ssne_error *err);
ssne_code job_verify(job *j, ssne_error *err);
ssne_code job_repair(job *j, ssne_error *err);

/* The stages of which `run` consists, on the run file at `path`. */
ssne_code extract_features(job *j, const char *path, ssne_error *err);
ssne_code embed_run_file(job *j, const char *path, ssne_error *err);
ssne_code render_run_file(job *j, const char *path, ssne_error *err);

/* Collective: that the picture asked for can be drawn; before hours of computing. */
ssne_code render_check(const job *j, ssne_error *err);

/* The largest perplexity asked for: three times as many neighbours are searched. */
double job_perplexity(const embed_options *o);

/* Fails with SSNE_USAGE unless `value` was given; `what` says how to give it. */
ssne_code job_require(const char *value, const char *what, ssne_error *err);

/* Collective: a copy of rank 0's `text` on every rank, to be freed with ssne_free. On other ranks
 * `text` is not looked at. */
ssne_code job_share_text(const job *j, const char *text, char **out, ssne_error *err);

/* Collective: rank 0's absolute path of the existing file or folder *path replaces it on all ranks,
 * so that the record does not depend on where the command was given. */
ssne_code job_resolve(job *j, char **path, ssne_error *err);

/* Collective: the same for what may be no file: several tars, a dataset within a file. What comes
 * before that is made absolute, if it is there. */
ssne_code job_resolve_images(job *j, char **path, ssne_error *err);

/* The libraries at work, each as "name version". */
typedef struct job_libraries {
  const char *torch, *petsc;
  char hdf5[64], mpi[MPI_MAX_LIBRARY_VERSION_STRING];
} job_libraries;

job_libraries job_name_libraries(void);

/* The number of the Slurm job that this is; "" where it is none. */
const char *job_of_slurm(void);

/* Collective: writes who made the file, and when, to its root attributes. */
ssne_code job_sign(job *j, ssne_store *store, ssne_error *err);

/* Collective: rank 0 gets what `size` bytes every rank has at `own`: *(void **)all, one after the
 * other, to be freed with ssne_free; nothing to read elsewhere. */
ssne_code job_collect(const job *j, const void *own, int64_t size, void *all, ssne_error *err);

/* Collective: prints the table of stages, with `seconds` as the whole, and what ranks sent each
 * other, and records both, where each rank ran and the most memory that it held. */
ssne_code job_account(job *j, double seconds, ssne_error *err);

/* Not collective: a line of the record for the digest of `what`. */
void job_record_digest(const job *j, const char *what, const char *digest);

/* Reads attribute `name` and says whether it is "yes". Not collective. */
ssne_code job_is_complete(ssne_store *store, const char *name, bool *complete, ssne_error *err);

#endif
