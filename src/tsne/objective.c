/* KL and its gradient: coordinates from neighbouring ranks, two forces, one exact sum. While the
 * repulsion waits for messages from other ranks, rows of the attraction are computed, so that who
 * is early at one of these exchanges, though not at a collective, loses nothing. */
#include "affinity_kernels.h"
#include "forces.h"
#include "mesh.h"
#include "mesh_geometry.h"

#include "shardsne/agree.h"
#include "shardsne/exact_sum.h"
#include "shardsne/memory.h"

#include <math.h>

#define ROWS_MEANWHILE 256 /* of the attraction, by each thread: some 30 microseconds */

struct ssne_objective {
  const ssne_affinities *affinities;
  MPI_Comm comm;
  int threads;
  ssne_near near;
  ssne_forces forces;
  const ssne_attraction_backend *attraction;
  const ssne_repulsion_backend *repulsion;
  void *attraction_state, *repulsion_state;
  ssne_meanwhile meanwhile; /* the attraction, beside the repulsion */
  int64_t attracted;        /* own rows, in this evaluation */
  bool with_spread;
  double z;      /* the sum of the kernel over all pairs, of the latest evaluation */
  double spread; /* sum over all ranks of -p_ij log K_ij, of the latest that asked for KL */
  int64_t evaluations, layouts;
  ssne_stage laying_out, sharing, attracting, repelling, summing; /* of all evaluations */
};

ssne_force_options ssne_force_defaults(void) {
  return (ssne_force_options){.repulsion = SSNE_REPULSION_AUTO,
                              .tail_df = 1,
                              .mesh_order = 4,
                              .mesh_step = 0.4,
                              .threads = 1};
}

static ssne_code allocate(ssne_objective *o, ssne_error *err) {
  const int64_t rows = o->affinities->partition.own_rows, pair = 2 * (int64_t)sizeof(float);
  SSNE_TRY(ssne_alloc(&o->forces.attraction, rows, (size_t)pair, "forces", err));
  SSNE_TRY(ssne_alloc(&o->forces.repulsion, rows, (size_t)pair, "forces", err));
  SSNE_TRY(ssne_alloc(&o->forces.potential, rows, sizeof(double), "potentials", err));
  return ssne_alloc(&o->forces.spread, rows, sizeof(double), "terms of KL", err);
}

bool ssne_force_uses_mesh(const ssne_force_options *options, int64_t rows) {
  return options->repulsion == SSNE_REPULSION_MESH ||
         (options->repulsion == SSNE_REPULSION_AUTO && rows >= SSNE_MESH_ROWS);
}

/* The maps of 10^4 to 10^6 rows that were measured are about so wide. */
int64_t ssne_force_mesh_nodes(const ssne_force_options *options, int64_t rows) {
  const double nodes = fmin(sqrt((double)rows) / options->mesh_step, MESH_SIDE);
  return (int64_t)(nodes * nodes);
}

int64_t ssne_tsne_bytes(const ssne_partition *partition, int64_t k,
                        const ssne_force_options *options) {
  const int64_t own = partition->own_rows, exact = partition->rows * 2 * 8;
  const int64_t state = own * (6 * 8 + 2 * 8), near = ssne_near_bytes(partition, k);
  return state + near +
         (ssne_force_uses_mesh(options, partition->rows)
              ? mesh_bytes(partition, ssne_force_mesh_nodes(options, partition->rows),
                           options->threads)
              : exact);
}

static void attract_until(ssne_objective *o, int64_t end) {
  o->attraction->apply(o->attraction_state, o->attracted, end, o->with_spread, &o->forces);
  o->attracted = end;
}

/* Of an ssne_meanwhile. */
static bool attract_some(void *context) {
  ssne_objective *o = context;
  const int64_t rows = o->affinities->partition.own_rows;
  const int64_t end = o->attracted + (int64_t)ROWS_MEANWHILE * o->threads;
  if (o->attracted == rows) return false;
  attract_until(o, end < rows ? end : rows);
  return true;
}

