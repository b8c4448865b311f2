/* A whole descent: three clusters come apart, KL falls, and the result has the same bits whatever
 * the number of threads (whatever the number of ranks: tests/job/one_result.py), and where it was
 * stopped meanwhile. */
#include "check.h"

#include "shardsne/digest.h"
#include "shardsne/memory.h"
#include "shardsne/neighbours.h"
#include "shardsne/random.h"
#include "shardsne/tsne.h"

#include <math.h>
#include <string.h>

#define ROWS 450
#define COLUMNS 5
#define NEIGHBOURS 30

static ssne_affinities build(const ssne_partition *p, float *xy) {
  static float x[ROWS * COLUMNS];
  const ssne_order order = {.rows = ROWS};
  const ssne_search_options search = {.search = SSNE_SEARCH_EXACT, .k = NEIGHBOURS, .threads = 1};
  const double perplexity = 10;
  ssne_search_report report;
  ssne_neighbours neighbours;
  ssne_rows rows;
  ssne_affinities affinities;
  ssne_error err;
  for (int64_t i = 0; i < p->own_rows * COLUMNS; i++) {
    const int64_t row = p->first_row + i / COLUMNS, column = i % COLUMNS;
    x[i] = (float)(ssne_random_normal(6, SSNE_RANDOM_INIT, (uint64_t)(row * COLUMNS + column)) +
                   (row % 3 == column ? 12 : 0));
  }
  CHECK_OK(ssne_rows_prepare(x, COLUMNS, p, &(ssne_rows_options){.threads = 1}, MPI_COMM_WORLD,
                             &rows, &err),
           &err);
  CHECK_OK(
      ssne_neighbours_find(&rows, NULL, &search, MPI_COMM_WORLD, NULL, &neighbours, &report, &err),
      &err);
  CHECK_OK(ssne_affinities_build(&neighbours, &order, &perplexity, 1, 1, MPI_COMM_WORLD,
                                 &affinities, &err),
           &err);
  CHECK_OK(ssne_start_pca(&rows, 0, 1, MPI_COMM_WORLD, xy, &err), &err);
  ssne_rows_free(&rows);
  return affinities;
}

/* Share of rows whose nearest row in the map is of the same cluster. */
static double purity(const float *all) {
  int right = 0;
  for (int i = 0; i < ROWS; i++) {
    int nearest = -1;
    double least = INFINITY;
    for (int j = 0; j < ROWS; j++) {
      const double dx = (double)(all[2 * i] - all[2 * j]);
      const double dy = (double)(all[2 * i + 1] - all[2 * j + 1]);
      if (j == i || dx * dx + dy * dy >= least) continue;
      least = dx * dx + dy * dy;
      nearest = j;
    }
    right += nearest % 3 == i % 3;
  }
  return (double)right / ROWS;
}

/* What the descents below have in common. */
static ssne_tsne_options schedule(void) {
  return (ssne_tsne_options){.early_iterations = 120,
                             .iterations = 230,
                             .exaggeration = 12,
                             .late_exaggeration = 1,
                             .learning_rate = NAN,
                             .momentum = 0.8,
                             .step_limit = 5,
                             .forces = ssne_force_defaults()};
}

/* A state with the coordinates `start`. */
static ssne_tsne_state begin(const ssne_affinities *a, const ssne_tsne_options *o,
                             const float *start) {
  ssne_tsne_state state;
  ssne_error err;
  CHECK_OK(ssne_tsne_state_allocate(&a->partition, o, &state, &err), &err);
  memcpy(state.xy, start, (size_t)a->partition.own_rows * 2 * sizeof *start);
  return state;
}

static void descend(const ssne_affinities *a, const ssne_tsne_options *o, ssne_tsne_state *state) {
  ssne_stages stages = {0};
  ssne_error err;
  CHECK_OK(ssne_tsne_descend(a, o, NULL, NULL, NULL, MPI_COMM_WORLD, NULL, &stages, state, &err),
           &err);
  CHECK(stages.count > 0);
}

