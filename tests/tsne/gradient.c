/* The gradient against a plain double-precision one, which itself is checked against finite
 * differences of KL; and what the forces must conserve. */
#include "check.h"

#include "shardsne/memory.h"
#include "shardsne/neighbours.h"
#include "shardsne/random.h"
#include "shardsne/tsne.h"

#include <math.h>
#include <string.h>

#define ROWS 400
#define COLUMNS 8
#define NEIGHBOURS 24

typedef struct reference {
  double p[ROWS][ROWS]; /* all of P, of all ranks */
  double y[ROWS][2];
  double gradient[ROWS][2];
} reference;

static double kernel(const reference *t, int i, int j) {
  const double dx = t->y[i][0] - t->y[j][0], dy = t->y[i][1] - t->y[j][1];
  return 1 / (1 + dx * dx + dy * dy);
}

static double normaliser(const reference *t) {
  double z = 0;
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < ROWS; j++)
      if (i != j) z += kernel(t, i, j);
  return z;
}

static double divergence(const reference *t) {
  const double z = normaliser(t);
  double kl = 0;
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < ROWS; j++)
      if (t->p[i][j] > 0) kl += t->p[i][j] * log(t->p[i][j] * z / kernel(t, i, j));
  return kl;
}

/* van der Maaten & Hinton 2008, eq. 5, with p times `exaggeration`. */
static void plain_gradient(reference *t, double exaggeration) {
  const double z = normaliser(t);
  memset(t->gradient, 0, sizeof t->gradient);
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < ROWS; j++) {
      const double k = kernel(t, i, j);
      const double weight = i == j ? 0 : 4 * (exaggeration * t->p[i][j] - k / z) * k;
      for (int a = 0; a < 2; a++) t->gradient[i][a] += weight * (t->y[i][a] - t->y[j][a]);
    }
}

static void check_finite_differences(reference *t) {
  plain_gradient(t, 1);
  for (int i = 0; i < ROWS; i += 37)
    for (int a = 0; a < 2; a++) {
      const double at = t->y[i][a], step = 1e-4;
      t->y[i][a] = at + step;
      const double above = divergence(t);
      t->y[i][a] = at - step;
      const double below = divergence(t);
      t->y[i][a] = at;
      CHECK_NEAR((above - below) / (2 * step), t->gradient[i][a], 1e-8);
    }
}

static ssne_affinities build(const ssne_partition *p) {
  float x[ROWS * COLUMNS];
  const ssne_order order = {.rows = ROWS};
  const ssne_search_options search = {.search = SSNE_SEARCH_EXACT, .k = NEIGHBOURS, .threads = 1};
  const double perplexity = 8;
  ssne_search_report report;
  ssne_neighbours neighbours;
  ssne_rows rows;
  ssne_affinities affinities;
  ssne_error err;
  for (int64_t i = 0; i < p->own_rows * COLUMNS; i++)
    x[i] = (float)ssne_random_normal(6, SSNE_RANDOM_INIT, (uint64_t)(p->first_row * COLUMNS + i));
  CHECK_OK(ssne_rows_prepare(x, COLUMNS, p, &(ssne_rows_options){.threads = 1}, MPI_COMM_WORLD,
                             &rows, &err),
           &err);
  CHECK_OK(
      ssne_neighbours_find(&rows, NULL, &search, MPI_COMM_WORLD, NULL, &neighbours, &report, &err),
      &err);
  CHECK_OK(ssne_affinities_build(&neighbours, &order, &perplexity, 1, 2, MPI_COMM_WORLD,
                                 &affinities, &err),
           &err);
  ssne_rows_free(&rows);
  return affinities;
}