static ssne_code prepare(ssne_objective *o, const ssne_force_options *options, ssne_error *err) {
  const ssne_partition *p = &o->affinities->partition;
  o->attraction = &ssne_attraction_cpu;
  o->repulsion =
      ssne_force_uses_mesh(options, p->rows) ? &ssne_repulsion_mesh : &ssne_repulsion_exact;
  SSNE_TRY(ssne_near_create(o->affinities, options->threads, o->comm, &o->near, err));
  ssne_code code = allocate(o, err);
  if (code == SSNE_OK) code = o->attraction->create(&o->near, options, &o->attraction_state, err);
  SSNE_TRY_ALL(o->comm, code, err);
  o->meanwhile = (ssne_meanwhile){.work = attract_some, .context = o};
  return o->repulsion->create(p, options, o->comm, &o->meanwhile, &o->repulsion_state, err);
}

ssne_code ssne_objective_create(const ssne_affinities *affinities,
                                const ssne_force_options *options, MPI_Comm comm,
                                ssne_objective **out, ssne_error *err) {
  SSNE_TRY_ALL(comm, ssne_alloc(out, 1, sizeof **out, "objective", err), err);
  **out = (ssne_objective){.affinities = affinities,
                           .comm = comm,
                           .threads = options->threads,
                           .laying_out = {.name = "lay out coordinates"},
                           .sharing = {.name = "share coordinates"},
                           .attracting = {.name = "attraction"},
                           .repelling = {.name = "repulsion"},
                           .summing = {.name = "sum and normaliser"}};
  const ssne_code code = prepare(*out, options, err);
  if (code != SSNE_OK) ssne_objective_destroy(out);
  return code;
}

void ssne_objective_destroy(ssne_objective **objective) {
  ssne_objective *o = *objective;
  if (!o) return;
  if (o->attraction_state) o->attraction->destroy(&o->attraction_state);
  if (o->repulsion_state) o->repulsion->destroy(&o->repulsion_state);
  ssne_near_free(&o->near);
  ssne_free(&o->forces.attraction);
  ssne_free(&o->forces.repulsion);
  ssne_free(&o->forces.potential);
  ssne_free(&o->forces.spread);
  ssne_free(objective);
}

enum { POTENTIAL, SPREAD, REPULSION_X, REPULSION_Y, SUMS };

/* Adds up own rows, within a block of rows in order, blocks exactly. */
static void add_rows(const ssne_objective *o, bool with_spread, ssne_exact sums[SUMS]) {
  const ssne_partition *p = &o->affinities->partition;
  const ssne_forces *f = &o->forces;
#pragma omp parallel num_threads(o->threads)
  {
    ssne_exact part[SUMS] = {{{0}, 0}};
#pragma omp for schedule(static)
    for (int64_t b = 0; b < p->own_blocks; b++) {
      const int64_t first = b * p->block_rows;
      const int64_t end = first + ssne_partition_block_length(p, p->first_block + b);
      double block[SUMS] = {0};
      for (int64_t r = first; r < end; r++) {
        block[POTENTIAL] += f->potential[r];
        block[SPREAD] += with_spread ? f->spread[r] : 0;
        block[REPULSION_X] += (double)f->repulsion[2 * r];
        block[REPULSION_Y] += (double)f->repulsion[2 * r + 1];
      }
      for (int s = 0; s < SUMS; s++) ssne_exact_add(&part[s], block[s]);
    }
#pragma omp critical(ssne_objective)
    for (int s = 0; s < SUMS; s++) ssne_exact_merge(&sums[s], &part[s]);
  }
}

/* Every repulsion has its counterpart, so that their sum is zero. A mesh keeps to that only nearly;
 * what is left over would push the map as a whole, and is taken back in equal parts. */
static void combine(const ssne_objective *o, const ssne_exact sums[SUMS], double exaggeration,
                    double z, float *force) {
  const ssne_partition *p = &o->affinities->partition;
  const float attract = (float)exaggeration, repel = (float)(1 / z);
  const float mean[2] = {(float)(ssne_exact_value(&sums[REPULSION_X]) / (double)p->rows),
                         (float)(ssne_exact_value(&sums[REPULSION_Y]) / (double)p->rows)};
#pragma omp parallel for schedule(static) num_threads(o->threads)
  for (int64_t i = 0; i < 2 * p->own_rows; i++)
    force[i] = attract * o->forces.attraction[i] - repel * (o->forces.repulsion[i] - mean[i % 2]);
}

