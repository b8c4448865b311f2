/* The k best candidates of a row: a binary heap, the worst on top, of 64-bit keys that hold a
 * squared distance and an index. Distances are not negative, and such floats order as their bits
 * do, so comparing keys orders by (distance, index). */
#ifndef SSNE_NEIGHBOURS_HEAP_H
#define SSNE_NEIGHBOURS_HEAP_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define SSNE_HEAP_EMPTY UINT64_MAX /* a place not yet taken: worse than any key */

static inline uint64_t ssne_heap_key(float squared_distance, uint32_t index) {
  uint32_t bits;
  memcpy(&bits, &squared_distance, sizeof bits);
  return (uint64_t)bits << 32 | index;
}

static inline uint32_t ssne_heap_index(uint64_t key) {
  return (uint32_t)key;
}

static inline float ssne_heap_distance(uint64_t key) {
  const uint32_t bits = (uint32_t)(key >> 32);
  float squared_distance;
  memcpy(&squared_distance, &bits, sizeof squared_distance);
  return squared_distance;
}

/* The squared distance that a candidate must not exceed. */
static inline float ssne_heap_worst(const uint64_t *heap) {
  return heap[0] == SSNE_HEAP_EMPTY ? INFINITY : ssne_heap_distance(heap[0]);
}

/* Puts `key` at the top of heap[0 ... size - 1], whose rest is in order, and lets it sink. */
static inline void ssne_heap_sink(uint64_t *heap, int64_t size, uint64_t key) {
  int64_t place = 0;
  for (;;) {
    int64_t child = 2 * place + 1;
    if (child >= size) break;
    if (child + 1 < size && heap[child + 1] > heap[child]) child++;
    if (heap[child] <= key) break;
    heap[place] = heap[child];
    place = child;
  }
  heap[place] = key;
}

/* Takes `key` in place of the worst, if it is better. */
static inline void ssne_heap_offer(uint64_t *heap, int64_t size, uint64_t key) {
  if (key < heap[0]) ssne_heap_sink(heap, size, key);
}

/* Turns the heap into ascending order. */
static inline void ssne_heap_sort(uint64_t *heap, int64_t size) {
  for (int64_t left = size - 1; left > 0; left--) {
    const uint64_t worst = heap[0];
    ssne_heap_sink(heap, left, heap[left]);
    heap[left] = worst;
  }
}

#endif
