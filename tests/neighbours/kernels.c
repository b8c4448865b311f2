/* The inner loops and the keys against plain code. */
#include "check.h"

#include "distance_kernels.h"
#include "keys.h"
#include "sieve_kernels.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"

#include <math.h>
#include <stdlib.h>

static float draw(uint64_t i) {
  return (float)ssne_random_normal(2, SSNE_RANDOM_INIT, i);
}

static void test_distance(ssne_simd level) {
  static float x[4096], y[4096];
  const distance_kernels *k = distance_kernels_at(level), *plain = distance_kernels_at(0);
  for (int stride = 16; stride <= 4096; stride *= 4) {
    double squared = 0, norm = 0;
    for (int i = 0; i < stride; i++) {
      x[i] = draw((uint64_t)i);
      y[i] = draw((uint64_t)(i + 9999));
      squared += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
      norm += (double)x[i] * (double)x[i];
    }
    CHECK_NEAR((double)k->squared_distance(x, y, stride) / squared, 1, 1e-5);
    CHECK_NEAR((double)k->squared_norm(x, stride) / norm, 1, 1e-5);
    CHECK(k->squared_distance(x, x, stride) == 0);
    CHECK(k->squared_distance(x, y, stride) == k->squared_distance(y, x, stride));
    CHECK(k->squared_distance(x, y, stride) == plain->squared_distance(x, y, stride));
    CHECK(k->squared_norm(x, stride) == plain->squared_norm(x, stride));
  }
}

/* Whatever its rounding, the sieve finds what is clearly within a bound and nothing clearly beyond;
 * for every number of candidates, so that all its remainders are met. */
static void test_sieve(ssne_simd level) {
  enum { COLUMNS = 21, STRIDE = 32, MOST = 60 };
  static _Alignas(SSNE_ALIGNMENT) float panel[COLUMNS * SSNE_LANES];
  static float rows[MOST * STRIDE], norm[MOST];
  static int32_t hits[MOST * SSNE_LANES];
  float bound[SSNE_LANES];
  for (int i = 0; i < COLUMNS * SSNE_LANES; i++) panel[i] = draw((uint64_t)i);
  for (int c = 0; c < MOST; c++) {
    norm[c] = 20 + draw((uint64_t)(70000 + c));
    for (int d = 0; d < COLUMNS; d++)
      rows[c * STRIDE + d] = draw((uint64_t)(5000 + c * STRIDE + d));
  }
  for (int l = 0; l < SSNE_LANES; l++) bound[l] = l == 3 ? -INFINITY : 14 + 2 * (float)l / 3;
  for (int count = 0; count <= MOST; count++) {
    const int64_t found =
        sieve_kernels_at(level)->sieve(panel, rows, norm, count, STRIDE, COLUMNS, bound, hits);
    static char seen[MOST * SSNE_LANES];
    memset(seen, 0, sizeof seen);
    for (int64_t h = 0; h < found; h++) {
      CHECK(hits[h] >= 0 && hits[h] < count * SSNE_LANES && !seen[hits[h]]);
      seen[hits[h]] = 1;
    }
    for (int c = 0; c < count; c++)
      for (int l = 0; l < SSNE_LANES; l++) {
        double value = (double)norm[c];
        for (int d = 0; d < COLUMNS; d++)
          value -= 2 * (double)rows[c * STRIDE + d] * (double)panel[d * SSNE_LANES + l];
        if (value < (double)bound[l] - 1e-4) CHECK(seen[c * SSNE_LANES + l]);
        if (value > (double)bound[l] + 1e-4) CHECK(!seen[c * SSNE_LANES + l]);
      }
  }
}

static int ascending(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* kind 0: random, 1: ascending, 2: descending, 3: few values. */
static uint64_t key_of(int kind, int i) {
  const uint64_t bits = ssne_random_bits(0, SSNE_RANDOM_INIT, (uint64_t)i);
  return kind == 0 ? bits : kind == 1 ? (uint64_t)i : kind == 2 ? (uint64_t)(9999 - i) : bits % 5;
}

static void test_keys(void) {
  enum { MOST = 700 };
  static uint64_t sorted[MOST], keys[MOST];
  for (int kind = 0; kind < 4; kind++)
    for (int count = 1; count <= MOST; count += count < 50 ? 1 : 97) {
      for (int i = 0; i < count; i++) sorted[i] = key_of(kind, i);
      memcpy(keys, sorted, (size_t)count * sizeof *keys);
      ssne_keys_sort(keys, count);
      qsort(sorted, (size_t)count, sizeof *sorted, ascending);
      CHECK(memcmp(keys, sorted, (size_t)count * sizeof *keys) == 0);
      for (int k = 1; k <= count; k += 1 + count / 5) {
        for (int i = 0; i < count; i++) keys[i] = key_of(kind, i);
        ssne_keys_select(keys, count, k);
        CHECK(keys[k - 1] == sorted[k - 1]);
        ssne_keys_sort(keys, k);
        CHECK(memcmp(keys, sorted, (size_t)k * sizeof *keys) == 0);
      }
    }
  const uint64_t key = ssne_key(2.5f, 4000000000u);
  CHECK(ssne_key_row(key) == 4000000000u && ssne_key_distance(key) == 2.5f);
  CHECK(ssne_key(1.0f, 4000000000u) < ssne_key(1.5f, 0) && ssne_key(1.5f, 0) < ssne_key(1.5f, 1));
}

int main(void) {
  for (ssne_simd level = SSNE_SIMD_PLAIN; level <= ssne_simd_level(); level++) {
    test_distance(level);
    test_sieve(level);
  }
  test_keys();
  return check_result();
}
