/* The descent: one loop over iterations, each a share of coordinates, two forces, one exact sum,
 * one step. */
#include "forces.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exact_sum.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define GAIN_RISE 0.2f
#define GAIN_FALL 0.8f
#define GAIN_LEAST 0.01f

typedef struct descent {
  const ssne_affinities *affinities;
  MPI_Comm comm;
  int threads;
  ssne_plane plane;
  ssne_forces forces;
  float *force;    /* [own_rows, 2] a quarter of the gradient */
  float *velocity; /* [own_rows, 2] the last step */
  float *gain;     /* [own_rows, 2] */
  double seconds_sharing, seconds_attracting, seconds_repelling, seconds_summing;
} descent;

static ssne_code allocate(descent *d, ssne_error *err) {
  const int64_t rows = d->affinities->partition.own_rows, members = 2 * rows;
  SSNE_TRY(ssne_alloc(&d->forces.attraction, members, sizeof(float), "forces", err));
  SSNE_TRY(ssne_alloc(&d->forces.repulsion, members, sizeof(float), "forces", err));
  SSNE_TRY(ssne_alloc(&d->forces.potential, rows, sizeof(double), "potentials", err));
  SSNE_TRY(ssne_alloc(&d->forces.spread, rows, sizeof(double), "terms of KL", err));
  SSNE_TRY(ssne_alloc(&d->force, members, sizeof(float), "forces", err));
  SSNE_TRY(ssne_alloc(&d->velocity, members, sizeof(float), "velocities", err));
  SSNE_TRY(ssne_alloc(&d->gain, members, sizeof(float), "gains", err));
  for (int64_t i = 0; i < members; i++) d->gain[i] = 1;
  return SSNE_OK;
}

static void destroy(descent *d) {
  ssne_plane_destroy(&d->plane);
  ssne_free(&d->forces.attraction);
  ssne_free(&d->forces.repulsion);
  ssne_free(&d->forces.potential);
  ssne_free(&d->forces.spread);
  ssne_free(&d->force);
  ssne_free(&d->velocity);
  ssne_free(&d->gain);
}

static ssne_code create(const ssne_affinities *affinities, int threads, MPI_Comm comm,
                        const float *xy, descent *d, ssne_error *err) {
  *d = (descent){.affinities = affinities, .comm = comm, .threads = threads};
  SSNE_TRY(ssne_plane_create(&affinities->partition, comm, &d->plane, err));
  SSNE_TRY_ALL(comm, allocate(d, err), err);
  for (int64_t r = 0; r < affinities->partition.own_rows; r++) {
    const int64_t place = ssne_plane_place(affinities->partition.first_row + r);
    d->plane.xy[place] = xy[2 * r];
    d->plane.xy[place + SSNE_ROWS_BLOCK] = xy[2 * r + 1];
  }
  return SSNE_OK;
}

static void copy_out(const descent *d, float *xy) {
  const ssne_partition *p = &d->affinities->partition;
  for (int64_t r = 0; r < p->own_rows; r++) {
    const int64_t place = ssne_plane_place(p->first_row + r);
    xy[2 * r] = d->plane.xy[place];
    xy[2 * r + 1] = d->plane.xy[place + SSNE_ROWS_BLOCK];
  }
}

static double lap(double *since) {
  const double now = ssne_clock(), passed = now - *since;
  *since = now;
  return passed;
}

/* Shares coordinates, computes both forces and from them d->force for P times `exaggeration`; *kl
 * is set where `with_kl`. */
