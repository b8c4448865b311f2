#include "forecast.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/cost.h"
#include "shardsne/exchange.h"

#include <inttypes.h>
#include <stdio.h>

#define GIB 1073741824.0

#define PROGRAM_BYTES (INT64_C(40) << 20) /* libraries and MPI's buffers */
#define TORCH_BYTES (INT64_C(150) << 20)  /* libtorch, where images have just been through it */

static int64_t most(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* The stages follow each other; the largest counts. */
static int64_t peak_bytes(const embedding *e) {
  const ssne_partition *p = &e->partition;
  const ssne_search_options search = embedding_search_options(e);
  const ssne_force_options forces = embedding_force_options(e);
  const int64_t order = p->rows * (int64_t)sizeof(uint32_t);
  const ssne_rows_options rows = embedding_rows_options(e);
  int64_t affinities_peak = 0, affinities = 0;
  ssne_affinities_bytes(p, e->k, &affinities_peak, &affinities);
  const int64_t reading = ssne_rows_bytes(p, e->from.columns, &rows);
  const int64_t searching = ssne_search_bytes(p, embedding_columns(e), &search);
  const int64_t start = embedding_starts_spectral(e, NULL) ? ssne_start_spectral_bytes(p) : 0;
  const int64_t tao = embedding_uses_tao(e) ? ssne_tsne_tao_bytes(p) : 0;
  const int64_t descending = affinities + most(ssne_tsne_bytes(p, e->k, &forces) + tao, start);
  return PROGRAM_BYTES + (e->j->options.extract.model ? TORCH_BYTES : 0) + order +
         most(most(reading, searching), most(affinities_peak, descending));
}

/* By the cost model (cost.h), on a machine and a network like those it was measured on. */
static double predict_seconds(const embedding *e) {
  const embed_options *o = &e->j->options.embed;
  const ssne_force_options forces = embedding_force_options(e);
  const int64_t rows = e->chosen.rows;
  const int64_t nodes =
      ssne_force_uses_mesh(&forces, rows) ? ssne_force_mesh_nodes(&forces, rows) : 0;
  const double pairs = ssne_search_cost(embedding_search_options(e).search, rows);
  const ssne_cost_problem problem = {.rows = rows,
                                     .columns = embedding_columns(e),
                                     .neighbours = e->k,
                                     .pairs = pairs,
                                     .entries = ssne_cost_entries(rows, e->k),
                                     .nodes = ssne_cost_mean_nodes(nodes),
                                     .iterations = o->early_iterations + o->iterations,
                                     .ranks = e->j->ranks,
                                     .threads = e->j->threads,
                                     .how = SSNE_COST_NEAR,
                                     .ghosts = -1};
  const ssne_cost_machine machine = ssne_cost_reference();
  const ssne_cost_network network = ssne_cost_fast_network();
  const ssne_cost_run run = ssne_cost_run_seconds(&problem, &machine, &network);
  return run.neighbours + run.affinities + run.descent;
}

/* Collective: warns where a node has less memory left than its ranks will take. */
static ssne_code check_nodes(const embedding *e, int64_t bytes, ssne_error *err) {
  MPI_Comm node;
  int64_t wanted = bytes, available = INT64_MAX;
  char line[128];
  FILE *file = fopen("/proc/meminfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    int64_t kibibytes = 0;
    if (sscanf(line, "MemAvailable: %" SCNd64, &kibibytes) == 1) available = kibibytes * 1024;
  }
  if (file) fclose(file);
  SSNE_TRY(
      ssne_mpi_check(MPI_Comm_split_type(e->j->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node),
                     "MPI_Comm_split_type", err));
  MPI_Allreduce(MPI_IN_PLACE, &wanted, 1, MPI_INT64_T, MPI_SUM, node);
  MPI_Comm_free(&node);
  double worst = (double)wanted / (double)available;
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_DOUBLE, MPI_MAX, e->j->comm),
                          "MPI_Allreduce", err));
  if (worst > 1)
    ssne_log_warn(e->j->log,
                  "a node has %.0f%% less memory free than its ranks will take: use more nodes, or "
                  "fewer ranks on each",
                  100 * (1 - 1 / worst));
  return SSNE_OK;
}

ssne_code forecast_embedding(embedding *e, ssne_error *err) {
  const int64_t own = peak_bytes(e);
  int64_t all = own, largest = own;
  char took[32];
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT64_T, MPI_SUM, e->j->comm),
                          "MPI_Allreduce", err));
  SSNE_TRY(
      ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_INT64_T, MPI_MAX, e->j->comm),
                     "MPI_Allreduce", err));
  const double seconds = predict_seconds(e);
  ssne_clock_text(seconds, took, sizeof took);
  ssne_log_info(e->j->log,
                "forecast: memory %.2f GiB a rank, %.2f GiB in all; time about %s on %d cores of "
                "a machine like the one this was measured on",
                (double)largest / GIB, (double)all / GIB, took, e->j->ranks * e->j->threads);
  ssne_log_event(e->j->log, "forecast", "{s:I, s:I, s:f}", "bytes_a_rank", (long long)largest,
                 "bytes", (long long)all, "seconds", seconds);
  return check_nodes(e, own, err);
}
