#include "mesh_geometry.h"

#include "fft.h"

#include <math.h>

/* A mesh so small costs next to nothing beside the points. */
#define SMALL 128
/* Halvings of the step at most: with more, rounding grows and nothing else falls. */
#define HALVINGS 4
/* The step grows by 2^(1/8) at a time, so that the kernel's transform can often be kept. */
#define GROWTH 1.0905077326652577

/* Nodes a side for a box of width `span`: half a node more than the splines reach, at least. */
static double nodes_for(double span, double step, int order) {
  return ceil(span / step) + order + 1;
}

/* The next number of nodes whose doubled mesh can be transformed. */
static int64_t snap(double nodes) {
  int64_t n = ((int64_t)nodes + MESH_STRIP - 1) / MESH_STRIP * MESH_STRIP;
  while (!fft_can(2 * n)) n += MESH_STRIP;
  return n;
}

mesh_geometry mesh_geometry_make(const double low[2], const double high[2], int order,
                                 double step) {
  const double span[2] = {high[0] - low[0], high[1] - low[1]}, widest = fmax(span[0], span[1]);
  for (int s = 0; s < HALVINGS && nodes_for(widest, step / 2, order) <= SMALL; s++) step /= 2;
  while (nodes_for(widest, step, order) > MESH_SIDE) step *= GROWTH;
  mesh_geometry g = {.step = step};
  for (int a = 0; a < 2; a++) {
    g.nodes[a] = snap(nodes_for(span[a], step, order));
    const int64_t middle = g.nodes[a] / 2;
    g.origin[a] = (low[a] + high[a]) / 2 - (double)middle * step;
  }
  return g;
}

bool mesh_geometry_alike(const mesh_geometry *a, const mesh_geometry *b) {
  return a->nodes[0] == b->nodes[0] && a->nodes[1] == b->nodes[1] && !(a->step < b->step) &&
         !(a->step > b->step);
}
