#include "mesh.h"

#include "mesh_convolution.h"
#include "mesh_halo.h"
#include "mesh_points.h"
#include "mesh_route.h"
#include "mesh_tiles.h"

#include "shardsne/agree.h"
#include "shardsne/cost.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <math.h>
#include <string.h>

#define FAR 1e18F /* coordinates that are no longer sensible */

enum { ROUTE, SPREAD, SUM, TRANSFORM, GATHER, PARTS };

typedef struct mesh {
  MPI_Comm comm;
  ssne_meanwhile *meanwhile;
  ssne_partition partition;
  int threads;
  int threads_least; /* of all ranks: what they choose by must be the same */
  double tail_df, step;
  ssne_spline spline;
  bool choose; /* whether these two are chosen by size */
  mesh_sharing sharing;
  ssne_workers grid; /* of the ranks that transform a shared mesh */
  mesh_geometry geometry;
  /* the shape and the sharing for which everything is ready; no nodes: none */
  mesh_geometry ready;
  mesh_sharing ready_sharing;
  mesh_kernel kernel;
  mesh_tiles tiles;
  mesh_route route;
  mesh_points points;
  mesh_halo halo;
  mesh_convolution convolution[2]; /* by mesh_sharing */
  mesh_field field;
  double shift;          /* to be added to potentials */
  mesh_cell *strips;     /* [own strips, rows] */
  mesh_cell *window;     /* [strips, rows] of the window, where that is not the same */
  float *nodes;          /* [rows, stride] of the window: the potential again, row by row */
  mesh_reading *reading; /* [own_rows] */
  int64_t strip_capacity, window_capacity, node_capacity;
  /* the most of any rank that there is room for, where points are served in tiles */
  int64_t room_points, room_cells;
  mesh_window room;
  int64_t applications;
  ssne_stage part[PARTS]; /* of all applications */
} mesh;

/* --- life ------------------------------------------------------------------------------------ */

static void destroy(void **state) {
  mesh *m = *state;
  if (!m) return;
  mesh_tiles_free(&m->tiles);
  mesh_route_free(&m->route);
  mesh_points_free(&m->points);
  mesh_halo_free(&m->halo);
  for (int s = 0; s < 2; s++) mesh_convolution_free(&m->convolution[s]);
  ssne_free(&m->strips);
  ssne_free(&m->window);
  ssne_free(&m->nodes);
  ssne_free(&m->reading);
  ssne_free(state);
}

static ssne_code allocate(const ssne_partition *p, const ssne_force_options *o, MPI_Comm comm,
                          ssne_meanwhile *meanwhile, void **state, ssne_error *err) {
  mesh *m = NULL;
  SSNE_TRY(ssne_alloc(&m, 1, sizeof *m, "repulsion", err));
  *state = m;
  *m = (mesh){.comm = comm,
              .meanwhile = meanwhile,
              .partition = *p,
              .threads = o->threads,
              .tail_df = o->tail_df,
              .step = o->mesh_step,
              .choose = true,
              .halo = {.cell = MPI_DATATYPE_NULL},
              .part = {{.name = "  mesh points"},
                       {.name = "  mesh spread"},
                       {.name = "  mesh sum"},
                       {.name = "  mesh transform"},
                       {.name = "  mesh gather"}},
              .convolution = {{.transpose = {.cell = MPI_DATATYPE_NULL}},
                              {.transpose = {.cell = MPI_DATATYPE_NULL}}}};
  ssne_spline_make(o->mesh_order, &m->spline);
  SSNE_TRY(ssne_alloc(&m->reading, p->own_rows, sizeof *m->reading, "points on the mesh", err));
  SSNE_TRY(mesh_tiles_create(p->own_rows, p->ranks, o->threads, &m->tiles, err));
  SSNE_TRY(mesh_points_create(o->threads, &m->points, err));
  SSNE_TRY(mesh_convolution_create(MPI_COMM_SELF, o->threads, NULL,
                                   &m->convolution[MESH_REPLICATED], err));
  SSNE_TRY(mesh_convolution_create(comm, o->threads, meanwhile, &m->convolution[MESH_SHARED], err));
  SSNE_TRY(mesh_route_create(p->own_rows, o->threads, comm, meanwhile, &m->route, err));
  return mesh_halo_create(o->threads, comm, meanwhile, &m->halo, err);
}

