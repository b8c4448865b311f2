/* The module with PETSc and SLEPc. They run on one process, with MPI_COMM_SELF for their world. */
#include "module.h"

#include "shardsne/random.h"

#include <inttypes.h>
#include <slepceps.h>
#include <stdbool.h>
#include <string.h>

#define TOLERANCE 1e-9 /* of a residual, relative to the eigenvalue */
#define LEAST_SUBSPACE                                                                             \
  40 /* eigenvalues lie close below 1: a small subspace takes many restarts                        \
      */

typedef struct solver {
  const ssne_petsc_matrix *matrix;
  const ssne_petsc_wish *wish;
  ssne_error *err;
  bool told; /* err says what went wrong */
  Mat a;
  Vec *basis;     /* [1 + most] `known`, then what was found */
  double *value;  /* [most] falling */
  int64_t count;  /* found */
  int64_t solves; /* begun */
  Vec start;      /* of the present solve */
} solver;

/* --- errors ------------------------------------------------------------------------------ */

/* PETSc calls it where an error begins, and again on the way back. */
static PetscErrorCode take_error(MPI_Comm comm, int line, const char *function, const char *file,
                                 PetscErrorCode code, PetscErrorType type, const char *message,
                                 void *context) {
  solver *s = context;
  const char *meaning = NULL;
  (void)comm, (void)line, (void)file;
  if (type != PETSC_ERROR_INITIAL || s->told) return code;
  PetscErrorMessage(code, &meaning, NULL);
  ssne_fail(s->err, SSNE_FAILED, "PETSc: %s: %s (%s)", meaning ? meaning : "error", message,
            function);
  s->told = true;
  return code;
}

static ssne_code status_of(solver *s, PetscErrorCode code) {
  if (code == 0 && !s->told) return SSNE_OK;
  if (!s->told) ssne_fail(s->err, SSNE_FAILED, "PETSc: error %d", (int)code);
  return s->err->code;
}

/* Ends what PETSc is doing with an error of our own. */
#define GIVE_UP(s, code, ...)                                                                      \
  do {                                                                                             \
    ssne_fail((s)->err, code, __VA_ARGS__);                                                        \
    (s)->told = true;                                                                              \
    return PETSC_ERR_USER;                                                                         \
  } while (0)

/* --- one solve --------------------------------------------------------------------------- */

static PetscErrorCode multiply(Mat a, Vec x, Vec y) {
  solver *s = NULL;
  const PetscScalar *from = NULL;
  PetscScalar *to = NULL;
  PetscFunctionBeginUser;
  PetscCall(MatShellGetContext(a, &s));
  PetscCall(VecGetArrayRead(x, &from));
  PetscCall(VecGetArrayWrite(y, &to));
  if (s->matrix->multiply(s->matrix->context, from, to, s->err) != SSNE_OK) s->told = true;
  PetscCall(VecRestoreArrayRead(x, &from));
  PetscCall(VecRestoreArrayWrite(y, &to));
  PetscFunctionReturn(s->told ? PETSC_ERR_USER : 0);
}

/* Keeps the values falling. */
static PetscErrorCode insert(solver *s, EPS eps, PetscInt which) {
  PetscScalar value = 0;
  Vec vector = s->basis[1 + s->count];
  int64_t at = s->count;
  PetscFunctionBeginUser;
  PetscCall(EPSGetEigenpair(eps, which, &value, NULL, vector, NULL));
  for (; at > 0 && s->value[at - 1] < value; at--) {
    s->value[at] = s->value[at - 1];
    s->basis[1 + at] = s->basis[at];
  }
  s->value[at] = value;
  s->basis[1 + at] = vector;
  s->count++;
  PetscFunctionReturn(0);
}

