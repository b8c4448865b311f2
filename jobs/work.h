/* What the stages of an embedding compute and move, by formula: divided by a stage's seconds, its
 * rate. Each function is a count of its kernel's own operations.
 *
 * Flops are additions, multiplications, divisions and comparisons of floating-point numbers that
 * the result needs; lanes that are filled up, conversions and operations on integers are none.
 * Bytes are what passes between a core and what holds the arrays, when all that a kernel works on
 * at a time stays in the core's own caches; messages to other ranks are not among them. */
#ifndef SHARDSNE_JOBS_WORK_H
#define SHARDSNE_JOBS_WORK_H

#include "embedding.h"

typedef struct work {
  double flops, bytes;
} work;

/* The search among so many pairs of rows, of `columns`, whose result has `kept` neighbours: its
 * matrix products, which is all but everything (src/neighbours/sieve_kernels.c). Choosing cells and
 * measuring the recall are not counted. */
work work_of_search(double pairs, int64_t columns, double kept);

/* P with so many entries from so many neighbours of all rows, for each perplexity
 * (src/tsne/affinity_kernels.c, symmetrise.c); Newton steps are a mean. */
work work_of_affinities(double neighbours, int64_t perplexities, double entries);

/* One evaluation of the attraction, and of what KL wants beside it at times
 * (src/tsne/attraction_kernels.c). Entries are counted with their padding, as they are computed. */
work work_of_attraction(double rows, double entries);
work work_of_divergence(double rows, double entries);

/* One evaluation of the exact repulsion, of plain tails (src/tsne/repulsion_kernels.c). */
work work_of_pairs(double pairs);

/* One evaluation on the mesh: points to nodes, a convolution of columns x rows nodes by transforms
 * of twice that in both directions, and nodes to points (src/tsne/mesh_kernels.c, fft.h). `order`:
 * of the B-splines. */
work work_of_spreading(double points, int order);
work work_of_transform(double columns, double rows);
work work_of_gathering(double points, int order);

/* Adds to the job's stages what this rank has done: of a search of the neighbours; of P, once it is
 * built; and of a descent. */
void work_account_search(const embedding *e);
void work_account_affinities(const embedding *e);
void work_account_descent(const embedding *e);

#endif