static ssne_code create(const ssne_partition *p, const ssne_force_options *o, MPI_Comm comm,
                        ssne_meanwhile *meanwhile, void **state, ssne_error *err) {
  *state = NULL;
  ssne_code code = ssne_agree(comm, allocate(p, o, comm, meanwhile, state, err), err);
  if (code == SSNE_OK) {
    mesh *m = *state;
    code = ssne_mpi_check(MPI_Allreduce(&m->threads, &m->threads_least, 1, MPI_INT, MPI_MIN, comm),
                          "MPI_Allreduce", err);
  }
  if (code != SSNE_OK) destroy(state);
  return code;
}

static void tell_mesh(const void *state, int64_t nodes[2]) {
  const mesh *m = state;
  for (int a = 0; a < 2; a++) nodes[a] = m->geometry.nodes[a];
}

static void account(const void *state, ssne_stages *stages) {
  const mesh *m = state;
  for (int part = 0; part < PARTS; part++) {
    ssne_stage stage = m->part[part];
    stage.count = m->partition.rank == 0 ? m->applications : 0;
    ssne_stages_merge(stages, &stage);
  }
}

/* --- geometry -------------------------------------------------------------------------------- */

/* The bounding box of all ranks' points, as its low corner and the negative of its high one. */
static ssne_code find_box(const mesh *m, const float *xy, double low[2], double high[2],
                          ssne_error *err) {
  enum { LOW_X, LOW_Y, HIGH_X, HIGH_Y, BAD, VALUES };
  float x0 = HUGE_VALF, y0 = HUGE_VALF, x1 = HUGE_VALF, y1 = HUGE_VALF;
  int64_t bad = 0;
#pragma omp parallel for schedule(static) num_threads(m->threads) reduction(min : x0, y0, x1, y1)  \
    reduction(+ : bad)
  for (int64_t i = 0; i < m->partition.own_rows; i++) {
    const float x = xy[2 * i], y = xy[2 * i + 1];
    x0 = x < x0 ? x : x0;
    y0 = y < y0 ? y : y0;
    x1 = -x < x1 ? -x : x1;
    y1 = -y < y1 ? -y : y1;
    bad += !(fabsf(x) < FAR) || !(fabsf(y) < FAR);
  }
  float least[VALUES] = {x0, y0, x1, y1, bad > 0 ? -1.0F : 0.0F};
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, least, VALUES, MPI_FLOAT, MPI_MIN, m->comm),
                          "MPI_Allreduce", err));
  if (least[BAD] < 0)
    return ssne_fail(err, SSNE_FAILED,
                     "coordinates are no longer finite; try a smaller learning rate");
  for (int a = 0; a < 2; a++) {
    low[a] = (double)least[LOW_X + a];
    high[a] = -(double)least[HIGH_X + a];
  }
  return SSNE_OK;
}

static ssne_code reserve_nodes(mesh *m, const mesh_window *largest, ssne_error *err) {
  return ssne_enlarge(&m->nodes, largest->nodes[1] * mesh_window_stride(largest), sizeof *m->nodes,
                      "nodes of the mesh", &m->node_capacity, err);
}

/* Room for what a mesh takes wherever the points are. */
static ssne_code reserve(mesh *m, const mesh_geometry *g, ssne_error *err) {
  mesh_convolution *c = &m->convolution[m->sharing];
  const mesh_window all = mesh_window_of_all(g);
  SSNE_TRY(mesh_convolution_reserve(c, m->sharing == MESH_SHARED ? m->grid : (ssne_workers){1, 1},
                                    g, err));
  SSNE_TRY(ssne_enlarge(&m->strips, (c->strips[c->rank + 1] - c->strips[c->rank]) * g->nodes[1],
                        sizeof *m->strips, "nodes of the mesh", &m->strip_capacity, err));
  if (m->sharing == MESH_SHARED) return SSNE_OK;
  SSNE_TRY(mesh_points_reserve(&m->points, m->partition.own_rows, &all, m->spline.order, err));
  return reserve_nodes(m, &all, err);
}

