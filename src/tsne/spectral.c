/* The spectral start: eigenvectors of the graph's normalised Laplacian (Belkin & Niyogi 2003).
 *
 * The eigen-solver runs on rank 0 and knows no ranks; every product with P is made by all. Rank 0
 * broadcasts the vector, each rank multiplies its own rows, one thread a row in the order of its
 * entries, and rank 0 gathers the results. No number depends on the partition, so neither do the
 * eigenvectors. */
#include "start.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/petsc.h"
#include "shardsne/random.h"

#include <inttypes.h>
#include <math.h>

#define CLOSE 1e-6 /* eigenvalues that differ by less count as equal */
#define IN_PIECES                                                                                  \
  1e-7 /* from 1, of the second eigenvalue: the graph cannot be told from one in pieces */
#define MOST_EQUAL 16

typedef struct spectrum {
  const ssne_affinities *affinities;
  int threads;
  const ssne_stop *stop;
  MPI_Comm comm;
  double *x;       /* [rows] the vector to be multiplied, on every rank */
  double *own;     /* [own_rows] the product */
  int64_t *counts; /* [ranks] rows of each */
  /* on rank 0, of length 0 elsewhere */
  double *root;   /* [rows] square roots of the degrees d_i = sum_j p_ij */
  double *known;  /* [rows] `root` of unit length, the eigenvector of eigenvalue 1 */
  double *random; /* [2, rows] the vectors that settle what the eigenvectors leave open */
  double *vector; /* [MOST_EQUAL, rows] */
  double *xy;     /* [rows, 2] */
} spectrum;

/* --- products ---------------------------------------------------------------------------- */

static void multiply_own(const spectrum *s) {
  const ssne_affinities *a = s->affinities;
#pragma omp parallel for schedule(static) num_threads(s->threads)
  for (int64_t r = 0; r < a->partition.own_rows; r++) {
    double sum = 0;
    for (int64_t e = a->start[r]; e < a->start[r + 1]; e++)
      sum += (double)a->value[e] * s->x[a->column[e]];
    s->own[r] = sum;
  }
}

/* Collective: all[] = P x on rank 0, x of rank 0; SSNE_STOPPED where any rank is asked to stop. */
static ssne_code multiply_all(spectrum *s, double *all, ssne_error *err) {
  const ssne_partition *p = &s->affinities->partition;
  SSNE_TRY(
      ssne_stop_agree(s->stop, "in the spectral start, with the neighbours kept", s->comm, err));
  SSNE_TRY(ssne_broadcast(s->x, p->rows * (int64_t)sizeof *s->x, 0, s->comm, err));
  multiply_own(s);
  return ssne_gather(s->own, p->own_rows, all, s->counts, sizeof *s->own, 0, s->comm, err);
}

enum { MULTIPLY, END };

/* Rank 0, an ssne_petsc_matrix: y = D^-1/2 P D^-1/2 x, with the help of the others. */
static ssne_code multiply(void *context, const double *x, double *y, ssne_error *err) {
  spectrum *s = context;
  const int64_t rows = s->affinities->partition.rows;
  int what = MULTIPLY;
  SSNE_TRY(ssne_broadcast(&what, sizeof what, 0, s->comm, err));
  for (int64_t i = 0; i < rows; i++) s->x[i] = x[i] / s->root[i];
  SSNE_TRY(multiply_all(s, y, err));
  for (int64_t i = 0; i < rows; i++) y[i] /= s->root[i];
  return SSNE_OK;
}

/* The other ranks: help until rank 0 has done, or given up, as it does after what failed on all. */
static ssne_code help(spectrum *s, ssne_error *err) {
  ssne_code code = SSNE_OK;
  for (;;) {
    int what = END;
    SSNE_TRY(ssne_broadcast(&what, sizeof what, 0, s->comm, err));
    if (what == END) return code;
    code = multiply_all(s, NULL, err);
  }
}

/* --- on rank 0: from eigenvectors to coordinates ----------------------------------------- */

static double dot(const double *a, const double *b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

static void add(double *to, double factor, const double *from, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] += factor * from[i];
}

/* What an eigen-solver leaves open, the sign of a vector and the basis of an eigenspace, is settled
 * by two random vectors: `to` becomes the projection of `random` on the eigenspace of `count`
 * vectors, orthogonal to `before` if that is of the same space, of unit length. */
static void settle(const double *vector, int64_t count, const double *random, const double *before,
                   int64_t rows, double *to) {
  for (int64_t i = 0; i < rows; i++) to[i] = 0;
  for (int64_t v = 0; v < count; v++)
    add(to, dot(vector + v * rows, random, rows), vector + v * rows, rows);
  if (before) add(to, -dot(before, to, rows), before, rows);
  const double length = sqrt(dot(to, to, rows));
  for (int64_t i = 0; i < rows; i++) to[i] /= length;
}

/* The start's two columns from `count` eigenvectors; they are D^-1/2 times those. */
static void place(spectrum *s, const double *value, int64_t count) {
  const int64_t rows = s->affinities->partition.rows;
  const bool equal = value[0] - value[1] < CLOSE;
  double *column[2] = {s->x, s->known}; /* neither is needed any more */
  settle(s->vector, equal ? count : 1, s->random, NULL, rows, column[0]);
  settle(equal ? s->vector : s->vector + rows, equal ? count : count - 1, s->random + rows,
         equal ? column[0] : NULL, rows, column[1]);
  double mean = 0, squares = 0;
  for (int axis = 0; axis < 2; axis++)
    for (int64_t i = 0; i < rows; i++) s->xy[2 * i + axis] = column[axis][i] / s->root[i];
  for (int64_t i = 0; i < rows; i++) mean += s->xy[2 * i] / (double)rows;
  for (int64_t i = 0; i < rows; i++)
    squares += (s->xy[2 * i] - mean) * (s->xy[2 * i] - mean) / (double)rows;
  for (int64_t i = 0; i < 2 * rows; i++) s->xy[i] *= SSNE_START_DEVIATION / sqrt(squares);
}

