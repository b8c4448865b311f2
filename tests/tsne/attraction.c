/* The vector attraction against the reference, which is the definition in double precision, on rows
 * of very different lengths; and the same bits at every instruction set and number of threads. */
#include "check.h"

#include "forces.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"
#include "shardsne/simd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 700
#define LONGEST 300

typedef struct result {
  float attraction[ROWS][2];
  double spread[ROWS];
} result;

static uint64_t bits(uint64_t index) {
  return ssne_random_bits(5, SSNE_RANDOM_INIT, index);
}

/* Rows 0, 50, 100, ... are empty, a few long, most short. */
static int64_t entries_of(int64_t row) {
  return row % 50 == 0 ? 0 : row % 97 == 1 ? LONGEST : 1 + (int64_t)(bits((uint64_t)row) % 60);
}

static ssne_affinities make_affinities(const ssne_partition *p) {
  ssne_affinities a = {.partition = *p};
  ssne_error err;
  CHECK_OK(ssne_alloc(&a.start, p->own_rows + 1, sizeof *a.start, "rows", &err), &err);
  for (int64_t r = 0; r < p->own_rows; r++)
    a.start[r + 1] = a.start[r] + (entries_of(p->first_row + r) + SSNE_AFFINITY_PAD - 1) /
                                      SSNE_AFFINITY_PAD * SSNE_AFFINITY_PAD;
  const int64_t count = a.start[p->own_rows];
  CHECK_OK(ssne_alloc(&a.column, count, sizeof *a.column, "columns", &err), &err);
  CHECK_OK(ssne_alloc(&a.value, count, sizeof *a.value, "values", &err), &err);
  for (int64_t r = 0; r < p->own_rows; r++) {
    const int64_t row = p->first_row + r;
    for (int64_t e = 0; e < a.start[r + 1] - a.start[r]; e++) {
      const bool there = e < entries_of(row);
      const uint64_t random = bits((uint64_t)((row + 1) * 1000 + e));
      a.column[a.start[r] + e] = there ? (uint32_t)(random % ROWS) : (uint32_t)row;
      a.value[a.start[r] + e] = there ? (float)(random >> 40) * 0x1p-40f : 0;
    }
  }
  return a;
}

static float coordinate(double span, int64_t member) {
  return (float)(span * ssne_random_normal(9, SSNE_RANDOM_INIT, (uint64_t)member));
}

static void check_slot(const ssne_near *near, uint32_t slot, double span, int64_t row) {
  for (int64_t axis = 0; axis < 2; axis++) {
    const float wanted = coordinate(span, 2 * row + axis);
    CHECK(memcmp(&near->xy[2 * (int64_t)slot + axis], &wanted, sizeof wanted) == 0);
  }
}

/* The coordinates that every entry of P is to find are those of its column, whoever owns it and
 * wherever they are kept. */
static void exchange(ssne_near *near, double span) {
  static float own[2 * ROWS];
  const ssne_affinities *a = near->affinities;
  const int64_t first = a->partition.first_row, rows = a->partition.own_rows;
  ssne_error err;
  for (int64_t i = 0; i < 2 * rows; i++) own[i] = coordinate(span, 2 * first + i);
  for (int turn = 0; turn < 2; turn++) /* what an exchange finds from one before is overwritten */
    CHECK_OK(ssne_near_exchange(near, own, &err), &err);
  CHECK(near->ghosts <= a->partition.rows - rows);
  for (int64_t r = 0; r < rows; r++) check_slot(near, near->slot[r], span, first + r);
  for (int64_t e = 0; e < a->start[rows]; e++)
    check_slot(near, near->column[e], span, (int64_t)a->column[e]);
}

/* The mean distance from one point to the next in the order in which own rows are kept. */
static double mean_step(const ssne_near *near) {
  const int64_t rows = near->affinities->partition.own_rows;
  double sum = 0;
  for (int64_t i = 1; i < rows; i++)
    sum += hypot((double)near->xy[2 * i] - (double)near->xy[2 * i - 2],
                 (double)near->xy[2 * i + 1] - (double)near->xy[2 * i - 1]);
  return sum / (double)(rows - 1);
}

