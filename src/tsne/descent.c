/* The descent: one loop over iterations, each an evaluation of the objective and a step. */
#include "step_kernels.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exact_sum.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/tsne.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* A point farther from the centre than so many times the mean distance has shot off; the rim of a
 * disc of points is at 1.5 times. */
#define SHOT_OFF 8

typedef struct descent {
  const ssne_tsne_options *options;
  const ssne_partition *partition;
  MPI_Comm comm;
  ssne_log *log;
  ssne_objective *objective;
  ssne_tsne_state *state; /* not owned */
  float *force;           /* [own_rows, 2] a quarter of the gradient */
  double seconds_stepping;
} descent;

ssne_code ssne_tsne_state_allocate(const ssne_partition *partition,
                                   const ssne_tsne_options *options, ssne_tsne_state *out,
                                   ssne_error *err) {
  const int64_t members = 2 * partition->own_rows;
  *out = (ssne_tsne_state){.steps = 0};
  SSNE_TRY(ssne_alloc(&out->xy, members, sizeof(float), "coordinates", err));
  SSNE_TRY(ssne_alloc(&out->velocity, members, sizeof(float), "velocities", err));
  SSNE_TRY(ssne_alloc(&out->gain, members, sizeof(float), "gains", err));
  SSNE_TRY(ssne_alloc(&out->history, ssne_tsne_history_length(options), sizeof *out->history,
                      "history", err));
  ssne_tsne_state_reset(partition, out);
  return SSNE_OK;
}

void ssne_tsne_state_reset(const ssne_partition *partition, ssne_tsne_state *state) {
  for (int64_t i = 0; i < 2 * partition->own_rows; i++) {
    state->xy[i] = state->velocity[i] = 0;
    state->gain[i] = 1;
  }
  state->steps = state->history_count = 0;
  state->seconds = state->mesh_nodes = 0;
}

void ssne_tsne_state_free(ssne_tsne_state *state) {
  ssne_free(&state->xy);
  ssne_free(&state->velocity);
  ssne_free(&state->gain);
  ssne_free(&state->history);
}

static void destroy(descent *d) {
  ssne_objective_destroy(&d->objective);
  ssne_free(&d->force);
}

static ssne_code create(const ssne_affinities *affinities, const ssne_tsne_options *options,
                        MPI_Comm comm, ssne_log *log, ssne_tsne_state *state, descent *d,
                        ssne_error *err) {
  *d = (descent){.options = options,
                 .partition = &affinities->partition,
                 .comm = comm,
                 .log = log,
                 .state = state};
  SSNE_TRY_ALL(
      comm, ssne_alloc(&d->force, 2 * d->partition->own_rows, sizeof(float), "forces", err), err);
  return ssne_objective_create(affinities, &options->forces, comm, &d->objective, err);
}

static void step_rows(descent *d, double rate) {
  const double since = ssne_clock();
  const ssne_partition *p = d->partition;
  const step_kernels *kernels = step_kernels_at(ssne_simd_level());
  const step_rule rule = {.rate = (float)rate,
                          .momentum = (float)d->options->momentum,
                          .limit = (float)d->options->step_limit};
#pragma omp parallel for schedule(static) num_threads(d->options->forces.threads)
  for (int64_t b = 0; b < p->own_blocks; b++) {
    const int64_t first = 2 * b * p->block_rows;
    kernels->step(&rule, ssne_partition_block_length(p, p->first_block + b), d->force + first,
                  d->state->velocity + first, d->state->gain + first, d->state->xy + first);
  }
  d->seconds_stepping += ssne_clock() - since;
}

