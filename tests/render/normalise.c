/* Coordinates to the unit square, by cases worked out by hand. */
#include "check.h"

#include "shardsne/render.h"

#include <float.h>
#include <math.h>

static void test_ranges(void) {
  const float xy[] = {1, -10, 3, 30, 2, 10};
  float out[6];
  ssne_normalise(xy, 3, out);
  const float expected[] = {0, 0, 1, 1, 0.5f, 0.5f};
  for (int i = 0; i < 6; i++) CHECK(out[i] == expected[i]);
}

/* A row without coordinates neither moves the range nor gets a place, also where one of the two is
 * a number. */
static void test_missing(void) {
  float xy[] = {NAN, 1000, 0, 4, INFINITY, -7, 8, 0, NAN, NAN};
  ssne_normalise(xy, 5, xy);
  CHECK(isnan(xy[0]) && isnan(xy[1]) && isnan(xy[4]) && isnan(xy[5]));
  CHECK(isnan(xy[8]) && isnan(xy[9]));
  CHECK(xy[2] == 0 && xy[3] == 1 && xy[6] == 1 && xy[7] == 0);
}

static void test_equal(void) {
  float xy[] = {7, 1, 7, 2, 7, 3};
  ssne_normalise(xy, 3, xy);
  CHECK(xy[0] == 0.5f && xy[2] == 0.5f && xy[4] == 0.5f);
  CHECK(xy[1] == 0 && xy[3] == 0.5f && xy[5] == 1);
  float one[] = {-3, 5};
  ssne_normalise(one, 1, one);
  CHECK(one[0] == 0.5f && one[1] == 0.5f);
  float none[] = {NAN, NAN};
  ssne_normalise(none, 1, none);
  CHECK(isnan(none[0]) && isnan(none[1]));
  ssne_normalise(none, 0, none);
}

/* FLT_MAX - -FLT_MAX is no float; and neighbouring floats are still told apart. */
static void test_extremes(void) {
  float huge[] = {-FLT_MAX, 1, FLT_MAX, nextafterf(1, 2), 0, nextafterf(nextafterf(1, 2), 2)};
  ssne_normalise(huge, 3, huge);
  CHECK(huge[0] == 0 && huge[2] == 1 && huge[4] == 0.5f);
  CHECK(huge[1] == 0 && huge[3] == 0.5f && huge[5] == 1);
}

int main(void) {
  test_ranges();
  test_missing();
  test_equal();
  test_extremes();
  return check_result();
}
