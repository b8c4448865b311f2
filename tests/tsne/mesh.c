/* The repulsion on a mesh against plain sums over all pairs, in layouts that are hard on a mesh,
 * and against itself: the same bits for any number of ranks and threads, any way to share the work,
 * any instruction set and whatever the mesh was used for before. */
#include "check.h"

#include "forces.h"
#include "mesh.h"
#include "mesh_convolution.h"
#include "mesh_tiles.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 1200

typedef enum layout {
  UNIFORM,
  CLUSTERED,
  VERTICAL,
  HORIZONTAL,
  DIAGONAL,
  EQUAL,
  GROUPS,    /* of equal points */
  OUTLIER,   /* one at 20 times the rms of the others */
  COLLAPSED, /* as at the start of a descent */
  LAYOUTS
} layout;

static double normal(uint64_t item) {
  return ssne_random_normal(11, SSNE_RANDOM_INIT, item);
}

static double uniform(uint64_t item) {
  return 20 * erf(normal(item) / sqrt(2));
}

static void place(layout kind, uint64_t i, double at[2]) {
  const double x = normal(2 * i), y = normal(2 * i + 1);
  const double flat = uniform(2 * i), across = uniform(2 * i + 1);
  const double centre[2] = {12 * normal(70000 + i % 9), 12 * normal(80000 + i % 9)};
  const double group[2] = {8 * normal(70000 + i % 30), 8 * normal(80000 + i % 30)};
  const double places[LAYOUTS][2] = {
      [UNIFORM] = {flat, across},
      [CLUSTERED] = {centre[0] + x, centre[1] + y},
      [VERTICAL] = {3, flat},
      [HORIZONTAL] = {flat, -2},
      [DIAGONAL] = {flat, flat},
      [EQUAL] = {1.25, -7},
      [GROUPS] = {group[0], group[1]},
      [OUTLIER] = {i == 500 ? 200 : 10 * x, i == 500 ? -30 : 10 * y},
      [COLLAPSED] = {1e-4 * x, 5e-5 * y},
  };
  memcpy(at, places[kind], sizeof places[kind]);
}

typedef struct map {
  int64_t rows;
  float xy[2 * ROWS];
} map;

static map lay_out(layout kind, int64_t rows) {
  map m = {.rows = rows};
  for (int64_t i = 0; i < rows; i++) {
    double at[2];
    place(kind, (uint64_t)i, at);
    m.xy[2 * i] = (float)at[0];
    m.xy[2 * i + 1] = (float)at[1];
  }
  return m;
}

/* What a backend makes of the rows of a rank. */
typedef struct result {
  ssne_code code;
  ssne_partition partition;
  float force[2 * ROWS];
  double potential[ROWS];
} result;

/* A backend at work, on a communicator. */
typedef struct engine {
  const ssne_repulsion_backend *backend;
  void *state;
  ssne_partition partition;
} engine;

static engine start(const ssne_repulsion_backend *backend, const ssne_force_options *options,
                    int64_t rows, MPI_Comm comm) {
  int rank = 0, ranks = 1;
  ssne_error err;
  engine e = {.backend = backend};
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  e.partition = ssne_partition_make(rows, SSNE_ROWS_BLOCK, ranks, rank);
  CHECK_OK(backend->create(&e.partition, options, comm, NULL, &e.state, &err), &err);
  return e;
}

static void apply(engine *e, const map *m, result *out, ssne_error *err) {
  memset(out, 0, sizeof *out);
  ssne_forces forces = {.repulsion = out->force, .potential = out->potential};
  out->partition = e->partition;
  out->code = e->backend->apply(e->state, m->xy + 2 * e->partition.first_row, &forces, err);
}

static void stop(engine *e) {
  e->backend->destroy(&e->state);
}

static void run(const ssne_repulsion_backend *backend, const ssne_force_options *options,
                const map *m, MPI_Comm comm, result *out) {
  ssne_error err;
  engine e = start(backend, options, m->rows, comm);
  apply(&e, m, out, &err);
  CHECK_OK(out->code, &err);
  stop(&e);
}

/* --- accuracy -------------------------------------------------------------------------------- */

