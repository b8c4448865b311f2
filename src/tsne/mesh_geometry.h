/* Where the mesh lies: a function of the points' bounding box and nothing else, so that a run that
 * goes on from stored coordinates finds the same mesh. */
#ifndef SSNE_TSNE_MESH_GEOMETRY_H
#define SSNE_TSNE_MESH_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

/* Nodes a side are multiples of this. */
#define MESH_STRIP 16
/* At most so many a side: where the points reach farther the step grows. */
#define MESH_SIDE 16384

/* Nodes (column, row) at origin + step (column, row). */
typedef struct mesh_geometry {
  int64_t nodes[2]; /* columns and rows */
  double step;
  double origin[2];
} mesh_geometry;

/* The mesh on which splines of `order` around any point of the box low ... high (finite) stay on
 * nodes. Its step is `step`; where the box is small that is halved as long as the mesh stays small,
 * and where the box is huge it grows. The middle of the box is on a node, so that the error of a
 * small clump's force on itself, which is odd about nodes, moves it nowhere. */
mesh_geometry mesh_geometry_make(const double low[2], const double high[2], int order, double step);

/* Nodes from one row to the next in memory: some more than there are, so that rows do not all fall
 * on the same lines of the cache. */
static inline int64_t mesh_stride(const mesh_geometry *g) {
  return g->nodes[0] + MESH_STRIP;
}

/* Whether two meshes differ by no more than where they lie. */
bool mesh_geometry_alike(const mesh_geometry *a, const mesh_geometry *b);

#endif
