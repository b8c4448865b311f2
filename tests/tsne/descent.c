/* A whole descent: three clusters come apart, KL falls, and the result has the same bits whatever
 * the number of threads (whatever the number of ranks: tests/job/one_result.py). */
#include "check.h"

#include "shardsne/digest.h"
#include "shardsne/memory.h"
#include "shardsne/neighbours.h"
#include "shardsne/random.h"
#include "shardsne/tsne.h"

#include <math.h>
#include <string.h>

#define ROWS 450
#define COLUMNS 5
#define NEIGHBOURS 30

static ssne_affinities build(const ssne_partition *p, float *xy) {
  static float x[ROWS * COLUMNS], distance[ROWS * NEIGHBOURS];
  static uint32_t index[ROWS * NEIGHBOURS];
  ssne_rows rows;
  ssne_affinities affinities;
  ssne_error err;
  for (int64_t i = 0; i < p->own_rows * COLUMNS; i++) {
    const int64_t row = p->first_row + i / COLUMNS, column = i % COLUMNS;
    x[i] = (float)(ssne_random_normal(6, SSNE_RANDOM_INIT, (uint64_t)(row * COLUMNS + column)) +
                   (row % 3 == column ? 12 : 0));
  }
  CHECK_OK(ssne_rows_prepare(x, COLUMNS, p, MPI_COMM_WORLD, &rows, &err), &err);
  CHECK_OK(ssne_neighbours_exact(&rows, NEIGHBOURS, 1, MPI_COMM_WORLD, NULL, index, distance, &err),
           &err);
  CHECK_OK(ssne_affinities_build(index, distance, p, NEIGHBOURS, 10, 1, MPI_COMM_WORLD, &affinities,
                                 &err),
           &err);
  CHECK_OK(ssne_start_pca(&rows, 0, 1, MPI_COMM_WORLD, xy, &err), &err);
  ssne_rows_free(&rows);
  return affinities;
}

/* Share of rows whose nearest row in the map is of the same cluster. */
static double purity(const float *all) {
  int right = 0;
  for (int i = 0; i < ROWS; i++) {
    int nearest = -1;
    double least = INFINITY;
    for (int j = 0; j < ROWS; j++) {
      const double dx = (double)(all[2 * i] - all[2 * j]);
      const double dy = (double)(all[2 * i + 1] - all[2 * j + 1]);
      if (j == i || dx * dx + dy * dy >= least) continue;
      least = dx * dx + dy * dy;
      nearest = j;
    }
    right += nearest % 3 == i % 3;
  }
  return (double)right / ROWS;
}

int main(int argc, char **argv) {
  static float start[2 * ROWS], xy[2 * ROWS], all[2 * ROWS];
  static ssne_tsne_record history[64];
  int rank = 0, ranks = 1;
  ssne_error err;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const ssne_partition p = ssne_partition_make(ROWS, SSNE_ROWS_BLOCK, ranks, rank);
  ssne_affinities a = build(&p, start);
  ssne_tsne_options o = {.early_iterations = 120,
                         .iterations = 230,
                         .exaggeration = 12,
                         .late_exaggeration = 1,
                         .learning_rate = NAN,
                         .momentum = 0.8,
                         .step_limit = 5};
  uint64_t digest[3] = {0};
  double last_kl = 0;
  for (int threads = 1; threads <= 3; threads++) {
    ssne_stages stages = {0};
    int64_t count = 0;
    o.threads = threads;
    memcpy(xy, start, sizeof xy);
    CHECK_OK(ssne_tsne_descend(&a, &o, MPI_COMM_WORLD, NULL, &stages, xy, history, &count, &err),
             &err);
    digest[threads - 1] = ssne_digest64(xy, (size_t)p.own_rows * 2 * sizeof *xy);
    CHECK(count > 0 && count <= ssne_tsne_history_length(&o));
    CHECK(history[0].iteration == 0 && history[count - 1].iteration == 350);
    last_kl = history[count - 1].kl;
    CHECK(last_kl < 0.5 * history[0].kl);
    CHECK(history[count - 1].kl > 0 && stages.count > 0);
  }
  CHECK(digest[0] == digest[1] && digest[0] == digest[2]);
  memset(all, 0, sizeof all);
  memcpy(all + 2 * p.first_row, xy, (size_t)p.own_rows * 2 * sizeof *xy);
  MPI_Allreduce(MPI_IN_PLACE, all, 2 * ROWS, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  CHECK(purity(all) > 0.99);
  double kl = 0;
  CHECK_OK(ssne_tsne_gradient(&a, xy, 1, 1, MPI_COMM_WORLD, &kl, NULL, &err), &err);
  CHECK_NEAR(kl, last_kl, 1e-6); /* the last record is of the result */
  ssne_affinities_free(&a);
  MPI_Finalize();
  return check_result();
}
