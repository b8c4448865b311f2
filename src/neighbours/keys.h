/* A candidate as one integer: its squared distance above its row number. Distances are not
 * negative, and such floats order as their bits do, so that keys order by (distance, row). */
#ifndef SSNE_NEIGHBOURS_KEYS_H
#define SSNE_NEIGHBOURS_KEYS_H

#include <stdint.h>
#include <string.h>

#define SSNE_NO_KEY UINT64_MAX /* in place of a candidate not yet found: above any key */

static inline uint64_t ssne_key(float squared_distance, uint32_t row) {
  uint32_t bits;
  memcpy(&bits, &squared_distance, sizeof bits);
  return (uint64_t)bits << 32 | row;
}

static inline uint32_t ssne_key_row(uint64_t key) {
  return (uint32_t)key;
}

static inline float ssne_key_distance(uint64_t key) {
  const uint32_t bits = (uint32_t)(key >> 32);
  float squared_distance;
  memcpy(&squared_distance, &bits, sizeof squared_distance);
  return squared_distance;
}

/* Both take keys that differ; where many are equal they are slow, though right. */

/* Moves the k smallest of keys[0 ... count - 1] to the front, the greatest of them to keys[k - 1];
 * 1 <= k <= count. */
void ssne_keys_select(uint64_t *keys, int64_t count, int64_t k);

/* Ascending. */
void ssne_keys_sort(uint64_t *keys, int64_t count);

#endif
