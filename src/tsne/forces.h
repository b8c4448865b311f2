/* The two forces on own rows, each behind a table of functions, so that one for other hardware can
 * be added without touching the loop.
 *
 * With r^2 = |y_i - y_j|^2, w_ij = 1 / (1 + r^2 / a), K_ij = w_ij^a and Z = sum over i != j of
 * K_ij, q_ij = K_ij / Z, KL's gradient at row i is 4 sum_j (p_ij - q_ij) w_ij (y_i - y_j) (van der
 * Maaten & Hinton 2008 for a = 1; Kobak et al. 2019). */
#ifndef SSNE_TSNE_FORCES_H
#define SSNE_TSNE_FORCES_H

#include "near.h"
#include "shardsne/stages.h"
#include "shardsne/tsne.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* What the backends give for each own row. */
typedef struct ssne_forces {
  float *attraction; /* [own_rows, 2] sum_j p_ij w_ij (y_i - y_j) */
  float *repulsion;  /* [own_rows, 2] sum_j K_ij w_ij (y_i - y_j), to be divided by Z */
  double *potential; /* [own_rows] sum over j != i of K_ij */
  double *spread;    /* [own_rows] -sum_j p_ij log K_ij, the part of KL that moves */
} ssne_forces;

typedef struct ssne_attraction_backend {
  const char *name;
  /* Not collective. `near` outlives the state, which reads coordinates from it. A failed call
   * leaves nothing to destroy. */
  ssne_code (*create)(const ssne_near *near, const ssne_force_options *options, void **state,
                      ssne_error *err);
  /* Not collective. Of own rows begin <= r < end, fills forces->attraction and, if `with_spread`,
   * forces->spread. */
  void (*apply)(void *state, int64_t begin, int64_t end, bool with_spread, ssne_forces *forces);
  void (*destroy)(void **state);
} ssne_attraction_backend;

extern const ssne_attraction_backend ssne_attraction_reference; /* one entry after the other */
extern const ssne_attraction_backend ssne_attraction_cpu;       /* vectors */

typedef struct ssne_repulsion_backend {
  const char *name;
  /* Collective. `meanwhile`, which may be NULL, is worked on where apply waits for messages, and
   * outlives the state. A failed call leaves nothing to destroy. */
  ssne_code (*create)(const ssne_partition *partition, const ssne_force_options *options,
                      MPI_Comm comm, ssne_meanwhile *meanwhile, void **state, ssne_error *err);
  /* Collective. From own coordinates `xy` [own_rows, 2]: fills forces->repulsion and
   * forces->potential. */
  ssne_code (*apply)(void *state, const float *xy, ssne_forces *forces, ssne_error *err);
  /* The mesh of the latest application, columns and rows of nodes; zeros where there is none. NULL:
   * there never is one. */
  void (*mesh)(const void *state, int64_t nodes[2]);
  /* Adds what parts of apply took and sent, where it has parts worth naming. */
  void (*account)(const void *state, ssne_stages *stages);
  void (*destroy)(void **state);
} ssne_repulsion_backend;

/* SSNE_REPULSION_AUTO takes the mesh from so many rows on. */
#define SSNE_MESH_ROWS 4000

extern const ssne_repulsion_backend ssne_repulsion_exact; /* all pairs: the reference */
extern const ssne_repulsion_backend ssne_repulsion_mesh;  /* see mesh.h */

#endif
