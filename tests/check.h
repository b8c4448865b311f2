/* What every test program uses: CHECK(condition) says where it failed and goes on; main returns
 * check_result(). */
#ifndef SHARDSNE_TESTS_CHECK_H
#define SHARDSNE_TESTS_CHECK_H

#include <stdio.h>

static int check_failures;

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      check_failures++;                                                                            \
      fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition);                \
    }                                                                                              \
  } while (0)

/* The same with numbers in the message. */
#define CHECK_NEAR(value, expected, tolerance)                                                     \
  do {                                                                                             \
    const double check_value = (value), check_expected = (expected);                               \
    const double check_gap = check_value - check_expected;                                         \
    if (!(check_gap <= (tolerance) && -check_gap <= (tolerance))) {                                \
      check_failures++;                                                                            \
      fprintf(stderr, "%s:%d: %s is %.17g, expected %.17g within %g\n", __FILE__, __LINE__,        \
              #value, check_value, check_expected, (double)(tolerance));                           \
    }                                                                                              \
  } while (0)

/* A call of the library that must succeed. */
#define CHECK_OK(call, err)                                                                        \
  do {                                                                                             \
    if ((call) != 0) {                                                                             \
      check_failures++;                                                                            \
      fprintf(stderr, "%s:%d: %s failed: %s\n", __FILE__, __LINE__, #call, (err)->text);           \
    }                                                                                              \
  } while (0)

static inline int check_result(void) {
  if (check_failures) fprintf(stderr, "%d checks failed\n", check_failures);
  return check_failures ? 1 : 0;
}

#endif