static PetscErrorCode set_up(solver *s, EPS eps, int64_t wanted) {
  const int64_t left = s->matrix->rows - 1 - s->count;
  const int64_t subspace = 2 * wanted > LEAST_SUBSPACE ? 2 * wanted : LEAST_SUBSPACE;
  PetscFunctionBeginUser;
  PetscCall(EPSSetOperators(eps, s->a, NULL));
  PetscCall(EPSSetProblemType(eps, EPS_HEP));
  PetscCall(EPSSetWhichEigenpairs(eps, EPS_LARGEST_REAL));
  PetscCall(EPSSetDimensions(eps, (PetscInt)wanted, (PetscInt)(subspace < left ? subspace : left),
                             PETSC_DEFAULT));
  PetscCall(EPSSetTolerances(eps, TOLERANCE, PETSC_DEFAULT));
  PetscCall(EPSSetDeflationSpace(eps, (PetscInt)(1 + s->count), s->basis));
  PetscCall(EPSSetInitialSpace(eps, 1, &s->start));
  PetscCall(EPSSetFromOptions(eps));
  PetscFunctionReturn(0);
}

/* What the Krylov space of one start has of a repeated eigenvalue is found by the first solve: the
 * next must begin elsewhere. */
static PetscErrorCode draw(solver *s) {
  const int64_t rows = s->matrix->rows, first = s->solves++ * rows;
  PetscScalar *to = NULL;
  PetscFunctionBeginUser;
  PetscCall(VecGetArrayWrite(s->start, &to));
  for (int64_t i = 0; i < rows; i++)
    to[i] = ssne_random_normal(0, SSNE_RANDOM_KRYLOV, (uint64_t)(first + i));
  PetscCall(VecRestoreArrayWrite(s->start, &to));
  PetscFunctionReturn(0);
}