/* Every rank all rows, in double precision. */
static void plain_sums(const map *m, double a, double (*force)[2], double *potential) {
  for (int64_t i = 0; i < m->rows; i++) {
    force[i][0] = force[i][1] = potential[i] = 0;
    for (int64_t j = 0; j < m->rows; j++) {
      if (j == i) continue;
      const double dx = (double)m->xy[2 * i] - (double)m->xy[2 * j];
      const double dy = (double)m->xy[2 * i + 1] - (double)m->xy[2 * j + 1];
      const double w = 1 / (1 + (dx * dx + dy * dy) / a), k = pow(w, a);
      force[i][0] += k * w * dx;
      force[i][1] += k * w * dy;
      potential[i] += k;
    }
  }
}

/* Errors of a result, over all ranks. */
typedef struct errors {
  double force; /* rms, absolute */
  double size;  /* rms of the force itself */
  double z;     /* of the sum of potentials, relative */
  double drift; /* the sum of all forces by that of their magnitudes */
} errors;

static errors compare(const result *r, double (*force)[2], const double *potential) {
  enum { GAP, SIZE, Z, TRUE_Z, X, Y, MAGNITUDE, SUMS };
  double sum[SUMS] = {0};
  for (int64_t i = 0; i < r->partition.own_rows; i++) {
    const int64_t row = r->partition.first_row + i;
    const double fx = (double)r->force[2 * i], fy = (double)r->force[2 * i + 1];
    sum[GAP] += pow(fx - force[row][0], 2) + pow(fy - force[row][1], 2);
    sum[SIZE] += pow(force[row][0], 2) + pow(force[row][1], 2);
    sum[Z] += r->potential[i];
    sum[TRUE_Z] += potential[row];
    sum[X] += fx;
    sum[Y] += fy;
    sum[MAGNITUDE] += hypot(fx, fy);
  }
  MPI_Allreduce(MPI_IN_PLACE, sum, SUMS, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  const double rows = (double)r->partition.rows;
  return (errors){.force = sqrt(sum[GAP] / rows),
                  .size = sqrt(sum[SIZE] / rows),
                  .z = fabs(sum[Z] / sum[TRUE_Z] - 1),
                  .drift = hypot(sum[X], sum[Y]) / sum[MAGNITUDE]};
}

static errors measure(const map *m, double tail_df, int order, double step, double (*force)[2],
                      const double *potential) {
  static result r;
  const ssne_force_options options = {
      .tail_df = tail_df, .mesh_order = order, .mesh_step = step, .threads = 2};
  run(&ssne_repulsion_mesh, &options, m, MPI_COMM_WORLD, &r);
  return compare(&r, force, potential);
}

static void check_layout(layout kind, double tail_df) {
  static double force[ROWS][2], potential[ROWS];
  const map m = lay_out(kind, ROWS);
  plain_sums(&m, tail_df, force, potential);
  const errors usual = measure(&m, tail_df, 4, 0.4, force, potential);
  const errors smoother = measure(&m, tail_df, 6, 0.4, force, potential);
  const errors finer = measure(&m, tail_df, 4, 0.2, force, potential);
  /* Points in one place do nothing to each other, yet on a mesh as much as each does to itself:
   * only that is not taken off. So the error is larger where many share a place, and where they
   * lie alike in the cells of the mesh. */
  const double share = kind == GROUPS ? 0.1 : kind == DIAGONAL ? 0.04 : 0.02;
  const double z = kind == GROUPS ? 6e-3 : 1e-3;
  const double rounding = 5e-7 * ROWS; /* of a potential that the charges of all make up */
  CHECK_NEAR(usual.force, 0, share * usual.size + rounding);
  CHECK_NEAR(smoother.force, 0, share / 2 * usual.size + rounding);
  CHECK_NEAR(finer.force, 0, share / 10 * usual.size + rounding);
  CHECK_NEAR(usual.z, 0, z);
  CHECK_NEAR(smoother.z, 0, z);
  CHECK_NEAR(finer.z, 0, z / 10);
  if (kind != EQUAL) CHECK_NEAR(usual.drift, 0, share / 4); /* actio = reactio */
  if (kind != UNIFORM && kind != CLUSTERED && kind != OUTLIER) return;
  /* with the third power of the step and more for order 4 */
  CHECK(usual.force > 8 * finer.force);
  CHECK(usual.force > 1.5 * smoother.force);
}

/* The mesh and the exact backend agree, which other tests check against plain sums. */
static void check_backends(void) {
  static result mesh, exact;
  const map m = lay_out(CLUSTERED, ROWS);
  const ssne_force_options options = {
      .tail_df = 1, .mesh_order = 6, .mesh_step = 0.1, .threads = 1};
  run(&ssne_repulsion_mesh, &options, &m, MPI_COMM_WORLD, &mesh);
  run(&ssne_repulsion_exact, &options, &m, MPI_COMM_WORLD, &exact);
  for (int64_t i = 0; i < mesh.partition.own_rows; i++) {
    CHECK_NEAR(mesh.potential[i], exact.potential[i], 1e-5 * ROWS);
    for (int a = 0; a < 2; a++)
      CHECK_NEAR((double)mesh.force[2 * i + a], (double)exact.force[2 * i + a], 1e-5 * ROWS);
  }
}

/* --- bits ------------------------------------------------------------------------------------ */

static void check_same(const result *part, const result *whole) {
  const ssne_partition *p = &part->partition;
  CHECK(memcmp(part->force, whole->force + 2 * p->first_row,
               (size_t)(2 * p->own_rows) * sizeof *part->force) == 0);
  CHECK(memcmp(part->potential, whole->potential + p->first_row,
               (size_t)p->own_rows * sizeof *part->potential) == 0);
}

static void check_bits(layout kind, int64_t rows, int order) {
  static result whole, part;
  const map m = lay_out(kind, rows), other = lay_out(UNIFORM, rows);
  ssne_force_options options = {.tail_df = 1, .mesh_order = order, .mesh_step = 0.4, .threads = 1};
  ssne_error err;
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  /* some of more workers than there are ranks, which then are a row */
  const ssne_workers grids[] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {1, 3}, {3, 1}};
  run(&ssne_repulsion_mesh, &options, &m, MPI_COMM_SELF, &whole);
  for (int threads = 1; threads <= 3; threads++) {
    options.threads = threads;
    engine e = start(&ssne_repulsion_mesh, &options, rows, MPI_COMM_WORLD);
    for (int turn = 0; turn < 12; turn++) { /* on one mesh, then on one used for something else */
      const ssne_workers wanted = grids[turn / 2], row = {1, ranks};
      if (turn > 2) apply(&e, &other, &part, &err);
      mesh_force_sharing(e.state, turn % 2 ? MESH_SHARED : MESH_REPLICATED,
                         wanted.rows * wanted.columns <= ranks ? wanted : row);
      if (turn == 5) setenv("SHARDSNE_SIMD", "plain", 1);
      apply(&e, &m, &part, &err);
      unsetenv("SHARDSNE_SIMD");
      CHECK_OK(part.code, &err);
      check_same(&part, &whole);
    }
    stop(&e);
  }
}

