/* What is recorded of a map on its way, and its being held in place there. */
#include "descent.h"

#include "shardsne/clock.h"
#include "shardsne/exact_sum.h"
#include "shardsne/exchange.h"

#include <inttypes.h>
#include <math.h>

/* A point farther from the centre than so many times the mean distance has shot off; the rim of a
 * disc of points is at 1.5 times. */
#define SHOT_OFF 8

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

static bool is_by_tao(const descent *d) {
  return d->options->optimiser == SSNE_OPTIMISER_TAO &&
         d->state->steps > d->options->early_iterations;
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
    ssne_log_warn(d->log, "%" PRId64 " point%s shot off and %s brought back%s", count,
                  count == 1 ? "" : "s", count == 1 ? "was" : "were",
                  is_by_tao(d) ? "" : ": a lower --learning-rate may be needed");
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

ssne_code ssne_descent_record(descent *d, double exaggeration, double kl, double seconds,
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
                     "the embedding stopped being finite before iteration %" PRId64 ": %s",
                     s->steps, is_by_tao(d) ? "--optimizer descent" : "lower --learning-rate");
  if (s->steps == 0) return SSNE_OK;
  SSNE_TRY(centre(d, mean, &distance, err));
  return bring_back(d, (float)(SHOT_OFF * distance), err);
}

bool ssne_descent_is_flat(const descent *d) {
  const ssne_tsne_options *o = d->options;
  const ssne_tsne_record *last = &d->state->history[d->state->history_count - 1];
  return o->flat > 0 && d->state->history_count > 1 && last[-1].iteration >= o->early_iterations &&
         last->iteration - last[-1].iteration == SSNE_HISTORY_EVERY &&
         last[-1].kl - last->kl < o->flat * last[-1].kl;
}

bool ssne_descent_is_recorded(const ssne_tsne_options *o, int64_t steps) {
  return steps % SSNE_HISTORY_EVERY == 0 || steps == o->early_iterations ||
         steps == o->early_iterations + o->iterations;
}
