/* One use of PETSc: its options, its errors. It runs on one process, with MPI_COMM_SELF for
 * its world. */
#ifndef SSNE_PETSC_SESSION_H
#define SSNE_PETSC_SESSION_H

#include "module.h"

#include <petscsys.h>

typedef struct session {
  ssne_error *err;
  bool told; /* err says what went wrong */
} session;

/* Begins PETSc and SLEPc, unless they have been, and does the work, which is of vectors of `size`,
 * under these options and no others; one that nothing took is an error. `by_tao`: who had to. They
 * end with MPI. */
ssne_code session_run(session *s, int64_t size, const ssne_petsc_options *options, bool by_tao,
                      PetscErrorCode (*work)(void *context), void *context);

/* Ends what PETSc is doing with an error of our own. */
#define SESSION_GIVE_UP(s, code, ...)                                                              \
  do {                                                                                             \
    ssne_fail((s)->err, code, __VA_ARGS__);                                                        \
    (s)->told = true;                                                                              \
    return PETSC_ERR_USER;                                                                         \
  } while (0)

/* Each as the function of shardsne/petsc.h that is called so. */
ssne_code eigenvectors(const ssne_petsc_matrix *matrix, const ssne_petsc_wish *wish, double *value,
                       double *vector, int64_t *count, ssne_error *err);
ssne_code minimise(const ssne_petsc_function *function, const ssne_petsc_limits *limits, double *x,
                   ssne_petsc_end *end, ssne_error *err);

#endif