/* The gradient's norm and the coordinates' mean. */
static ssne_code measure(const descent *d, double *norm, float mean[2], ssne_error *err) {
  enum { NORM, X, Y, SUMS };
  const double rows = (double)d->partition->rows;
  const double scale = ldexp(1, ilogb(rows)); /* forces are of the order of 1 / rows and less */
  ssne_exact sums[SUMS] = {{{0}, 0}};
  for (int64_t r = 0; r < d->partition->own_rows; r++) {
    const double fx = (double)d->force[2 * r], fy = (double)d->force[2 * r + 1];
    ssne_exact_add(&sums[NORM], 16 * scale * (fx * fx + fy * fy));
    ssne_exact_add(&sums[X], (double)d->state->xy[2 * r]);
    ssne_exact_add(&sums[Y], (double)d->state->xy[2 * r + 1]);
  }
  SSNE_TRY(ssne_exact_reduce(sums, SUMS, d->comm, err));
  *norm = sqrt(ssne_exact_value(&sums[NORM]) / scale);
  mean[0] = (float)(ssne_exact_value(&sums[X]) / rows);
  mean[1] = (float)(ssne_exact_value(&sums[Y]) / rows);
  return SSNE_OK;
}

static float distance_from_origin(const float *y) {
  return sqrtf(y[0] * y[0] + y[1] * y[1]);
}

/* Nothing in the objective holds the map in place; single precision wants it near the origin. */
static ssne_code centre(descent *d, const float mean[2], double *mean_distance, ssne_error *err) {
  ssne_exact sum = {{0}, 0};
  for (int64_t r = 0; r < d->partition->own_rows; r++) {
    float *y = d->state->xy + 2 * r;
    for (int axis = 0; axis < 2; axis++) y[axis] -= mean[axis];
    ssne_exact_add(&sum, (double)distance_from_origin(y));
  }
  SSNE_TRY(ssne_exact_reduce(&sum, 1, d->comm, err));
  *mean_distance = ssne_exact_value(&sum) / (double)d->partition->rows;
  return SSNE_OK;
}

/* A point that has shot off would widen the mesh for all: it is brought back and stopped there. */
static ssne_code bring_back(descent *d, float farthest, ssne_error *err) {
  int64_t count = 0;
  for (int64_t r = 0; r < d->partition->own_rows; r++) {
    float *y = d->state->xy + 2 * r;
    const float distance = distance_from_origin(y);
    if (!(distance > farthest)) continue;
    for (int axis = 0; axis < 2; axis++) {
      y[axis] *= farthest / distance;
      d->state->velocity[2 * r + axis] = 0;
    }
    count++;
  }
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &count, 1, MPI_INT64_T, MPI_SUM, d->comm),
                          "MPI_Allreduce", err));
  if (count > 0)
    ssne_log_warn(d->log,
                  "%" PRId64 " point%s shot off and %s brought back: a lower --learning-rate "
                  "may be needed",
                  count, count == 1 ? "" : "s", count == 1 ? "was" : "were");
  return SSNE_OK;
}

int64_t ssne_tsne_history_length(const ssne_tsne_options *options) {
  return (options->early_iterations + options->iterations) / SSNE_HISTORY_EVERY + 3;
}

static void tell(ssne_log *log, const ssne_tsne_record *record, const int64_t mesh[2]) {
  ssne_log_event(log, "iteration", "{s:I, s:f, s:f, s:f, s:f, s:[I,I], s:f}", "iteration",
                 (long long)record->iteration, "kl", record->kl, "gradient_norm",
                 record->gradient_norm, "exaggeration", record->exaggeration, "span", record->span,
                 "mesh", (long long)mesh[0], (long long)mesh[1], "seconds", record->seconds);
}

/* The larger of the two extents of the map. */
static ssne_code measure_span(const descent *d, double *span, ssne_error *err) {
  float low[4] = {INFINITY, INFINITY, INFINITY, INFINITY}; /* of x, y, -x, -y */
  for (int64_t r = 0; r < d->partition->own_rows; r++) {
    const float *y = d->state->xy + 2 * r;
    for (int axis = 0; axis < 2; axis++) {
      low[axis] = fminf(low[axis], y[axis]);
      low[axis + 2] = fminf(low[axis + 2], -y[axis]);
    }
  }
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, low, 4, MPI_FLOAT, MPI_MIN, d->comm),
                          "MPI_Allreduce", err));
  *span = fmax(-(double)low[2] - (double)low[0], -(double)low[3] - (double)low[1]);
  return SSNE_OK;
}

/* What the forces just evaluated say of the state's coordinates; these are then centred, but for a
 * start, which stays as it was given. */
