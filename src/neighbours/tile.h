/* Some queries against runs of candidates: the engine under every search.
 *
 * The squared distance of rows q and c is |q|^2 + |c|^2 - 2 q.c. Products q.c of whole panels of
 * queries run at the machine's full rate (sieve_kernels.h) but have a rounding error of up to about
 * D eps (|q|^2 + |c|^2) / 2. Norms are therefore lowered by more than that: what is out of reach
 * even so is certainly farther than the reach. The few candidates that pass have their distance
 * computed directly (distance_kernels.h), and that alone decides: results depend neither on how
 * products are rounded nor on the order in which candidates come. */
#ifndef SSNE_NEIGHBOURS_TILE_H
#define SSNE_NEIGHBOURS_TILE_H

#include "distance_kernels.h"
#include "keys.h"
#include "sieve_kernels.h"

#include "shardsne/status.h"
#include <stdint.h>

#define SSNE_NO_ROW UINT32_MAX /* the number of a query that is no row */

/* A run of candidates. */
typedef struct ssne_candidates {
  const float *data;   /* [count, stride] */
  const float *norm;   /* [count] from ssne_lowered_norms */
  const uint32_t *row; /* [count] their row numbers; NULL: 0 ... count - 1 */
  int64_t count;
} ssne_candidates;

/* norm [count] becomes the squared norms of the rows x [count, stride], lowered by what rounding
 * may cost. */
void ssne_lowered_norms(const float *x, int64_t count, int64_t stride, int threads, float *norm);

/* A tile belongs to one thread. */
typedef struct ssne_tile {
  const distance_kernels *distances;
  const sieve_kernels *sieves;
  int64_t columns, stride, k;
  int64_t capacity, queries; /* queries there is room for, and are */
  float *data;               /* [capacity, stride] */
  float *norm;               /* [capacity] lowered */
  float *reach;              /* [capacity] squared distance a candidate must not exceed */
  uint32_t *row;             /* [capacity] the query's own number, never its own neighbour */
  int64_t room;              /* keys a query has room for, more than k */
  uint64_t *keys;            /* [capacity, room] of its best candidates so far and some more */
  int64_t *count;            /* [capacity] keys there are */
  uint64_t *worst;           /* [capacity] a key that others must be below */
  int32_t *all;              /* [capacity] 0, 1, 2, ...: the slots of all queries */
  float *panels;             /* [capacity, columns] queries transposed for the sieve */
  int32_t *hits;             /* what a sieve let through */
} ssne_tile;

/* Not collective. Room for `capacity` queries, a multiple of SSNE_LANES, and their k best. Free
 * with ssne_tile_free. */
ssne_code ssne_tile_allocate(int64_t columns, int64_t stride, int64_t k, int64_t capacity,
                             ssne_tile *out, ssne_error *err);

void ssne_tile_free(ssne_tile *tile);

/* Bytes that ssne_tile_allocate takes. */
int64_t ssne_tile_bytes(int64_t columns, int64_t stride, int64_t k, int64_t capacity);

/* Empties the tile. */
void ssne_tile_clear(ssne_tile *tile);

/* Adds a query at x [stride] with its best so far, `best` [k] in any order and SSNE_NO_KEY for
 * those missing, in the next slot. `row` is its own number or SSNE_NO_ROW. */
void ssne_tile_add(ssne_tile *tile, const float *x, uint32_t row, const uint64_t *best);

/* Offers the candidates to the queries in slot[0 ... count - 1]; NULL: to all. No candidate may be
 * offered to a query twice; with k = 1 it may. */
void ssne_tile_scan(ssne_tile *tile, const int32_t *slot, int64_t count,
                    const ssne_candidates *candidates);

/* The k best of a query, in any order, to `best` [k], SSNE_NO_KEY for those missing. */
void ssne_tile_take(ssne_tile *tile, int64_t slot, uint64_t *best);

/* Bits of one candidate's word array in ssne_tile_within. */
#define SSNE_TILE_WORD INT64_C(64)

/* Sets bit s of near[c * capacity / SSNE_TILE_WORD] for every candidate c and query s whose squared
 * distance is at most limit[s]. Capacity must be a multiple of SSNE_TILE_WORD. */
void ssne_tile_within(ssne_tile *tile, const ssne_candidates *candidates, const float *limit,
                      uint64_t *near);

#endif
