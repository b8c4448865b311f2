/* The later phase by PETSc's TAO.
 *
 * As in spectral.c, the solver runs on rank 0 and knows no ranks: it has the coordinates of all, in
 * double precision. For every evaluation rank 0 scatters them, rounded, all ranks evaluate the
 * objective, and rank 0 gathers the forces. No number depends on the partition, so neither does the
 * map.
 *
 * The phase is cut into segments that begin with nothing but the coordinates, in single precision:
 * what a checkpoint holds. */
#include "descent.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* TAO has converged where the root mean square of the natural step (see scale) of the points is
 * below this, in the map's units, or this times that of the coordinates where those are smaller
 * than 1. Ten times less is lost in the rounding of single precision: line searches then take
 * dozens of evaluations. */
#define LEAST_STEP 1e-3

/* A map whose coordinates have a smaller root mean square, as the usual start has, is widened to it
 * before TAO begins: what changes in KL there is less than its rounding. */
#define LEAST_WIDTH 0.1

/* A trial point with a coordinate beyond so many times the map's width, or the width usual for so
 * many rows, is out of bounds: a mesh as wide would not fit the memory. */
#define FARTHEST 2

#define VECTORS 40 /* of TAO's on rank 0, at most: see ssne_tsne_tao_bytes */

typedef struct minimisation {
  descent *d;
  double exaggeration;
  float *xy;       /* [own_rows, 2] of a trial point */
  int64_t *counts; /* [ranks] rows of each */
  /* on rank 0, of length 0 elsewhere */
  double *x;    /* [rows, 2] */
  float *all;   /* [rows, 2] coordinates on their way to the ranks, forces on their way back */
  double bound; /* of a coordinate */
  double seconds_all; /* of evaluations, in the present segment */
  char extra[64];     /* of the progress */
} minimisation;

/* --- evaluation -------------------------------------------------------------------------- */

/* The function that TAO sees is KL times this, so that its gradient is `rows` times the force: the
 * first step of a line search, of length 1 along the gradient, is then that of the descent without
 * momentum at its learning rate, whatever the number of rows. */
static double scale(const minimisation *m) {
  return (double)m->d->partition->rows / 4;
}

/* Collective: at the coordinates in all[], of rank 0; all[] becomes the forces. */
static ssne_code evaluate_all(minimisation *m, double *value, ssne_error *err) {
  descent *d = m->d;
  const ssne_partition *p = d->partition;
  double since = ssne_clock(), kl = 0;
  SSNE_TRY(ssne_stop_agree(d->stop, "in a segment of TAO's", d->comm, err));
  SSNE_TRY(ssne_scatter(m->all, m->counts, m->xy, p->own_rows, 2 * sizeof *m->xy, 0, d->comm, err));
  d->seconds_gathering += ssne_clock_lap(&since);
  SSNE_TRY(ssne_descent_evaluate(d, m->xy, m->exaggeration, &kl, err));
  *value = scale(m) * ssne_objective_value(d->objective, m->exaggeration);
  (void)ssne_clock_lap(&since);
  SSNE_TRY(
      ssne_gather(d->force, p->own_rows, m->all, m->counts, 2 * sizeof *m->all, 0, d->comm, err));
  d->seconds_gathering += ssne_clock_lap(&since);
  d->tao_evaluations++;
  return SSNE_OK;
}

enum { EVALUATE, END };

static bool is_within(const double *x, int64_t count, double bound) {
  for (int64_t i = 0; i < count; i++)
    if (!(fabs(x[i]) <= bound)) return false;
  return true;
}

/* Rank 0, of an ssne_petsc_function, with the help of the others. */
static ssne_code evaluate(void *context, const double *x, double *value, double *gradient,
                          ssne_error *err) {
  minimisation *m = context;
  const int64_t rows = m->d->partition->rows;
  const double since = ssne_clock();
  int what = EVALUATE;
  *value = INFINITY;
  memset(gradient, 0, (size_t)(2 * rows) * sizeof *gradient);
  if (!is_within(x, 2 * rows, m->bound)) return SSNE_OK;
  SSNE_TRY(ssne_broadcast(&what, sizeof what, 0, m->d->comm, err));
  for (int64_t i = 0; i < 2 * rows; i++) m->all[i] = (float)x[i];
  SSNE_TRY(evaluate_all(m, value, err));
  for (int64_t i = 0; i < 2 * rows; i++) gradient[i] = (double)rows * (double)m->all[i];
  m->seconds_all += ssne_clock() - since;
  return SSNE_OK;
}

