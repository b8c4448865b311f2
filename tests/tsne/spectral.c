/* The spectral start against LAPACK's eigenvectors of the dense matrix: of neighbour lists, of
 * graphs with repeated eigenvalues, and what has no start. The same bits at any number of ranks. */
#include "check.h"

#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/petsc.h"
#include "shardsne/random.h"
#include "shardsne/tsne.h"

#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define MOST 400

/* The whole graph, P's definition: 0 where there is no edge. */
typedef struct graph {
  int64_t rows;
  float p[MOST][MOST];
} graph;

static void normalise(graph *g) {
  double sum = 0;
  for (int64_t i = 0; i < g->rows; i++)
    for (int64_t j = 0; j < g->rows; j++) sum += (double)g->p[i][j];
  for (int64_t i = 0; i < g->rows; i++)
    for (int64_t j = 0; j < g->rows; j++) g->p[i][j] = (float)((double)g->p[i][j] / sum);
}

static void join(graph *g, int64_t i, int64_t j, double weight) {
  g->p[i][j] = g->p[j][i] = (float)weight;
}

/* Points in the plane, wider than high, joined by a kernel that reaches some of the others. */
static void make_cloud(graph *g, int64_t rows) {
  *g = (graph){.rows = rows};
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < i; j++) {
      double square = 0;
      for (int c = 0; c < 2; c++) {
        const double a = ssne_random_uniform(4, SSNE_RANDOM_INIT, (uint64_t)(2 * i + c));
        const double b = ssne_random_uniform(4, SSNE_RANDOM_INIT, (uint64_t)(2 * j + c));
        square += (a - b) * (a - b) * (c ? 1 : 2);
      }
      if (square < 0.2 || rows < 10) join(g, i, j, exp(-10 * square));
    }
  normalise(g);
}

/* A ring: every eigenvalue but two is double. */
static void make_ring(graph *g, int64_t rows) {
  *g = (graph){.rows = rows};
  for (int64_t i = 0; i < rows; i++) join(g, i, (i + 1) % rows, 1);
  normalise(g);
}

/* A torus of side x side: the second eigenvalue is fourfold, so that the third is no end of it. */
static void make_torus(graph *g, int64_t side) {
  *g = (graph){.rows = side * side};
  for (int64_t i = 0; i < side; i++)
    for (int64_t j = 0; j < side; j++) {
      join(g, i * side + j, i * side + (j + 1) % side, 1);
      join(g, i * side + j, (i + 1) % side * side + j, 1);
    }
  normalise(g);
}

/* Two clouds without an edge between them. */
static void make_pieces(graph *g, int64_t rows) {
  make_cloud(g, rows);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < rows; j++)
      if (i % 2 != j % 2) g->p[i][j] = 0;
  normalise(g);
}

static ssne_affinities compress(const graph *g, const ssne_partition *p) {
  ssne_affinities a = {.partition = *p, .sum = 1};
  ssne_error err;
  CHECK_OK(ssne_alloc(&a.start, p->own_rows + 1, sizeof *a.start, "rows", &err), &err);
  CHECK_OK(ssne_alloc(&a.column, p->own_rows * MOST, sizeof *a.column, "columns", &err), &err);
  CHECK_OK(ssne_alloc(&a.value, p->own_rows * MOST, sizeof *a.value, "values", &err), &err);
  for (int64_t r = 0; r < p->own_rows; r++) {
    int64_t e = a.start[r];
    for (int64_t j = 0; j < g->rows; j++) {
      if (g->p[p->first_row + r][j] == 0) continue;
      a.column[e] = (uint32_t)j;
      a.value[e++] = g->p[p->first_row + r][j];
    }
    for (; e % SSNE_AFFINITY_PAD; e++) a.column[e] = (uint32_t)(p->first_row + r);
    a.start[r + 1] = e;
  }
  return a;
}

/* The start of all rows, on every rank. */
static ssne_code start(const graph *g, const char *options, int threads, MPI_Comm comm, float *all,
                       ssne_error *err) {
  int rank = 0, ranks = 1, counts[64], first[64];
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  const ssne_partition p = ssne_partition_make(g->rows, SSNE_ROWS_BLOCK, ranks, rank);
  ssne_affinities a = compress(g, &p);
  float *own = all + 2 * p.first_row;
  const ssne_code code = ssne_start_spectral(&a, 3, &(ssne_petsc_options){.text = options}, threads,
                                             NULL, comm, own, err);
  for (int r = 0; r < ranks; r++) {
    first[r] = (int)(2 * ssne_partition_first_row(&p, r));
    counts[r] = (int)(2 * ssne_partition_first_row(&p, r + 1)) - first[r];
  }
  MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, counts, first, MPI_FLOAT, comm);
  ssne_affinities_free(&a);
  return code;
}

