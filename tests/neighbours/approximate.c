/* The approximate search: its recall is what was asked for and what it reports, its lists have the
 * same bits on any number of ranks and threads, and rows that are hard on cells get all their
 * neighbours all the same. */
#include "lists.h"

#include <math.h>

#define MOST_ROWS 4000
#define COLUMNS 20

static float all[MOST_ROWS * COLUMNS];

static void make_clusters(int64_t rows) {
  for (int64_t i = 0; i < rows * COLUMNS; i++) {
    const uint64_t cluster = ssne_random_bits(7, SSNE_RANDOM_JITTER, (uint64_t)(i / COLUMNS)) % 40;
    const uint64_t centre = cluster * COLUMNS + (uint64_t)(i % COLUMNS);
    all[i] = (float)(3 * ssne_random_normal(5, SSNE_RANDOM_INIT, centre) +
                     ssne_random_normal(4, SSNE_RANDOM_INIT, (uint64_t)i));
  }
}

static ssne_search_options options(ssne_search search, int64_t k, double recall, int threads) {
  return (ssne_search_options){.search = search, .k = k, .recall = recall, .threads = threads};
}

static void test_recall(double wanted) {
  const ssne_search_options exact = options(SSNE_SEARCH_EXACT, 30, 0, 1);
  const ssne_search_options approximate = options(SSNE_SEARCH_APPROXIMATE, 30, wanted, 2);
  ssne_neighbours truth, found;
  ssne_search_report report;
  make_clusters(MOST_ROWS);
  lists_find(all, MOST_ROWS, COLUMNS, SSNE_EUCLIDEAN, &exact, MPI_COMM_WORLD, &truth, &report);
  lists_find(all, MOST_ROWS, COLUMNS, SSNE_EUCLIDEAN, &approximate, MPI_COMM_WORLD, &found,
             &report);
  const double recall = lists_recall(&found, &truth, MPI_COMM_WORLD);
  CHECK(report.search == SSNE_SEARCH_APPROXIMATE && report.sample > 500 && report.cells > 10);
  CHECK(report.share > 0 && report.share < 0.9 && report.probes > 0);
  CHECK(recall >= wanted - 0.01 && recall < 1);
  /* a row's own recall varies by about 0.1 */
  CHECK_NEAR(report.recall, recall, 4 * 0.1 / sqrt((double)report.sample));
  ssne_neighbours_free(&truth);
  ssne_neighbours_free(&found);
}

/* On this rank alone, one thread, and on all with several: the same bits. */
static void test_bits(int64_t rows, int64_t k, ssne_search search) {
  ssne_neighbours n;
  ssne_search_report alone, report;
  ssne_search_options o = options(search, k, 0.9, 1);
  lists_find(all, rows, COLUMNS, SSNE_EUCLIDEAN, &o, MPI_COMM_SELF, &n, &alone);
  const uint64_t expected = lists_digest(&n, MPI_COMM_SELF);
  ssne_neighbours_free(&n);
  for (o.threads = 1; o.threads <= 3; o.threads++) {
    lists_find(all, rows, COLUMNS, SSNE_EUCLIDEAN, &o, MPI_COMM_WORLD, &n, &report);
    CHECK(lists_digest(&n, MPI_COMM_WORLD) == expected);
    CHECK(report.probes == alone.probes && report.cells == alone.cells);
    CHECK(memcmp(&report.recall, &alone.recall, sizeof report.recall) == 0);
    CHECK(memcmp(&report.share, &alone.share, sizeof report.share) == 0);
    ssne_neighbours_free(&n);
  }
}

