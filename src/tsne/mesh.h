/* The repulsion as one convolution on a mesh.
 *
 * With phi(y) = sum_j K(|y - y_j|), a point's potential is phi(y_i) - K(0), and the sum over j of
 * K w (y_i - y_j) is -1/2 grad phi(y_i): one potential is enough, where interpolation by
 * polynomials in boxes (Linderman et al. 2019) convolves three or four charges. It takes an
 * interpolant that can be differentiated: B-splines of even order, as in smooth particle-mesh Ewald
 * (Essmann et al. 1995), both to spread charges of 1 to the nodes of a mesh and to read the
 * potential off it. What a point so does to itself depends on its place in the cell alone and is
 * subtracted. */
#ifndef SSNE_TSNE_MESH_H
#define SSNE_TSNE_MESH_H

#include "forces.h"
#include "mesh_transpose.h"

/* How ranks go about the convolution. The result has the same bits. */
typedef enum mesh_sharing {
  MESH_REPLICATED, /* every rank does all of it, once all charges are added up */
  MESH_SHARED      /* each serves the points of a tile and transforms some strips, and they exchange
                      points, charges, the halves of the transform, potentials and forces */
} mesh_sharing;

/* Which is predicted to be quicker on a mesh of so many nodes, by constants in mesh.c: sharing
 * spares a rank all but 1 / ranks of the transform, and costs it sending its part of the transform
 * twice, with a message to every other rank each time. */
mesh_sharing mesh_sharing_choose(int64_t nodes, int ranks, int threads);

/* Not collective. Bytes that the repulsion of own rows takes on a mesh of so many nodes. */
int64_t mesh_bytes(const ssne_partition *partition, int64_t nodes, int threads);

/* Not collective, but to be called alike on all ranks. For tests: from now on a state of
 * ssne_repulsion_mesh does not choose. `grid`, of no more workers than ranks, is that of a shared
 * mesh. */
void mesh_force_sharing(void *state, mesh_sharing sharing, ssne_workers grid);

#endif
