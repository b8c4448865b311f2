/* Vector instructions without giving up one result.
 *
 * A kernel is a plain loop over arrays in a source file of its own, *_kernels.c, which CMake
 * compiles once for each instruction set (see ssne_kernels in CMakeLists.txt); the best one for the
 * processor is chosen when the program runs. Reductions go through SSNE_LANES separate accumulators
 * added up in lane order, and floating-point contraction is off, so that every version gives the
 * same bits.
 *
 * A kernel file includes "NAME.h", which declares the table of its functions:
 *
 *     typedef struct example_kernels { void (*scale)(float *x, int64_t count); } example_kernels;
 *     SSNE_KERNELS_DECLARE(example_kernels)
 *
 * and ends with the table of the version being compiled:
 *
 *     const example_kernels SSNE_KERNELS_HERE(example_kernels) = {.scale = scale};
 *
 * Users call example_kernels_at(ssne_simd_level())->scale(x, count). */
#ifndef SHARDSNE_SIMD_H
#define SHARDSNE_SIMD_H

#define SSNE_LANES 16

/* Plain is what the compiler makes for any processor of the architecture: SSE2 on x86-64, NEON on
 * 64-bit Arm. */
typedef enum ssne_simd { SSNE_SIMD_PLAIN, SSNE_SIMD_AVX2, SSNE_SIMD_AVX512 } ssne_simd;

/* The best level that this processor has and the program was compiled for; lowered by the
 * environment variable SHARDSNE_SIMD=plain|avx2|avx512, for tests. */
ssne_simd ssne_simd_level(void);

/* "plain", "avx2" or "avx512". */
const char *ssne_simd_name(ssne_simd level);

/* SSNE_SIMD_HERE is the suffix of the version being compiled: plain, avx2 or avx512. */
#define SSNE_SIMD_JOIN(name, level) name##_##level
#define SSNE_SIMD_NAME(name, level) SSNE_SIMD_JOIN(name, level)
#define SSNE_KERNELS_HERE(type) SSNE_SIMD_NAME(type, SSNE_SIMD_HERE)

#ifdef SSNE_SIMD_X86
#define SSNE_KERNELS_DECLARE(type)                                                                 \
  extern const type type##_plain, type##_avx2, type##_avx512;                                      \
  static inline const type *type##_at(ssne_simd level) {                                           \
    return level == SSNE_SIMD_AVX512 ? &type##_avx512                                              \
           : level == SSNE_SIMD_AVX2 ? &type##_avx2                                                \
                                     : &type##_plain;                                              \
  }
#else
#define SSNE_KERNELS_DECLARE(type)                                                                 \
  extern const type type##_plain;                                                                  \
  static inline const type *type##_at(ssne_simd level) {                                           \
    (void)level;                                                                                   \
    return &type##_plain;                                                                          \
  }
#endif

#endif
