/* Exact sums against 128-bit integers, in any order and over any number of ranks. */
#include "check.h"

#include "shardsne/exact_sum.h"
#include "shardsne/random.h"

#include <math.h>
#include <string.h>

#define TERMS 20000

/* Terms of very different size and both signs, most of which cancel. */
static double term(int i) {
  const double z = ssne_random_normal(7, SSNE_RANDOM_INIT, (uint64_t)i);
  const double size =
      ldexp(1, (int)(ssne_random_bits(7, SSNE_RANDOM_JITTER, (uint64_t)i / 2) % 80) - 40);
  return i % 2 ? -size : size + z * 1e-9;
}

/* The same sum with the compiler's 128-bit integers: each term rounded to 2^-64. */
static __int128 reference(void) {
  __int128 sum = 0;
  for (int i = 0; i < TERMS; i++) {
    const double x = term(i), whole = floor(fabs(x));
    const __int128 scaled = ((__int128)whole << 64) + (__int128)rint((fabs(x) - whole) * 0x1p64);
    sum += x < 0 ? -scaled : scaled;
  }
  return sum;
}

static __int128 as_integer(const ssne_exact *s) {
  const __int128 base = (__int128)1 << 32;
  return ((s->digit[3] * base + s->digit[2]) * base + s->digit[1]) * base + s->digit[0];
}

static void test_over_ranks(int rank, int ranks) {
  ssne_exact sum = {{0}, 0};
  ssne_error err;
  for (int i = TERMS - 1; i >= 0; i--)
    if (i % ranks == rank) ssne_exact_add(&sum, term(i));
  CHECK_OK(ssne_exact_reduce(&sum, 1, MPI_COMM_WORLD, &err), &err);
  CHECK(as_integer(&sum) == reference());
  CHECK_NEAR(ssne_exact_value(&sum), (double)reference() * 0x1p-64, 1e-25);
}

static void test_values(void) {
  const double values[] = {0,
                           1,
                           -1,
                           0.5,
                           -0x1p-64,
                           0x1p-64,
                           1e-10,
                           -1e-10,
                           1e18,
                           -1e18,
                           0x1.fffffffffffffp61,
                           3.25e9,
                           -3.25e9,
                           0x1.fffffffffffffp-1};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    ssne_exact sum = {{0}, 0};
    ssne_exact_add(&sum, values[i]);
    CHECK(fabs(ssne_exact_value(&sum) - values[i]) <= 0x1p-65);
    ssne_exact_add(&sum, -values[i]);
    CHECK(ssne_exact_value(&sum) == 0);
  }
  const double invalid[] = {NAN, INFINITY, -INFINITY, 0x1p62, 1e300};
  for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
    ssne_exact sum = {{0}, 0}, other = {{0}, 0};
    ssne_exact_add(&sum, invalid[i]);
    ssne_exact_merge(&other, &sum);
    CHECK(isnan(ssne_exact_value(&other)));
  }
}

/* Many arrays' worth of sums in one call, and rounding up into the next unit. */
static void test_many(int ranks) {
  static ssne_exact sums[1000];
  ssne_error err;
  memset(sums, 0, sizeof sums);
  for (int i = 0; i < 1000; i++) ssne_exact_add(&sums[i], -0.1 * i);
  CHECK_OK(ssne_exact_reduce(sums, 1000, MPI_COMM_WORLD, &err), &err);
  for (int i = 0; i < 1000; i++)
    CHECK_NEAR(ssne_exact_value(&sums[i]), -0.1 * i * ranks, 1e-13 * i);
}

int main(int argc, char **argv) {
  int rank = 0, ranks = 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  test_over_ranks(rank, ranks);
  test_values();
  test_many(ranks);
  MPI_Finalize();
  return check_result();
}
