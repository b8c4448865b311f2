/* Vector instructions without giving up one result.
 *
 * A kernel is a plain loop over arrays whose reductions run in SSNE_LANES separate accumulators,
 * added up in lane order at the end. The compiler makes vector code of it for any instruction set,
 * and since floating-point contraction is off (see CMakeLists.txt) every version gives the same
 * bits. */
#ifndef SHARDSNE_SIMD_H
#define SHARDSNE_SIMD_H

#define SSNE_LANES 16

/* Before a function: compile it for several instruction sets, the best chosen when the program
 * starts. Sanitizers instrument too early for that choice, other compilers lack it. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(SSNE_NO_CLONES)
#define SSNE_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define SSNE_CLONES
#endif

#endif
