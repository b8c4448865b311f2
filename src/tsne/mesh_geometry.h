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

/* Whether two meshes differ by no more than where they lie. */
bool mesh_geometry_alike(const mesh_geometry *a, const mesh_geometry *b);

/* Where a point is: the first node that its spline reaches, and its place in the cell,
 * -1/2 <= t < 1/2. */
typedef struct mesh_place {
  int64_t column, row;
  float t[2];
} mesh_place;

static inline mesh_place mesh_locate(const mesh_geometry *g, double per_step, int order,
                                     const float *xy) {
  const double x = ((double)xy[0] - g->origin[0]) * per_step;
  const double y = ((double)xy[1] - g->origin[1]) * per_step;
  const int64_t column = (int64_t)x, row = (int64_t)y;
  return (mesh_place){column - (order / 2 - 1),
                      row - (order / 2 - 1),
                      {(float)(x - (double)column - 0.5), (float)(y - (double)row - 0.5)}};
}

/* Column and row of a node, at most MESH_SIDE each, in one number. */
static inline uint32_t mesh_node_at(int64_t column, int64_t row) {
  return (uint32_t)column << 16 | (uint32_t)row;
}

static inline int64_t mesh_node_column(uint32_t at) {
  return at >> 16;
}

static inline int64_t mesh_node_row(uint32_t at) {
  return at & UINT16_MAX;
}

/* A part of the mesh: of whole strips of columns, or empty. */
typedef struct mesh_window {
  int64_t first[2], nodes[2]; /* column and row */
} mesh_window;

static inline mesh_window mesh_window_of_all(const mesh_geometry *g) {
  return (mesh_window){{0, 0}, {g->nodes[0], g->nodes[1]}};
}

static inline int64_t mesh_window_strips(const mesh_window *w) {
  return w->nodes[0] / MESH_STRIP;
}

/* Nodes from one row of a window to the next in memory: some more than there are, so that rows do
 * not all fall on the same lines of the cache. */
static inline int64_t mesh_window_stride(const mesh_window *w) {
  return w->nodes[0] + MESH_STRIP;
}

#endif