/* All ranks' P together, which must be symmetric and sum to 1. */
static void gather_p(const ssne_affinities *a, reference *t) {
  memset(t->p, 0, sizeof t->p);
  for (int64_t r = 0; r < a->partition.own_rows; r++)
    for (int64_t e = a->start[r]; e < a->start[r + 1]; e++) {
      if (a->value[e] == 0) { /* padding */
        CHECK(a->column[e] == (uint32_t)(a->partition.first_row + r));
        continue;
      }
      CHECK(e == a->start[r] || a->column[e] > a->column[e - 1]);
      t->p[a->partition.first_row + r][a->column[e]] = (double)a->value[e];
    }
  MPI_Allreduce(MPI_IN_PLACE, t->p, ROWS * ROWS, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  double sum = 0, entropy = 0;
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < ROWS; j++) {
      CHECK(t->p[i][j] == t->p[j][i]);
      sum += t->p[i][j];
      if (t->p[i][j] > 0) entropy += t->p[i][j] * log(t->p[i][j]);
    }
  CHECK_NEAR(sum, 1, 1e-6);
  CHECK_NEAR(a->sum, sum, 1e-12);
  CHECK_NEAR(a->entropy, entropy, 1e-12);
}

typedef struct method {
  ssne_force_options options;
  double bound;     /* rms gap from the reference, relative to its rms */
  double conserved; /* sum of all forces, relative to the largest */
  double kl;        /* gap */
} method;

static void check_gradient(const ssne_affinities *a, reference *t, double exaggeration,
                           const method *m) {
  float xy[2 * ROWS], force[2 * ROWS];
  const ssne_partition *p = &a->partition;
  double kl = 0, sums[4] = {0, 0, 0, 0}, largest = 0;
  ssne_objective *objective = NULL;
  ssne_error err;
  for (int64_t i = 0; i < 2 * p->own_rows; i++) xy[i] = (float)t->y[p->first_row + i / 2][i % 2];
  CHECK_OK(ssne_objective_create(a, &m->options, MPI_COMM_WORLD, &objective, &err), &err);
  CHECK_OK(ssne_objective_evaluate(objective, xy, exaggeration, force, &kl, &err), &err);
  ssne_objective_destroy(&objective);
  plain_gradient(t, exaggeration);
  CHECK_NEAR(kl, divergence(t), m->kl);
  for (int64_t i = 0; i < 2 * p->own_rows; i++) {
    const double expected = t->gradient[p->first_row + i / 2][i % 2];
    const double gradient = 4 * (double)force[i];
    sums[0] += (gradient - expected) * (gradient - expected);
    sums[1] += expected * expected;
    sums[2 + i % 2] += gradient;
    largest = fmax(largest, fabs(gradient));
  }
  MPI_Allreduce(MPI_IN_PLACE, sums, 4, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  CHECK_NEAR(sqrt(sums[0] / sums[1]), 0, m->bound);
  CHECK_NEAR(sums[2] / largest, 0, m->conserved); /* actio = reactio */
  CHECK_NEAR(sums[3] / largest, 0, m->conserved);
}

static void check_methods(const ssne_affinities *a, reference *t, double span) {
  ssne_force_options exact = ssne_force_defaults(), mesh = exact;
  exact.repulsion = SSNE_REPULSION_EXACT;
  exact.threads = 3;
  mesh.repulsion = SSNE_REPULSION_MESH;
  mesh.threads = 2;
  const method methods[] = {{exact, span < 0.1 ? 1e-4 : 3e-6, 1e-4, 1e-6},
                            {mesh, 0.02, 1e-2, 1e-3}};
  for (int m = 0; m < 2; m++) {
    check_gradient(a, t, 1, &methods[m]);
    check_gradient(a, t, 12, &methods[m]);
  }
}

int main(int argc, char **argv) {
  static reference t;
  int rank = 0, ranks = 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const ssne_partition p = ssne_partition_make(ROWS, SSNE_ROWS_BLOCK, ranks, rank);
  ssne_affinities a = build(&p);
  gather_p(&a, &t);
  const double spans[] = {1e-2, 1, 30};
  for (int s = 0; s < 3; s++) {
    /* rounded to float at once: the engine sees no more */
    for (int i = 0; i < 2 * ROWS; i++)
      t.y[i / 2][i % 2] =
          (double)(float)(spans[s] * ssne_random_normal(9, SSNE_RANDOM_INIT, (uint64_t)i));
    if (s == 1) check_finite_differences(&t);
    check_methods(&a, &t, spans[s]);
  }
  ssne_affinities_free(&a);
  MPI_Finalize();
  return check_result();
}
