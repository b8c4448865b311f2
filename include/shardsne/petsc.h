/* What the program has PETSc and SLEPc for, where it was built with them: eigenvectors, and minima
 * by TAO. No type of theirs passes through here. They are in a module that is opened when first
 * wanted, are begun by the first call that needs them and end with MPI. Their BLAS is held to one
 * thread. */
#ifndef SHARDSNE_PETSC_H
#define SHARDSNE_PETSC_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stdint.h>

/* "PETSc 3.18.5, SLEPc 3.18.2", as built with; or "no PETSc". */
const char *ssne_petsc_library(void);

/* Not collective. Whether they are there; if not, SSNE_FAILED: `what` cannot be had without. */
ssne_code ssne_petsc_check(const char *what, ssne_error *err);

/* PETSc's own options, as its command line has them. One that nothing took is SSNE_USAGE. */
typedef struct ssne_petsc_options {
  const char *text; /* may be NULL: none */
  bool shared;      /* for a solve and TAO both: what begins with -tao_ is TAO's, the rest is not */
} ssne_petsc_options;

/* A symmetric matrix by what it does to vectors: y = A x, both [rows]. */
typedef struct ssne_petsc_matrix {
  int64_t rows;
  ssne_code (*multiply)(void *context, const double *x, double *y, ssne_error *err);
  void *context;
} ssne_petsc_matrix;

/* Which eigenvectors. */
typedef struct ssne_petsc_wish {
  const double *known;  /* [rows] an eigenvector, that is not looked for again */
  int64_t wanted, most; /* 1 <= wanted <= most; wanted < rows */
  double close;         /* eigenvalues that differ by less count as equal */
  ssne_petsc_options options;
} ssne_petsc_wish;

/* Not collective: on the calling process alone. The `wanted` largest eigenvalues but for that of
 * `known`, and all that are `close` to the last of them: value [most], falling; vector [most,
 * rows], orthonormal; *count of them. Whether copies of a repeated eigenvalue were missed is looked
 * into by further solves, orthogonal to all that was found; each begins at random numbers of its
 * own, the same in every run. A failure is SSNE_FAILED with PETSc's words: that a solve did not
 * converge, that more than `most` belong to the answer; or what `multiply` failed with.
 *
 * Krylov-Schur (Stewart 2001) to a residual of 1e-9 of the eigenvalue, unless the options say
 * otherwise. */
ssne_code ssne_petsc_eigenvectors(const ssne_petsc_matrix *matrix, const ssne_petsc_wish *wish,
                                  double *value, double *vector, int64_t *count, ssne_error *err);

/* A differentiable function of `size` variables. */
typedef struct ssne_petsc_function {
  int64_t size;
  /* Its value and gradient [size] at x [size]. An infinite value: x is out of bounds. */
  ssne_code (*evaluate)(void *context, const double *x, double *value, double *gradient,
                        ssne_error *err);
  void (*told)(void *context, int64_t iteration); /* before the first iteration and after each */
  void *context;
} ssne_petsc_function;

/* When to stop, unless the options say otherwise but for `most`: |g| <= absolute, or |g| <=
 * relative |value|. */
typedef struct ssne_petsc_limits {
  int64_t most; /* iterations */
  double absolute, relative;
  ssne_petsc_options options;
} ssne_petsc_limits;

/* How it ended. */
typedef struct ssne_petsc_end {
  int64_t iterations; /* made; less than `most`: TAO had no reason, or no way, to go on */
  char reason[48];    /* as TAO has it, such as CONVERGED_GATOL */
} ssne_petsc_end;

/* Not collective: on the calling process alone. x [size], the point to begin at, becomes the one
 * with the least value that TAO came to, by limited-memory BFGS (Nocedal & Wright 2006, 7.2) unless
 * the options have another -tao_type that needs no more than gradients. A failure is SSNE_FAILED
 * with PETSc's words, or what `evaluate` failed with. */
ssne_code ssne_petsc_minimise(const ssne_petsc_function *function, const ssne_petsc_limits *limits,
                              double *x, ssne_petsc_end *end, ssne_error *err);

#endif