/* The other ranks: help until rank 0 has done, or given up, as it does after what failed on all. */
static ssne_code help(minimisation *m, ssne_error *err) {
  ssne_code code = SSNE_OK;
  double value = 0;
  for (;;) {
    int what = END;
    SSNE_TRY(ssne_broadcast(&what, sizeof what, 0, m->d->comm, err));
    if (what == END) return code;
    code = evaluate_all(m, &value, err);
  }
}

/* Rank 0, of an ssne_petsc_function. */
static void tell_progress(void *context, int64_t iteration) {
  const minimisation *m = context;
  ssne_log_progress(m->d->log, m->d->state->steps + iteration, m->extra);
}

/* --- a segment --------------------------------------------------------------------------- */

/* Where it ends: records, and so checkpoints, are there. */
static int64_t segment_length(const descent *d) {
  const ssne_tsne_options *o = d->options;
  int64_t end = d->state->steps + 1;
  while (!ssne_descent_is_recorded(o, end)) end++;
  return end - d->state->steps;
}

/* Rank 0: x becomes the coordinates in all[], widened if they must be; returns the sum of their
 * squares. */
static double set_out(minimisation *m) {
  const int64_t rows = m->d->partition->rows;
  double widest = 0, square = 0;
  for (int64_t i = 0; i < 2 * rows; i++) {
    m->x[i] = (double)m->all[i];
    widest = fmax(widest, fabs(m->x[i]));
    square += m->x[i] * m->x[i];
  }
  const double wanted = LEAST_WIDTH * LEAST_WIDTH * (double)(2 * rows);
  const double factor = square > 0 && square < wanted ? sqrt(wanted / square) : 1;
  if (factor > 1)
    for (int64_t i = 0; i < 2 * rows; i++) m->x[i] *= factor;
  m->bound = FARTHEST * fmax(sqrt((double)rows), widest * factor);
  return square * factor * factor;
}

/* Rank 0: from the coordinates in all[] to those that TAO came to, in all[]. */
static ssne_code solve(minimisation *m, ssne_petsc_end *end, ssne_error *err) {
  const descent *d = m->d;
  const double rows = (double)d->partition->rows, square = set_out(m);
  const ssne_petsc_function function = {
      .size = 2 * d->partition->rows, .evaluate = evaluate, .told = tell_progress, .context = m};
  const ssne_petsc_limits limits = {.most = segment_length(d),
                                    .absolute = LEAST_STEP * sqrt(fmin(rows, square / 2)),
                                    .options = d->options->petsc};
  SSNE_TRY(ssne_petsc_minimise(&function, &limits, m->x, end, err));
  for (int64_t i = 0; i < function.size; i++) m->all[i] = (float)m->x[i];
  return SSNE_OK;
}

/* Rank 0. */
static ssne_code solve_and_end(minimisation *m, ssne_petsc_end *end, ssne_error *err) {
  const double since = ssne_clock();
  ssne_error later;
  int what = END;
  m->seconds_all = 0;
  ssne_code code = solve(m, end, err);
  const ssne_code told = ssne_broadcast(&what, sizeof what, 0, m->d->comm, &later);
  if (code == SSNE_OK && told != SSNE_OK) *err = later, code = told;
  m->d->seconds_in_tao += ssne_clock() - since - m->seconds_all;
  return code;
}

/* Collective: moves the state's coordinates, by end->iterations iterations. */
static ssne_code run_segment(minimisation *m, ssne_petsc_end *end, ssne_error *err) {
  const descent *d = m->d;
  const ssne_partition *p = d->partition;
  float *xy = d->state->xy;
  SSNE_TRY(ssne_gather(xy, p->own_rows, m->all, m->counts, 2 * sizeof *xy, 0, d->comm, err));
  const ssne_code code = p->rank == 0 ? solve_and_end(m, end, err) : help(m, err);
  SSNE_TRY_ALL(d->comm, code, err);
  SSNE_TRY(ssne_broadcast(end, sizeof *end, 0, d->comm, err));
  return ssne_scatter(m->all, m->counts, xy, p->own_rows, 2 * sizeof *xy, 0, d->comm, err);
}

