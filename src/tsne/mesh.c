#include "mesh.h"

#include "mesh_convolution.h"
#include "mesh_points.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <math.h>
#include <string.h>

enum { SPREAD, SUM, TRANSFORM, GATHER, PARTS };

typedef struct mesh {
  MPI_Comm comm;
  ssne_partition partition;
  int threads;
  int threads_least; /* of all ranks: what they choose by must be the same */
  double tail_df, step;
  ssne_spline spline;
  bool choose; /* whether `sharing` is chosen by size */
  mesh_sharing sharing;
  mesh_geometry geometry;
  /* the shape and the sharing for which everything is ready; no nodes: none */
  mesh_geometry ready;
  mesh_sharing ready_sharing;
  mesh_kernel kernel;
  mesh_points points;
  mesh_convolution convolution[2]; /* by mesh_sharing */
  mesh_field field;
  int32_t *charge;     /* [strips, rows, 16] */
  fft_cell *potential; /* [strips, rows] */
  float *nodes;        /* [rows, stride] the potential again, row by row */
  int64_t strip_capacity, node_capacity;
  int *counts, *starts; /* [ranks] nodes of each rank's strips, for MPI */
  int64_t applications;
  double seconds[PARTS];
} mesh;

/* --- life ------------------------------------------------------------------------------------ */

static void destroy(void **state) {
  mesh *m = *state;
  if (!m) return;
  mesh_points_free(&m->points);
  for (int s = 0; s < 2; s++) mesh_convolution_free(&m->convolution[s]);
  ssne_free(&m->charge);
  ssne_free(&m->potential);
  ssne_free(&m->nodes);
  ssne_free(&m->counts);
  ssne_free(&m->starts);
  ssne_free(state);
}

static ssne_code allocate(const ssne_partition *p, const ssne_force_options *o, MPI_Comm comm,
                          void **state, ssne_error *err) {
  mesh *m = NULL;
  SSNE_TRY(ssne_alloc(&m, 1, sizeof *m, "repulsion", err));
  *state = m;
  *m = (mesh){.comm = comm,
              .partition = *p,
              .threads = o->threads,
              .tail_df = o->tail_df,
              .step = o->mesh_step,
              .choose = true,
              .convolution = {{.cell = MPI_DATATYPE_NULL}, {.cell = MPI_DATATYPE_NULL}}};
  ssne_spline_make(o->mesh_order, &m->spline);
  SSNE_TRY(mesh_points_create(p->own_rows, o->threads, &m->points, err));
  SSNE_TRY(ssne_alloc(&m->counts, p->ranks, sizeof *m->counts, "ranks", err));
  SSNE_TRY(ssne_alloc(&m->starts, p->ranks, sizeof *m->starts, "ranks", err));
  SSNE_TRY(
      mesh_convolution_create(MPI_COMM_SELF, o->threads, &m->convolution[MESH_REPLICATED], err));
  return mesh_convolution_create(comm, o->threads, &m->convolution[MESH_SHARED], err);
}

static ssne_code create(const ssne_partition *p, const ssne_force_options *o, MPI_Comm comm,
                        void **state, ssne_error *err) {
  *state = NULL;
  ssne_code code = ssne_agree(comm, allocate(p, o, comm, state, err), err);
  if (code == SSNE_OK) {
    mesh *m = *state;
    code = ssne_mpi_check(MPI_Allreduce(&m->threads, &m->threads_least, 1, MPI_INT, MPI_MIN, comm),
                          "MPI_Allreduce", err);
  }
  if (code != SSNE_OK) destroy(state);
  return code;
}