static ssne_code find(spectrum *s, const ssne_petsc_options *options, ssne_error *err) {
  const int64_t rows = s->affinities->partition.rows;
  const ssne_petsc_matrix matrix = {.rows = rows, .multiply = multiply, .context = s};
  const ssne_petsc_wish wish = {
      .known = s->known, .wanted = 2, .most = MOST_EQUAL, .close = CLOSE, .options = *options};
  double value[MOST_EQUAL];
  int64_t count = 0;
  SSNE_TRY(ssne_petsc_eigenvectors(&matrix, &wish, value, s->vector, &count, err));
  if (value[0] > 1 - IN_PIECES)
    return ssne_fail(err, SSNE_FAILED,
                     "the graph of neighbours is in pieces, or as good as (second eigenvalue "
                     "%.10f): eigenvectors would only tell them apart; a larger --perplexity may "
                     "connect them",
                     value[0]);
  place(s, value, count);
  return SSNE_OK;
}

/* Rank 0: `root` holds the degrees and becomes their roots. */
static ssne_code prepare(spectrum *s, ssne_error *err) {
  const int64_t rows = s->affinities->partition.rows;
  double sum = 0;
  for (int64_t i = 0; i < rows; i++) {
    if (!(s->root[i] > 0))
      return ssne_fail(err, SSNE_FAILED, "place %" PRId64 " has no neighbours", i);
    sum += s->root[i];
    s->root[i] = sqrt(s->root[i]);
  }
  for (int64_t i = 0; i < rows; i++) s->known[i] = s->root[i] / sqrt(sum);
  for (int64_t i = 0; i < 2 * rows; i++)
    s->random[i] = ssne_random_normal(0, SSNE_RANDOM_SPECTRAL, (uint64_t)i);
  return SSNE_OK;
}

/* --- all of it --------------------------------------------------------------------------- */

static ssne_code allocate(spectrum *s, ssne_error *err) {
  const ssne_partition *p = &s->affinities->partition;
  const int64_t on_root = p->rank == 0 ? p->rows : 0;
  SSNE_TRY(ssne_alloc(&s->x, p->rows, sizeof *s->x, "vector elements", err));
  SSNE_TRY(ssne_alloc(&s->own, p->own_rows, sizeof *s->own, "products", err));
  SSNE_TRY(ssne_alloc(&s->counts, p->ranks, sizeof *s->counts, "ranks", err));
  SSNE_TRY(ssne_alloc(&s->root, on_root, sizeof *s->root, "degrees", err));
  SSNE_TRY(ssne_alloc(&s->known, on_root, sizeof *s->known, "vector elements", err));
  SSNE_TRY(ssne_alloc(&s->random, 2 * on_root, sizeof *s->random, "random numbers", err));
  SSNE_TRY(ssne_alloc(&s->vector, MOST_EQUAL * on_root, sizeof *s->vector, "vector elements", err));
  SSNE_TRY(ssne_alloc(&s->xy, on_root, 2 * sizeof *s->xy, "coordinates", err));
  ssne_partition_counts(p, s->counts);
  return SSNE_OK;
}

static void release(spectrum *s) {
  ssne_free(&s->x);
  ssne_free(&s->own);
  ssne_free(&s->counts);
  ssne_free(&s->root);
  ssne_free(&s->known);
  ssne_free(&s->random);
  ssne_free(&s->vector);
  ssne_free(&s->xy);
}

static ssne_code solve(spectrum *s, const ssne_petsc_options *options, ssne_error *err) {
  const ssne_partition *p = &s->affinities->partition;
  for (int64_t i = 0; i < p->rows; i++) s->x[i] = 1;
  SSNE_TRY(multiply_all(s, s->root, err));
  ssne_code code = SSNE_OK;
  if (p->rank == 0) {
    ssne_error later;
    int what = END;
    code = prepare(s, err);
    if (code == SSNE_OK) code = find(s, options, err);
    const ssne_code told = ssne_broadcast(&what, sizeof what, 0, s->comm, &later);
    if (code == SSNE_OK && told != SSNE_OK) *err = later, code = told;
  } else
    code = help(s, err);
  return ssne_agree(s->comm, code, err);
}

ssne_code ssne_start_spectral(const ssne_affinities *affinities, uint64_t seed,
                              const ssne_petsc_options *options, int threads, const ssne_stop *stop,
                              MPI_Comm comm, float *xy, ssne_error *err) {
  const ssne_partition *p = &affinities->partition;
  spectrum s = {.affinities = affinities, .threads = threads, .stop = stop, .comm = comm};
  double *own = NULL;
  ssne_code code = allocate(&s, err);
  if (code == SSNE_OK) code = ssne_alloc(&own, p->own_rows, 2 * sizeof *own, "coordinates", err);
  code = ssne_agree(comm, code, err);
  if (code == SSNE_OK) code = solve(&s, options, err);
  if (code == SSNE_OK)
    code = ssne_scatter(s.xy, s.counts, own, p->own_rows, 2 * sizeof *own, 0, comm, err);
  if (code == SSNE_OK) ssne_start_place(p, own, 1, seed, xy);
  ssne_free(&own);
  release(&s);
  return code;
}

int64_t ssne_start_spectral_bytes(const ssne_partition *partition) {
  const int64_t solver = 2 * MOST_EQUAL + 60; /* vectors of the module on rank 0, and a few */
  return partition->rows * 8 * (partition->rank == 0 ? solver : 1) + partition->own_rows * 24;
}
