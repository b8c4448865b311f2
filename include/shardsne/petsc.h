/* What the program has PETSc and SLEPc for, where it was built with them: eigenvectors. No type of
 * theirs passes through here. They are in a module that is opened when first wanted, are started by
 * the call that needs them and ended by it. */
#ifndef SHARDSNE_PETSC_H
#define SHARDSNE_PETSC_H

#include "shardsne/status.h"
#include <stdint.h>

/* "PETSc 3.18.5, SLEPc 3.18.2", as built with; or "no PETSc". */
const char *ssne_petsc_library(void);

/* Not collective. Whether they are there; if not, SSNE_FAILED with what to do. */
ssne_code ssne_petsc_check(ssne_error *err);

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
  const char *options;  /* PETSc's own, as its command line has them; may be NULL */
} ssne_petsc_wish;

/* Not collective: on the calling process alone. The `wanted` largest eigenvalues but for that of
 * `known`, and all that are `close` to the last of them: value [most], falling; vector [most,
 * rows], orthonormal; *count of them. Whether copies of a repeated eigenvalue were missed is looked
 * into by further solves, orthogonal to all that was found; each begins at random numbers of its
 * own, the same in every run. A failure is SSNE_FAILED with PETSc's words: that a solve did not
 * converge, that more than `most` belong to the answer; options that nothing took are SSNE_USAGE.
 *
 * Krylov-Schur (Stewart 2001) to a residual of 1e-9 of the eigenvalue, unless the options say
 * otherwise. */
ssne_code ssne_petsc_eigenvectors(const ssne_petsc_matrix *matrix, const ssne_petsc_wish *wish,
                                  double *value, double *vector, int64_t *count, ssne_error *err);

#endif