/* --- all of them ------------------------------------------------------------------------- */

/* Of the state, unless it has been, as before a segment that was stopped. */
static ssne_code record(minimisation *m, double start, ssne_error *err) {
  descent *d = m->d;
  const ssne_tsne_state *s = d->state;
  double kl = 0;
  if (s->history_count > 0 && s->history[s->history_count - 1].iteration == s->steps)
    return SSNE_OK;
  SSNE_TRY(ssne_descent_evaluate(d, s->xy, m->exaggeration, &kl, err));
  snprintf(m->extra, sizeof m->extra, "KL %.4f", kl);
  return ssne_descent_record(d, m->exaggeration, kl, ssne_clock() - start, err);
}

/* The segment that a stop was wanted in is lost. */
static ssne_code stop_at_state(const descent *d, ssne_tsne_watch *watch, void *context,
                               ssne_error *err) {
  if (watch) SSNE_TRY(watch(context, d->state, err));
  return ssne_stop_fail(d->stop, "in a segment of TAO's", err);
}

static ssne_code run(minimisation *m, ssne_tsne_watch *watch, void *context, ssne_error *err) {
  descent *d = m->d;
  const ssne_tsne_options *o = d->options;
  ssne_tsne_state *s = d->state;
  const double start = ssne_clock() - s->seconds;
  for (;;) {
    ssne_petsc_end end = {0};
    if (ssne_descent_is_recorded(o, s->steps)) SSNE_TRY(record(m, start, err));
    if (s->steps >= o->early_iterations + o->iterations || ssne_descent_is_flat(d)) return SSNE_OK;
    const ssne_code code = run_segment(m, &end, err);
    if (code == SSNE_STOPPED) return stop_at_state(d, watch, context, err);
    if (code != SSNE_OK) return code;
    const bool over = end.iterations < segment_length(d);
    s->steps += end.iterations;
    s->seconds = ssne_clock() - start;
    d->tao_iterations += end.iterations;
    if (over) { /* no checkpoint here: one that goes on would try again */
      ssne_log_info(d->log, "TAO ended after iteration %lld: %s", (long long)s->steps, end.reason);
      return record(m, start, err);
    }
    if (watch) SSNE_TRY(watch(context, s, err));
  }
}

static ssne_code allocate(minimisation *m, ssne_error *err) {
  const ssne_partition *p = m->d->partition;
  const int64_t on_root = p->rank == 0 ? p->rows : 0;
  SSNE_TRY(ssne_alloc(&m->xy, p->own_rows, 2 * sizeof *m->xy, "coordinates", err));
  SSNE_TRY(ssne_alloc(&m->counts, p->ranks, sizeof *m->counts, "ranks", err));
  SSNE_TRY(ssne_alloc(&m->x, on_root, 2 * sizeof *m->x, "coordinates", err));
  SSNE_TRY(ssne_alloc(&m->all, on_root, 2 * sizeof *m->all, "coordinates", err));
  ssne_partition_counts(p, m->counts);
  return SSNE_OK;
}

ssne_code ssne_descent_by_tao(descent *d, ssne_tsne_watch *watch, void *context, ssne_error *err) {
  minimisation m = {.d = d, .exaggeration = d->options->late_exaggeration};
  ssne_code code = ssne_agree(d->comm, allocate(&m, err), err);
  if (code == SSNE_OK) code = run(&m, watch, context, err);
  ssne_free(&m.xy);
  ssne_free(&m.counts);
  ssne_free(&m.x);
  ssne_free(&m.all);
  return code;
}

int64_t ssne_tsne_tao_bytes(const ssne_partition *partition) {
  return partition->own_rows * 8 + (partition->rank == 0 ? partition->rows * 2 * 8 * VECTORS : 0);
}
