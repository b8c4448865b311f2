/* What a run costs: seconds and bytes as functions of the problem, the machine and the network.
 *
 * The descent is the part that exchanges, so that it is told item by item: what a rank computes and
 * which messages it sends, in the order of src/tsne. The same items make the forecast of `embed
 * --dry-run`, the predictions of docs/scaling.md and the traces that a simulator replays. Pure
 * functions: no MPI, nothing collective. */
#ifndef SHARDSNE_COST_H
#define SHARDSNE_COST_H

#include "shardsne/partition.h"

#include <stdbool.h>
#include <stdint.h>

/* Seconds on one core. */
typedef struct ssne_cost_machine {
  double pair;     /* and column, of exact neighbours; see ssne_search_cost */
  double affinity; /* and neighbour, building P */
  double exact;    /* and pair of rows, an iteration, of exact repulsion */
  /* an entry of P, an iteration: where the coordinates read take `cache` bytes and less, and where
   * they take `beyond` bytes and more; in between by the logarithm */
  double entry, entry_beyond, cache, beyond;
  double point;  /* a point on the mesh, an iteration, and the sums over rows */
  double served; /* the same, more of it, where points go to other ranks and back */
  double node;   /* of the mesh, an iteration, of its transforms */
  double cell;   /* a node of the window in which a rank's points are, an iteration */
  double square; /* a square in which points are counted, an iteration */
  double slice;  /* a rank's window, an iteration, when it is planned who shares what */
} ssne_cost_machine;

/* A core of the machine that docs/performance.md describes. */
ssne_cost_machine ssne_cost_reference(void);

typedef struct ssne_cost_network {
  double latency;   /* seconds, from one rank to another */
  double bandwidth; /* bytes a second, of one rank, each way */
  double overhead;  /* seconds of a core that a message takes at either end */
} ssne_cost_network;

/* 100 Gbit/s, 2 microseconds, 0.3 microseconds. */
ssne_cost_network ssne_cost_fast_network(void);

/* What ranks send each other in an iteration. */
typedef enum ssne_cost_exchange {
  SSNE_COST_ALL, /* coordinates of all rows and the whole mesh to everyone */
  SSNE_COST_NEAR /* ghosts; points to tiles of the mesh; windows of it to the ranks that transform
                  */
} ssne_cost_exchange;

typedef struct ssne_cost_problem {
  int64_t rows, columns, neighbours;
  double pairs;           /* of rows that the search costs, or 0: the neighbours are there */
  int64_t entries;        /* of P, in all */
  int64_t nodes;          /* of the mesh (ssne_cost_mean_nodes), or 0: exact repulsion */
  int64_t iterations;     /* of the descent */
  int ranks, threads;     /* threads of each rank */
  ssne_cost_exchange how; /* where there is a mesh and more than one rank */
  double ghosts;          /* per own row, or negative: ssne_cost_ghosts */
  int ghost_partners;     /* ranks from which these come, or 0: ssne_cost_ghost_partners */
  int point_partners;     /* ranks to which own points go, or 0: 64 at most */
  bool straight; /* whether squares are dealt out column by column, so that a rank's may span two
                    columns from end to end; else the next column begins where the last one ended */
} ssne_cost_problem;

/* As measured on images of digits (docs/scaling.md), for so many own rows. */
double ssne_cost_ghosts(int64_t rows, int ranks);
int ssne_cost_ghost_partners(int ranks);

/* The entries of P for so many neighbours a row, as measured. */
int64_t ssne_cost_entries(int64_t rows, int64_t neighbours);

/* The mesh grows with the map: of one that ends with so many nodes (ssne_force_mesh_nodes), the
 * mean over a run's iterations, as measured. */
int64_t ssne_cost_mean_nodes(int64_t last);

/* The ranks that transform a mesh, as a grid (src/tsne/mesh_transpose.h), such that this is
 * quickest with so many ranks of so many threads, on a core and a network like the two above. The
 * engine goes by it. */
ssne_workers ssne_cost_grid_choose(int64_t nodes, int ranks, int threads);