/* Collective. The potential around a single charge: on the rank that has the first strip, and from
 * there on all. */
static ssne_code find_own(mesh *m, ssne_error *err) {
  mesh_convolution *c = &m->convolution[m->sharing];
  const int64_t rows = m->geometry.nodes[1], middle = MESH_STRIP / 2;
  const int64_t own = c->strips[c->rank + 1] - c->strips[c->rank];
  memset(m->strips, 0, (size_t)(own * rows) * sizeof *m->strips);
  if (c->rank == 0) m->strips[middle].charge[middle] = 1;
  SSNE_TRY(mesh_convolution_apply(c, m->strips, 1, err));
  for (int64_t j = 0; j < m->spline.order && c->rank == 0; j++)
    memcpy(m->field.own[j], m->strips[middle + j].potential.re + middle,
           (size_t)m->spline.order * sizeof(float));
  return ssne_broadcast(m->field.own, sizeof m->field.own, 0, c->comm, err);
}

static void choose(mesh *m) {
  const int64_t nodes = m->geometry.nodes[0] * m->geometry.nodes[1];
  if (!m->choose) return;
  m->sharing = mesh_sharing_choose(nodes, m->partition.ranks, m->threads_least);
  m->grid = ssne_cost_grid_choose(nodes, m->partition.ranks, m->threads_least);
}

/* Collective. Puts the mesh where the points are. All that is kept from one application to the next
 * is a function of the mesh's shape, or changes no bit. */
static ssne_code place(mesh *m, const float *xy, ssne_error *err) {
  double low[2], high[2];
  SSNE_TRY(find_box(m, xy, low, high, err));
  const mesh_geometry g = mesh_geometry_make(low, high, m->spline.order, m->step);
  m->geometry = g;
  choose(m);
  if (mesh_geometry_alike(&g, &m->ready) && m->sharing == m->ready_sharing) return SSNE_OK;
  m->ready = (mesh_geometry){.step = 0};
  SSNE_TRY_ALL(m->comm, reserve(m, &g, err), err);
  const double width = g.step * (double)g.nodes[0], height = g.step * (double)g.nodes[1];
  m->kernel = (mesh_kernel){.tail_df = m->tail_df, .floor = 0};
  m->kernel.floor = mesh_kernel_at(&m->kernel, width, height);
  m->field.force = (float)(-0.5 / g.step);
  m->shift = m->kernel.floor * (double)(m->partition.rows - 1);
  mesh_convolution_prepare(&m->convolution[m->sharing], &g, &m->kernel, &m->spline);
  SSNE_TRY(find_own(m, err));
  m->ready = g;
  m->ready_sharing = m->sharing;
  return SSNE_OK;
}

/* --- points in tiles ------------------------------------------------------------------------- */

static ssne_code reserve_tile(mesh *m, ssne_error *err) {
  const int64_t cells = mesh_window_strips(&m->room) * m->room.nodes[1];
  SSNE_TRY(mesh_route_reserve(&m->route, m->room_points, err));
  SSNE_TRY(mesh_points_reserve(&m->points, m->room_points, &m->room, m->spline.order, err));
  SSNE_TRY(mesh_halo_reserve(&m->halo, m->room_cells, err));
  SSNE_TRY(ssne_enlarge(&m->window, cells, sizeof *m->window, "nodes of the mesh",
                        &m->window_capacity, err));
  return reserve_nodes(m, &m->room, err);
}

/* So that room is not made anew whenever a tile grows by a little. */
static int64_t with_slack(int64_t count) {
  return count + count / 8;
}

