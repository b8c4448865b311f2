/* The exact sum over all pairs: the reference for any other method, and the quickest for few rows.
 */
#include "forces.h"
#include "plane.h"
#include "repulsion_kernels.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"

typedef struct exact {
  double tail_df;
  int threads;
  MPI_Comm comm;
  ssne_plane plane;
  float *split; /* [blocks][2][SSNE_ROWS_BLOCK] the coordinates, in each block first the x */
} exact;

static void destroy(void **state) {
  exact *e = *state;
  if (!e) return;
  ssne_plane_destroy(&e->plane);
  ssne_free(&e->split);
  ssne_free(state);
}

static ssne_code allocate(const ssne_partition *p, const ssne_force_options *o, MPI_Comm comm,
                          void **state, ssne_error *err) {
  exact *e = NULL;
  SSNE_TRY(ssne_alloc(&e, 1, sizeof *e, "repulsion", err));
  *state = e;
  *e = (exact){.tail_df = o->tail_df,
               .threads = o->threads,
               .comm = comm,
               .plane = {.block = MPI_DATATYPE_NULL}};
  return ssne_alloc(&e->split, p->blocks, sizeof(float[2][SSNE_ROWS_BLOCK]),
                    "blocks of coordinates", err);
}

static ssne_code create(const ssne_partition *p, const ssne_force_options *o, MPI_Comm comm,
                        ssne_meanwhile *meanwhile, void **state, ssne_error *err) {
  (void)meanwhile; /* its one exchange is a blocking collective */
  *state = NULL;
  ssne_code code = ssne_agree(comm, allocate(p, o, comm, state, err), err);
  if (code == SSNE_OK) code = ssne_plane_create(p, comm, &((exact *)*state)->plane, err);
  if (code != SSNE_OK) destroy(state);
  return code;
}

static void split_block(const float *xy, float *split) {
  for (int64_t r = 0; r < SSNE_ROWS_BLOCK; r++) {
    split[r] = xy[2 * r];
    split[SSNE_ROWS_BLOCK + r] = xy[2 * r + 1];
  }
}

static ssne_code apply(void *state, const float *xy, ssne_forces *forces, ssne_error *err) {
  exact *e = state;
  const ssne_plane *plane = &e->plane;
  const ssne_partition *p = &plane->partition;
  const repulsion_kernels *kernels = repulsion_kernels_at(ssne_simd_level());
  const int64_t size = INT64_C(2) * SSNE_ROWS_BLOCK;
  SSNE_TRY(ssne_plane_share(&e->plane, xy, e->comm, err));
#pragma omp parallel num_threads(e->threads)
  {
#pragma omp for schedule(static)
    for (int64_t b = 0; b < p->blocks; b++) split_block(plane->xy + b * size, e->split + b * size);
#pragma omp for schedule(static)
    for (int64_t r = 0; r < p->own_rows; r++) {
      const float *y = xy + 2 * r;
      const pair_sums sums =
          e->tail_df == 1 ? kernels->repel_row(e->split, p->blocks, y[0], y[1])
                          : kernels->repel_row_tailed(e->split, p->blocks, y[0], y[1], e->tail_df);
      forces->repulsion[2 * r] = (float)sums.x;
      forces->repulsion[2 * r + 1] = (float)sums.y;
      forces->potential[r] = sums.potential - 1; /* of the row on itself */
    }
  }
  return SSNE_OK;
}

static void account(const void *state, ssne_stages *stages) {
  (void)state;
  (void)stages;
}

const ssne_repulsion_backend ssne_repulsion_exact = {
    .name = "exact", .create = create, .apply = apply, .account = account, .destroy = destroy};
