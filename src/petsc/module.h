/* What the module with PETSc and SLEPc gives: one table of functions under one name. */
#ifndef SSNE_PETSC_MODULE_H
#define SSNE_PETSC_MODULE_H

#include "shardsne/petsc.h"

/* The file, found by the RUNPATH of the program, and the name of the table in it. */
#define SSNE_PETSC_MODULE "shardsne-petsc.so"
#define SSNE_PETSC_TABLE "ssne_petsc"

/* Each as the function of shardsne/petsc.h that is called so. */
typedef struct ssne_petsc_table {
  ssne_code (*eigenvectors)(const ssne_petsc_matrix *matrix, const ssne_petsc_wish *wish,
                            double *value, double *vector, int64_t *count, ssne_error *err);
  ssne_code (*minimise)(const ssne_petsc_function *function, const ssne_petsc_limits *limits,
                        double *x, ssne_petsc_end *end, ssne_error *err);
} ssne_petsc_table;

#endif