/* Descends from `start` with 1, 2 and 3 threads; `all` becomes the map, the same each time. */
static void check_descent(const ssne_affinities *a, const ssne_tsne_options *options,
                          const float *start, float *all) {
  const ssne_partition *p = &a->partition;
  const size_t size = (size_t)p->own_rows * 2 * sizeof *start;
  ssne_tsne_options o = *options;
  uint64_t digest[3] = {0};
  ssne_error err;
  for (int threads = 1; threads <= 3; threads++) {
    o.forces.threads = threads;
    ssne_tsne_state state = begin(a, &o, start);
    descend(a, &o, &state);
    const ssne_tsne_record *history = state.history;
    const int64_t count = state.history_count;
    digest[threads - 1] = ssne_digest64(state.xy, size);
    CHECK(count > 0 && count <= ssne_tsne_history_length(&o) && state.steps == 350);
    CHECK(history[0].iteration == 0 && history[count - 1].iteration == 350);
    CHECK(history[count - 1].kl > 0 && history[count - 1].kl < 0.5 * history[0].kl);
    ssne_objective *objective = NULL;
    static float force[2 * ROWS];
    double kl = 0;
    CHECK_OK(ssne_objective_create(a, &o.forces, MPI_COMM_WORLD, &objective, &err), &err);
    CHECK_OK(ssne_objective_evaluate(objective, state.xy, 1, force, &kl, &err), &err);
    ssne_objective_destroy(&objective);
    CHECK_NEAR(kl, history[count - 1].kl,
               1e-4); /* the last record is of the result, then centred */
    memset(all, 0, 2 * ROWS * sizeof *all);
    memcpy(all + 2 * p->first_row, state.xy, size);
    ssne_tsne_state_free(&state);
  }
  CHECK(digest[0] == digest[1] && digest[0] == digest[2]);
  MPI_Allreduce(MPI_IN_PLACE, all, 2 * ROWS, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

/* Stops the descent after some step, with the state as it is then. */
typedef struct stopper {
  int64_t at, calls;
} stopper;

static ssne_code stop_at(void *context, const ssne_tsne_state *state, ssne_error *err) {
  stopper *s = context;
  s->calls++;
  CHECK(state->steps == s->calls);
  return state->steps == s->at ? ssne_fail(err, SSNE_STOPPED, "enough") : SSNE_OK;
}

/* A descent that was stopped, and goes on from a copy of its state, has the bits and the history of
 * one that was not: stopped among the early iterations, at a record, at the change of phase, before
 * the last. */
static void check_resume(const ssne_affinities *a, const ssne_tsne_options *o, const float *start) {
  static const int64_t moments[] = {1, 50, 120, 349};
  const ssne_partition *p = &a->partition;
  const size_t size = (size_t)p->own_rows * 2 * sizeof *start;
  ssne_tsne_state whole = begin(a, o, start);
  ssne_error err;
  descend(a, o, &whole);
  for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
    stopper s = {.at = moments[i]};
    ssne_stages stages = {0};
    ssne_tsne_state stopped = begin(a, o, start), resumed = begin(a, o, start);
    CHECK(ssne_tsne_descend(a, o, stop_at, &s, NULL, MPI_COMM_WORLD, NULL, &stages, &stopped,
                            &err) == SSNE_STOPPED);
    CHECK(stopped.steps == moments[i]);
    resumed.steps = stopped.steps;
    resumed.history_count = stopped.history_count;
    memcpy(resumed.xy, stopped.xy, size);
    memcpy(resumed.velocity, stopped.velocity, size);
    memcpy(resumed.gain, stopped.gain, size);
    memcpy(resumed.history, stopped.history,
           (size_t)stopped.history_count * sizeof *stopped.history);
    descend(a, o, &resumed);
    CHECK(memcmp(resumed.xy, whole.xy, size) == 0);
    CHECK(resumed.history_count == whole.history_count);
    for (int64_t h = 0; h < whole.history_count; h++)
      CHECK(resumed.history[h].iteration == whole.history[h].iteration &&
            memcmp(&resumed.history[h].kl, &whole.history[h].kl, sizeof(double)) == 0);
    ssne_tsne_state_free(&stopped);
    ssne_tsne_state_free(&resumed);
  }
  ssne_tsne_state_free(&whole);
}

/* A descent that may stop does so after the early phase, and where it stops KL was flat. */
static void check_flat(const ssne_affinities *a, const float *start) {
  ssne_tsne_options o = schedule();
  o.early_iterations = 100;
  o.iterations = 2000;
  o.flat = 0.01;
  ssne_tsne_state state = begin(a, &o, start);
  descend(a, &o, &state);
  const ssne_tsne_record *last = &state.history[state.history_count - 1];
  CHECK(last->iteration >= 150 && last->iteration < 2100);
  CHECK(last[-1].kl - last->kl < 0.01 * last[-1].kl);
  ssne_tsne_state_free(&state);
}

/* One point far off the start is brought back to the others. */
static void check_guard(const ssne_affinities *a, const float *start) {
  ssne_tsne_options o = schedule();
  double farthest = 0;
  o.early_iterations = 50;
  o.iterations = 0;
  ssne_tsne_state state = begin(a, &o, start);
  if (a->partition.first_row == 0 && a->partition.own_rows > 0) state.xy[0] = 1e6f;
  descend(a, &o, &state);
  for (int64_t i = 0; i < 2 * a->partition.own_rows; i++)
    farthest = fmax(farthest, fabs((double)state.xy[i]));
  MPI_Allreduce(MPI_IN_PLACE, &farthest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  CHECK(farthest < 1e5);
  ssne_tsne_state_free(&state);
}

int main(int argc, char **argv) {
  static float start[2 * ROWS], all[2 * ROWS];
  int rank = 0, ranks = 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const ssne_partition p = ssne_partition_make(ROWS, SSNE_ROWS_BLOCK, ranks, rank);
  ssne_affinities a = build(&p, start);
  ssne_tsne_options o = schedule();
  for (int mesh = 0; mesh < 2; mesh++) {
    o.forces.repulsion = mesh ? SSNE_REPULSION_MESH : SSNE_REPULSION_EXACT;
    check_descent(&a, &o, start, all);
    CHECK(purity(all) > 0.99);
    if (mesh) check_resume(&a, &o, start); /* all pairs take a sanitizer minutes */
  }
  check_flat(&a, start);
  check_guard(&a, start);
  ssne_affinities_free(&a);
  MPI_Finalize();
  return check_result();
}
