/* P against its definition, worked out on every rank for all rows at once; with places of rows in
 * disorder; and the same bits on any number of ranks and threads. */
#include "lists.h"

#include "shardsne/memory.h"
#include "shardsne/tsne.h"

#include <string.h>

#define ROWS 420
#define NEIGHBOURS 21

typedef struct expected {
  double p[ROWS][ROWS]; /* by row */
} expected;

/* P by definition from the library's own conditional probabilities, which perplexity.c tests. */
static void work_out(expected *t, int64_t same, double far, const double *perplexities, int count) {
  const ssne_partition whole = ssne_partition_make(ROWS, SSNE_ROWS_BLOCK, 1, 0);
  ssne_neighbours n = make_lists(&whole, NEIGHBOURS, same, far);
  memset(t, 0, sizeof *t);
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < count; c++) {
      float p[NEIGHBOURS];
      ssne_perplexity_calibrate(n.distance + r * n.stride, NEIGHBOURS, perplexities[c], p);
      for (int i = 0; i < NEIGHBOURS; i++) {
        const uint32_t j = n.index[r * n.stride + i];
        t->p[r][j] += (double)p[i] / count / (2 * ROWS);
        t->p[j][r] += (double)p[i] / count / (2 * ROWS);
      }
    }
  ssne_neighbours_free(&n);
}

/* A row's place: 191 and ROWS have no common divisor. */
static ssne_order disorder(void) {
  ssne_order order = {.rows = ROWS};
  ssne_error err;
  CHECK_OK(ssne_alloc(&order.row, ROWS, sizeof *order.row, "rows", &err), &err);
  for (uint32_t place = 0; place < ROWS; place++) order.row[place] = (place * 191 + 7) % ROWS;
  return order;
}

static uint32_t row_at(const ssne_order *order, int64_t place) {
  return order->row ? order->row[place] : (uint32_t)place;
}

/* Rows are ascending, padded in the way documented, and hold what was expected and no more. */
static void check_rows(const ssne_affinities *a, const ssne_order *order, const expected *t) {
  for (int64_t r = 0; r < a->partition.own_rows; r++) {
    const int64_t place = a->partition.first_row + r, row = row_at(order, place);
    int64_t there = 0, least = 0, most = 0, last = -1;
    CHECK(a->start[r] % SSNE_AFFINITY_PAD == 0);
    for (int64_t e = a->start[r]; e < a->start[r + 1]; e++) {
      if (a->value[e] > 0) {
        CHECK((int64_t)a->column[e] > last && a->column[e] != place);
        last = a->column[e];
        there++;
        const double p = t->p[row][row_at(order, a->column[e])];
        CHECK_NEAR((double)a->value[e], p, 1e-6 * p + 1e-44);
      } else {
        CHECK(a->value[e] == 0 && a->column[e] == place && a->start[r + 1] - e < SSNE_AFFINITY_PAD);
        last = ROWS;
      }
    }
    for (int j = 0; j < ROWS; j++) { /* the smallest float is 1.4e-45 */
      least += t->p[row][j] > 3e-45;
      most += t->p[row][j] > 3e-46;
    }
    CHECK(least <= there && there <= most);
  }
  CHECK(a->start[a->partition.own_rows] % SSNE_AFFINITY_PAD == 0);
}

/* The constants of KL, and exact symmetry: over all ranks the sum of (row - column) p is 0 in
 * integers. */
static void check_sums(const ssne_affinities *a, const expected *t) {
  double sum = 0, entropy = 0;
  int64_t skew = 0;
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < ROWS; j++) {
      sum += t->p[i][j];
      if (t->p[i][j] > 0) entropy += t->p[i][j] * log(t->p[i][j]);
    }
  CHECK_NEAR(a->sum, sum, 1e-7);
  CHECK_NEAR(a->entropy, entropy, 1e-6);
  for (int64_t r = 0; r < a->partition.own_rows; r++)
    for (int64_t e = a->start[r]; e < a->start[r + 1]; e++) {
      uint32_t bits;
      memcpy(&bits, &a->value[e], sizeof bits);
      const int64_t row = a->partition.first_row + r, column = a->column[e];
      skew += (row - column) * (row + column) * (int64_t)(bits & 0xfffff);
    }
  MPI_Allreduce(MPI_IN_PLACE, &skew, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  CHECK(skew == 0);
}

/* The sum over all entries of bits that depend on row, column and value. */
static uint64_t digest(const ssne_affinities *a, const ssne_order *order) {
  uint64_t sum = 0;
  for (int64_t r = 0; r < a->partition.own_rows; r++)
    for (int64_t e = a->start[r]; e < a->start[r + 1]; e++) {
      uint32_t bits;
      memcpy(&bits, &a->value[e], sizeof bits);
      if (bits == 0) continue;
      const uint64_t row = row_at(order, a->partition.first_row + r);
      sum += ssne_random_bits(bits, SSNE_RANDOM_INIT, row << 32 | row_at(order, a->column[e]));
    }
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
  return sum;
}

static ssne_affinities build(MPI_Comm comm, int64_t same, double far, const ssne_order *order,
                             const double *perplexities, int count, int threads) {
  int rank = 0, ranks = 1;
  ssne_affinities a;
  ssne_error err;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  const ssne_partition p = ssne_partition_make(ROWS, SSNE_ROWS_BLOCK, ranks, rank);
  ssne_neighbours n = make_lists(&p, NEIGHBOURS, same, far);
  CHECK_OK(ssne_affinities_build(&n, order, perplexities, count, threads, comm, &a, &err), &err);
  CHECK(n.memory == NULL);
  return a;
}

static void test(int64_t same, double far, const double *perplexities, int count) {
  static expected t;
  const ssne_order straight = {.rows = ROWS};
  ssne_order mixed = disorder();
  work_out(&t, same, far, perplexities, count);
  ssne_affinities one = build(MPI_COMM_WORLD, same, far, &straight, perplexities, count, 1);
  ssne_affinities other = build(MPI_COMM_WORLD, same, far, &mixed, perplexities, count, 3);
  check_rows(&one, &straight, &t);
  check_rows(&other, &mixed, &t);
  check_sums(&one, &t);
  check_sums(&other, &t);
  /* every rank by itself, all rows: what many ranks made together must not differ */
  ssne_affinities alone = build(MPI_COMM_SELF, same, far, &straight, perplexities, count, 2);
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const uint64_t expected_digest = digest(&alone, &straight); /* of each rank, summed */
  CHECK(expected_digest == (uint64_t)ranks * digest(&one, &straight));
  CHECK(expected_digest == (uint64_t)ranks * digest(&other, &mixed));
  CHECK(alone.sum == one.sum && alone.entropy == one.entropy);
  ssne_affinities_free(&one);
  ssne_affinities_free(&other);
  ssne_affinities_free(&alone);
  ssne_order_free(&mixed);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  test(0, 0, (const double[]){7}, 1);
  test(0, 0, (const double[]){3, 12.5}, 2);
  test(60, 0, (const double[]){7}, 1);  /* all neighbours of 60 rows at the same place */
  test(5, 1e3, (const double[]){2}, 1); /* p of far and of near neighbours underflows */
  MPI_Finalize();
  return check_result();
}
