/* The two forces on own rows, over plain arrays: no MPI in here.
 *
 * With K_ij = 1 / (1 + |y_i - y_j|^2), Z = sum over i != j of K_ij and q_ij = K_ij / Z,
 * KL's gradient at row i is 4 sum_j (p_ij - q_ij) K_ij (y_i - y_j) (van der Maaten & Hinton 2008).
 */
#ifndef SSNE_TSNE_FORCES_H
#define SSNE_TSNE_FORCES_H

#include "plane.h"
#include "shardsne/tsne.h"
#include <stdint.h>

/* What the kernels give for each own row. */
typedef struct ssne_forces {
  float *attraction; /* [own_rows, 2] sum_j p_ij K_ij (y_i - y_j) */
  float *repulsion;  /* [own_rows, 2] sum_j K_ij^2 (y_i - y_j), to be divided by Z */
  double *potential; /* [own_rows] sum over all j, itself included, of K_ij */
  double *spread;    /* [own_rows] sum_j p_ij log(1 + |y_i - y_j|^2), the part of KL that moves */
} ssne_forces;

/* attraction, and spread where `with_spread`. */
void ssne_attraction(const ssne_affinities *affinities, const ssne_plane *plane, int threads,
                     int with_spread, ssne_forces *forces);

/* repulsion and potential: the exact sum over all pairs, the reference for any other method. */
void ssne_repulsion_exact(const ssne_plane *plane, int threads, ssne_forces *forces);

#endif
