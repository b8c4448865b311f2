/* Distributed t-SNE (van der Maaten & Hinton 2008) over neighbours: affinities, start, descent.
 *
 * Rows are partitioned in blocks of SSNE_ROWS_BLOCK (rows.h), in the places an order gives them
 * (order.h); every rank holds the affinities of its own places and, during the descent, the two
 * coordinates of those and of the places that they have affinities with. Every sum over rows is
 * exact (exact_sum.h) and every row is computed by one thread in one order, so the embedding has
 * the same bits on any number of ranks and threads. */
#ifndef SHARDSNE_TSNE_H
#define SHARDSNE_TSNE_H

#include "shardsne/log.h"
#include "shardsne/neighbour_list.h"
#include "shardsne/order.h"
#include "shardsne/petsc.h"
#include "shardsne/rows.h"
#include "shardsne/stages.h"
#include "shardsne/status.h"
#include "shardsne/stop.h"
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* --- affinities -------------------------------------------------------------------------- */

/* Entries of a row of P are padded to a multiple of this with p = 0 at the row's own place. */
#define SSNE_AFFINITY_PAD 8

/* P, symmetric, the places of this rank, compressed. */
typedef struct ssne_affinities {
  ssne_partition partition;
  int64_t *start;   /* [own_rows + 1] into the arrays below, multiples of SSNE_AFFINITY_PAD */
  uint32_t *column; /* [start[own_rows]] places, ascending within a row, then the padding */
  float *value;     /* [start[own_rows]] p_ij; all ranks' values sum to 1 but for rounding */
  double entropy;   /* sum over all ranks of p_ij log p_ij, the constant part of KL */
  double sum;       /* of all p_ij of all ranks: 1 but for rounding */
} ssne_affinities;

/* The conditional probabilities of one row: p[n] = exp(-beta d[n]^2) / sum, beta >= 0 such that
 * their entropy is log(perplexity) (van der Maaten & Hinton 2008, eq. 1); uniform over the nearest
 * where so many distances are equal that no beta does it. `distance` and `p` [k], distances
 * ascending. */
void ssne_perplexity_calibrate(const float *distance, int64_t k, double perplexity, float *p);

/* Collective. p_ij = (p_j|i + p_i|j) / (2 rows), in the places of `order`; p_j|i is the mean over
 * the `count` >= 1 perplexities of the conditional probabilities of each (as in openTSNE's
 * Multiscale; Lee et al. 2015), over the k neighbours that there are. `neighbours` is used up and
 * freed on the way, so that not much more than the larger of it and P is in memory at once. Free
 * with ssne_affinities_free. */
ssne_code ssne_affinities_build(ssne_neighbours *neighbours, const ssne_order *order,
                                const double *perplexities, int64_t count, int threads,
                                MPI_Comm comm, ssne_affinities *out, ssne_error *err);

void ssne_affinities_free(ssne_affinities *affinities);

/* Not collective. Bytes that building P takes on a rank at its peak, the neighbours included, and
 * that P takes afterwards; an estimate, since nobody knows how many neighbours are mutual. */
void ssne_affinities_bytes(const ssne_partition *partition, int64_t k, int64_t *peak,
                           int64_t *after);

/* --- start ------------------------------------------------------------------------------- */

/* The standard deviation of a start's first coordinate (Kobak & Berens 2019). */
#define SSNE_START_DEVIATION 1e-4

/* Collective. The first two principal components of the rows, each with its largest-magnitude
 * loading positive, scaled so that the first has standard deviation SSNE_START_DEVIATION, plus a
 * hundredth of that of noise from `seed`, which sets identical rows apart. `xy` [own_rows, 2].
 * See ssne_principal_directions. */
ssne_code ssne_start_pca(const ssne_rows *rows, uint64_t seed, int threads, MPI_Comm comm,
                         float *xy, ssne_error *err);

/* Normal with standard deviation SSNE_START_DEVIATION. Not collective. */
void ssne_start_random(const ssne_partition *partition, uint64_t seed, float *xy);

/* Collective. The two leading non-trivial eigenvectors of the normalised graph Laplacian of P, each
 * divided by the roots of the degrees (Belkin & Niyogi 2003): of D^-1 P, D = diag(sum_j p_ij),
 * scaled by one factor and with noise as in the PCA start; in places, unlike that. `xy`
 * [own_rows, 2]; `options` are read on rank 0.
 *
 * Signs and the basis of an eigenspace are settled by two random vectors r_0, r_1: column q is the
 * projection of r_q on the eigenspace, made orthogonal to column 0 where that is of the same one.
 * Eigenvalues closer than 1e-6 count as equal, up to 15 to the second.
 *
 * SSNE_FAILED, and `xy` as it was, where there is no PETSc, a solve does not converge, too many
 * eigenvalues are equal, or the graph is in pieces: its second eigenvalue within 1e-7 of 1;
 * SSNE_STOPPED once any rank's `stop`, which may be NULL, is wanted. */
