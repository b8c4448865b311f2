#include "shardsne/simd.h"

#include <stdlib.h>
#include <string.h>

static ssne_simd best(void) {
#ifdef SSNE_SIMD_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return SSNE_SIMD_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
    return SSNE_SIMD_AVX2;
#endif
  return SSNE_SIMD_PLAIN;
}

const char *ssne_simd_name(ssne_simd level) {
  static const char *const names[] = {"plain", "avx2", "avx512"};
  return names[level];
}

ssne_simd ssne_simd_level(void) {
  const ssne_simd most = best();
  const char *wanted = getenv("SHARDSNE_SIMD");
  for (ssne_simd level = SSNE_SIMD_PLAIN; wanted && level < most; level++)
    if (strcmp(wanted, ssne_simd_name(level)) == 0) return level;
  return most;
}