static ssne_code evaluate(descent *d, double exaggeration, int with_kl, double *kl,
                          ssne_error *err) {
  enum { POTENTIAL, SPREAD, SUMS };
  const ssne_partition *p = &d->affinities->partition;
  ssne_exact sums[SUMS] = {{{0}, 0}};
  double since = ssne_clock();
  SSNE_TRY(ssne_plane_share(&d->plane, d->comm, err));
  d->seconds_sharing += lap(&since);
  ssne_attraction(d->affinities, &d->plane, d->threads, with_kl, &d->forces);
  d->seconds_attracting += lap(&since);
  ssne_repulsion_exact(&d->plane, d->threads, &d->forces);
  d->seconds_repelling += lap(&since);
  for (int64_t r = 0; r < p->own_rows; r++) {
    ssne_exact_add(&sums[POTENTIAL], d->forces.potential[r]);
    if (with_kl) ssne_exact_add(&sums[SPREAD], d->forces.spread[r]);
  }
  SSNE_TRY(ssne_exact_reduce(sums, SUMS, d->comm, err));
  const double z = ssne_exact_value(&sums[POTENTIAL]) - (double)p->rows;
  const float attract = (float)exaggeration, repel = (float)(1 / z);
  for (int64_t i = 0; i < 2 * p->own_rows; i++)
    d->force[i] = attract * d->forces.attraction[i] - repel * d->forces.repulsion[i];
  if (with_kl)
    *kl = d->affinities->entropy + ssne_exact_value(&sums[SPREAD]) + d->affinities->sum * log(z);
  d->seconds_summing += lap(&since);
  return SSNE_OK;
}

/* One row's step along one axis, before its length is limited. A step goes against the force, so
 * where both have one sign the row has gone too far and turned. */
static float next_velocity(float velocity, float force, float rate, float momentum, float *gain) {
  const int turned = (force > 0 && velocity > 0) || (force < 0 && velocity < 0);
  *gain = turned ? *gain * GAIN_FALL : *gain + GAIN_RISE;
  if (*gain < GAIN_LEAST) *gain = GAIN_LEAST;
  return momentum * velocity - rate * *gain * force;
}

static void step_rows(descent *d, double rate, const ssne_tsne_options *o) {
  const ssne_partition *p = &d->affinities->partition;
  for (int64_t r = 0; r < p->own_rows; r++) {
    const int64_t place = ssne_plane_place(p->first_row + r);
    float step[2];
    for (int64_t axis = 0; axis < 2; axis++)
      step[axis] = next_velocity(d->velocity[2 * r + axis], d->force[2 * r + axis], (float)rate,
                                 (float)o->momentum, &d->gain[2 * r + axis]);
    const float length = hypotf(step[0], step[1]);
    const float shorten = length > (float)o->step_limit ? (float)o->step_limit / length : 1;
    for (int64_t axis = 0; axis < 2; axis++) {
      d->velocity[2 * r + axis] = step[axis] * shorten;
      d->plane.xy[place + axis * SSNE_ROWS_BLOCK] += d->velocity[2 * r + axis];
    }
  }
}

/* The gradient's norm, and the coordinates' mean. */
static ssne_code measure(const descent *d, double *norm, float mean[2], ssne_error *err) {
  enum { SQUARES, X, Y, SUMS };
  const ssne_partition *p = &d->affinities->partition;
  ssne_exact sums[SUMS] = {{{0}, 0}};
  for (int64_t r = 0; r < p->own_rows; r++) {
    const int64_t place = ssne_plane_place(p->first_row + r);
    const double fx = (double)d->force[2 * r], fy = (double)d->force[2 * r + 1];
    ssne_exact_add(&sums[SQUARES], 16 * (fx * fx + fy * fy));
    ssne_exact_add(&sums[X], (double)d->plane.xy[place]);
    ssne_exact_add(&sums[Y], (double)d->plane.xy[place + SSNE_ROWS_BLOCK]);
  }
  SSNE_TRY(ssne_exact_reduce(sums, SUMS, d->comm, err));
  *norm = sqrt(ssne_exact_value(&sums[SQUARES]));
  mean[0] = (float)(ssne_exact_value(&sums[X]) / (double)p->rows);
  mean[1] = (float)(ssne_exact_value(&sums[Y]) / (double)p->rows);
  return SSNE_OK;
}

/* Nothing in the objective holds the map in place; single precision wants it near the origin. */
static void centre(descent *d, const float mean[2]) {
  const ssne_partition *p = &d->affinities->partition;
  for (int64_t r = 0; r < p->own_rows; r++) {
    const int64_t place = ssne_plane_place(p->first_row + r);
    d->plane.xy[place] -= mean[0];
    d->plane.xy[place + SSNE_ROWS_BLOCK] -= mean[1];
  }
}

int64_t ssne_tsne_history_length(const ssne_tsne_options *options) {
  return (options->early_iterations + options->iterations) / SSNE_HISTORY_EVERY + 3;
}

