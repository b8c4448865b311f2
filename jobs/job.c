#include "job.h"

#include "model.h"
#include "version.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/petsc.h"
#include "shardsne/traffic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

ssne_code job_require(const char *value, const char *what, ssne_error *err) {
  if (value) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE, "%s is missing; --help tells more", what);
}

ssne_code job_share_text(const job *j, const char *text, char **out, ssne_error *err) {
  int64_t size = j->rank == 0 ? (int64_t)strlen(text) + 1 : 0;
  *out = NULL;
  SSNE_TRY(ssne_broadcast(&size, sizeof size, 0, j->comm, err));
  SSNE_TRY_ALL(j->comm, ssne_alloc(out, size, 1, "characters", err), err);
  if (j->rank == 0) memcpy(*out, text, (size_t)size);
  const ssne_code code = ssne_broadcast(*out, size, 0, j->comm, err);
  if (code != SSNE_OK) ssne_free(out);
  return code;
}

/* Collective: replaces *path by rank 0's `absolute` path, which is freed; NULL: there is none. */
static ssne_code replace_path(job *j, char *absolute, char **path, ssne_error *err) {
  ssne_code code = SSNE_OK;
  if (j->rank == 0 && !absolute)
    code = ssne_fail(err, SSNE_USAGE, "%s: cannot be opened: %s", *path, strerror(errno));
  code = ssne_agree(j->comm, code, err);
  if (code == SSNE_OK) {
    ssne_free(path);
    code = job_share_text(j, absolute, path, err);
  }
  free(absolute);
  return code;
}

ssne_code job_resolve(job *j, char **path, ssne_error *err) {
  return replace_path(j, j->rank == 0 ? realpath(*path, NULL) : NULL, path, err);
}

/* The absolute path with the folder of a pattern, or the file of FILE:/dataset, made so; NULL if
 * neither is there. The caller frees it. */
static char *absolute_images(const char *path) {
  char *absolute = realpath(path, NULL), *front = NULL, *real = NULL;
  const char *rest = strstr(path, ":/");
  if (absolute) return absolute;
  const char *slash = strrchr(path, '/');
  if (!rest) rest = slash ? slash : path;
  front = strndup(path, (size_t)(rest - path));
  if (front) real = realpath(*front ? front : (*path == '/' ? "/" : "."), NULL);
  if (real &&
      asprintf(&absolute, "%s%s%s", real, *rest == '/' || *rest == ':' ? "" : "/", rest) < 0)
    absolute = NULL;
  free(front);
  free(real);
  return absolute;
}

ssne_code job_resolve_images(job *j, char **path, ssne_error *err) {
  return replace_path(j, j->rank == 0 ? absolute_images(*path) : NULL, path, err);
}

job_libraries job_name_libraries(void) {
  job_libraries l = {.torch = ssne_model_library(), .petsc = ssne_petsc_library()};
  int length = 0;
  ssne_store_library(l.hdf5, sizeof l.hdf5);
  MPI_Get_library_version(l.mpi, &length);
  l.mpi[strcspn(l.mpi, ",\n")] = 0; /* the rest tells who built it */
  return l;
}

const char *job_of_slurm(void) {
  const char *number = getenv("SLURM_JOB_ID");
  return number ? number : "";
}

ssne_code job_sign(job *j, ssne_store *store, ssne_error *err) {
  char date[32];
  const job_libraries libraries = job_name_libraries();
  ssne_clock_date(date, sizeof date);
  if (MPI_Bcast(date, sizeof date, MPI_CHAR, 0, j->comm) != MPI_SUCCESS)
    return ssne_fail(err, SSNE_FAILED, "MPI_Bcast failed while the run file was signed");
  const ssne_edit edits[] = {ssne_edit_text("program", "shardsne " SHARDSNE_VERSION),
                             ssne_edit_text("revision", SHARDSNE_REVISION),
                             ssne_edit_text("library_torch", libraries.torch),
                             ssne_edit_text("library_hdf5", libraries.hdf5),
                             ssne_edit_text("library_mpi", libraries.mpi),
                             ssne_edit_text("slurm_job", job_of_slurm()),
                             ssne_edit_text("created", date)};
  return ssne_store_change(store, edits, (int)(sizeof edits / sizeof *edits), err);
}