ssne_code ssne_start_spectral(const ssne_affinities *affinities, uint64_t seed,
                              const ssne_petsc_options *options, int threads, const ssne_stop *stop,
                              MPI_Comm comm, float *xy, ssne_error *err);

/* Not collective. Bytes that it takes on a rank beside P: most on rank 0, where the solver is. */
int64_t ssne_start_spectral_bytes(const ssne_partition *partition);

/* --- objective --------------------------------------------------------------------------- */

typedef enum ssne_repulsion {
  SSNE_REPULSION_AUTO, /* mesh where there are enough rows for it to be quicker */
  SSNE_REPULSION_EXACT,
  SSNE_REPULSION_MESH
} ssne_repulsion;

/* How forces are computed. */
typedef struct ssne_force_options {
  ssne_repulsion repulsion;
  double tail_df;   /* a > 0: K = (1 + r^2 / a)^-a; 1: t-SNE, less: heavier tails, finer clusters
                       (Kobak et al. 2019) */
  int mesh_order;   /* of the B-splines: 4 or 6 */
  double mesh_step; /* of the mesh, in the map's units: K = 1 - r^2 + ... is as wide for any a */
  int threads;
} ssne_force_options;

/* tail_df 1, order 4, the default step, 1 thread. */
ssne_force_options ssne_force_defaults(void);

/* Whether the repulsion of so many rows is computed on a mesh, and how many nodes that has where
 * the map is as wide as one of so many rows usually becomes. */
bool ssne_force_uses_mesh(const ssne_force_options *options, int64_t rows);
int64_t ssne_force_mesh_nodes(const ssne_force_options *options, int64_t rows);

/* KL(P || Q) as a function of the coordinates, with its gradient. */
typedef struct ssne_objective ssne_objective;

/* Collective. `affinities` must outlive the objective. Free with ssne_objective_destroy. */
ssne_code ssne_objective_create(const ssne_affinities *affinities,
                                const ssne_force_options *options, MPI_Comm comm,
                                ssne_objective **out, ssne_error *err);

/* Collective. At `xy` [own_rows, 2]: force [own_rows, 2] becomes sum_j (exaggeration p_ij - q_ij)
 * w_ij (y_i - y_j), w = 1 / (1 + r^2 / tail_df): a quarter of the gradient of KL with P
 * exaggerated; and *kl, unless NULL, KL(P || Q), P not exaggerated. */
ssne_code ssne_objective_evaluate(ssne_objective *objective, const float *xy, double exaggeration,
                                  float *force, double *kl, ssne_error *err);

/* Collective, after an evaluation. Coordinates are kept from now on in an order in which those of
 * points that are near each other now are together, which makes evaluations quicker where the map
 * is alike, and changes no bit. */
ssne_code ssne_objective_lay_out(ssne_objective *objective, ssne_error *err);

/* Not collective, the same on every rank. The function whose gradient is four times the force, of
 * the latest evaluation, which must have asked for KL: KL with p_ij times `exaggeration` in the
 * attraction alone, sum p_ij log p_ij - exaggeration sum p_ij log K_ij + log Z. 1: KL itself. */
double ssne_objective_value(const ssne_objective *objective, double exaggeration);

/* Collective. What each own row has to do with KL(P || Q) at `xy` [own_rows, 2]: part [own_rows]
 * becomes sum_j p_ij log(p_ij / q_ij) of its row of P. The parts of all rows add up to KL; one may
 * be negative. */
ssne_code ssne_objective_parts(ssne_objective *objective, const float *xy, double *part,
                               ssne_error *err);

/* Not collective. The mesh of the latest evaluation, columns and rows of nodes; zeros without one.
 */
void ssne_objective_mesh(const ssne_objective *objective, int64_t nodes[2]);

/* Not collective. Adds what was spent and sent since the objective was made to `stages`; to be
 * called once. */
void ssne_objective_account(const ssne_objective *objective, ssne_stages *stages);

void ssne_objective_destroy(ssne_objective **objective);

/* --- descent ----------------------------------------------------------------------------- */

typedef enum ssne_optimiser {
  SSNE_OPTIMISER_DESCENT, /* gradient descent with momentum and gains */
  SSNE_OPTIMISER_TAO      /* that in the early phase; PETSc's TAO in the later one */
} ssne_optimiser;