/* --- tiles ----------------------------------------------------------------------------------- */

/* Whether all that the point reaches is in the window. */
static bool reaches_only(const mesh_window *w, const mesh_place *p, int order) {
  return p->column >= w->first[0] && p->column + order <= w->first[0] + w->nodes[0] &&
         p->row >= w->first[1] && p->row + order <= w->first[1] + w->nodes[1];
}

/* Tiles for more ranks than there are here: every point is in one, with all that it reaches. */
static void check_tiles(layout kind, int ranks, int order) {
  const map m = lay_out(kind, ROWS);
  double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
  int64_t *points = calloc((size_t)ranks, sizeof *points), largest = 0;
  mesh_tiles tiles;
  ssne_error err;
  for (int64_t i = 0; i < 2 * ROWS; i++) {
    low[i % 2] = fmin(low[i % 2], (double)m.xy[i]);
    high[i % 2] = fmax(high[i % 2], (double)m.xy[i]);
  }
  const mesh_geometry g = mesh_geometry_make(low, high, order, 0.4);
  CHECK_OK(mesh_tiles_create(ROWS, ranks, 2, &tiles, &err), &err);
  CHECK_OK(mesh_tiles_count(&tiles, &g, order, m.xy, MPI_COMM_SELF, &err), &err);
  mesh_tiles_cut(&tiles, &g, order);
  for (int64_t i = 0; i < ROWS; i++) {
    const mesh_place p = mesh_locate(&g, 1 / g.step, order, m.xy + 2 * i);
    const int owner = mesh_tiles_owner(&tiles, tiles.at[i]);
    CHECK(mesh_node_column(tiles.at[i]) == p.column && mesh_node_row(tiles.at[i]) == p.row);
    CHECK(owner >= 0 && owner < ranks && reaches_only(&tiles.window[owner], &p, order));
    points[owner]++;
  }
  for (int64_t s = 0; s < tiles.side * tiles.side; s++)
    if (tiles.count[s] > largest) largest = tiles.count[s];
  for (int r = 0; r < ranks; r++) {
    const mesh_window *w = &tiles.window[r];
    CHECK(tiles.points[r] == points[r] && points[r] <= ROWS / ranks + 1 + largest);
    CHECK(w->first[0] % MESH_STRIP == 0 && w->nodes[0] % MESH_STRIP == 0);
    CHECK(w->first[0] + w->nodes[0] <= g.nodes[0] && w->first[1] + w->nodes[1] <= g.nodes[1]);
    CHECK(points[r] > 0 || w->nodes[0] * w->nodes[1] == 0);
  }
  mesh_tiles_free(&tiles);
  free(points);
}