/* Collective. Room for the largest tile of any rank, so that all know when there is to be more. */
static ssne_code make_room(mesh *m, int64_t cells, ssne_error *err) {
  int64_t points = 0, columns = 0, rows = 0;
  for (int r = 0; r < m->partition.ranks; r++) {
    const mesh_window *w = &m->tiles.window[r];
    if (m->tiles.points[r] > points) points = m->tiles.points[r];
    if (w->nodes[0] > columns) columns = w->nodes[0];
    if (w->nodes[1] > rows) rows = w->nodes[1];
  }
  if (points <= m->room_points && cells <= m->room_cells && columns <= m->room.nodes[0] &&
      rows <= m->room.nodes[1])
    return SSNE_OK;
  if (points > m->room_points) m->room_points = with_slack(points);
  if (cells > m->room_cells) m->room_cells = with_slack(cells);
  if (columns > m->room.nodes[0]) m->room.nodes[0] = columns + MESH_STRIP;
  if (rows > m->room.nodes[1]) m->room.nodes[1] = with_slack(rows);
  return ssne_agree(m->comm, reserve_tile(m, err), err);
}

/* Collective. Own points go to the tiles they are in. */
static ssne_code send_points(mesh *m, const float *xy, ssne_error *err) {
  const mesh_convolution *c = &m->convolution[MESH_SHARED];
  mesh_tiles_cut(&m->tiles, &m->geometry, m->spline.order);
  const int64_t cells = mesh_halo_plan(&m->halo, m->tiles.window, c->strips, m->geometry.nodes[1]);
  SSNE_TRY(make_room(m, cells, err));
  return mesh_route_out(&m->route, &m->tiles, xy, err);
}

/* --- application ----------------------------------------------------------------------------- */

/* The points that this rank serves, sorted. */
static ssne_code take_points(mesh *m, const float *xy, ssne_error *err) {
  mesh_window window = mesh_window_of_all(&m->geometry);
  mesh_given given = {.count = m->partition.own_rows, .xy = xy, .at = m->tiles.at};
  if (m->sharing == MESH_SHARED) {
    SSNE_TRY(send_points(m, xy, err));
    window = m->tiles.window[m->partition.rank];
    given = (mesh_given){.count = m->tiles.points[m->partition.rank], .xy = m->route.in};
  }
  mesh_points_sort(&m->points, &m->geometry, &window, m->spline.order, &given);
  return SSNE_OK;
}

/* The window's cells: where the rank has all of the mesh they are the strips. */
static mesh_cell *window_of(const mesh *m) {
  return m->sharing == MESH_SHARED ? m->window : m->strips;
}

/* Charges of all ranks added up, in the strips. */
static ssne_code sum_charges(mesh *m, ssne_error *err) {
  const int64_t nodes = m->geometry.nodes[1] * m->geometry.nodes[0];
  if (m->sharing == MESH_SHARED) return mesh_halo_add(&m->halo, m->window, m->strips, err);
  if (m->partition.ranks == 1) return SSNE_OK;
  return ssne_mpi_check(
      MPI_Allreduce(MPI_IN_PLACE, m->strips, (int)nodes, MPI_INT32_T, MPI_SUM, m->comm),
      "MPI_Allreduce", err);
}

/* The potential at the nodes of the window, row by row. */
static void lay_nodes(mesh *m) {
  const mesh_window *w = &m->points.window;
  const mesh_cell *cells = window_of(m);
  const int64_t rows = w->nodes[1], stride = mesh_window_stride(w);
#pragma omp parallel for schedule(static) num_threads(m->threads)
  for (int64_t row = 0; row < rows; row++)
    for (int64_t s = 0; s < mesh_window_strips(w); s++)
      memcpy(m->nodes + row * stride + s * MESH_STRIP, &cells[s * rows + row], sizeof *cells);
  m->field.potential = m->nodes;
  m->field.stride = stride;
}

static ssne_code convolve(mesh *m, int bits, ssne_error *err) {
  mesh_convolution *c = &m->convolution[m->sharing];
  SSNE_TRY(mesh_convolution_apply(c, m->strips, ldexpf(1, -bits), err));
  if (m->sharing == MESH_SHARED) SSNE_TRY(mesh_halo_fetch(&m->halo, m->strips, m->window, err));
  lay_nodes(m);
  return SSNE_OK;
}

/* What was read for own points. */
static ssne_code give_back(mesh *m, ssne_forces *forces, ssne_error *err) {
  if (m->sharing == MESH_SHARED) SSNE_TRY(mesh_route_back(&m->route, m->reading, err));
#pragma omp parallel for schedule(static) num_threads(m->threads)
  for (int64_t i = 0; i < m->partition.own_rows; i++) {
    forces->potential[i] = (double)m->reading[i].potential + m->shift;
    memcpy(forces->repulsion + 2 * i, m->reading[i].force, sizeof m->reading[i].force);
  }
  return SSNE_OK;
}

