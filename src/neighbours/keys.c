#include "keys.h"

#define SHORT 20 /* below that, insertion is quickest */

static void swap(uint64_t *a, uint64_t *b) {
  const uint64_t old = *a;
  *a = *b;
  *b = old;
}

static void insertion_sort(uint64_t *keys, int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    const uint64_t key = keys[i];
    int64_t place = i;
    for (; place > 0 && keys[place - 1] > key; place--) keys[place] = keys[place - 1];
    keys[place] = key;
  }
}

/* Splits `count` >= 3 keys about the median of three of them: returns its place, before which all
 * are below it and after which none is. Every key is moved, whether below or not: the processor
 * cannot foresee comparisons here, and a branch on each would cost several times the moves. */
static int64_t split(uint64_t *keys, int64_t count) {
  uint64_t *middle = &keys[count / 2], *last = &keys[count - 1];
  if (*middle < keys[0]) swap(middle, keys);
  if (*last < keys[0]) swap(last, keys);
  if (*middle < *last) swap(last, middle); /* the median is last */
  const uint64_t pivot = *last;
  int64_t below = 0;
  for (int64_t i = 0; i < count - 1; i++) {
    const uint64_t key = keys[i];
    keys[i] = keys[below];
    keys[below] = key;
    below += key < pivot;
  }
  swap(&keys[below], last);
  return below;
}

void ssne_keys_select(uint64_t *keys, int64_t count, int64_t k) {
  while (count > SHORT) {
    const int64_t below = split(keys, count);
    if (below == k - 1) return;
    if (k <= below) {
      count = below;
    } else {
      keys += below + 1;
      count -= below + 1;
      k -= below + 1;
    }
  }
  insertion_sort(keys, count);
}

void ssne_keys_sort(uint64_t *keys, int64_t count) {
  while (count > SHORT) { /* the longer part goes round again, so that the depth is log2(count) */
    const int64_t below = split(keys, count), above = count - below - 1;
    if (below < above) {
      ssne_keys_sort(keys, below);
      keys += below + 1;
      count = above;
    } else {
      ssne_keys_sort(keys + below + 1, above);
      count = below;
    }
  }
  insertion_sort(keys, count);
}
