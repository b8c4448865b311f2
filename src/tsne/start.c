#include "start.h"

#include "shardsne/agree.h"
#include "shardsne/exact_sum.h"
#include "shardsne/memory.h"
#include "shardsne/random.h"

#include <math.h>

/* Noise of a start, as a share of its deviation: enough to part identical rows, too little to
 * show. */
#define JITTER 0.01

static void score_rows(const ssne_rows *rows, const double *directions, int threads,
                       double *score) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t r = 0; r < rows->partition.own_rows; r++) {
    double x = 0, y = 0;
    for (int64_t c = 0; c < rows->columns; c++) {
      const double value = (double)rows->data[r * rows->stride + c];
      x += value * directions[c * SSNE_DIRECTIONS];
      y += value * directions[c * SSNE_DIRECTIONS + 1];
    }
    score[2 * r] = x;
    score[2 * r + 1] = y;
  }
}

/* Standard deviation of the first score over all rows, whose mean is zero but for rounding. */
static ssne_code deviation_of(const double *score, const ssne_partition *p, MPI_Comm comm,
                              double *deviation, ssne_error *err) {
  ssne_exact sum = {{0}, 0};
  for (int64_t r = 0; r < p->own_rows; r++) ssne_exact_add(&sum, score[2 * r] * score[2 * r]);
  SSNE_TRY(ssne_exact_reduce(&sum, 1, comm, err));
  *deviation = sqrt(ssne_exact_value(&sum) / (double)p->rows);
  return SSNE_OK;
}

void ssne_start_place(const ssne_partition *p, const double *placed, double scale, uint64_t seed,
                      float *xy) {
  for (int64_t i = 0; i < 2 * p->own_rows; i++) {
    const uint64_t key = (uint64_t)(2 * p->first_row + i);
    const double noise = ssne_random_normal(seed, SSNE_RANDOM_JITTER, key);
    xy[i] = (float)(placed[i] * scale + JITTER * SSNE_START_DEVIATION * noise);
  }
}

static ssne_code start_from(const ssne_rows *rows, uint64_t seed, int threads, MPI_Comm comm,
                            double *directions, double *score, float *xy, ssne_error *err) {
  const ssne_partition *p = &rows->partition;
  SSNE_TRY(ssne_principal_directions(rows, threads, comm, directions, err));
  score_rows(rows, directions, threads, score);
  double deviation = 0;
  SSNE_TRY(deviation_of(score, p, comm, &deviation, err));
  const double scale = deviation > 0 ? SSNE_START_DEVIATION / deviation : 0;
  ssne_start_place(p, score, scale, seed, xy);
  return SSNE_OK;
}

ssne_code ssne_start_pca(const ssne_rows *rows, uint64_t seed, int threads, MPI_Comm comm,
                         float *xy, ssne_error *err) {
  double *directions = NULL, *score = NULL;
  ssne_code code = ssne_alloc(&directions, rows->stride * SSNE_DIRECTIONS, sizeof(double),
                              "principal directions", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&score, 2 * rows->partition.own_rows, sizeof(double), "scores", err);
  code = ssne_agree(comm, code, err);
  if (code == SSNE_OK) code = start_from(rows, seed, threads, comm, directions, score, xy, err);
  ssne_free(&directions);
  ssne_free(&score);
  return code;
}

void ssne_start_random(const ssne_partition *partition, uint64_t seed, float *xy) {
  for (int64_t i = 0; i < 2 * partition->own_rows; i++) {
    const uint64_t key = (uint64_t)(2 * partition->first_row + i);
    xy[i] = (float)(SSNE_START_DEVIATION * ssne_random_normal(seed, SSNE_RANDOM_INIT, key));
  }
}
