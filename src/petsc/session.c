#include "session.h"

#include <inttypes.h>
#include <slepcsys.h>
#include <string.h>

/* PETSc calls it where an error begins, and again on the way back. */
static PetscErrorCode take_error(MPI_Comm comm, int line, const char *function, const char *file,
                                 PetscErrorCode code, PetscErrorType type, const char *message,
                                 void *context) {
  session *s = context;
  const char *meaning = NULL;
  (void)comm, (void)line, (void)file;
  if (type != PETSC_ERROR_INITIAL || s->told) return code;
  PetscErrorMessage(code, &meaning, NULL);
  ssne_fail(s->err, SSNE_FAILED, "PETSc: %s: %s (%s)", meaning ? meaning : "error", message,
            function);
  s->told = true;
  return code;
}

static ssne_code status_of(session *s, PetscErrorCode code) {
  if (code == 0 && !s->told) return SSNE_OK;
  if (!s->told) ssne_fail(s->err, SSNE_FAILED, "PETSc: error %d", (int)code);
  return s->err->code;
}

/* The BLAS that came with PETSc need not be the program's, which main.c has seen to: its sums would
 * depend on the number of its threads. */
extern void openblas_set_num_threads(int) __attribute__((weak));
extern void mkl_set_num_threads(int) __attribute__((weak));
static void keep_blas_serial(void) {
  if (openblas_set_num_threads) openblas_set_num_threads(1);
  if (mkl_set_num_threads) mkl_set_num_threads(1);
}

/* The way MPI has for what is to be done first when it ends (MPI 3.1, 8.7.1). */
static int end_with_mpi(MPI_Comm comm, int key, void *value, void *extra) {
  (void)comm, (void)key, (void)value, (void)extra;
  return SlepcFinalize() == 0 ? MPI_SUCCESS : MPI_ERR_OTHER;
}

/* Not MPI_COMM_WORLD: the other ranks take no part. Signals are the program's, and no file in the
 * home folder has a say. They are begun once: PETSc 3.18 does not know its own types, such as those
 * of TAO, when begun again. */
static PetscErrorCode begin(void) {
  char name[] = "shardsne", signals[] = "-no_signal_handler", files[] = "-skip_petscrc";
  char *words[] = {name, signals, files, NULL}, **argv = words;
  int argc = 3, key = MPI_KEYVAL_INVALID;
  if (PetscInitializeCalled) return 0;
  keep_blas_serial();
  PETSC_COMM_WORLD = MPI_COMM_SELF;
  const PetscErrorCode code = SlepcInitialize(&argc, &argv, NULL, NULL);
  if (code != 0) return code;
  if (MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, end_with_mpi, &key, NULL) != MPI_SUCCESS ||
      MPI_Comm_set_attr(MPI_COMM_SELF, key, NULL) != MPI_SUCCESS)
    return PETSC_ERR_MPI;
  return 0;
}

/* A misspelt option would do nothing and say nothing. */
static PetscErrorCode refuse_unused(session *s, const ssne_petsc_options *options, bool by_tao) {
  PetscInt count = 0;
  char **names = NULL, **values = NULL, first[128] = "";
  PetscFunctionBeginUser;
  PetscCall(PetscOptionsLeftGet(NULL, &count, &names, &values));
  for (PetscInt i = 0; i < count && !first[0]; i++)
    if (!options->shared || by_tao == (strncmp(names[i], "tao_", 4) == 0))
      snprintf(first, sizeof first, "%s", names[i]);
  PetscCall(PetscOptionsLeftRestore(NULL, &count, &names, &values));
  if (first[0])
    SESSION_GIVE_UP(s, SSNE_USAGE, "--petsc: -%s is no option of what PETSc and SLEPc did here",
                    first);
  PetscFunctionReturn(0);
}

static PetscErrorCode work_under(session *s, const ssne_petsc_options *options, bool by_tao,
                                 PetscErrorCode (*work)(void *context), void *context) {
  PetscFunctionBeginUser;
  if (options->text) PetscCall(PetscOptionsInsertString(NULL, options->text));
  PetscCall(work(context));
  PetscCall(refuse_unused(s, options, by_tao));
  PetscFunctionReturn(0);
}

ssne_code session_run(session *s, int64_t size, const ssne_petsc_options *options, bool by_tao,
                      PetscErrorCode (*work)(void *context), void *context) {
  PetscOptions own = NULL;
  if (size > PETSC_MAX_INT)
    return ssne_fail(s->err, SSNE_FAILED,
                     "vectors of %" PRId64 " are longer than this PETSc counts: at most %" PRId64
                     " (its 64-bit build has no such limit)",
                     size, (int64_t)PETSC_MAX_INT);
  if (begin() != 0 || PetscOptionsCreate(&own) != 0 || PetscOptionsPush(own) != 0)
    return ssne_fail(s->err, SSNE_FAILED, "PETSc could not be started");
  PetscErrorCode code = PetscPushErrorHandler(take_error, s);
  if (code == 0) code = work_under(s, options, by_tao, work, context);
  const ssne_code status = status_of(s, code);
  PetscPopErrorHandler();
  PetscOptionsPop();
  PetscOptionsDestroy(&own);
  return status;
}