static ssne_code take_record(descent *d, double exaggeration, double kl, double seconds,
                             ssne_error *err) {
  ssne_tsne_state *s = d->state;
  double norm = 0, span = 0, distance = 0;
  float mean[2];
  SSNE_TRY(measure(d, &norm, mean, err));
  SSNE_TRY(measure_span(d, &span, err));
  ssne_tsne_record *record = &s->history[s->history_count++];
  *record = (ssne_tsne_record){.iteration = s->steps,
                               .kl = kl,
                               .gradient_norm = norm,
                               .exaggeration = exaggeration,
                               .seconds = seconds,
                               .span = span};
  tell(d->log, record, s->mesh);
  if (!isfinite(kl) || !isfinite(norm))
    return ssne_fail(err, SSNE_FAILED,
                     "the embedding stopped being finite before iteration %" PRId64
                     ": lower --learning-rate",
                     s->steps);
  if (s->steps == 0) return SSNE_OK;
  SSNE_TRY(centre(d, mean, &distance, err));
  return bring_back(d, (float)(SHOT_OFF * distance), err);
}

/* Whether KL has stopped falling: `last` and the record before it are of the later phase and as far
 * apart as records are. */
static bool is_flat(const ssne_tsne_options *o, const ssne_tsne_record *last) {
  return o->flat > 0 && last[-1].iteration >= o->early_iterations &&
         last->iteration - last[-1].iteration == SSNE_HISTORY_EVERY &&
         last[-1].kl - last->kl < o->flat * last[-1].kl;
}

static bool is_recorded(const ssne_tsne_options *o, int64_t steps) {
  return steps % SSNE_HISTORY_EVERY == 0 || steps == o->early_iterations ||
         steps == o->early_iterations + o->iterations;
}

/* Evaluates at 0, 1, ... total steps, and steps after each but the last, so that the last record is
 * of the result. */
static ssne_code run(descent *d, ssne_tsne_watch *watch, void *context, ssne_error *err) {
  const ssne_tsne_options *o = d->options;
  ssne_tsne_state *s = d->state;
  const int64_t total = o->early_iterations + o->iterations;
  const double rows = (double)d->partition->rows, start = ssne_clock() - s->seconds;
  char extra[64] = "";
  for (;;) {
    const double e = s->steps < o->early_iterations ? o->exaggeration : o->late_exaggeration;
    const bool record = is_recorded(o, s->steps);
    double kl = 0;
    SSNE_TRY(ssne_objective_evaluate(d->objective, s->xy, e, d->force, record ? &kl : NULL, err));
    ssne_objective_mesh(d->objective, s->mesh);
    s->mesh_nodes += (double)s->mesh[0] * (double)s->mesh[1];
    ssne_log_progress(d->log, s->steps, extra);
    if (record) {
      SSNE_TRY(take_record(d, e, kl, ssne_clock() - start, err));
      snprintf(extra, sizeof extra, "KL %.4f", kl);
      if (s->history_count > 1 && is_flat(o, &s->history[s->history_count - 1])) return SSNE_OK;
    }
    if (s->steps >= total) return SSNE_OK;
    step_rows(d, isnan(o->learning_rate) ? rows / e : o->learning_rate);
    s->steps++;
    s->seconds = ssne_clock() - start;
    if (watch) SSNE_TRY(watch(context, s, err));
  }
}

ssne_code ssne_tsne_descend(const ssne_affinities *affinities, const ssne_tsne_options *options,
                            ssne_tsne_watch *watch, void *context, MPI_Comm comm, ssne_log *log,
                            ssne_stages *stages, ssne_tsne_state *state, ssne_error *err) {
  descent d;
  const int64_t before = state->steps;
  ssne_code code = create(affinities, options, comm, log, state, &d, err);
  ssne_log_progress_begin(log, "t-SNE", "iterations",
                          options->early_iterations + options->iterations);
  if (code == SSNE_OK) code = run(&d, watch, context, err);
  ssne_log_progress_end(log);
  if (code == SSNE_OK) {
    ssne_objective_account(d.objective, stages);
    ssne_stages_add(stages, "step", affinities->partition.rank == 0 ? state->steps - before : 0,
                    d.seconds_stepping);
  }
  destroy(&d);
  return code;
}