static void run(const ssne_attraction_backend *backend, const ssne_near *near, double tail_df,
                int threads, result *out) {
  const ssne_force_options options = {.tail_df = tail_df, .threads = threads};
  const int64_t own = near->affinities->partition.own_rows;
  ssne_forces forces = {.attraction = &out->attraction[0][0], .spread = out->spread};
  ssne_error err;
  void *state = NULL;
  memset(out, 0, sizeof *out);
  CHECK_OK(backend->create(near, &options, &state, &err), &err);
  for (int64_t begin = 0, end; begin < own; begin = end) { /* in runs of any length */
    end = begin + 1 + (int64_t)(bits((uint64_t)begin) % 200);
    backend->apply(state, begin, end < own ? end : own, true, &forces);
  }
  backend->destroy(&state);
  CHECK(state == NULL);
}

/* Bits do not depend on the layout; points that follow each other are near each other. */
static void check_layout(ssne_near *near, double span, const result *expected) {
  static result laid_out;
  ssne_error err;
  const double before = mean_step(near);
  for (int turn = 0; turn < 2; turn++) {
    CHECK_OK(ssne_near_lay_out(near, &err), &err);
    exchange(near, span);
    run(&ssne_attraction_cpu, near, 1, 2, &laid_out);
    CHECK(memcmp(&laid_out, expected, sizeof laid_out) == 0);
  }
  CHECK(near->affinities->partition.own_rows < 100 || mean_step(near) < before / 3);
}

static void compare(const ssne_affinities *a, const result *got, const result *expected) {
  double gap = 0, size = 0;
  for (int64_t r = 0; r < a->partition.own_rows; r++) {
    for (int c = 0; c < 2; c++) {
      const double e = (double)expected->attraction[r][c];
      gap += ((double)got->attraction[r][c] - e) * ((double)got->attraction[r][c] - e);
      size += e * e;
    }
    CHECK_NEAR(got->spread[r], expected->spread[r], 1e-6 * expected->spread[r]);
  }
  CHECK(sqrt(gap) <= 3e-6 * sqrt(size));
}

static void test(const ssne_affinities *a, double span, double tail_df) {
  static result expected, first, again;
  ssne_near near;
  ssne_error err;
  CHECK_OK(ssne_near_create(a, 2, MPI_COMM_WORLD, &near, &err), &err);
  exchange(&near, span);
  run(&ssne_attraction_reference, &near, tail_df, 1, &expected);
  run(&ssne_attraction_cpu, &near, tail_df, 1, &first);
  compare(a, &first, &expected);
  const char *levels[] = {"plain", "avx2", "avx512"};
  for (int level = 0; level < 3; level++)
    for (int threads = 1; threads <= 3; threads++) {
      setenv("SHARDSNE_SIMD", levels[level], 1);
      run(&ssne_attraction_cpu, &near, tail_df, threads, &again);
      CHECK(memcmp(&first, &again, sizeof first) == 0);
    }
  unsetenv("SHARDSNE_SIMD");
  run(&ssne_attraction_cpu, &near, 1, 1, &first);
  check_layout(&near, span, &first);
  ssne_near_free(&near);
}

int main(int argc, char **argv) {
  int rank = 0, ranks = 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const ssne_partition p = ssne_partition_make(ROWS, SSNE_ROWS_BLOCK, ranks, rank);
  ssne_affinities a = make_affinities(&p);
  const double spans[] = {1e-5, 1e-2, 1, 50, 1e4}; /* r^2 from 1e-10 on */
  for (int s = 0; s < 5; s++) {
    test(&a, spans[s], 1);
    test(&a, spans[s], 0.5);
  }
  ssne_affinities_free(&a);
  MPI_Finalize();
  return check_result();
}
