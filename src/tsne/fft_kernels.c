#include "fft_kernels.h"

#define LANES FFT_LANES

/* Complex numbers in lanes: those of one lane of a cell. */
typedef struct number {
  float re, im;
} number;

static inline number get(const fft_cell *cell, int l) {
  return (number){cell->re[l], cell->im[l]};
}

static inline void put(fft_cell *cell, int l, number a) {
  cell->re[l] = a.re;
  cell->im[l] = a.im;
}

static inline number plus(number a, number b) {
  return (number){a.re + b.re, a.im + b.im};
}

static inline number minus(number a, number b) {
  return (number){a.re - b.re, a.im - b.im};
}

static inline number times(number a, number b) {
  return (number){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* a + f b */
static inline number plus_scaled(number a, float f, number b) {
  return (number){a.re + f * b.re, a.im + f * b.im};
}

/* -i a */
static inline number turned(number a) {
  return (number){a.im, -a.re};
}

static inline number root_at(const float *root, int64_t j) {
  return (number){root[2 * j], root[2 * j + 1]};
}

static void pass2(const fft_cell *restrict x, fft_cell *restrict y, int64_t done, int64_t m,
                  const float *root) {
  for (int64_t p = 0; p < m; p++) {
    const number w = root_at(root, done * p);
    for (int64_t q = 0; q < done; q++) {
      const fft_cell *a = x + q + done * p, *b = a + done * m;
      fft_cell *to = y + q + done * 2 * p;
      for (int l = 0; l < LANES; l++) {
        const number a0 = get(a, l), a1 = get(b, l);
        put(to, l, plus(a0, a1));
        put(to + done, l, times(minus(a0, a1), w));
      }
    }
  }
}

static void pass3(const fft_cell *restrict x, fft_cell *restrict y, int64_t done, int64_t m,
                  const float *root) {
  const float half_root3 = 0.8660254037844386F;
  for (int64_t p = 0; p < m; p++) {
    const number w1 = root_at(root, done * p), w2 = root_at(root, 2 * done * p);
    for (int64_t q = 0; q < done; q++) {
      const fft_cell *a = x + q + done * p, *b = a + done * m, *c = b + done * m;
      fft_cell *to = y + q + done * 3 * p;
      for (int l = 0; l < LANES; l++) {
        const number a0 = get(a, l), sum = plus(get(b, l), get(c, l));
        const number gap = turned(minus(get(b, l), get(c, l)));
        const number even = plus_scaled(a0, -0.5F, sum);
        put(to, l, plus(a0, sum));
        put(to + done, l, times(plus_scaled(even, half_root3, gap), w1));
        put(to + 2 * done, l, times(plus_scaled(even, -half_root3, gap), w2));
      }
    }
  }
}

static void pass4(const fft_cell *restrict x, fft_cell *restrict y, int64_t done, int64_t m,
                  const float *root) {
  for (int64_t p = 0; p < m; p++) {
    const number w1 = root_at(root, done * p), w2 = root_at(root, 2 * done * p),
                 w3 = root_at(root, 3 * done * p);
    for (int64_t q = 0; q < done; q++) {
      const fft_cell *a = x + q + done * p, *b = a + done * m, *c = b + done * m, *d = c + done * m;
      fft_cell *to = y + q + done * 4 * p;
      for (int l = 0; l < LANES; l++) {
        const number even = plus(get(a, l), get(c, l)), odd = minus(get(a, l), get(c, l));
        const number sum = plus(get(b, l), get(d, l));
        const number gap = turned(minus(get(b, l), get(d, l)));
        put(to, l, plus(even, sum));
        put(to + done, l, times(plus(odd, gap), w1));
        put(to + 2 * done, l, times(minus(even, sum), w2));
        put(to + 3 * done, l, times(minus(odd, gap), w3));
      }
    }
  }
}

static void pass5(const fft_cell *restrict x, fft_cell *restrict y, int64_t done, int64_t m,
                  const float *root) {
  const float cos1 = 0.30901699437494745F, cos2 = -0.8090169943749473F;
  const float sin1 = 0.9510565162951535F, sin2 = 0.5877852522924732F;
  const int64_t step = done * m;
  for (int64_t p = 0; p < m; p++) {
    const number w1 = root_at(root, done * p), w2 = root_at(root, 2 * done * p),
                 w3 = root_at(root, 3 * done * p), w4 = root_at(root, 4 * done * p);
    for (int64_t q = 0; q < done; q++) {
      const fft_cell *a = x + q + done * p;
      fft_cell *to = y + q + done * 5 * p;
      for (int l = 0; l < LANES; l++) {
        const number a0 = get(a, l);
        const number sum1 = plus(get(a + step, l), get(a + 4 * step, l));
        const number sum2 = plus(get(a + 2 * step, l), get(a + 3 * step, l));
        const number gap1 = turned(minus(get(a + step, l), get(a + 4 * step, l)));
        const number gap2 = turned(minus(get(a + 2 * step, l), get(a + 3 * step, l)));
        const number even1 = plus_scaled(plus_scaled(a0, cos1, sum1), cos2, sum2);
        const number even2 = plus_scaled(plus_scaled(a0, cos2, sum1), cos1, sum2);
        const number odd1 = {sin1 * gap1.re + sin2 * gap2.re, sin1 * gap1.im + sin2 * gap2.im};
        const number odd2 = {sin2 * gap1.re - sin1 * gap2.re, sin2 * gap1.im - sin1 * gap2.im};
        put(to, l, plus(a0, plus(sum1, sum2)));
        put(to + done, l, times(plus(even1, odd1), w1));
        put(to + 2 * done, l, times(plus(even2, odd2), w2));
        put(to + 3 * done, l, times(minus(even2, odd2), w3));
        put(to + 4 * done, l, times(minus(even1, odd1), w4));
      }
    }
  }
}

static void first(const fft_cell *restrict x, fft_cell *restrict y, int64_t m, const float *root) {
  for (int64_t p = 0; p < m; p++) {
    const number w1 = root_at(root, p), w2 = root_at(root, 2 * p), w3 = root_at(root, 3 * p);
    const fft_cell *a = x + p, *b = a + m;
    fft_cell *to = y + 4 * p;
    for (int l = 0; l < LANES; l++) {
      const number a0 = get(a, l), a1 = get(b, l), gap = turned(a1);
      put(to, l, plus(a0, a1));
      put(to + 1, l, times(plus(a0, gap), w1));
      put(to + 2, l, times(minus(a0, a1), w2));
      put(to + 3, l, times(minus(a0, gap), w3));
    }
  }
}

static void last(const fft_cell *restrict x, fft_cell *restrict y, int64_t done) {
  for (int64_t q = 0; q < done; q++) {
    const fft_cell *a = x + q, *b = a + done, *c = b + done, *d = c + done;
    for (int l = 0; l < LANES; l++) {
      const number sum = plus(get(b, l), get(d, l)), gap = turned(minus(get(b, l), get(d, l)));
      const number r0 = plus(plus(get(a, l), get(c, l)), sum);
      const number r1 = plus(minus(get(a, l), get(c, l)), gap);
      put(y + q, l, (number){r0.im, r0.re});
      put(y + q + done, l, (number){r1.im, r1.re});
    }
  }
}

const fft_kernels SSNE_KERNELS_HERE(fft_kernels) = {
    .pass = {[2] = pass2, [3] = pass3, [4] = pass4, [5] = pass5}, .first = first, .last = last};