static void account(const void *state, ssne_stages *stages) {
  static const char *const names[PARTS] = {"  mesh spread", "  mesh sum", "  mesh transform",
                                           "  mesh gather"};
  const mesh *m = state;
  for (int part = 0; part < PARTS; part++)
    ssne_stages_add(stages, names[part], m->partition.rank == 0 ? m->applications : 0,
                    m->seconds[part]);
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
    bad += !(fabsf(x) < SSNE_PLANE_FAR) || !(fabsf(y) < SSNE_PLANE_FAR);
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

static int64_t strips_of(const mesh_geometry *g) {
  return g->nodes[0] / MESH_STRIP;
}

/* Room for the mesh `g`, on this rank. */
static ssne_code reserve(mesh *m, const mesh_geometry *g, ssne_error *err) {
  const int64_t cells = strips_of(g) * g->nodes[1], nodes = mesh_stride(g) * g->nodes[1];
  SSNE_TRY(mesh_points_reserve(&m->points, g, m->spline.order, err));
  SSNE_TRY(mesh_convolution_reserve(&m->convolution[m->sharing], g, err));
  if (cells > m->strip_capacity) {
    m->strip_capacity = 0;
    ssne_free(&m->charge);
    ssne_free(&m->potential);
    SSNE_TRY(ssne_alloc(&m->charge, cells * MESH_STRIP, sizeof *m->charge, "charges", err));
    SSNE_TRY(ssne_alloc(&m->potential, cells, sizeof *m->potential, "potentials", err));
    m->strip_capacity = cells;
  }
  if (nodes > m->node_capacity) {
    m->node_capacity = 0;
    ssne_free(&m->nodes);
    SSNE_TRY(ssne_alloc(&m->nodes, nodes, sizeof *m->nodes, "nodes of the mesh", err));
    m->node_capacity = nodes;
  }
  return SSNE_OK;
}

/* --- the convolution, shared or not ---------------------------------------------------------- */

/* Charges of all ranks added up: all of them, or those of own strips alone, which come first. No
 * rank has more strips than rank 0, so that where a share was and where it ends up never overlap:
 * MPICH 4.0 copies from one to the other, and aborts if they do. */
static ssne_code sum_charges(mesh *m, ssne_error *err) {
  const int64_t rows = m->geometry.nodes[1], nodes = rows * m->geometry.nodes[0];
  if (m->partition.ranks == 1) return SSNE_OK;
  if (m->sharing == MESH_REPLICATED)
    return ssne_mpi_check(
        MPI_Allreduce(MPI_IN_PLACE, m->charge, (int)nodes, MPI_INT32_T, MPI_SUM, m->comm),
        "MPI_Allreduce", err);
  const int64_t *strips = m->convolution[MESH_SHARED].strips;
  for (int r = 0; r < m->partition.ranks; r++)
    m->counts[r] = (int)((strips[r + 1] - strips[r]) * rows * MESH_STRIP);
  return ssne_mpi_check(
      MPI_Reduce_scatter(MPI_IN_PLACE, m->charge, m->counts, MPI_INT32_T, MPI_SUM, m->comm),
      "MPI_Reduce_scatter", err);
}

static ssne_code share_potential(mesh *m, ssne_error *err) {
  const mesh_convolution *c = &m->convolution[m->sharing];
  if (m->sharing == MESH_REPLICATED) return SSNE_OK;
  for (int r = 0; r < c->ranks; r++) {
    m->counts[r] = (int)((c->strips[r + 1] - c->strips[r]) * m->geometry.nodes[1]);
    m->starts[r] = (int)(c->strips[r] * m->geometry.nodes[1]);
  }
  return ssne_mpi_check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, m->potential, m->counts,
                                       m->starts, c->cell, m->comm),
                        "MPI_Allgatherv", err);
}

/* From the charges of own strips to the potential at all nodes. */
static ssne_code convolve(mesh *m, float scale, ssne_error *err) {
  mesh_convolution *c = &m->convolution[m->sharing];
  const int64_t rows = m->geometry.nodes[1], stride = mesh_stride(&m->geometry);
  SSNE_TRY(
      mesh_convolution_apply(c, m->charge, scale, m->potential + c->strips[c->rank] * rows, err));
  SSNE_TRY(share_potential(m, err));
#pragma omp parallel for schedule(static) num_threads(m->threads)
  for (int64_t row = 0; row < rows; row++)
    for (int64_t s = 0; s < strips_of(&m->geometry); s++)
      memcpy(m->nodes + row * stride + s * MESH_STRIP, &m->potential[s * rows + row],
             sizeof *m->potential);
  return SSNE_OK;
}