ssne_code ssne_objective_lay_out(ssne_objective *o, ssne_error *err) {
  ssne_moment since = ssne_moment_now();
  SSNE_TRY(ssne_near_lay_out(&o->near, err));
  ssne_stage_lap(&o->laying_out, &since);
  o->layouts++;
  return SSNE_OK;
}

ssne_code ssne_objective_evaluate(ssne_objective *o, const float *xy, double exaggeration,
                                  float *force, double *kl, ssne_error *err) {
  ssne_exact sums[SUMS] = {{{0}, 0}};
  ssne_moment since = ssne_moment_now();
  const double before = o->meanwhile.seconds;
  o->attracted = 0;
  o->with_spread = kl != NULL;
  SSNE_TRY(ssne_near_exchange(&o->near, xy, err));
  ssne_stage_lap(&o->sharing, &since);
  SSNE_TRY(o->repulsion->apply(o->repulsion_state, xy, &o->forces, err));
  o->attracting.seconds += o->meanwhile.seconds - before;
  since.clock += o->meanwhile.seconds - before;
  ssne_stage_lap(&o->repelling, &since);
  attract_until(o, o->affinities->partition.own_rows);
  ssne_stage_lap(&o->attracting, &since);
  add_rows(o, kl != NULL, sums);
  SSNE_TRY(ssne_exact_reduce(sums, SUMS, o->comm, err));
  o->z = ssne_exact_value(&sums[POTENTIAL]);
  combine(o, sums, exaggeration, o->z, force);
  o->spread = ssne_exact_value(&sums[SPREAD]);
  if (kl) *kl = ssne_objective_value(o, 1);
  ssne_stage_lap(&o->summing, &since);
  o->evaluations++;
  return SSNE_OK;
}

double ssne_objective_value(const ssne_objective *o, double exaggeration) {
  const ssne_affinities *a = o->affinities;
  return a->entropy + exaggeration * o->spread + a->sum * log(o->z);
}

ssne_code ssne_objective_parts(ssne_objective *o, const float *xy, double *part, ssne_error *err) {
  const ssne_affinities *a = o->affinities;
  const affinity_kernels *kernels = affinity_kernels_at(ssne_simd_level());
  float *force = NULL;
  double kl = 0;
  ssne_code code = ssne_alloc(&force, a->partition.own_rows, 2 * sizeof *force, "forces", err);
  code = ssne_agree(o->comm, code, err);
  if (code == SSNE_OK) code = ssne_objective_evaluate(o, xy, 1, force, &kl, err);
  ssne_free(&force);
  SSNE_TRY(code);
#pragma omp parallel for schedule(static) num_threads(o->threads)
  for (int64_t r = 0; r < a->partition.own_rows; r++) {
    const entropy_sums row =
        kernels->entropy(a->value + a->start[r], a->start[r + 1] - a->start[r]);
    part[r] = row.p_log_p + o->forces.spread[r] + row.p * log(o->z);
  }
  return SSNE_OK;
}

void ssne_objective_mesh(const ssne_objective *o, int64_t nodes[2]) {
  nodes[0] = nodes[1] = 0;
  if (o->repulsion->mesh) o->repulsion->mesh(o->repulsion_state, nodes);
}

static void account(ssne_stage stage, int64_t count, ssne_stages *stages) {
  stage.count = count;
  ssne_stages_merge(stages, &stage);
}

void ssne_objective_account(const ssne_objective *o, ssne_stages *stages) {
  /* the same on every rank, so that rank 0 alone counts them */
  const bool counts = o->affinities->partition.rank == 0;
  const int64_t count = counts ? o->evaluations : 0;
  account(o->laying_out, counts ? o->layouts : 0, stages);
  account(o->sharing, count, stages);
  account(o->attracting, count, stages);
  account(o->repelling, count, stages);
  o->repulsion->account(o->repulsion_state, stages);
  account(o->summing, count, stages);
}
