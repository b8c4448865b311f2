/* The kernels and the heap against plain code. */
#include "check.h"

#include "distance.h"
#include "heap.h"
#include "shardsne/random.h"

#include <math.h>
#include <stdlib.h>

static float draw(uint64_t i) {
  return (float)ssne_random_normal(2, SSNE_RANDOM_INIT, i);
}

static void test_distance(void) {
  static float x[4096], y[4096];
  for (int stride = 16; stride <= 4096; stride *= 4) {
    double squared = 0, norm = 0;
    for (int i = 0; i < stride; i++) {
      x[i] = draw((uint64_t)i);
      y[i] = draw((uint64_t)(i + 9999));
      squared += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
      norm += (double)x[i] * (double)x[i];
    }
    CHECK_NEAR((double)ssne_squared_distance(x, y, stride) / squared, 1, 1e-5);
    CHECK_NEAR((double)ssne_squared_norm(x, stride) / norm, 1, 1e-5);
    CHECK(ssne_squared_distance(x, x, stride) == 0);
    CHECK(ssne_squared_distance(x, y, stride) == ssne_squared_distance(y, x, stride));
  }
}

static void test_filter(void) {
  static float product[512], norm[512];
  static int32_t hits[512];
  for (int i = 0; i < 512; i++) {
    product[i] = draw((uint64_t)i);
    norm[i] = i < 500 ? 2 : INFINITY;
  }
  const float bounds[] = {-INFINITY, -3, 0, 2, 5, INFINITY};
  for (int b = 0; b < 6; b++) {
    const int64_t found = ssne_filter(product, norm, 512, bounds[b], hits);
    int64_t next = 0;
    for (int i = 0; i < 512; i++)
      if (norm[i] - 2 * product[i] <= bounds[b]) CHECK(next < found && hits[next++] == i);
    CHECK(next == found);
  }
}

static int ascending(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void test_heap(void) {
  enum { SIZE = 37, OFFERED = 1000 };
  uint64_t heap[SIZE], all[OFFERED];
  for (int i = 0; i < SIZE; i++) heap[i] = SSNE_HEAP_EMPTY;
  CHECK(isinf(ssne_heap_worst(heap)));
  for (int i = 0; i < OFFERED; i++) {
    const float distance =
        (float)(ssne_random_bits(0, SSNE_RANDOM_INIT, (uint64_t)i) % 50); /* many ties */
    all[i] = ssne_heap_key(distance, (uint32_t)(i * 7919 % OFFERED));
    ssne_heap_offer(heap, SIZE, all[i]);
  }
  qsort(all, OFFERED, sizeof *all, ascending);
  CHECK(ssne_heap_worst(heap) == ssne_heap_distance(all[SIZE - 1]));
  ssne_heap_sort(heap, SIZE);
  for (int i = 0; i < SIZE; i++) CHECK(heap[i] == all[i]);
  const uint64_t key = ssne_heap_key(2.5f, 4000000000u);
  CHECK(ssne_heap_index(key) == 4000000000u && ssne_heap_distance(key) == 2.5f);
}

int main(void) {
  test_distance();
  test_filter();
  test_heap();
  return check_result();
}
