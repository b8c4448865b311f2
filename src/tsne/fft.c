#include "fft.h"

#include "shardsne/memory.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

static int64_t without(int64_t number, int factor) {
  while (number % factor == 0) number /= factor;
  return number;
}

bool fft_can(int64_t length) {
  return length > 0 && length % 32 == 0 && without(without(without(length, 2), 3), 5) == 1;
}

/* The first and the last are 4, which the half-empty passes want. */
static void factor(fft *f) {
  static const int factors[] = {4, 2, 3, 5};
  int64_t rest = f->length / 16;
  f->passes = 0;
  f->radix[f->passes++] = 4;
  for (int i = 0; i < 4; i++)
    for (; rest % factors[i] == 0; rest /= factors[i]) f->radix[f->passes++] = factors[i];
  f->radix[f->passes++] = 4;
}

ssne_code fft_prepare(fft *f, int64_t length, ssne_error *err) {
  if (length == f->length) return SSNE_OK;
  f->length = 0;
  if (length > f->capacity) {
    ssne_free(&f->root);
    f->capacity = 0;
    SSNE_TRY(ssne_alloc(&f->root, length, sizeof(float[2]), "roots of unity", err));
    f->capacity = length;
  }
  for (int64_t j = 0; j < length; j++) {
    const double angle = 2 * PI * (double)j / (double)length;
    f->root[2 * j] = (float)cos(angle);
    f->root[2 * j + 1] = (float)-sin(angle);
  }
  f->length = length;
  factor(f);
  return SSNE_OK;
}

void fft_free(fft *f) {
  ssne_free(&f->root);
  *f = (fft){0};
}

/* Passes first ... end - 1, the earlier ones having multiplied up to `done`. */
static fft_cell *passes(const fft *f, int first, int end, int64_t done, fft_cell *in,
                        fft_cell *work) {
  const fft_kernels *kernels = fft_kernels_at(ssne_simd_level());
  for (int i = first; i < end; i++) {
    fft_cell *out = in == work ? work + f->length : work;
    kernels->pass[f->radix[i]](in, out, done, f->length / (done * f->radix[i]), f->root);
    done *= f->radix[i];
    in = out;
  }
  return in;
}

fft_cell *fft_forward(const fft *f, const fft_cell *in, fft_cell *work) {
  fft_kernels_at(ssne_simd_level())->first(in, work, f->length / 4, f->root);
  return passes(f, 1, f->passes, 4, work, work);
}

fft_cell *fft_forward_full(const fft *f, fft_cell *in, fft_cell *work) {
  return passes(f, 0, f->passes, 1, in, work);
}

void fft_backward(const fft *f, fft_cell *in, fft_cell *work, fft_cell *out) {
  const fft_cell *last = passes(f, 0, f->passes - 1, 1, in, work);
  fft_kernels_at(ssne_simd_level())->last(last, out, f->length / 4);
}
