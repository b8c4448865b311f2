/* Transforms of eight sequences side by side against the sums that define them, and B-splines
 * against their known values. */
#include "check.h"

#include "fft.h"
#include "spline.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846
#define LONGEST 1440

static fft_cell input[LONGEST], work[2 * LONGEST], output[LONGEST];

static void fill(int64_t length) {
  for (int64_t j = 0; j < length; j++)
    for (int l = 0; l < FFT_LANES; l++) {
      const uint64_t item = (uint64_t)(j * FFT_LANES + l) * 2;
      input[j].re[l] = (float)ssne_random_normal(3, SSNE_RANDOM_INIT, item);
      input[j].im[l] = (float)ssne_random_normal(3, SSNE_RANDOM_INIT, item + 1);
    }
}

/* sum over j < count of input_j e^(sign 2 pi i j k / length) in lane `l` */
static void direct(int64_t count, int64_t length, int64_t k, int sign, int l, double sum[2]) {
  sum[0] = sum[1] = 0;
  for (int64_t j = 0; j < count; j++) {
    const double angle = sign * 2 * PI * (double)(j * k % length) / (double)length;
    const double re = (double)input[j].re[l], im = (double)input[j].im[l];
    sum[0] += re * cos(angle) - im * sin(angle);
    sum[1] += re * sin(angle) + im * cos(angle);
  }
}

/* Rounding is about 1e-7 of the root of the energy. */
static void check_cell(const fft_cell *cell, int l, const double expected[2], int64_t length) {
  const double tolerance = 1e-6 * sqrt((double)length);
  CHECK_NEAR((double)cell->re[l], expected[0], tolerance);
  CHECK_NEAR((double)cell->im[l], expected[1], tolerance);
}

static void check_length(int64_t length) {
  fft f = {0};
  ssne_error err;
  double expected[2];
  CHECK(fft_can(length));
  CHECK_OK(fft_prepare(&f, length, &err), &err);
  fill(length);
  const fft_cell *half = fft_forward(&f, input, work);
  for (int64_t k = 0; k < length; k += 1 + length / 37) {
    direct(length / 2, length, k, -1, (int)(k % FFT_LANES), expected);
    check_cell(&half[k], (int)(k % FFT_LANES), expected, length);
  }
  memcpy(work, input, (size_t)length * sizeof *work);
  const fft_cell *full = fft_forward_full(&f, work, work);
  for (int64_t k = 0; k < length; k += 1 + length / 37) {
    direct(length, length, k, -1, (int)(k % FFT_LANES), expected);
    check_cell(&full[k], (int)(k % FFT_LANES), expected, length);
  }
  for (int64_t j = 0; j < length; j++) {
    memcpy(work[length + j].re, input[j].im, sizeof input[j].im);
    memcpy(work[length + j].im, input[j].re, sizeof input[j].re);
  }
  fft_backward(&f, work + length, work, output);
  for (int64_t k = 0; k < length / 2; k += 1 + length / 37) {
    direct(length, length, k, 1, (int)(k % FFT_LANES), expected);
    check_cell(&output[k], (int)(k % FFT_LANES), expected, length);
  }
  fft_free(&f);
}

/* The same bits whatever the instruction set. */
static void check_levels(int64_t length) {
  static fft_cell plain[LONGEST];
  fft f = {0};
  ssne_error err;
  CHECK_OK(fft_prepare(&f, length, &err), &err);
  fill(length);
  const fft_cell *best = fft_forward(&f, input, work);
  memcpy(plain, best, (size_t)length * sizeof *plain);
  setenv("SHARDSNE_SIMD", "plain", 1);
  CHECK(memcmp(fft_forward(&f, input, work), plain, (size_t)length * sizeof *plain) == 0);
  unsetenv("SHARDSNE_SIMD");
  fft_free(&f);
}

static double evaluate(const float c[][SSNE_SPLINE_LANES], int degrees, int lane, double t) {
  double sum = 0;
  for (int d = degrees - 1; d >= 0; d--) sum = sum * t + (double)c[d][lane];
  return sum;
}

static void check_spline(int order, const double *middle, const double *samples) {
  ssne_spline s;
  ssne_spline_make(order, &s);
  for (int l = 0; l < order; l++)
    CHECK_NEAR(evaluate(s.weight, order, l, 0), middle[l < order / 2 ? l : order - 1 - l], 1e-7);
  for (int j = 0; j < order / 2; j++) CHECK_NEAR(s.sample[j], samples[j], 1e-15);
  for (double t = -0.5; t < 0.5; t += 0.09) {
    double sum = 0, mean = 0, slopes = 0, own = 0, square = 0;
    for (int l = 0; l < order; l++) {
      const double w = evaluate(s.weight, order, l, t);
      const double slope =
          evaluate(s.weight, order, l, t + 1e-4) - evaluate(s.weight, order, l, t - 1e-4);
      CHECK_NEAR(evaluate(s.slope, order, l, t), slope / 2e-4, 1e-6);
      sum += w;
      mean += w * (l - (order - 1) / 2.0);
      slopes += evaluate(s.slope, order, l, t);
      own += evaluate(s.own, 2 * SSNE_SPLINE_ORDER - 1, l, t);
      square += w * w;
    }
    CHECK_NEAR(sum, 1, 1e-6);
    CHECK_NEAR(mean, t, 1e-6); /* a charge's centre stays where it is */
    CHECK_NEAR(slopes, 0, 1e-6);
    CHECK_NEAR(own, 1, 1e-6); /* (sum of weights)^2 */
    CHECK_NEAR(evaluate(s.own, 2 * SSNE_SPLINE_ORDER - 1, 0, t), square, 1e-6);
  }
  CHECK_NEAR(ssne_spline_transform(&s, 0), 1, 1e-14);
}

int main(void) {
  static const int64_t lengths[] = {32, 64, 96, 160, 288, 320, 480, 800, 1280, 1440};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    check_length(lengths[i]);
    check_levels(lengths[i]);
  }
  CHECK(!fft_can(0) && !fft_can(48) && !fft_can(32 * 7));
  check_spline(4, (double[]){1 / 48.0, 23 / 48.0}, (double[]){4 / 6.0, 1 / 6.0});
  check_spline(6, (double[]){1 / 3840.0, 237 / 3840.0, 1682 / 3840.0},
               (double[]){66 / 120.0, 26 / 120.0, 1 / 120.0});
  return check_result();
}