static void tell(ssne_log *log, const ssne_tsne_record *record) {
  ssne_log_event(log, "iteration", "{s:I, s:f, s:f, s:f, s:f}", "iteration",
                 (long long)record->iteration, "kl", record->kl, "gradient_norm",
                 record->gradient_norm, "exaggeration", record->exaggeration, "seconds",
                 record->seconds);
}

/* What the forces just evaluated say of the coordinates after `steps` steps; these are then
 * centred, but for a start, which stays as it was given. */
static ssne_code take_record(descent *d, int64_t steps, double exaggeration, double kl,
                             double seconds, ssne_tsne_record *record, ssne_error *err) {
  double norm = 0;
  float mean[2];
  SSNE_TRY(measure(d, &norm, mean, err));
  if (steps > 0) centre(d, mean);
  *record = (ssne_tsne_record){.iteration = steps,
                               .kl = kl,
                               .gradient_norm = norm,
                               .exaggeration = exaggeration,
                               .seconds = seconds};
  if (isfinite(kl) && isfinite(norm)) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED,
                   "the embedding stopped being finite before iteration %" PRId64
                   ": lower --learning-rate",
                   steps);
}

/* Evaluates at 0, 1, ... total steps, and steps after each but the last, so that the last record is
 * of the result. */
static ssne_code run(descent *d, const ssne_tsne_options *o, ssne_log *log,
                     ssne_tsne_record *history, int64_t *count, ssne_error *err) {
  const int64_t total = o->early_iterations + o->iterations;
  const double rows = (double)d->affinities->partition.rows, start = ssne_clock();
  char extra[64] = "";
  double kl = 0;
  for (int64_t steps = 0; steps <= total; steps++) {
    const double e = steps < o->early_iterations ? o->exaggeration : o->late_exaggeration;
    const int record =
        steps % SSNE_HISTORY_EVERY == 0 || steps == o->early_iterations || steps == total;
    SSNE_TRY(evaluate(d, e, record, &kl, err));
    if (record) {
      SSNE_TRY(take_record(d, steps, e, kl, ssne_clock() - start, &history[*count], err));
      tell(log, &history[*count]);
      snprintf(extra, sizeof extra, "KL %.4f", kl);
      ++*count;
    }
    if (steps < total) step_rows(d, isnan(o->learning_rate) ? rows / e : o->learning_rate, o);
    ssne_log_progress(log, steps, extra);
  }
  return SSNE_OK;
}

/* Iterations are the same on every rank, so that rank 0 alone counts them. */
static void account(const descent *d, int64_t total, ssne_stages *stages) {
  const int64_t iterations = d->affinities->partition.rank == 0 ? total : 0;
  ssne_stages_add(stages, "share coordinates", iterations, d->seconds_sharing);
  ssne_stages_add(stages, "attraction", iterations, d->seconds_attracting);
  ssne_stages_add(stages, "repulsion", iterations, d->seconds_repelling);
  ssne_stages_add(stages, "sum and normaliser", iterations, d->seconds_summing);
}

ssne_code ssne_tsne_descend(const ssne_affinities *affinities, const ssne_tsne_options *options,
                            MPI_Comm comm, ssne_log *log, ssne_stages *stages, float *xy,
                            ssne_tsne_record *history, int64_t *history_count, ssne_error *err) {
  descent d;
  *history_count = 0;
  const int64_t total = options->early_iterations + options->iterations;
  ssne_code code = create(affinities, options->threads, comm, xy, &d, err);
  ssne_log_progress_begin(log, "t-SNE", "iterations", total);
  if (code == SSNE_OK) code = run(&d, options, log, history, history_count, err);
  ssne_log_progress_end(log);
  if (code == SSNE_OK) {
    copy_out(&d, xy);
    account(&d, total, stages);
  }
  destroy(&d);
  return code;
}

ssne_code ssne_tsne_gradient(const ssne_affinities *affinities, const float *xy,
                             double exaggeration, int threads, MPI_Comm comm, double *kl,
                             float *gradient, ssne_error *err) {
  descent d;
  ssne_code code = create(affinities, threads, comm, xy, &d, err);
  if (code == SSNE_OK) code = evaluate(&d, exaggeration, 1, kl, err);
  for (int64_t i = 0; code == SSNE_OK && gradient && i < 2 * affinities->partition.own_rows; i++)
    gradient[i] = 4 * d.force[i];
  destroy(&d);
  return code;
}
