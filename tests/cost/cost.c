/* The cost model: what one rank receives others send; sums that are known; the measured run. */
#include "check.h"

#include "shardsne/cost.h"

#include <math.h>

static ssne_cost_problem problem_of(int64_t rows, int ranks, ssne_cost_exchange how) {
  return (ssne_cost_problem){.rows = rows,
                             .columns = 50,
                             .neighbours = 90,
                             .entries = ssne_cost_entries(rows, 90),
                             .nodes = (int64_t)((double)rows / 0.16),
                             .iterations = 1000,
                             .ranks = ranks,
                             .threads = 1,
                             .how = how,
                             .ghosts = -1};
}

/* 10 ns a node, 2 us a message, as docs/scaling.md has it. */
static double transform_seconds(int64_t nodes, int rows, int columns) {
  const double messages = rows == 1 ? 2 * columns : 4 * (rows + columns);
  return 1e-8 * (double)nodes / (rows * columns) + 2e-6 * messages;
}

/* Of all squares and rows none is much quicker than the one chosen. */
static void check_workers(void) {
  for (int64_t nodes = 1000; nodes < INT64_C(1) << 28; nodes *= 3)
    for (int ranks = 1; ranks <= 4096; ranks = 2 * ranks + 1) {
      const ssne_cost_problem p = {.rows = 1, .ranks = ranks, .threads = 1, .nodes = nodes};
      const ssne_workers grid = ssne_cost_grid_choose(nodes, ranks, 1);
      const ssne_workers threaded = ssne_cost_grid_choose(nodes, ranks, 4);
      int workers = 0;
      double best = transform_seconds(nodes, 1, 1);
      for (int r = 0; r < ranks; r++) workers += ssne_cost_is_worker(&p, r);
      for (int w = 1; w <= ranks; w++) best = fmin(best, transform_seconds(nodes, 1, w));
      for (int side = 6; side * side <= ranks; side++)
        best = fmin(best, transform_seconds(nodes, side, side));
      CHECK(workers == grid.rows * grid.columns && workers <= ranks);
      CHECK(grid.rows >= 1 && grid.columns >= grid.rows);
      CHECK(threaded.rows * threaded.columns <= workers);
      CHECK(transform_seconds(nodes, grid.rows, grid.columns) <= 1.25 * best);
    }
  for (int ranks = 1; ranks <= 4096; ranks *= 2) {
    const ssne_workers few = ssne_cost_grid_choose(10000, ranks, 1);
    const ssne_workers many = ssne_cost_grid_choose(INT64_C(10000000000), ranks, 1);
    CHECK(few.rows >= 1 && few.columns >= few.rows);
    CHECK(few.rows * few.columns <= many.rows * many.columns);
    CHECK(many.rows * many.columns <= ranks && many.rows * many.columns >= 9 * ranks / 10);
  }
}

/* By every item with a route: received is what is sent, and all of the mesh's transform but what
 * stays crosses twice. */
static void check_routes(int ranks, ssne_cost_exchange how) {
  const ssne_cost_problem p = problem_of(1000000, ranks, how);
  const ssne_cost_machine machine = ssne_cost_reference();
  ssne_cost_item items[SSNE_COST_ITEMS];
  const int count = ssne_cost_iteration(&p, &machine, items);
  const ssne_workers grid = ssne_cost_grid_choose(p.nodes, ranks, 1);
  int transposes = 0;
  CHECK(count <= SSNE_COST_ITEMS);
  for (int i = 0; i < count; i++) {
    int64_t received = 0, sent = 0;
    if (items[i].route == SSNE_COST_NOWHERE || items[i].kind == SSNE_COST_END) continue;
    for (int a = 0; a < ranks; a++) {
      CHECK(ssne_cost_between(&p, &items[i], a, a) == 0);
      received += ssne_cost_received(&p, &items[i], a).received;
      for (int b = 0; b < ranks; b++) sent += ssne_cost_between(&p, &items[i], a, b);
    }
    CHECK(received == sent && sent > 0);
    if (items[i].route < SSNE_COST_TRANSPOSE_ROWS) continue;
    const bool in_rows = items[i].route == SSNE_COST_TRANSPOSE_ROWS;
    CHECK_NEAR((double)sent / (8 * (double)p.nodes), 1 - 1.0 / (in_rows ? grid.columns : grid.rows),
               0.05);
    transposes++;
  }
  CHECK(transposes == (grid.rows > 1 ? 4 : 2));
}

/* Everything that all ranks get is known from rows and nodes alone. */
static void check_all(void) {
  const ssne_cost_problem p = problem_of(1 << 20, 16, SSNE_COST_ALL);
  const ssne_cost_machine machine = ssne_cost_reference();
  ssne_cost_item items[SSNE_COST_ITEMS];
  const int count = ssne_cost_iteration(&p, &machine, items);
  int64_t gathered = 0;
  for (int i = 0; i < count; i++)
    if (items[i].kind == SSNE_COST_ALLGATHERV)
      gathered += ssne_cost_received(&p, &items[i], 3).received;
  CHECK_NEAR((double)gathered, 15.0 / 16 * (8.0 * (1 << 20) + 4.0 * (double)p.nodes), 32);
}

/* 70,000 digits on one core: 12.42 ms an iteration, of 161,280 nodes on average (docs/scaling.md).
 */
static void check_measured(void) {
  ssne_cost_problem p = problem_of(70000, 1, SSNE_COST_NEAR);
  p.nodes = ssne_cost_mean_nodes(p.nodes);
  CHECK_NEAR((double)p.nodes, 161280, 1000);
  const ssne_cost_machine machine = ssne_cost_reference();
  const ssne_cost_network network = ssne_cost_fast_network();
  CHECK_NEAR(ssne_cost_iteration_seconds(&p, &machine, &network), 12.42e-3, 1e-3);
  ssne_cost_item items[SSNE_COST_ITEMS];
  const int count = ssne_cost_iteration(&p, &machine, items);
  for (int i = 0; i < count; i++) CHECK(items[i].kind == SSNE_COST_COMPUTE);
}

int main(void) {
  check_workers();
  for (int ranks = 2; ranks <= 256; ranks = 3 * ranks - 1) {
    check_routes(ranks, SSNE_COST_NEAR);
    check_routes(ranks, SSNE_COST_ALL);
  }
  check_all();
  check_measured();
  return check_result();
}
