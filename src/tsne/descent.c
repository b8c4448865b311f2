/* The descent: one loop over iterations, each an evaluation of the objective and a step. */
#include "descent.h"
#include "step_kernels.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/memory.h"

#include <math.h>
#include <stdio.h>

#define FIRST_LAYOUT 100 /* before, groups have not formed */

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
  state->steps = state->history_count = state->evaluations = state->divergences = 0;
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
                        const ssne_stop *stop, MPI_Comm comm, ssne_log *log, ssne_tsne_state *state,
                        descent *d, ssne_error *err) {
  *d = (descent){.options = options,
                 .partition = &affinities->partition,
                 .stop = stop,
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

/* After so many steps, twice as many, four times ...; where a descent goes on from a later state,
 * at once. */
static ssne_code lay_out_if_due(descent *d, ssne_error *err) {
  const int64_t steps = d->state->steps;
  if (steps < FIRST_LAYOUT || steps < 2 * d->laid_out) return SSNE_OK;
  d->laid_out = steps;
  return ssne_objective_lay_out(d->objective, err);
}

ssne_code ssne_descent_evaluate(descent *d, const float *xy, double exaggeration, double *kl,
                                ssne_error *err) {
  ssne_tsne_state *s = d->state;
  SSNE_TRY(ssne_objective_evaluate(d->objective, xy, exaggeration, d->force, kl, err));
  SSNE_TRY(lay_out_if_due(d, err));
  ssne_objective_mesh(d->objective, s->mesh);
  s->mesh_nodes += (double)s->mesh[0] * (double)s->mesh[1];
  s->evaluations++;
  s->divergences += kl != NULL;
  return SSNE_OK;
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
    if (o->optimiser == SSNE_OPTIMISER_TAO && s->steps >= o->early_iterations)
      return ssne_descent_by_tao(d, watch, context, err);
    const double e = s->steps < o->early_iterations ? o->exaggeration : o->late_exaggeration;
    const bool record = ssne_descent_is_recorded(o, s->steps);
    double kl = 0;
    SSNE_TRY(ssne_descent_evaluate(d, s->xy, e, record ? &kl : NULL, err));
    ssne_log_progress(d->log, s->steps, extra);
    if (record) {
      SSNE_TRY(ssne_descent_record(d, e, kl, ssne_clock() - start, err));
      snprintf(extra, sizeof extra, "KL %.4f", kl);
      if (ssne_descent_is_flat(d)) return SSNE_OK;
    }
    if (s->steps >= total) return SSNE_OK;
    step_rows(d, isnan(o->learning_rate) ? rows / e : o->learning_rate);
    s->steps++;
    d->steps_made++;
    s->seconds = ssne_clock() - start;
    if (watch) SSNE_TRY(watch(context, s, err));
  }
}

ssne_code ssne_tsne_descend(const ssne_affinities *affinities, const ssne_tsne_options *options,
                            ssne_tsne_watch *watch, void *context, const ssne_stop *stop,
                            MPI_Comm comm, ssne_log *log, ssne_stages *stages,
                            ssne_tsne_state *state, ssne_error *err) {
  descent d;
  ssne_code code = create(affinities, options, stop, comm, log, state, &d, err);
  ssne_log_progress_begin(log, "t-SNE", "iterations",
                          options->early_iterations + options->iterations);
  if (code == SSNE_OK) code = run(&d, watch, context, err);
  ssne_log_progress_end(log);
  if (code == SSNE_OK) {
    ssne_objective_account(d.objective, stages);
    const bool counts = affinities->partition.rank == 0;
    ssne_stages_add(stages, "step", counts ? d.steps_made : 0, d.seconds_stepping);
    if (d.tao_iterations > 0) {
      ssne_stages_add(stages, "to and from rank 0", counts ? d.tao_evaluations : 0,
                      d.seconds_gathering);
      ssne_stages_add(stages, "TAO", counts ? d.tao_iterations : 0, d.seconds_in_tao);
    }
  }
  destroy(&d);
  return code;
}
