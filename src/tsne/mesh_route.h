/* Points on their way to the ranks that serve them, and what they read off the mesh on its way
 * back. */
#ifndef SSNE_TSNE_MESH_ROUTE_H
#define SSNE_TSNE_MESH_ROUTE_H

#include "mesh_kernels.h"
#include "mesh_tiles.h"

#include "shardsne/exchange.h"

typedef struct mesh_route {
  MPI_Comm comm; /* not owned */
  int64_t own_rows;
  int ranks, rank, threads;
  int64_t *leaving, *coming; /* [ranks] points for and from each rank */
  int64_t *next;             /* [threads, ranks] where the next goes */
  uint32_t *row;             /* [own_rows] by rank: the row of each point that left */
  float *out;                /* [own_rows, 2] their coordinates */
  mesh_reading *home;        /* [own_rows] and what came back for them */
  float *in;                 /* [in_capacity, 2] coordinates of the points that came, by rank */
  mesh_reading *served;      /* [served_capacity] and what is read for them */
  int64_t in_capacity, served_capacity;
  ssne_messages messages;
} mesh_route;

/* Not collective. `meanwhile`, which may be NULL, is worked on in waits and outlives it. Free with
 * mesh_route_free, after a failure too. */
ssne_code mesh_route_create(int64_t own_rows, int threads, MPI_Comm comm, ssne_meanwhile *meanwhile,
                            mesh_route *route, ssne_error *err);
void mesh_route_free(mesh_route *route);

/* Not collective. Makes room for `points` that come. */
ssne_code mesh_route_reserve(mesh_route *route, int64_t points, ssne_error *err);

/* Collective. Own points `xy` [own_rows, 2] go where the tiles say; those of the own tile are in
 * route->in, in any order. */
ssne_code mesh_route_out(mesh_route *route, const mesh_tiles *tiles, const float *xy,
                         ssne_error *err);

/* Collective. route->served, in the order of route->in, goes back: to reading [own_rows]. */
ssne_code mesh_route_back(mesh_route *route, mesh_reading *reading, ssne_error *err);

#endif