/* truth [rows, 2] by LAPACK and the rule of tsne.h. `first`, `second`: how many eigenvectors each
 * of the two spaces has; second 0: both columns are of the first. */
static void find_truth(const graph *g, int first, int second, double *truth) {
  static double s[MOST * MOST], value[MOST], degree[MOST], column[2][MOST];
  const int64_t n = g->rows;
  memset(degree, 0, sizeof degree);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) degree[i] += (double)g->p[i][j];
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) s[i * n + j] = (double)g->p[i][j] / sqrt(degree[i] * degree[j]);
  CHECK(LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', (int)n, s, (int)n, value) == 0);
  for (int q = 0; q < 2; q++) {
    const int64_t from = q == 0 || second == 0 ? 1 : 1 + first;
    const int64_t count = q == 0 || second == 0 ? first : second;
    memset(column[q], 0, sizeof column[q]);
    for (int64_t v = from; v < from + count; v++) {
      double product = 0;
      for (int64_t i = 0; i < n; i++)
        product += s[i * n + n - 1 - v] *
                   ssne_random_normal(0, SSNE_RANDOM_SPECTRAL, (uint64_t)(q * n + i));
      for (int64_t i = 0; i < n; i++) column[q][i] += product * s[i * n + n - 1 - v];
    }
    double along = 0, square = 0;
    for (int64_t i = 0; i < n && q == 1 && second == 0; i++) along += column[0][i] * column[1][i];
    for (int64_t i = 0; i < n && q == 1; i++) column[1][i] -= along * column[0][i];
    for (int64_t i = 0; i < n; i++) square += column[q][i] * column[q][i];
    for (int64_t i = 0; i < n; i++) column[q][i] /= sqrt(square);
  }
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) mean += column[0][i] / sqrt(degree[i]) / (double)n;
  for (int64_t i = 0; i < n; i++) {
    const double x = column[0][i] / sqrt(degree[i]) - mean;
    squares += x * x / (double)n;
  }
  for (int64_t i = 0; i < 2 * n; i++)
    truth[i] = column[i % 2][i / 2] / sqrt(degree[i / 2] * squares) * SSNE_START_DEVIATION;
}

static void test(const graph *g, int first, int second, int threads) {
  static float all[2 * MOST], alone[2 * MOST];
  static double truth[2 * MOST];
  ssne_error err;
  CHECK_OK(start(g, NULL, threads, MPI_COMM_WORLD, all, &err), &err);
  CHECK_OK(start(g, NULL, 1, MPI_COMM_SELF, alone, &err), &err);
  CHECK(memcmp(all, alone, (size_t)(2 * g->rows) * sizeof *all) == 0);
  find_truth(g, first, second, truth);
  double worst = 0;
  for (int64_t i = 0; i < 2 * g->rows; i++) {
    const double noise = 0.01 * ssne_random_normal(3, SSNE_RANDOM_JITTER, (uint64_t)i);
    const double gap = ((double)all[i] - truth[i]) / SSNE_START_DEVIATION - noise;
    worst = gap < 0 || gap >= 0 ? fmax(worst, fabs(gap)) : INFINITY;
  }
  CHECK_NEAR(worst, 0, 1e-4);
}

static void test_failure(const graph *g, const char *options, ssne_code expected,
                         const char *words) {
  static float all[2 * MOST];
  ssne_error err;
  CHECK(start(g, options, 1, MPI_COMM_WORLD, all, &err) == expected);
  if (!strstr(err.text, words)) fprintf(stderr, "not \"%s\": %s\n", words, err.text);
  CHECK(strstr(err.text, words) != NULL);
}

int main(int argc, char **argv) {
  static graph g;
  ssne_error err;
  MPI_Init(&argc, &argv);
  const bool there = ssne_petsc_check("this", &err) == SSNE_OK;
  make_cloud(&g, 300);
  if (there) {
    test(&g, 1, 1, 1);
    test_failure(&g, "-eps_max_it 1 -eps_ncv 4", SSNE_FAILED, "of 2 eigenvectors");
    test_failure(&g, "-eps_tool 1", SSNE_USAGE, "-eps_tool");
    test_failure(&g, "-eps_type none_such", SSNE_FAILED, "none_such");
    test(&g, 1, 1, 3);
    make_cloud(&g, 7); /* less than the ranks have blocks for, and than the solver's subspace */
    test(&g, 1, 1, 2);
    make_ring(&g, 150);
    test(&g, 2, 0, 2);
    make_torus(&g, 18);
    test(&g, 4, 0, 2);
    make_pieces(&g, 300);
    test_failure(&g, NULL, SSNE_FAILED, "in pieces");
  } else
    test_failure(&g, NULL, SSNE_FAILED, "without PETSc");
  MPI_Finalize();
  return check_result();
}
