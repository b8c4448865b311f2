#include "tile.h"

#include "shardsne/memory.h"
#include "shardsne/simd.h"

#include <float.h>
#include <math.h>

#define BLOCK INT64_C(120) /* candidates sieved at a time: 30 KiB of 64 columns stay in L1 */

/* The share by which norms are lowered. With u = eps / 2, |fl(q.c) - q.c| <= D u |q||c| (1 + ...)
 * <= D eps (|q|^2 + |c|^2) / 4 whatever the order of the sum, and twice that enters; the rest
 * covers the rounding of norms, bounds, comparison and direct distances. */
static float lowering(int64_t stride) {
  return (float)(stride + 32) * FLT_EPSILON;
}

/* What products of numbers near underflow may lose. */
static float least_loss(int64_t stride) {
  return (float)(4 * stride) * FLT_MIN;
}

static float lowered_norm(const distance_kernels *kernels, const float *x, int64_t stride) {
  return kernels->squared_norm(x, stride) * (1 - lowering(stride));
}

void ssne_lowered_norms(const float *x, int64_t count, int64_t stride, int threads, float *norm) {
  const distance_kernels *kernels = distance_kernels_at(ssne_simd_level());
#pragma omp parallel for num_threads(threads)
  for (int64_t r = 0; r < count; r++) norm[r] = lowered_norm(kernels, x + r * stride, stride);
}

/* Selection among 2 k + 16 keys costs a few comparisons a key, once in k + 16 keys: less than a
 * heap's upkeep for each. */
static int64_t room_for(int64_t k) {
  return 2 * k + 16;
}

int64_t ssne_tile_bytes(int64_t columns, int64_t stride, int64_t k, int64_t capacity) {
  const int64_t a_query = (columns + stride) * (int64_t)sizeof(float) +
                          room_for(k) * (int64_t)sizeof(uint64_t) + 4 * (int64_t)sizeof(uint64_t);
  return capacity * a_query + BLOCK * SSNE_LANES * (int64_t)sizeof(int32_t);
}

ssne_code ssne_tile_allocate(int64_t columns, int64_t stride, int64_t k, int64_t capacity,
                             ssne_tile *out, ssne_error *err) {
  *out = (ssne_tile){.distances = distance_kernels_at(ssne_simd_level()),
                     .sieves = sieve_kernels_at(ssne_simd_level()),
                     .columns = columns,
                     .stride = stride,
                     .k = k,
                     .capacity = capacity,
                     .room = room_for(k)};
  const char *what = "values of a tile of queries";
  SSNE_TRY(ssne_alloc(&out->data, capacity * stride, sizeof(float), what, err));
  SSNE_TRY(ssne_alloc(&out->norm, capacity, sizeof(float), what, err));
  SSNE_TRY(ssne_alloc(&out->reach, capacity, sizeof(float), what, err));
  SSNE_TRY(ssne_alloc(&out->row, capacity, sizeof(uint32_t), what, err));
  SSNE_TRY(ssne_alloc(&out->keys, capacity * out->room, sizeof(uint64_t), what, err));
  SSNE_TRY(ssne_alloc(&out->count, capacity, sizeof(int64_t), what, err));
  SSNE_TRY(ssne_alloc(&out->worst, capacity, sizeof(uint64_t), what, err));
  SSNE_TRY(ssne_alloc(&out->all, capacity, sizeof(int32_t), what, err));
  SSNE_TRY(ssne_alloc(&out->panels, capacity * columns, sizeof(float), what, err));
  SSNE_TRY(ssne_alloc(&out->hits, BLOCK * SSNE_LANES, sizeof(int32_t), what, err));
  for (int64_t s = 0; s < capacity; s++) out->all[s] = (int32_t)s;
  return SSNE_OK;
}

void ssne_tile_free(ssne_tile *tile) {
  ssne_free(&tile->data);
  ssne_free(&tile->norm);
  ssne_free(&tile->reach);
  ssne_free(&tile->row);
  ssne_free(&tile->keys);
  ssne_free(&tile->count);
  ssne_free(&tile->worst);
  ssne_free(&tile->all);
  ssne_free(&tile->panels);
  ssne_free(&tile->hits);
}

void ssne_tile_clear(ssne_tile *tile) {
  tile->queries = 0;
}

/* --- a query's best ------------------------------------------------------------------------ */

/* Reduces a query's keys to the k best, of which there are at least k. */
static void select_best(ssne_tile *tile, int64_t slot) {
  uint64_t *keys = tile->keys + slot * tile->room;
  ssne_keys_select(keys, tile->count[slot], tile->k);
  tile->count[slot] = tile->k;
  tile->worst[slot] = keys[tile->k - 1];
  tile->reach[slot] = ssne_key_distance(tile->worst[slot]);
}