/* The potential around a single charge. */
static ssne_code find_own(mesh *m, ssne_error *err) {
  const mesh_convolution *c = &m->convolution[m->sharing];
  const int64_t first = c->strips[c->rank], end = c->strips[c->rank + 1];
  const int64_t rows = m->geometry.nodes[1], middle = MESH_STRIP / 2;
  memset(m->charge, 0, (size_t)((end - first) * rows * MESH_STRIP) * sizeof *m->charge);
  if (first == 0 && end > 0) m->charge[middle * MESH_STRIP + middle] = 1;
  SSNE_TRY(convolve(m, 1, err));
  for (int64_t j = 0; j < m->spline.order; j++)
    memcpy(m->field.own[j], m->nodes + (middle + j) * mesh_stride(&m->geometry) + middle,
           (size_t)m->spline.order * sizeof *m->nodes);
  return SSNE_OK;
}

/* --- application ----------------------------------------------------------------------------- */

/* Collective. Puts the mesh where the points are. All that is kept from one application to the next
 * is a function of the mesh's shape. */
static ssne_code place(mesh *m, const float *xy, ssne_error *err) {
  double low[2], high[2];
  SSNE_TRY(find_box(m, xy, low, high, err));
  const mesh_geometry g = mesh_geometry_make(low, high, m->spline.order, m->step);
  m->geometry = g;
  if (m->choose)
    m->sharing = mesh_sharing_choose(g.nodes[0] * g.nodes[1], m->partition.ranks, m->threads_least);
  if (mesh_geometry_alike(&g, &m->ready) && m->sharing == m->ready_sharing) return SSNE_OK;
  m->ready = (mesh_geometry){.step = 0};
  SSNE_TRY_ALL(m->comm, reserve(m, &g, err), err);
  const double width = g.step * (double)g.nodes[0], height = g.step * (double)g.nodes[1];
  m->kernel = (mesh_kernel){.tail_df = m->tail_df, .floor = 0};
  m->kernel.floor = mesh_kernel_at(&m->kernel, width, height);
  m->field.stride = mesh_stride(&g);
  m->field.potential = m->nodes;
  m->field.force = (float)(-0.5 / g.step);
  m->field.shift = m->kernel.floor * (double)(m->partition.rows - 1);
  mesh_convolution_prepare(&m->convolution[m->sharing], &g, &m->kernel, &m->spline);
  SSNE_TRY(find_own(m, err));
  m->ready = g;
  m->ready_sharing = m->sharing;
  return SSNE_OK;
}

static ssne_code apply(void *state, const ssne_plane *plane, ssne_forces *forces, ssne_error *err) {
  mesh *m = state;
  const float *xy = plane->xy + 2 * plane->partition.first_row;
  double since = ssne_clock();
  int bits = 0;
  SSNE_TRY(place(m, xy, err));
  m->seconds[TRANSFORM] += ssne_clock_lap(&since);
  mesh_points_sort(&m->points, &m->geometry, m->spline.order, xy);
  SSNE_TRY(mesh_points_bits(&m->points, &m->spline, m->comm, &bits, err));
  mesh_points_spread(&m->points, &m->geometry, &m->spline, bits, m->charge);
  m->seconds[SPREAD] += ssne_clock_lap(&since);
  SSNE_TRY(sum_charges(m, err));
  m->seconds[SUM] += ssne_clock_lap(&since);
  SSNE_TRY(convolve(m, ldexpf(1, -bits), err));
  m->seconds[TRANSFORM] += ssne_clock_lap(&since);
  mesh_points_gather(&m->points, &m->spline, &m->field, forces->repulsion, forces->potential);
  m->seconds[GATHER] += ssne_clock_lap(&since);
  m->applications++;
  return SSNE_OK;
}

const ssne_repulsion_backend ssne_repulsion_mesh = {
    .name = "mesh", .create = create, .apply = apply, .account = account, .destroy = destroy};

/* --- sharing --------------------------------------------------------------------------------- */

mesh_sharing mesh_sharing_choose(int64_t nodes, int ranks, int threads) {
  const double transform = 1.2e-8; /* seconds a node and thread, measured */
  const double byte = 5e-10;       /* seconds to send one, with all ranks of a node sending */
  const double message = 5e-6;     /* seconds a message */
  const double spared = (double)nodes * transform / threads * (1 - 1.0 / ranks);
  const double sent = (double)nodes / ranks * sizeof(float[2]) * byte + (ranks - 1) * message;
  return spared > 2 * sent ? MESH_SHARED : MESH_REPLICATED;
}

void mesh_force_sharing(void *state, mesh_sharing sharing) {
  mesh *m = state;
  m->choose = false;
  m->sharing = sharing;
}
