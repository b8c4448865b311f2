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
static void apply_reference(void *state, int64_t begin, int64_t end, bool with_spread,
                            ssne_forces *forces) {
  const reference *s = state;
  const ssne_affinities *a = s->near->affinities;
  for (int64_t r = begin; r < end; r++) {
    const float *y = s->near->xy + 2 * (int64_t)s->near->slot[r];
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
} vectors;

/* Where the share of thread `t` of rows begin <= r < end begins. Rows differ in length: shares are
 * of as even numbers of entries as whole rows allow. */
static int64_t share_begin(const vectors *v, int64_t begin, int64_t end, int t) {
  const int64_t *start = v->rows.start;
  const int64_t entry = start[begin] + ssne_share_begin(start[end] - start[begin], v->threads, t);
  int64_t low = begin, high = end;
  if (t == v->threads) return end; /* rows without entries belong to someone, too */
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (start[middle] < entry)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
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
                          .entries = a->start[own],
                          .slot = near->slot,
                          .xy = near->xy,
                          .tail_df = options->tail_df,
                          .stiffness = (float)(1 / options->tail_df),
                          .ahead = own + near->ghosts < FETCH_ROWS ? 0 : FETCH_AHEAD}};
  return SSNE_OK;
}

static void apply_vectors(void *state, int64_t begin, int64_t end, bool with_spread,
                          ssne_forces *forces) {
  const vectors *v = state;
  const attraction_kernels *kernels = attraction_kernels_at(ssne_simd_level());
#pragma omp parallel for schedule(static, 1) num_threads(v->threads)
  for (int t = 0; t < v->threads; t++) {
    const int64_t first = share_begin(v, begin, end, t), last = share_begin(v, begin, end, t + 1);
    kernels->attract(&v->rows, first, last, forces->attraction);
    if (with_spread) kernels->spread(&v->rows, first, last, forces->spread);
  }
}

const ssne_attraction_backend ssne_attraction_cpu = {
    .name = "vectors", .create = create_vectors, .apply = apply_vectors, .destroy = destroy};
