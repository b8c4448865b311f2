/* The whole engine on made-up rows, without files: prints the digests of two maps, which must be
 * the same on any number of ranks, real or simulated. One thread a rank, for SimGrid knows of none.
 * Takes the number of early and of later iterations.
 */
#include "shardsne/agree.h"
#include "shardsne/digest.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/neighbours.h"
#include "shardsne/random.h"
#include "shardsne/tsne.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 20
#define CLUSTERS 10
#define PERPLEXITY 20.0

typedef struct map_options {
  const char *name;
  int64_t rows, pca, early_iterations, iterations;
  ssne_search search;
  ssne_repulsion repulsion;
} map_options;

/* What a map is made from, and the map. */
typedef struct work {
  float *x; /* [own_rows, COLUMNS] */
  ssne_rows rows;
  ssne_neighbours neighbours;
  ssne_cells *cells;
  ssne_order order;
  ssne_affinities affinities;
  ssne_tsne_state state;
} work;

/* Normal clusters around normal centres, three deviations apart and more. */
static float value(int64_t row, int64_t column) {
  const int64_t centre = row % CLUSTERS * COLUMNS + column;
  return (float)(3 * ssne_random_normal(1, SSNE_RANDOM_INIT, (uint64_t)centre) +
                 ssne_random_normal(2, SSNE_RANDOM_INIT, (uint64_t)(row * COLUMNS + column)));
}

static ssne_code fill(const ssne_partition *p, work *w, ssne_error *err) {
  SSNE_TRY(ssne_alloc(&w->x, p->own_rows * COLUMNS, sizeof *w->x, "values", err));
  for (int64_t i = 0; i < p->own_rows * COLUMNS; i++)
    w->x[i] = value(p->first_row + i / COLUMNS, i % COLUMNS);
  return SSNE_OK;
}

static ssne_code find_affinities(const map_options *o, const ssne_partition *p, MPI_Comm comm,
                                 work *w, ssne_error *err) {
  const double perplexity = PERPLEXITY;
  const ssne_rows_options prepare = {.metric = SSNE_EUCLIDEAN, .pca = o->pca, .threads = 1};
  const ssne_search_options search = {
      .search = o->search, .k = (int64_t)(3 * PERPLEXITY), .recall = 0.98, .threads = 1};
  ssne_search_report report;
  SSNE_TRY_ALL(comm, fill(p, w, err), err);
  SSNE_TRY(ssne_rows_prepare(w->x, COLUMNS, p, &prepare, comm, &w->rows, err));
  SSNE_TRY(ssne_cells_build(&w->rows, 1, comm, &w->cells, err));
  SSNE_TRY(
      ssne_neighbours_find(&w->rows, w->cells, &search, comm, NULL, &w->neighbours, &report, err));
  SSNE_TRY(ssne_cells_order(w->cells, p, comm, &w->order, err));
  return ssne_affinities_build(&w->neighbours, &w->order, &perplexity, 1, 1, comm, &w->affinities,
                               err);
}

static ssne_code descend(const map_options *o, const ssne_partition *p, MPI_Comm comm, work *w,
                         ssne_error *err) {
  ssne_tsne_options options = {.early_iterations = o->early_iterations,
                               .iterations = o->iterations,
                               .exaggeration = 12,
                               .late_exaggeration = 1,
                               .learning_rate = NAN,
                               .momentum = 0.8,
                               .step_limit = 5,
                               .forces = ssne_force_defaults()};
  ssne_stages stages = {0};
  options.forces.repulsion = o->repulsion;
  SSNE_TRY_ALL(comm, ssne_tsne_state_allocate(p, &options, &w->state, err), err);
  SSNE_TRY(ssne_start_pca(&w->rows, 0, 1, comm, w->state.xy, err));
  SSNE_TRY(ssne_order_to_places(&w->order, p, comm, w->state.xy, err));
  SSNE_TRY(ssne_tsne_descend(&w->affinities, &options, NULL, NULL, NULL, comm, NULL, &stages,
                             &w->state, err));
  return ssne_order_to_rows(&w->order, p, comm, w->state.xy, err);
}

/* Rank 0 prints the digest of all ranks' coordinates. */
static ssne_code tell(const map_options *o, const ssne_partition *p, MPI_Comm comm, const float *xy,
                      ssne_error *err) {
  char digest[SSNE_DIGEST_LENGTH];
  float *all = NULL;
  SSNE_TRY_ALL(comm, ssne_alloc(&all, 2 * p->rows, sizeof *all, "coordinates", err), err);
  memcpy(all + 2 * p->first_row, xy, (size_t)(2 * p->own_rows) * sizeof *all);
  ssne_code code = SSNE_OK;
  for (int r = 0; r < p->ranks && code == SSNE_OK; r++) {
    const int64_t first = 2 * ssne_partition_first_row(p, r);
    const int64_t end = 2 * ssne_partition_first_row(p, r + 1);
    code = ssne_broadcast(all + first, (end - first) * (int64_t)sizeof *all, r, comm, err);
  }
  ssne_digest_text(all, (size_t)(2 * p->rows) * sizeof *all, digest);
  if (code == SSNE_OK && p->rank == 0)
    printf("%s of %" PRId64 " rows: %s\n", o->name, p->rows, digest);
  ssne_free(&all);
  return code;
}

static ssne_code make_map(const map_options *o, MPI_Comm comm, ssne_error *err) {
  int rank = 0, ranks = 1;
  work w = {.x = NULL};
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  const ssne_partition p = ssne_partition_make(o->rows, SSNE_ROWS_BLOCK, ranks, rank);
  ssne_code code = find_affinities(o, &p, comm, &w, err);
  if (code == SSNE_OK) code = descend(o, &p, comm, &w, err);
  if (code == SSNE_OK) code = tell(o, &p, comm, w.state.xy, err);
  ssne_free(&w.x);
  ssne_rows_free(&w.rows);
  ssne_neighbours_free(&w.neighbours);
  ssne_cells_free(&w.cells);
  ssne_order_free(&w.order);
  ssne_affinities_free(&w.affinities);
  ssne_tsne_state_free(&w.state);
  return code;
}

int main(int argc, char **argv) {
  /* 5,000 rows are 40 blocks, and 1,500 are 12: of 64 and of 16 ranks some own none. */
  const int64_t early = argc > 1 ? strtoll(argv[1], NULL, 10) : 60,
                later = argc > 2 ? strtoll(argv[2], NULL, 10) : 40;
  const map_options maps[] = {
      {"mesh", 5000, 0, early, later, SSNE_SEARCH_APPROXIMATE, SSNE_REPULSION_MESH},
      {"exact", 1500, 5, early, later, SSNE_SEARCH_EXACT, SSNE_REPULSION_EXACT}};
  ssne_error err;
  MPI_Init(&argc, &argv);
  for (size_t m = 0; m < sizeof maps / sizeof maps[0]; m++)
    if (make_map(&maps[m], MPI_COMM_WORLD, &err) != SSNE_OK) {
      fprintf(stderr, "%s: %s\n", maps[m].name, err.text);
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
  MPI_Finalize();
  return 0;
}