typedef struct ssne_tsne_options {
  ssne_optimiser optimiser;
  ssne_petsc_options petsc; /* for TAO */
  int64_t early_iterations; /* with `exaggeration` */
  int64_t iterations;       /* after those, with `late_exaggeration` */
  double exaggeration, late_exaggeration;
  double learning_rate; /* of a step along the force, a quarter of the gradient, as in openTSNE and
                           FIt-SNE; NAN: rows / exaggeration of the phase */
  double momentum;
  double step_limit; /* greatest length of a point's step */
  double flat;       /* stop once KL has fallen by less than this share of itself over the last
                        SSNE_HISTORY_EVERY iterations of the later phase; 0: never */
  ssne_force_options forces;
} ssne_tsne_options;

/* One entry of the run's history. */
typedef struct ssne_tsne_record {
  int64_t iteration;    /* steps taken, over both phases */
  double kl;            /* KL(P || Q) of the coordinates after them, P not exaggerated */
  double gradient_norm; /* of KL's gradient with P exaggerated, 2-norm over all rows */
  double exaggeration;
  double seconds; /* of the descent, those of runs that were stopped included */
  double span;    /* the larger of the map's two extents; NAN where an old file does not say */
} ssne_tsne_record;

/* The history is kept of the start, every so many iterations, and the last of each phase. */
#define SSNE_HISTORY_EVERY 50

/* Entries the history of these options has at most. */
int64_t ssne_tsne_history_length(const ssne_tsne_options *options);

/* A state of the descent: all that its next steps depend on, and what it has to tell. */
typedef struct ssne_tsne_state {
  int64_t steps;             /* taken */
  float *xy;                 /* [own_rows, 2] the coordinates after them */
  float *velocity;           /* [own_rows, 2] the last step */
  float *gain;               /* [own_rows, 2] */
  ssne_tsne_record *history; /* [ssne_tsne_history_length], the same on every rank */
  int64_t history_count;     /* entries that have been written */
  double seconds;            /* of work that led here */
  int64_t mesh[2];           /* that of the latest evaluation: ssne_objective_mesh */
  /* of this process: evaluations of the forces, those of KL among them, and nodes of all meshes */
  int64_t evaluations, divergences;
  double mesh_nodes;
} ssne_tsne_state;

/* Not collective. A state of no steps, with all coordinates 0. Free with ssne_tsne_state_free, also
 * after a failure. */
ssne_code ssne_tsne_state_allocate(const ssne_partition *partition,
                                   const ssne_tsne_options *options, ssne_tsne_state *out,
                                   ssne_error *err);
void ssne_tsne_state_free(ssne_tsne_state *state);

/* Not collective. Makes a state one of no steps again. */
void ssne_tsne_state_reset(const ssne_partition *partition, ssne_tsne_state *state);

/* Called with the state after every step of the descent, after every segment of TAO's phase, and
 * where a stop is wanted within one, with the state that the segment began from. It may keep a
 * copy: a descent that begins from that goes on to the same bits, on any number of ranks and
 * threads. Collective, and returns the same on every rank: an error, or SSNE_STOPPED, ends the
 * descent. */
typedef ssne_code ssne_tsne_watch(void *context, const ssne_tsne_state *state, ssne_error *err);

/* Collective. Moves the state's coordinates to the embedding by gradient descent with momentum and
 * per-coordinate gains (+0.2, x0.8, floor 0.01; Jacobs 1988). Points that shoot off are brought
 * back, and `log` told. `watch` may be NULL. Adds its stages to `stages`. Fails where coordinates
 * stop being finite.
 *
 * With SSNE_OPTIMISER_TAO the later phase is TAO's, on rank 0, with evaluations by all: segments up
 * to the next multiple of SSNE_HISTORY_EVERY steps, each of which begins with no more than the
 * coordinates, so that these are all its state. Ends early where TAO converges, or gets no farther.
 * SSNE_STOPPED within one evaluation once any rank's `stop`, which may be NULL, is wanted. */
ssne_code ssne_tsne_descend(const ssne_affinities *affinities, const ssne_tsne_options *options,
                            ssne_tsne_watch *watch, void *context, const ssne_stop *stop,
                            MPI_Comm comm, ssne_log *log, ssne_stages *stages,
                            ssne_tsne_state *state, ssne_error *err);

/* Not collective. Bytes that TAO's phase takes on a rank beside that: most on rank 0. */
int64_t ssne_tsne_tao_bytes(const ssne_partition *partition);

/* Not collective. Bytes the descent takes on a rank beside P, for a map as wide as one of so many
 * rows usually becomes; an estimate, since nobody knows how many ghosts a rank will have. */
int64_t ssne_tsne_bytes(const ssne_partition *partition, int64_t k,
                        const ssne_force_options *options);

#endif