/* Many equal rows, more than k of them, and a few others far off whose cells are all too small. */
static void test_duplicates(void) {
  const int64_t rows = 1500, k = 40;
  ssne_neighbours truth, found;
  ssne_search_report report;
  const ssne_search_options exact = options(SSNE_SEARCH_EXACT, k, 0, 2);
  const ssne_search_options approximate = options(SSNE_SEARCH_APPROXIMATE, k, 0.95, 2);
  for (int64_t i = 0; i < rows * COLUMNS; i++) {
    const int64_t row = i / COLUMNS;
    all[i] = row % 100 == 7 ? (float)(1000 * ssne_random_normal(8, SSNE_RANDOM_INIT, (uint64_t)i))
                            : (float)(row % 7 + i % COLUMNS);
  }
  lists_find(all, rows, COLUMNS, SSNE_EUCLIDEAN, &exact, MPI_COMM_WORLD, &truth, &report);
  lists_find(all, rows, COLUMNS, SSNE_EUCLIDEAN, &approximate, MPI_COMM_WORLD, &found, &report);
  for (int64_t r = 0; r < found.partition.own_rows; r++)
    for (int64_t n = 0; n < k; n++) {
      const int64_t row = found.partition.first_row + r;
      const float distance = found.distance[r * found.stride + n];
      CHECK(found.index[r * found.stride + n] < rows && isfinite(distance));
      CHECK(found.index[r * found.stride + n] != (uint32_t)row);
      CHECK(n == 0 || distance >= found.distance[r * found.stride + n - 1]);
      if (row % 100 != 7) /* its equals are more than k */
        CHECK(distance == 0 &&
              found.index[r * found.stride + n] == truth.index[r * truth.stride + n]);
    }
  test_bits(rows, k, SSNE_SEARCH_APPROXIMATE);
  ssne_neighbours_free(&truth);
  ssne_neighbours_free(&found);
}

/* An order has every row once, and is the same wherever it is made; few rows stay where they are.
 */
static void test_order(void) {
  const int64_t rows = 20000, columns = 3;
  float *x = NULL;
  char *seen = NULL;
  ssne_error err;
  CHECK_OK(ssne_alloc(&x, rows * columns, sizeof *x, "values", &err), &err);
  CHECK_OK(ssne_alloc(&seen, rows, 1, "marks", &err), &err);
  for (int64_t i = 0; i < rows * columns; i++)
    x[i] = (float)ssne_random_uniform(3, SSNE_RANDOM_INIT, (uint64_t)i);
  uint64_t digest[2] = {0};
  double step = 0;
  for (int world = 0; world < 2; world++) {
    const MPI_Comm comm = world ? MPI_COMM_WORLD : MPI_COMM_SELF;
    const ssne_partition p = lists_partition(rows, comm);
    const ssne_rows_options o = {.threads = 2};
    ssne_rows prepared;
    ssne_cells *cells = NULL;
    ssne_order order;
    CHECK_OK(ssne_rows_prepare(x + p.first_row * columns, columns, &p, &o, comm, &prepared, &err),
             &err);
    CHECK_OK(ssne_cells_build(&prepared, 2, comm, &cells, &err), &err);
    CHECK_OK(ssne_cells_order(cells, &p, comm, &order, &err), &err);
    ssne_cells_free(&cells);
    digest[world] = ssne_digest64(order.row, (size_t)rows * sizeof *order.row);
    memset(seen, 0, (size_t)rows);
    step = 0;
    for (int64_t i = 0; i < rows; i++) {
      CHECK(order.row[i] < rows && !seen[order.row[i]]);
      seen[order.row[i]] = 1;
      if (i > 0)
        step += fabs((double)x[order.row[i] * columns] - (double)x[order.row[i - 1] * columns]);
    }
    ssne_order_free(&order);
    ssne_rows_free(&prepared);
  }
  CHECK(digest[0] == digest[1]);
  CHECK(step / (double)rows < 0.1); /* of random rows it would be a third */
  ssne_free(&x);
  ssne_free(&seen);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  test_recall(0.9);
  test_recall(0.98);
  test_bits(2000, 30, SSNE_SEARCH_APPROXIMATE);
  test_bits(1000, 30, SSNE_SEARCH_EXACT);
  test_bits(200, 40, SSNE_SEARCH_APPROXIMATE); /* fewer blocks than ranks, a handful of cells */
  test_bits(30, 25, SSNE_SEARCH_APPROXIMATE);  /* one cell */
  test_duplicates();
  test_order();
  MPI_Finalize();
  return check_result();
}