/* --- the rest -------------------------------------------------------------------------------- */

static void check_geometry(double width, double height, int order) {
  const double low[2] = {-3, 5}, high[2] = {-3 + width, 5 + height};
  const mesh_geometry g = mesh_geometry_make(low, high, order, 0.4);
  for (int a = 0; a < 2; a++) {
    const double first = (low[a] - g.origin[a]) / g.step, last = (high[a] - g.origin[a]) / g.step;
    CHECK(first >= order / 2 - 1 && last < (double)(g.nodes[a] - order / 2));
    CHECK(g.nodes[a] <= MESH_SIDE && g.nodes[a] % MESH_STRIP == 0);
  }
  CHECK(g.step > 0 && (g.step <= 0.4 || fmax(width, height) > 0.39 * MESH_SIDE));
}

static void check_not_finite(void) {
  static result r;
  const ssne_force_options options = {
      .tail_df = 1, .mesh_order = 4, .mesh_step = 0.4, .threads = 1};
  ssne_error err;
  map m = lay_out(UNIFORM, ROWS);
  m.xy[2 * ROWS - 1] = NAN; /* of the last rank alone */
  engine e = start(&ssne_repulsion_mesh, &options, ROWS, MPI_COMM_WORLD);
  apply(&e, &m, &r, &err);
  CHECK(r.code == SSNE_FAILED && strstr(err.text, "finite"));
  stop(&e);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  for (int kind = 0; kind < LAYOUTS; kind++) check_layout((layout)kind, 1);
  check_layout(CLUSTERED, 0.5);
  check_layout(CLUSTERED, 2);
  check_backends();
  check_bits(CLUSTERED, ROWS, 4);
  check_bits(OUTLIER, ROWS, 6);
  check_bits(COLLAPSED, ROWS, 4);
  check_bits(HORIZONTAL, ROWS, 6);
  check_bits(UNIFORM, 100, 4); /* ranks without rows */
  check_bits(EQUAL, ROWS, 4);  /* ranks without points to serve */
  check_bits(GROUPS, ROWS, 4);
  for (double span = 0; span < 1e7; span = 3 * span + 0.01) {
    check_geometry(span, span, 4);
    check_geometry(span, span / 7, 6);
  }
  for (int kind = 0; kind < LAYOUTS; kind++)
    for (int ranks = 1; ranks < 2000; ranks = 3 * ranks + 1) check_tiles((layout)kind, ranks, 4);
  check_tiles(CLUSTERED, 5, 6);
  CHECK(mesh_sharing_choose(1 << 20, 1, 8) == MESH_REPLICATED);
  CHECK(mesh_sharing_choose(1 << 24, 64, 4) == MESH_SHARED);
  CHECK(mesh_sharing_choose(1 << 14, 64, 4) == MESH_REPLICATED);
  check_not_finite();
  MPI_Finalize();
  return check_result();
}