/* Adds the `wanted` largest eigenvalues among what is orthogonal to all in the basis. */
static PetscErrorCode solve_with(solver *s, EPS eps, int64_t wanted) {
  PetscInt found = 0, iterations = 0;
  PetscFunctionBeginUser;
  PetscCall(draw(s));
  PetscCall(set_up(s, eps, wanted));
  PetscCall(EPSSolve(eps));
  PetscCall(EPSGetConverged(eps, &found));
  PetscCall(EPSGetIterationNumber(eps, &iterations));
  if (found < wanted)
    GIVE_UP(s, SSNE_FAILED,
            "SLEPc found %" PRId64 " of %" PRId64 " eigenvectors in %" PRId64
            " iterations: allow more with --petsc \"-eps_max_it N\", or a larger residual with "
            "\"-eps_tol 1e-6\"",
            (int64_t)found, wanted, (int64_t)iterations);
  for (PetscInt i = 0; i < wanted; i++) PetscCall(insert(s, eps, i));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve(solver *s, int64_t wanted) {
  EPS eps = NULL;
  PetscErrorCode code = EPSCreate(PETSC_COMM_SELF, &eps);
  if (code == 0) code = solve_with(s, eps, wanted);
  const PetscErrorCode destroyed = EPSDestroy(&eps);
  return code ? code : destroyed;
}

/* --- all of them ------------------------------------------------------------------------- */

/* One vector spans a Krylov space that has one vector of every repeated eigenvalue: what more there
 * is comes from rounding, or from a solve that is kept away from it. */
static PetscErrorCode find(solver *s) {
  const int64_t last = s->wish->wanted - 1;
  PetscFunctionBeginUser;
  PetscCall(solve(s, s->wish->wanted));
  while (s->count < s->matrix->rows - 1) {
    if (s->count == s->wish->most)
      GIVE_UP(s, SSNE_FAILED, "more than %" PRId64 " eigenvalues are as good as equal, at %.9g",
              s->wish->most - last, s->value[last]);
    PetscCall(solve(s, 1));
    if (s->value[s->count - 1] <= s->value[last] - s->wish->close) break;
  }
  while (s->value[s->count - 1] <= s->value[last] - s->wish->close) s->count--;
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(Vec v, const double *from, int64_t rows) {
  PetscScalar *to = NULL;
  PetscFunctionBeginUser;
  PetscCall(VecGetArrayWrite(v, &to));
  memcpy(to, from, (size_t)rows * sizeof *from);
  PetscCall(VecRestoreArrayWrite(v, &to));
  PetscFunctionReturn(0);
}

static PetscErrorCode copy_out(const solver *s, double *vector) {
  const PetscScalar *from = NULL;
  PetscFunctionBeginUser;
  for (int64_t i = 0; i < s->count; i++) {
    PetscCall(VecGetArrayRead(s->basis[1 + i], &from));
    memcpy(vector + i * s->matrix->rows, from, (size_t)s->matrix->rows * sizeof *from);
    PetscCall(VecRestoreArrayRead(s->basis[1 + i], &from));
  }
  PetscFunctionReturn(0);
}

/* A misspelt option would do nothing and say nothing. */
static PetscErrorCode refuse_unused(solver *s) {
  PetscInt count = 0;
  char **names = NULL, **values = NULL, first[128] = "";
  PetscFunctionBeginUser;
  PetscCall(PetscOptionsLeftGet(NULL, &count, &names, &values));
  if (count > 0) snprintf(first, sizeof first, "%s", names[0]);
  PetscCall(PetscOptionsLeftRestore(NULL, &count, &names, &values));
  if (first[0])
    GIVE_UP(s, SSNE_USAGE, "--petsc: -%s is no option of what PETSc and SLEPc did here", first);
  PetscFunctionReturn(0);
}

static PetscErrorCode work(solver *s, double *vector) {
  const PetscInt rows = (PetscInt)s->matrix->rows;
  Vec like = NULL;
  PetscFunctionBeginUser;
  if (s->wish->options) PetscCall(PetscOptionsInsertString(NULL, s->wish->options));
  PetscCall(MatCreateShell(PETSC_COMM_SELF, rows, rows, rows, rows, s, &s->a));
  PetscCall(MatShellSetOperation(s->a, MATOP_MULT, (void (*)(void))multiply));
  PetscCall(MatCreateVecs(s->a, &like, &s->start));
  PetscCall(VecDuplicateVecs(like, (PetscInt)(1 + s->wish->most + 1), &s->basis));
  PetscCall(fill(s->basis[0], s->wish->known, rows));
  PetscCall(find(s));
  PetscCall(copy_out(s, vector));
  PetscCall(refuse_unused(s));
  PetscCall(VecDestroyVecs((PetscInt)(1 + s->wish->most + 1), &s->basis));
  PetscCall(VecDestroy(&like));
  PetscCall(VecDestroy(&s->start));
  PetscCall(MatDestroy(&s->a));
  PetscFunctionReturn(0);
}

/* Not MPI_COMM_WORLD: the other ranks take no part. Signals are the program's, and no file in the
 * home folder has a say. */
static PetscErrorCode begin(void) {
  char name[] = "shardsne", signals[] = "-no_signal_handler", files[] = "-skip_petscrc";
  char *words[] = {name, signals, files, NULL}, **argv = words;
  int argc = 3;
  PETSC_COMM_WORLD = MPI_COMM_SELF;
  return SlepcInitialize(&argc, &argv, NULL, NULL);
}

static ssne_code eigenvectors(const ssne_petsc_matrix *matrix, const ssne_petsc_wish *wish,
                              double *value, double *vector, int64_t *count, ssne_error *err) {
  solver s = {.matrix = matrix, .wish = wish, .err = err, .value = value};
  if (matrix->rows > PETSC_MAX_INT)
    return ssne_fail(err, SSNE_FAILED,
                     "%" PRId64 " rows are more than this PETSc counts: at most %" PRId64
                     " (its 64-bit build has no such limit)",
                     matrix->rows, (int64_t)PETSC_MAX_INT);
  if (begin() != 0) return ssne_fail(err, SSNE_FAILED, "PETSc could not be started");
  PetscErrorCode code = PetscPushErrorHandler(take_error, &s);
  if (code == 0) code = work(&s, vector);
  const ssne_code status = status_of(&s, code);
  PetscPopErrorHandler();
  if (SlepcFinalize() != 0 && status == SSNE_OK)
    return ssne_fail(err, SSNE_FAILED, "PETSc could not be ended");
  *count = s.count;
  return status;
}

extern const ssne_petsc_table ssne_petsc;
const ssne_petsc_table ssne_petsc = {.eigenvectors = eigenvectors};