void ssne_tile_add(ssne_tile *tile, const float *x, uint32_t row, const uint64_t *best) {
  const int64_t slot = tile->queries++;
  uint64_t *keys = tile->keys + slot * tile->room;
  memcpy(tile->data + slot * tile->stride, x, (size_t)tile->stride * sizeof *x);
  tile->norm[slot] = lowered_norm(tile->distances, x, tile->stride);
  tile->row[slot] = row;
  tile->worst[slot] = SSNE_NO_KEY;
  tile->reach[slot] = INFINITY;
  int64_t count = 0;
  for (int64_t n = 0; n < tile->k; n++)
    if (best[n] != SSNE_NO_KEY) keys[count++] = best[n];
  tile->count[slot] = count;
  if (count == tile->k) select_best(tile, slot);
}

void ssne_tile_take(ssne_tile *tile, int64_t slot, uint64_t *best) {
  if (tile->count[slot] > tile->k) select_best(tile, slot);
  const int64_t count = tile->count[slot];
  memcpy(best, tile->keys + slot * tile->room, (size_t)count * sizeof *best);
  for (int64_t n = count; n < tile->k; n++) best[n] = SSNE_NO_KEY;
}

/* --- the sieve ----------------------------------------------------------------------------- */

static void pack(ssne_tile *tile, const int32_t *slot, int64_t count) {
  const int64_t size = tile->columns * SSNE_LANES;
  for (int64_t q = 0; q < count; q++) {
    float *panel = tile->panels + q / SSNE_LANES * size + q % SSNE_LANES;
    const float *x = tile->data + slot[q] * tile->stride;
    for (int64_t c = 0; c < tile->columns; c++) panel[c * SSNE_LANES] = x[c];
  }
}

/* What came through for one panel of queries and one block of candidates. */
typedef struct catch {
  const int32_t *slot;         /* of the panel's lanes */
  const ssne_candidates *from; /* of which the first is number `first` of the run */
  int64_t first, count;
}
catch;

/* Hits are c * SSNE_LANES + lane, counted from the block's first candidate. */
typedef void look(ssne_tile *tile, const catch *caught, void *sink);

static void sieve_all(ssne_tile *tile, const int32_t *slot, int64_t count,
                      const ssne_candidates *from, const float *reach, look *at, void *sink) {
  const float loss = least_loss(tile->stride);
  pack(tile, slot, count);
  for (int64_t c = 0; c < from->count; c += BLOCK) {
    const int64_t block = from->count - c < BLOCK ? from->count - c : BLOCK;
    for (int64_t q = 0; q < count; q += SSNE_LANES) {
      float bound[SSNE_LANES];
      for (int64_t l = 0; l < SSNE_LANES; l++)
        bound[l] = q + l < count ? reach[slot[q + l]] - tile->norm[slot[q + l]] + loss : -INFINITY;
      catch caught = {.slot = slot + q, .from = from, .first = c};
      caught.count = tile->sieves->sieve(tile->panels + q * tile->columns,
                                         from->data + c * tile->stride, from->norm + c, block,
                                         tile->stride, tile->columns, bound, tile->hits);
      if (caught.count > 0) at(tile, &caught, sink);
    }
  }
}

static float distance_to(const ssne_tile *tile, int64_t slot, const ssne_candidates *from,
                         int64_t c) {
  return tile->distances->squared_distance(tile->data + slot * tile->stride,
                                           from->data + c * tile->stride, tile->stride);
}

static void keep_best(ssne_tile *tile, const catch *caught, void *sink) {
  (void)sink;
  for (int64_t h = 0; h < caught->count; h++) {
    const int64_t c = caught->first + tile->hits[h] / SSNE_LANES;
    const int64_t slot = caught->slot[tile->hits[h] % SSNE_LANES];
    const uint32_t row = caught->from->row ? caught->from->row[c] : (uint32_t)c;
    const uint64_t key = ssne_key(distance_to(tile, slot, caught->from, c), row);
    if (key >= tile->worst[slot] || row == tile->row[slot]) continue;
    tile->keys[slot * tile->room + tile->count[slot]++] = key;
    if (tile->count[slot] == tile->room) select_best(tile, slot);
  }
}

void ssne_tile_scan(ssne_tile *tile, const int32_t *slot, int64_t count,
                    const ssne_candidates *candidates) {
  sieve_all(tile, slot ? slot : tile->all, slot ? count : tile->queries, candidates, tile->reach,
            keep_best, NULL);
}

/* The sink of ssne_tile_within. */
typedef struct nearness {
  const float *limit;
  uint64_t *near;
} nearness;

static void mark_near(ssne_tile *tile, const catch *caught, void *sink) {
  const nearness *to = sink;
  for (int64_t h = 0; h < caught->count; h++) {
    const int64_t c = caught->first + tile->hits[h] / SSNE_LANES;
    const int64_t slot = caught->slot[tile->hits[h] % SSNE_LANES];
    if (distance_to(tile, slot, caught->from, c) <= to->limit[slot])
      to->near[(c * tile->capacity + slot) / SSNE_TILE_WORD] |= UINT64_C(1)
                                                                << slot % SSNE_TILE_WORD;
  }
}

void ssne_tile_within(ssne_tile *tile, const ssne_candidates *candidates, const float *limit,
                      uint64_t *near) {
  nearness sink = {.limit = limit, .near = near};
  sieve_all(tile, tile->all, tile->queries, candidates, limit, mark_near, &sink);
}