/* Seconds that are no part's: those of work done meanwhile, in all. */
static double spent_elsewhere(const mesh *m) {
  return m->meanwhile ? m->meanwhile->seconds : 0;
}

/* Between laps *since is earlier by these, so that a part is charged with none of them. */
static void lap(mesh *m, int part, ssne_moment *since) {
  since->clock += spent_elsewhere(m);
  ssne_stage_lap(&m->part[part], since);
  since->clock -= spent_elsewhere(m);
}

static ssne_code apply(void *state, const float *xy, ssne_forces *forces, ssne_error *err) {
  mesh *m = state;
  ssne_moment since = ssne_moment_now();
  since.clock -= spent_elsewhere(m);
  int bits = 0;
  SSNE_TRY(place(m, xy, err));
  lap(m, TRANSFORM, &since);
  SSNE_TRY(mesh_tiles_count(&m->tiles, &m->geometry, m->spline.order, xy, m->comm, err));
  SSNE_TRY(mesh_points_bits(&m->spline, mesh_tiles_most_together(&m->tiles), &bits, err));
  SSNE_TRY(take_points(m, xy, err));
  lap(m, ROUTE, &since);
  mesh_points_spread(&m->points, &m->spline, bits, window_of(m));
  lap(m, SPREAD, &since);
  SSNE_TRY(sum_charges(m, err));
  lap(m, SUM, &since);
  SSNE_TRY(convolve(m, bits, err));
  lap(m, TRANSFORM, &since);
  mesh_points_gather(&m->points, &m->spline, &m->field,
                     m->sharing == MESH_SHARED ? m->route.served : m->reading);
  lap(m, GATHER, &since);
  SSNE_TRY(give_back(m, forces, err));
  lap(m, ROUTE, &since);
  m->applications++;
  return SSNE_OK;
}

const ssne_repulsion_backend ssne_repulsion_mesh = {.name = "mesh",
                                                    .create = create,
                                                    .apply = apply,
                                                    .mesh = tell_mesh,
                                                    .account = account,
                                                    .destroy = destroy};

/* --- sharing --------------------------------------------------------------------------------- */

mesh_sharing mesh_sharing_choose(int64_t nodes, int ranks, int threads) {
  const double transform = 1.2e-8; /* seconds a node and thread, measured */
  const double byte = 5e-10;       /* seconds to send one, with all ranks of a node sending */
  const double message = 5e-6;     /* seconds a message */
  const double spared = (double)nodes * transform / threads * (1 - 1.0 / ranks);
  const double sent = (double)nodes / ranks * sizeof(float[2]) * byte + (ranks - 1) * message;
  return spared > 2 * sent ? MESH_SHARED : MESH_REPLICATED;
}

int64_t mesh_bytes(const ssne_partition *partition, int64_t nodes, int threads) {
  const int64_t own = partition->own_rows;
  /* strips, the halves of the transform, the kernel's; the window's bands and nodes; points */
  if (mesh_sharing_choose(nodes, partition->ranks, threads) == MESH_REPLICATED)
    return nodes * (4 + 8 + 4 + 4 + 4) + own * (4 + 12 + 16);
  const ssne_workers grid = ssne_cost_grid_choose(nodes, partition->ranks, threads);
  const int64_t strips = nodes / ((int64_t)grid.rows * grid.columns);
  const int64_t edges = 2 * nodes / mesh_tiles_side(partition->ranks);
  const int64_t window = nodes / partition->ranks + edges;
  return strips * (4 + 8 + 4 + (grid.rows > 1 ? 24 : 8)) + window * (4 + 4 + 4 + 4) +
         own * (4 + 12 + 16 + 24 + 20);
}

void mesh_force_sharing(void *state, mesh_sharing sharing, ssne_workers grid) {
  mesh *m = state;
  m->choose = false;
  m->sharing = sharing;
  m->grid = grid;
  m->ready = (mesh_geometry){.step = 0};
}
