#include "shardsne/stages.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/traffic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIB 1048576.0

void ssne_stages_merge(ssne_stages *stages, const ssne_stage *stage) {
  int i = 0;
  while (i < stages->count && strcmp(stages->stage[i].name, stage->name) != 0) i++;
  if (i == SSNE_STAGES_MAX) return;
  if (i == stages->count) stages->stage[stages->count++] = (ssne_stage){.name = stage->name};
  ssne_stage *to = &stages->stage[i];
  to->count += stage->count;
  to->seconds += stage->seconds;
  to->bytes_sent += stage->bytes_sent;
  to->flops += stage->flops;
  to->bytes_moved += stage->bytes_moved;
}

void ssne_stages_add(ssne_stages *stages, const char *name, int64_t count, double seconds) {
  ssne_stages_merge(stages, &(ssne_stage){.name = name, .count = count, .seconds = seconds});
}

void ssne_stages_work(ssne_stages *stages, const char *name, double flops, double bytes_moved) {
  for (int i = 0; i < stages->count; i++) {
    if (strcmp(stages->stage[i].name, name) != 0) continue;
    stages->stage[i].flops += flops;
    stages->stage[i].bytes_moved += bytes_moved;
  }
}

ssne_moment ssne_moment_now(void) {
  return (ssne_moment){ssne_clock(), ssne_traffic_sent()};
}

void ssne_stage_lap(ssne_stage *stage, ssne_moment *since) {
  const ssne_moment now = ssne_moment_now();
  stage->seconds += now.clock - since->clock;
  stage->bytes_sent += now.sent - since->sent;
  *since = now;
}

void ssne_stages_lap(ssne_stages *stages, const char *name, int64_t count, ssne_moment *since) {
  ssne_stage stage = {.name = name, .count = count};
  ssne_stage_lap(&stage, since);
  ssne_stages_merge(stages, &stage);
}

ssne_code ssne_stage_summarise(const ssne_stage *stage, MPI_Comm comm, ssne_stage_summary *out,
                               ssne_error *err) {
  struct {
    double seconds;
    int rank;
  } mine = {stage->seconds, 0}, worst;
  int ranks = 1;
  double sums[] = {stage->seconds, stage->flops, stage->bytes_moved};
  int64_t counts[] = {stage->count, stage->bytes_sent};
  MPI_Comm_rank(comm, &mine.rank);
  MPI_Comm_size(comm, &ranks);
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(&mine, &worst, 1, MPI_DOUBLE_INT, MPI_MAXLOC, comm),
                          "MPI_Allreduce", err));
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(&stage->seconds, &out->min, 1, MPI_DOUBLE, MPI_MIN, comm),
                          "MPI_Allreduce", err));
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, sums, 3, MPI_DOUBLE, MPI_SUM, comm),
                          "MPI_Allreduce", err));
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, counts, 2, MPI_INT64_T, MPI_SUM, comm),
                          "MPI_Allreduce", err));
  out->count = counts[0];
  out->bytes_sent = counts[1];
  out->mean = sums[0] / ranks;
  out->flops = sums[1];
  out->bytes_moved = sums[2];
  out->max = worst.seconds;
  out->slowest = worst.rank;
  return SSNE_OK;
}

ssne_code ssne_stages_report(const ssne_stages *stages, double total, MPI_Comm comm, ssne_log *log,
                             ssne_error *err) {
  int ranks = 1;
  MPI_Comm_size(comm, &ranks);
  ssne_log_info(log, "%-26s %12s %10s %10s %10s  %7s %6s%s", "stage (seconds per rank)", "count",
                "min", "mean", "max", "slowest", "share", ranks > 1 ? "   MiB sent" : "");
  for (int i = 0; i < stages->count; i++) {
    const ssne_stage *stage = &stages->stage[i];
    ssne_stage_summary s;
    char sent[32] = "";
    SSNE_TRY(ssne_stage_summarise(stage, comm, &s, err));
    const double share = total > 0 ? s.mean / total : 0;
    if (ranks > 1) snprintf(sent, sizeof sent, " %10.1f", (double)s.bytes_sent / ranks / MIB);
    ssne_log_info(log, "%-26s %12" PRId64 " %10.3f %10.3f %10.3f  %7d %5.1f%%%s", stage->name,
                  s.count, s.min, s.mean, s.max, s.slowest, 100 * share, sent);
    ssne_log_event(log, "stage", "{s:s, s:I, s:f, s:f, s:f, s:i, s:f, s:I, s:f, s:f}", "stage",
                   stage->name, "count", (long long)s.count, "min", s.min, "mean", s.mean, "max",
                   s.max, "slowest_rank", s.slowest, "share", share, "bytes_sent",
                   (long long)s.bytes_sent, "flops", s.flops, "bytes_moved", s.bytes_moved);
  }
  return SSNE_OK;
}
