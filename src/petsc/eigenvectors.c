/* Eigenvectors by SLEPc. */
#include "session.h"

#include "shardsne/random.h"

#include <inttypes.h>
#include <slepceps.h>
#include <string.h>

#define TOLERANCE 1e-9 /* of a residual, relative to the eigenvalue */
#define LEAST_SUBSPACE                                                                             \
  40 /* eigenvalues lie close below 1: a small subspace takes many restarts                        \
      */

typedef struct solver {
  const ssne_petsc_matrix *matrix;
  const ssne_petsc_wish *wish;
  session session;
  double *vector; /* of the caller */
  Mat a;
  Vec *basis;     /* [1 + most] `known`, then what was found */
  double *value;  /* [most] falling */
  int64_t count;  /* found */
  int64_t solves; /* begun */
  Vec start;      /* of the present solve */
} solver;

/* --- one solve --------------------------------------------------------------------------- */

static PetscErrorCode multiply(Mat a, Vec x, Vec y) {
  solver *s = NULL;
  const PetscScalar *from = NULL;
  PetscScalar *to = NULL;
  PetscFunctionBeginUser;
  PetscCall(MatShellGetContext(a, &s));
  PetscCall(VecGetArrayRead(x, &from));
  PetscCall(VecGetArrayWrite(y, &to));
  s->session.told = s->matrix->multiply(s->matrix->context, from, to, s->session.err) != SSNE_OK;
  PetscCall(VecRestoreArrayRead(x, &from));
  PetscCall(VecRestoreArrayWrite(y, &to));
  PetscFunctionReturn(s->session.told ? PETSC_ERR_USER : 0);
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
    SESSION_GIVE_UP(
        &s->session, SSNE_FAILED,
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
      SESSION_GIVE_UP(&s->session, SSNE_FAILED,
                      "more than %" PRId64 " eigenvalues are as good as equal, at %.9g",
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

static PetscErrorCode copy_out(const solver *s) {
  const PetscScalar *from = NULL;
  PetscFunctionBeginUser;
  for (int64_t i = 0; i < s->count; i++) {
    PetscCall(VecGetArrayRead(s->basis[1 + i], &from));
    memcpy(s->vector + i * s->matrix->rows, from, (size_t)s->matrix->rows * sizeof *from);
    PetscCall(VecRestoreArrayRead(s->basis[1 + i], &from));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode work_with(solver *s, Vec *like) {
  const PetscInt rows = (PetscInt)s->matrix->rows;
  PetscFunctionBeginUser;
  PetscCall(MatCreateShell(PETSC_COMM_SELF, rows, rows, rows, rows, s, &s->a));
  PetscCall(MatShellSetOperation(s->a, MATOP_MULT, (void (*)(void))multiply));
  PetscCall(MatCreateVecs(s->a, like, &s->start));
  PetscCall(VecDuplicateVecs(*like, (PetscInt)(1 + s->wish->most + 1), &s->basis));
  PetscCall(fill(s->basis[0], s->wish->known, rows));
  PetscCall(find(s));
  PetscCall(copy_out(s));
  PetscFunctionReturn(0);
}

static PetscErrorCode work(void *context) {
  solver *s = context;
  Vec like = NULL;
  PetscFunctionBeginUser;
  const PetscErrorCode worked = work_with(s, &like);
  PetscCall(VecDestroyVecs((PetscInt)(1 + s->wish->most + 1), &s->basis));
  PetscCall(VecDestroy(&like));
  PetscCall(VecDestroy(&s->start));
  PetscCall(MatDestroy(&s->a));
  PetscFunctionReturn(worked);
}

ssne_code eigenvectors(const ssne_petsc_matrix *matrix, const ssne_petsc_wish *wish, double *value,
                       double *vector, int64_t *count, ssne_error *err) {
  solver s = {
      .matrix = matrix, .wish = wish, .session = {.err = err}, .value = value, .vector = vector};
  const ssne_code code = session_run(&s.session, matrix->rows, &wish->options, false, work, &s);
  *count = s.count;
  return code;
}

extern const ssne_petsc_table ssne_petsc;
const ssne_petsc_table ssne_petsc = {.eigenvectors = eigenvectors, .minimise = minimise};
