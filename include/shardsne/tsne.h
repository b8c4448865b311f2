/* Distributed t-SNE (van der Maaten & Hinton 2008) over neighbours: affinities, start, descent.
 *
 * Rows are partitioned in blocks of SSNE_ROWS_BLOCK (rows.h); every rank holds the affinities of
 * its own rows and, during the descent, the two coordinates of all rows. Every sum over rows is
 * exact (exact_sum.h) and every row is computed by one thread in one order, so the embedding has
 * the same bits on any number of ranks and threads. */
#ifndef SHARDSNE_TSNE_H
#define SHARDSNE_TSNE_H

#include "shardsne/log.h"
#include "shardsne/rows.h"
#include "shardsne/stages.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdint.h>

/* --- affinities -------------------------------------------------------------------------- */

/* P, symmetric, the rows of this rank, compressed. */
typedef struct ssne_affinities {
  ssne_partition partition;
  int64_t *start;   /* [own_rows + 1] into the arrays below */
  uint32_t *column; /* [start[own_rows]] global row numbers, ascending within a row */
  float *value;     /* [start[own_rows]] p_ij; all ranks' values sum to 1 but for rounding */
  double entropy;   /* sum over all ranks of p_ij log p_ij, the constant part of KL */
  double sum;       /* of all p_ij of all ranks: 1 but for rounding */
} ssne_affinities;

/* The conditional probabilities of one row: p[n] = exp(-beta d[n]^2) / sum, beta >= 0 such that
 * their entropy is log(perplexity) (van der Maaten & Hinton 2008, eq. 1); uniform over the nearest
 * where so many distances are equal that no beta does it. `distance` and `p` [k], distances
 * ascending. */
void ssne_perplexity_calibrate(const float *distance, int64_t k, double perplexity, float *p);

/* Collective. p_ij = (p_j|i + p_i|j) / (2 rows) from the k neighbours of each own row, `index` and
 * `distance` [own_rows, k] as ssne_neighbours_exact gives them. Free with ssne_affinities_free. */
ssne_code ssne_affinities_build(const uint32_t *index, const float *distance,
                                const ssne_partition *partition, int64_t k, double perplexity,
                                int threads, MPI_Comm comm, ssne_affinities *out, ssne_error *err);

void ssne_affinities_free(ssne_affinities *affinities);

/* --- start ------------------------------------------------------------------------------- */

/* The standard deviation of a start's first coordinate (Kobak & Berens 2019). */
#define SSNE_START_DEVIATION 1e-4

/* Collective. The first two principal components of the rows, each with its largest-magnitude
 * loading positive, scaled so that the first has standard deviation SSNE_START_DEVIATION, plus a
 * hundredth of that of noise from `seed`, which sets identical rows apart. `xy` [own_rows, 2].
 * Subspace iteration with 16 directions until the two leading ones stand still. */
ssne_code ssne_start_pca(const ssne_rows *rows, uint64_t seed, int threads, MPI_Comm comm,
                         float *xy, ssne_error *err);

/* Normal with standard deviation SSNE_START_DEVIATION. Not collective. */
void ssne_start_random(const ssne_partition *partition, uint64_t seed, float *xy);

/* Collective. The leading principal directions of the rows: `directions`
 * [stride, SSNE_LANES] becomes them, a column each, of which the first two are converged. Exposed
 * for tests. */
ssne_code ssne_principal_directions(const ssne_rows *rows, int threads, MPI_Comm comm,
                                    double *directions, ssne_error *err);

/* --- descent ----------------------------------------------------------------------------- */

typedef struct ssne_tsne_options {
  int64_t early_iterations; /* with `exaggeration` */
  int64_t iterations;       /* after those, with `late_exaggeration` */
  double exaggeration, late_exaggeration;
  double learning_rate; /* of a step of sum_j (e p_ij - q_ij) K_ij (y_i - y_j), a quarter of the
                           gradient, as in openTSNE and FIt-SNE; NAN: rows / exaggeration */
  double momentum;
  double step_limit; /* greatest length of a point's step */
  int threads;
} ssne_tsne_options;

/* One entry of the run's history. */
typedef struct ssne_tsne_record {
  int64_t iteration;    /* steps taken, over both phases */
  double kl;            /* KL(P || Q) of the coordinates after them, P not exaggerated */
  double gradient_norm; /* of KL's gradient with P exaggerated, 2-norm over all rows */
  double exaggeration;
  double seconds; /* since the start of the descent */
} ssne_tsne_record;

/* The history is kept of the start, every so many iterations, and the last of each phase. */
#define SSNE_HISTORY_EVERY 50

/* Entries the history of these options has at most. */
int64_t ssne_tsne_history_length(const ssne_tsne_options *options);

/* Collective. Moves `xy` [own_rows, 2] from the start to the embedding by gradient descent with
 * momentum and per-coordinate gains (+0.2, x0.8, floor 0.01; Jacobs 1988), exact all-pairs
 * repulsion. `history` has room for ssne_tsne_history_length entries, the same on every rank;
 * *history_count becomes how many were written. Adds its stages to `stages`. Fails where
 * coordinates stop being finite. */
ssne_code ssne_tsne_descend(const ssne_affinities *affinities, const ssne_tsne_options *options,
                            MPI_Comm comm, ssne_log *log, ssne_stages *stages, float *xy,
                            ssne_tsne_record *history, int64_t *history_count, ssne_error *err);

/* Collective. KL(P || Q) and, unless NULL, its gradient [own_rows, 2] at `xy`, P exaggerated by
 * `exaggeration` in the gradient alone. Exposed for tests and for other optimisers. */
ssne_code ssne_tsne_gradient(const ssne_affinities *affinities, const float *xy,
                             double exaggeration, int threads, MPI_Comm comm, double *kl,
                             float *gradient, ssne_error *err);

#endif
