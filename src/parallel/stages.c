#include "shardsne/stages.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"

#include <inttypes.h>
#include <string.h>

void ssne_stages_add(ssne_stages *stages, const char *name, int64_t count, double seconds) {
  int i = 0;
  while (i < stages->count && strcmp(stages->stage[i].name, name) != 0) i++;
  if (i == SSNE_STAGES_MAX) return;
  if (i == stages->count) stages->stage[stages->count++] = (ssne_stage){.name = name};
  stages->stage[i].count += count;
  stages->stage[i].seconds += seconds;
}

ssne_code ssne_stage_summarise(const ssne_stage *stage, MPI_Comm comm, ssne_stage_summary *out,
                               ssne_error *err) {
  struct {
    double seconds;
    int rank;
  } mine = {stage->seconds, 0}, worst;
  int ranks = 1;
  double sum = 0;
  MPI_Comm_rank(comm, &mine.rank);
  MPI_Comm_size(comm, &ranks);
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(&mine, &worst, 1, MPI_DOUBLE_INT, MPI_MAXLOC, comm),
                          "MPI_Allreduce", err));
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(&stage->seconds, &out->min, 1, MPI_DOUBLE, MPI_MIN, comm),
                          "MPI_Allreduce", err));
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(&stage->seconds, &sum, 1, MPI_DOUBLE, MPI_SUM, comm),
                          "MPI_Allreduce", err));
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(&stage->count, &out->count, 1, MPI_INT64_T, MPI_SUM, comm),
                          "MPI_Allreduce", err));
  out->mean = sum / ranks;
  out->max = worst.seconds;
  out->slowest = worst.rank;
  return SSNE_OK;
}

ssne_code ssne_stages_report(const ssne_stages *stages, double total, MPI_Comm comm, ssne_log *log,
                             ssne_error *err) {
  ssne_log_info(log, "%-26s %12s %10s %10s %10s  %7s %6s", "stage (seconds per rank)", "count",
                "min", "mean", "max", "slowest", "share");
  for (int i = 0; i < stages->count; i++) {
    const ssne_stage *stage = &stages->stage[i];
    ssne_stage_summary s;
    SSNE_TRY(ssne_stage_summarise(stage, comm, &s, err));
    const double share = total > 0 ? s.mean / total : 0;
    ssne_log_info(log, "%-26s %12" PRId64 " %10.3f %10.3f %10.3f  %7d %5.1f%%", stage->name,
                  s.count, s.min, s.mean, s.max, s.slowest, 100 * share);
    ssne_log_event(log, "stage", "{s:s, s:I, s:f, s:f, s:f, s:i, s:f}", "stage", stage->name,
                   "count", (long long)s.count, "min", s.min, "mean", s.mean, "max", s.max,
                   "slowest_rank", s.slowest, "share", share);
  }
  return SSNE_OK;
}
