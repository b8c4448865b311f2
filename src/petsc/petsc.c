/* Opens the module with PETSc and SLEPc when it is first wanted, and hands everything on to it. */
#include "shardsne/petsc.h"

#include "module.h"

#include "shardsne/module.h"

#include <stddef.h>

const char *ssne_petsc_library(void) {
#ifdef SSNE_WITH_PETSC
  return SSNE_WITH_PETSC;
#else
  return "no PETSc";
#endif
}

/* It must stay open: MPI keeps the addresses of functions in it. */
static ssne_code open_module(const char *what, const ssne_petsc_table **out, ssne_error *err) {
#ifdef SSNE_WITH_PETSC
  const void *table = NULL;
  (void)what;
  const ssne_code code = ssne_module_open(SSNE_PETSC_MODULE, SSNE_PETSC_TABLE, "PETSc",
                                          SSNE_PETSC_MODULE ", SLEPc and PETSc", &table, err);
  *out = table;
  return code;
#else
  *out = NULL;
  return ssne_fail(err, SSNE_FAILED,
                   "this shardsne was built without PETSc and SLEPc: do without %s, or build where "
                   "they are with -DSHARDSNE_PETSC=ON",
                   what);
#endif
}

ssne_code ssne_petsc_check(const char *what, ssne_error *err) {
  const ssne_petsc_table *module = NULL;
  return open_module(what, &module, err);
}

ssne_code ssne_petsc_eigenvectors(const ssne_petsc_matrix *matrix, const ssne_petsc_wish *wish,
                                  double *value, double *vector, int64_t *count, ssne_error *err) {
  const ssne_petsc_table *module = NULL;
  SSNE_TRY(open_module("a spectral start", &module, err));
  return module->eigenvectors(matrix, wish, value, vector, count, err);
}

ssne_code ssne_petsc_minimise(const ssne_petsc_function *function, const ssne_petsc_limits *limits,
                              double *x, ssne_petsc_end *end, ssne_error *err) {
  const ssne_petsc_table *module = NULL;
  SSNE_TRY(open_module("TAO", &module, err));
  return module->minimise(function, limits, x, end, err);
}
