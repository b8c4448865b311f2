#include "attraction_kernels.h"
#include "forces.h"

#include "shardsne/memory.h"

#include <math.h>

/* --- reference ----------------------------------------------------------------------------- */

typedef struct reference {
  const ssne_near *near;
  double tail_df;
} reference;

static ssne_code create_reference(const ssne_near *near, const ssne_force_options *options,
                                  void **state, ssne_error *err) {
  reference *a = NULL;
  SSNE_TRY(ssne_alloc(&a, 1, sizeof *a, "attraction", err));
  *a = (reference){.near = near, .tail_df = options->tail_df};
  *state = a;
  return SSNE_OK;
}

/* Everything in double precision, one entry after the other. */
static void apply_reference(void *state, bool with_spread, ssne_forces *forces) {
  const reference *s = state;
  const ssne_affinities *a = s->near->affinities;
  for (int64_t r = 0; r < a->partition.own_rows; r++) {
    const float *y = s->near->xy + 2 * r;
    double sum[2] = {0, 0}, spread = 0;
    for (int64_t e = a->start[r]; e < a->start[r + 1]; e++) {
      const float *other = s->near->xy + 2 * (int64_t)s->near->column[e];
      const double dx = (double)y[0] - (double)other[0], dy = (double)y[1] - (double)other[1];
      const double p = (double)a->value[e], stretch = (dx * dx + dy * dy) / s->tail_df;
      sum[0] += p / (1 + stretch) * dx;
      sum[1] += p / (1 + stretch) * dy;
      spread += p * s->tail_df * log1p(stretch);
    }
    forces->attraction[2 * r] = (float)sum[0];
    forces->attraction[2 * r + 1] = (float)sum[1];
    if (with_spread) forces->spread[r] = spread;
  }
}

static void destroy(void **state) {
  ssne_free(state);
}

const ssne_attraction_backend ssne_attraction_reference = {
    .name = "reference", .create = create_reference, .apply = apply_reference, .destroy = destroy};

/* --- vectors ------------------------------------------------------------------------------- */

/* Coordinates of so many rows no longer fit a core's second-level cache, so that fetching them
 * early pays; below, it costs more than it gains. */
#define FETCH_ROWS ((int64_t)1 << 18)
#define FETCH_AHEAD 256 /* entries: two rows or so */

typedef struct vectors {
  attraction_rows rows;
  int threads;
  int64_t *share; /* [threads + 1] own rows at which the threads' shares begin */
} vectors;

static void destroy_vectors(void **state) {
  vectors *v = *state;
  if (v) ssne_free(&v->share);
  ssne_free(state);
}

/* Rows differ in length: shares of as even numbers of entries as whole rows allow. */
static void share_out(const int64_t *start, int64_t rows, int threads, int64_t *share) {
  int64_t row = 0;
  for (int t = 0; t < threads; t++) {
    const int64_t entry = ssne_share_begin(start[rows], threads, t);
    while (row < rows && start[row] < entry) row++;
    share[t] = row;
  }
  share[0] = 0; /* rows without entries belong to someone, too */
  share[threads] = rows;
}

static ssne_code create_vectors(const ssne_near *near, const ssne_force_options *options,
                                void **state, ssne_error *err) {
  const ssne_affinities *a = near->affinities;
  const int64_t own = a->partition.own_rows;
  vectors *v = NULL;
  SSNE_TRY(ssne_alloc(&v, 1, sizeof *v, "attraction", err));
  *state = v;
  *v = (vectors){.threads = options->threads,
                 .rows = {.start = a->start,
                          .column = near->column,
                          .value = a->value,
                          .xy = near->xy,
                          .tail_df = options->tail_df,
                          .stiffness = (float)(1 / options->tail_df),
                          .ahead = own + near->ghosts < FETCH_ROWS ? 0 : FETCH_AHEAD}};
  const ssne_code code =
      ssne_alloc(&v->share, (int64_t)v->threads + 1, sizeof *v->share, "threads", err);
  if (code != SSNE_OK)
    destroy_vectors(state);
  else
    share_out(a->start, own, v->threads, v->share);
  return code;
}

static void apply_vectors(void *state, bool with_spread, ssne_forces *forces) {
  const vectors *v = state;
  const attraction_kernels *kernels = attraction_kernels_at(ssne_simd_level());
#pragma omp parallel for schedule(static, 1) num_threads(v->threads)
  for (int t = 0; t < v->threads; t++) {
    kernels->attract(&v->rows, v->share[t], v->share[t + 1], forces->attraction);
    if (with_spread) kernels->spread(&v->rows, v->share[t], v->share[t + 1], forces->spread);
  }
}

const ssne_attraction_backend ssne_attraction_cpu = {.name = "vectors",
                                                     .create = create_vectors,
                                                     .apply = apply_vectors,
                                                     .destroy = destroy_vectors};