typedef enum ssne_cost_kind {
  SSNE_COST_COMPUTE,
  SSNE_COST_ALLREDUCE,      /* `bytes` of each rank */
  SSNE_COST_ALLGATHERV,     /* `bytes` in all */
  SSNE_COST_REDUCE_SCATTER, /* `bytes` of each rank, of which it keeps its share */
  SSNE_COST_ALLTOALL,       /* `bytes` to each rank */
  SSNE_COST_ALLTOALLV,      /* see ssne_cost_between */
  SSNE_COST_MESSAGES,       /* the same in messages of their own */
  SSNE_COST_BEGIN,          /* the same, and what follows does not wait for them */
  SSNE_COST_END             /* waits for those begun */
} ssne_cost_kind;

typedef enum ssne_cost_route {
  SSNE_COST_NOWHERE,
  SSNE_COST_GHOSTS,     /* coordinates of ghosts */
  SSNE_COST_POINTS_OUT, /* points to the ranks that serve them */
  SSNE_COST_POINTS_BACK,
  SSNE_COST_CHARGES,          /* windows to workers */
  SSNE_COST_POTENTIAL,        /* and back */
  SSNE_COST_TRANSPOSE_ROWS,   /* between the halves of the transform: in rows of the grid, */
  SSNE_COST_TRANSPOSE_COLUMNS /* and in its columns, where it has more than one row */
} ssne_cost_route;

typedef struct ssne_cost_item {
  ssne_cost_kind kind;
  const char *stage; /* what it is for, in the words of docs/scaling.md */
  ssne_cost_route route;
  double seconds;       /* SSNE_COST_COMPUTE, of the slowest rank */
  bool of_workers;      /* whether only ranks that transform compute it */
  bool of_windows;      /* whether it is in proportion to a rank's window of the mesh */
  int64_t bytes;        /* see the kind; where there is a route: of 0, or of a point or a node */
  int64_t member_bytes; /* of an element of a reduction */
} ssne_cost_item;

#define SSNE_COST_ITEMS 32

/* The items of an iteration in their order; returns how many. */
int ssne_cost_iteration(const ssne_cost_problem *problem, const ssne_cost_machine *machine,
                        ssne_cost_item items[SSNE_COST_ITEMS]);

/* Whether a rank transforms. */
bool ssne_cost_is_worker(const ssne_cost_problem *problem, int rank);

/* Nodes of a rank's window, of the largest where `rank` is negative. */
int64_t ssne_cost_window(const ssne_cost_problem *problem, int rank);

/* Seconds that a rank computes an item. */
double ssne_cost_compute(const ssne_cost_problem *problem, const ssne_cost_item *item, int rank);

/* Bytes that go from one rank to another by an item with a route, 0 to itself. */
int64_t ssne_cost_between(const ssne_cost_problem *problem, const ssne_cost_item *item, int from,
                          int to);

typedef struct ssne_cost_load {
  int64_t received; /* bytes, counted as docs/records.md does */
  int64_t messages; /* received, for kinds with a route */
} ssne_cost_load;

/* What a rank receives by an item. */
ssne_cost_load ssne_cost_received(const ssne_cost_problem *problem, const ssne_cost_item *item,
                                  int rank);

/* Seconds that ranks spend on an item, those of the slowest, without contention between messages.
 * `since_begin` are the seconds since the SSNE_COST_BEGIN, for its SSNE_COST_END. */
double ssne_cost_seconds(const ssne_cost_problem *problem, const ssne_cost_network *network,
                         const ssne_cost_item *item, double since_begin);

/* Seconds of an iteration, which is the sum of its items. */
double ssne_cost_iteration_seconds(const ssne_cost_problem *problem,
                                   const ssne_cost_machine *machine,
                                   const ssne_cost_network *network);

/* Seconds of the whole: neighbours, affinities, descent. */
typedef struct ssne_cost_run {
  double neighbours, affinities, descent;
} ssne_cost_run;

ssne_cost_run ssne_cost_run_seconds(const ssne_cost_problem *problem,
                                    const ssne_cost_machine *machine,
                                    const ssne_cost_network *network);

#endif
