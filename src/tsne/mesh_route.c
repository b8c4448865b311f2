#include "mesh_route.h"

#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <string.h>

#define TAG 32

ssne_code mesh_route_create(int64_t own_rows, int threads, MPI_Comm comm, ssne_meanwhile *meanwhile,
                            mesh_route *route, ssne_error *err) {
  *route = (mesh_route){.comm = comm, .own_rows = own_rows, .threads = threads};
  MPI_Comm_size(comm, &route->ranks);
  MPI_Comm_rank(comm, &route->rank);
  const int64_t ranks = route->ranks;
  SSNE_TRY(ssne_messages_create(comm, TAG, meanwhile, &route->messages, err));
  SSNE_TRY(ssne_alloc(&route->leaving, ranks, sizeof *route->leaving, "ranks", err));
  SSNE_TRY(ssne_alloc(&route->coming, ranks, sizeof *route->coming, "ranks", err));
  return ssne_alloc(&route->next, ranks * threads, sizeof *route->next, "ranks", err);
}

void mesh_route_free(mesh_route *route) {
  ssne_messages_free(&route->messages);
  ssne_free(&route->leaving);
  ssne_free(&route->coming);
  ssne_free(&route->next);
  ssne_free(&route->row);
  ssne_free(&route->out);
  ssne_free(&route->home);
  ssne_free(&route->in);
  ssne_free(&route->served);
}

ssne_code mesh_route_reserve(mesh_route *route, int64_t points, ssne_error *err) {
  const int64_t rows = route->own_rows;
  if (!route->row) {
    SSNE_TRY(ssne_alloc(&route->out, rows, 2 * sizeof *route->out, "points on the mesh", err));
    SSNE_TRY(ssne_alloc(&route->home, rows, sizeof *route->home, "points on the mesh", err));
    SSNE_TRY(ssne_alloc(&route->row, rows, sizeof *route->row, "points on the mesh", err));
  }
  SSNE_TRY(ssne_enlarge(&route->in, points, 2 * sizeof *route->in, "points on the mesh",
                        &route->in_capacity, err));
  return ssne_enlarge(&route->served, points, sizeof *route->served, "points on the mesh",
                      &route->served_capacity, err);
}

/* --- there ----------------------------------------------------------------------------------- */

static int64_t share(const mesh_route *route, int thread) {
  return ssne_share_begin(route->own_rows, route->threads, thread);
}

/* By what the tiles have counted: threads have the same shares there. */
static void count_share(const mesh_route *route, const mesh_tiles *tiles, int thread) {
  const int64_t squares = tiles->side * tiles->side;
  const uint32_t *part = tiles->part + thread * squares;
  int64_t *count = route->next + (int64_t)thread * route->ranks;
  memset(count, 0, (size_t)route->ranks * sizeof *count);
  for (int64_t s = 0; s < squares; s++) count[tiles->owner[s]] += part[s];
}

/* Turns counts into places: by rank, within a rank by thread. */
static void counts_to_places(mesh_route *route) {
  int64_t next = 0;
  for (int r = 0; r < route->ranks; r++) {
    const int64_t first = next;
    for (int t = 0; t < route->threads; t++) {
      int64_t *place = &route->next[(int64_t)t * route->ranks + r];
      const int64_t count = *place;
      *place = next;
      next += count;
    }
    route->leaving[r] = next - first;
  }
}

static void pack_share(const mesh_route *route, const mesh_tiles *tiles, int thread,
                       const float *xy) {
  int64_t *next = route->next + (int64_t)thread * route->ranks;
  for (int64_t i = share(route, thread); i < share(route, thread + 1); i++) {
    const int64_t at = next[mesh_tiles_owner(tiles, tiles->at[i])]++;
    route->row[at] = (uint32_t)i;
    memcpy(route->out + 2 * at, xy + 2 * i, 2 * sizeof *xy);
  }
}

static void pack(mesh_route *route, const mesh_tiles *tiles, const float *xy) {
#pragma omp parallel num_threads(route->threads)
  {
#pragma omp for schedule(static)
    for (int t = 0; t < route->threads; t++) count_share(route, tiles, t);
#pragma omp single
    counts_to_places(route);
#pragma omp for schedule(static)
    for (int t = 0; t < route->threads; t++) pack_share(route, tiles, t, xy);
  }
}

/* out[], by rank, goes to the other ranks, and in[], by rank, comes from them: so many elements of
 * `size` floats. What is for this rank itself is copied. */
static ssne_code move(mesh_route *route, const float *out, const int64_t *sent, float *in,
                      const int64_t *received, int64_t size, ssne_error *err) {
  float *stays = NULL;
  for (int r = 0; r < route->ranks; in += size * received[r++])
    if (r == route->rank)
      stays = in;
    else
      SSNE_TRY(ssne_messages_receive(&route->messages, in, size * received[r], MPI_FLOAT, r, err));
  for (int r = 0; r < route->ranks; out += size * sent[r++])
    if (r == route->rank)
      memcpy(stays, out, (size_t)(size * sent[r]) * sizeof *out);
    else
      SSNE_TRY(ssne_messages_send(&route->messages, out, size * sent[r], MPI_FLOAT, r, err));
  return ssne_messages_wait(&route->messages, err);
}

ssne_code mesh_route_out(mesh_route *route, const mesh_tiles *tiles, const float *xy,
                         ssne_error *err) {
  pack(route, tiles, xy);
  SSNE_TRY(ssne_exchange_counts(route->leaving, route->coming, route->comm, err));
  return move(route, route->out, route->leaving, route->in, route->coming, 2, err);
}

/* --- and back -------------------------------------------------------------------------------- */

ssne_code mesh_route_back(mesh_route *route, mesh_reading *reading, ssne_error *err) {
  const int64_t size = sizeof(mesh_reading) / sizeof(float);
  SSNE_TRY(move(route, (const float *)route->served, route->coming, (float *)route->home,
                route->leaving, size, err));
#pragma omp parallel for schedule(static) num_threads(route->threads)
  for (int64_t i = 0; i < route->own_rows; i++) reading[route->row[i]] = route->home[i];
  return SSNE_OK;
}
