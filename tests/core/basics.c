/* Errors, memory, random numbers, digests. */
#include "check.h"

#include "shardsne/clock.h"
#include "shardsne/digest.h"
#include "shardsne/memory.h"
#include "shardsne/random.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void test_errors(void) {
  ssne_error err;
  CHECK(ssne_fail(&err, SSNE_USAGE, "bad name `%s`", "a\nb\tc") == SSNE_USAGE);
  CHECK(strcmp(err.text, "bad name `a?b?c`") == 0);
  CHECK(ssne_fail_in(&err, "file %d", 7) == SSNE_USAGE);
  CHECK(strcmp(err.text, "file 7: bad name `a?b?c`") == 0);
  char longer[3 * SSNE_ERROR_LENGTH];
  memset(longer, 'x', sizeof longer);
  longer[sizeof longer - 1] = 0;
  (void)ssne_fail(&err, SSNE_FAILED, "%s", longer);
  CHECK(strlen(err.text) == SSNE_ERROR_LENGTH - 1);
  (void)ssne_fail_in(&err, "in");
  CHECK(strncmp(err.text, "in: xxx", 7) == 0 && strlen(err.text) == SSNE_ERROR_LENGTH - 1);
  /* a path as long as they get leaves room for what is wrong with it */
  longer[4095] = 0;
  (void)ssne_fail(&err, SSNE_USAGE, "/%s: is a folder: name a file", longer);
  CHECK(strncmp(err.text, "/xxx", 4) == 0 && strstr(err.text, "xxx: is a folder: name a file"));
  CHECK(strstr(err.text, "x ... x") && strlen(err.text) == SSNE_ERROR_LENGTH - 1);
  (void)ssne_fail_in(&err, "rank %d", 3);
  CHECK(strncmp(err.text, "rank 3: /xxx", 12) == 0 && strstr(err.text, "xxx: is a folder: name"));
}

static void test_memory(void) {
  ssne_error err;
  double *x = (double *)&err;
  CHECK_OK(ssne_alloc(&x, 1000, sizeof *x, "numbers", &err), &err);
  CHECK((uintptr_t)x % SSNE_ALIGNMENT == 0);
  for (int i = 0; i < 1000; i++) CHECK(x[i] == 0);
  ssne_free(&x);
  CHECK(x == NULL);
  ssne_free(&x);
  CHECK(ssne_alloc(&x, INT64_MAX, sizeof *x, "numbers", &err) == SSNE_FAILED && x == NULL);
  CHECK(strstr(err.text, "numbers") != NULL);
  CHECK(ssne_alloc(&x, -1, sizeof *x, "numbers", &err) == SSNE_FAILED && x == NULL);
  CHECK(ssne_alloc(&x, (int64_t)1 << 58, 8, "numbers", &err) == SSNE_FAILED && x == NULL);
  CHECK_OK(ssne_alloc(&x, 0, sizeof *x, "numbers", &err), &err);
  CHECK(x != NULL);
  ssne_free(&x);
}

/* Moments of many numbers against those of the distributions, within five standard errors. */
static void test_random(void) {
  const int n = 200000;
  double mean = 0, square = 0, lag = 0, before = 0, uniform = 0;
  for (int i = 0; i < n; i++) {
    const double z = ssne_random_normal(3, SSNE_RANDOM_INIT, (uint64_t)i);
    const double u = ssne_random_uniform(3, SSNE_RANDOM_INIT, (uint64_t)i);
    CHECK(u >= 0 && u < 1);
    mean += z / n;
    square += z * z / n;
    lag += z * before / n;
    before = z;
    uniform += u / n;
  }
  CHECK_NEAR(mean, 0, 5 / sqrt(n));
  CHECK_NEAR(square, 1, 5 * sqrt(2.0 / n));
  CHECK_NEAR(lag, 0, 5 / sqrt(n));
  CHECK_NEAR(uniform, 0.5, 5 * sqrt(1.0 / 12 / n));
  const uint64_t one = ssne_random_bits(0, SSNE_RANDOM_INIT, 0);
  CHECK(one == ssne_random_bits(0, SSNE_RANDOM_INIT, 0));
  CHECK(one != ssne_random_bits(1, SSNE_RANDOM_INIT, 0));
  CHECK(one != ssne_random_bits(0, SSNE_RANDOM_JITTER, 0));
  CHECK(one != ssne_random_bits(0, SSNE_RANDOM_INIT, 1));
}

/* The digest of nothing, as XXH3's own documentation of test vectors gives it. */
static void test_digest(void) {
  char text[SSNE_DIGEST_LENGTH], other[SSNE_DIGEST_LENGTH];
  ssne_error err;
  ssne_digest_text("", 0, text);
  CHECK(strcmp(text, "99aa06d3014798d86001c324468d497f") == 0);
  CHECK(ssne_digest64("", 0) == UINT64_C(0x2d06800538d394c2));
  CHECK(ssne_digest_file("/nonexistent/file", text, &err) == SSNE_USAGE);
  FILE *file = fopen("digest.tmp", "wb");
  CHECK(file != NULL);
  if (!file) return;
  for (int i = 0; i < 100000; i++) fputc(i & 255, file);
  fclose(file);
  static unsigned char bytes[100000];
  for (int i = 0; i < 100000; i++) bytes[i] = (unsigned char)i;
  CHECK_OK(ssne_digest_file("digest.tmp", text, &err), &err);
  ssne_digest_text(bytes, sizeof bytes, other);
  CHECK(strcmp(text, other) == 0);
  remove("digest.tmp");
}

static void test_clock(void) {
  char text[32];
  ssne_clock_text(3.21, text, sizeof text);
  CHECK(strcmp(text, "3.2 s") == 0);
  ssne_clock_text(245, text, sizeof text);
  CHECK(strcmp(text, "4 min 05 s") == 0);
  ssne_clock_text(7800, text, sizeof text);
  CHECK(strcmp(text, "2 h 10 min") == 0);
}

int main(void) {
  test_errors();
  test_memory();
  test_random();
  test_digest();
  test_clock();
  return check_result();
}