/* --- the account ------------------------------------------------------------------------- */

/* Where a rank runs, and what it took. */
typedef struct whereabouts {
  char host[MPI_MAX_PROCESSOR_NAME], processor[96];
  int64_t peak_bytes;
} whereabouts;

/* What follows "KEY :" in the first such line of a file of Linux's; else "". */
static void read_line_of(const char *path, const char *key, char *out, size_t room) {
  char line[512];
  FILE *f = fopen(path, "r");
  out[0] = 0;
  while (f && fgets(line, sizeof line, f) && !out[0]) {
    const char *value = strchr(line, ':');
    if (value && strncmp(line, key, strlen(key)) == 0)
      snprintf(out, room, "%s", value + 1 + strspn(value + 1, " \t"));
  }
  if (f) fclose(f);
  out[strcspn(out, "\n")] = 0;
}

static ssne_code look_around(whereabouts *w, ssne_error *err) {
  struct rusage used = {0};
  int length = 0;
  *w = (whereabouts){.host = ""};
  read_line_of("/proc/cpuinfo", "model name", w->processor, sizeof w->processor);
  if (getrusage(RUSAGE_SELF, &used) == 0) w->peak_bytes = (int64_t)used.ru_maxrss * 1024;
  return ssne_mpi_check(MPI_Get_processor_name(w->host, &length), "MPI_Get_processor_name", err);
}

ssne_code job_collect(const job *j, const void *own, int64_t size, void *all, ssne_error *err) {
  const int64_t ranks = j->rank == 0 ? j->ranks : 0;
  int64_t *counts = NULL;
  ssne_code code = ssne_alloc(all, ranks, (size_t)size, "records of ranks", err);
  if (code == SSNE_OK) code = ssne_alloc(&counts, ranks, sizeof *counts, "ranks", err);
  code = ssne_agree(j->comm, code, err);
  for (int64_t r = 0; r < ranks && code == SSNE_OK; r++) counts[r] = 1;
  if (code == SSNE_OK) code = ssne_gather(own, 1, *(void **)all, counts, size, 0, j->comm, err);
  ssne_free(&counts);
  return code;
}

static ssne_code record_ranks(const job *j, ssne_error *err) {
  whereabouts own, *all = NULL;
  SSNE_TRY(look_around(&own, err));
  const ssne_code code = job_collect(j, &own, sizeof own, &all, err);
  for (int r = 0; j->rank == 0 && code == SSNE_OK && r < j->ranks; r++)
    ssne_log_event(j->log, "rank", "{s:i, s:s, s:s, s:I}", "rank", r, "host", all[r].host,
                   "processor", all[r].processor, "peak_bytes", (long long)all[r].peak_bytes);
  ssne_free(&all);
  return code;
}

ssne_code job_account(job *j, double seconds, ssne_error *err) {
  ssne_traffic traffic; /* without that of the account itself */
  ssne_traffic_now(&traffic);
  SSNE_TRY(ssne_stages_report(&j->stages, seconds, j->comm, j->log, err));
  SSNE_TRY(ssne_traffic_tell(&traffic, j->comm, j->log, err));
  SSNE_TRY(ssne_traffic_record(&traffic, "command", j->comm, j->log, err));
  return record_ranks(j, err);
}

void job_record_digest(const job *j, const char *what, const char *digest) {
  ssne_log_event(j->log, "digest", "{s:s, s:s}", "of", what, "digest", digest);
}

ssne_code job_is_complete(ssne_store *store, const char *name, bool *complete, ssne_error *err) {
  char *text = NULL;
  SSNE_TRY(ssne_store_get_text(store, name, &text, err));
  *complete = text && strcmp(text, "yes") == 0;
  ssne_free(&text);
  return SSNE_OK;
}
